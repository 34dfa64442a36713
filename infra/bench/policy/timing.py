"""What a decision of ours costs, by the functions that the processor calls."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from infra.bench.policy.report import Micros
from infra.bench.policy.world import CREATIVES, World
from signage.core.bandit import Model, Sums, arms_of, drawn, gamma_after
from signage.core.context import FEATURES
from signage.core.policy import StorePolicy
from streams.contracts.layout import Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, ZoneAttention

_NOW_MS = 1_700_000_000_000


def micros(call: Callable[[int], object], times: int) -> Micros:
    """Median and 99th percentile of `times` calls."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - began) * 1e6)
    p50, p99 = np.percentile(taken, [50, 99])
    return Micros(p50=round(float(p50), 1), p99=round(float(p99), 1))


def learned(world: World, chosen: NDArray[np.int64], names: Sequence[str]) -> PolicySnapshot:
    """A snapshot of all that a run's choices taught."""
    count, d = len(chosen), world.x.shape[1]
    sums = Sums.nothing(CREATIVES, d)
    np.add.at(sums.a, chosen, world.x[:, :, None] * world.x[:, None, :])
    np.add.at(sums.b, chosen, world.reward[np.arange(count), chosen, None] * world.x)
    np.add.at(sums.n, chosen, 1.0)
    return PolicySnapshot(
        policy_id="bench",
        version=1,
        algorithm="bandit",
        made_at_ms=_NOW_MS,
        store_id="bench",
        features=tuple(names),
        arms=arms_of(sums, [f"c{k}" for k in range(CREATIVES)]),
        gamma=gamma_after(count),
        rewards=count,
        simulated=True,
    )


def decide_us(snapshot: PolicySnapshot, world: World, times: int = 5_000) -> Micros:
    """From a moment's features to the creative drawn: estimates, probabilities, the draw."""
    model = Model(snapshot)
    names = [arm.creative_id for arm in snapshot.arms]
    seen = [np.repeat(world.x[t : t + 1], CREATIVES, axis=0) for t in range(times)]

    def decide(number: int) -> int:
        _, chances = model.probabilities(names, seen[number])
        return drawn(chances.tolist(), f"screen/{number}")

    return micros(decide, times)


def learn_us(world: World, times: int = 5_000) -> Micros:
    """Adding one reward to the sums."""
    sums = Sums.nothing(CREATIVES, world.x.shape[1])

    def learn(number: int) -> None:
        x, arm = world.x[number], number % CREATIVES
        sums.a[arm] += np.outer(x, x)
        sums.b[arm] += world.reward[number, arm] * x
        sums.n[arm] += 1.0

    return micros(learn, times)


def snapshot_us(snapshot: PolicySnapshot) -> float:
    """Making a model of a new snapshot: the one place where equations are solved."""
    return micros(lambda _: Model(snapshot), 100).p50


def choose_us(times: int = 2_000) -> Micros:
    """The whole of a decision as the processor asks for it: eligibility, features, choice, pacing,
    sentence, for 20 creatives and four zones.
    """
    zones = [
        Zone(zone_id=f"z{k}", area_id="a", name=f"Zone {k}", category=f"z{k}") for k in range(4)
    ]
    creatives = [
        Creative(
            creative_id=f"c{k}",
            version=1,
            title=f"Creative {k}",
            alt_text="",
            language="en",
            media="index.html",
            sha256="0" * 64,
            owner="bench",
            categories=(f"z{k % 4}",),
        )
        for k in range(CREATIVES)
    ]
    sums = Sums.nothing(CREATIVES, len(FEATURES))
    names = [creative.creative_id for creative in creatives]
    snapshot = PolicySnapshot(
        policy_id="bench",
        version=1,
        algorithm="bandit",
        made_at_ms=_NOW_MS,
        store_id="bench",
        features=FEATURES,
        arms=arms_of(sums, names),
        gamma=100.0,
    )
    policy = StorePolicy(creatives, zones, snapshot=snapshot)
    attention = tuple(
        ZoneAttention(zone_id=zone.zone_id, attention_ms=400 * k, watchers=k % 2, people=k)
        for k, zone in enumerate(zones)
    )

    def choose(number: int) -> object:
        return policy.choose(
            Moment(
                store_id="bench",
                area_id="a",
                screen_id="one",
                now_ms=_NOW_MS + 10_000 * number,
                arm="adaptive",
                attention=attention,
                weekday=1,
                minute=600,
            )
        )

    return micros(choose, times)
