"""`smartstore bench policy`: our bandit in a simulated store of known worth, beside the rotation,
the rule, river's LinUCB and Vowpal Wabbit; and off-policy estimates on the Open Bandit logs.
"""

import asyncio
import json
import os
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.bench.policy import logs, ours, timing, world
from infra.bench.policy.report import Micros, Played, PolicyReport
from infra.errors import UserError
from infra.stack.locked import LockedEnvironment
from signage.core.bandit import GAMMA_SCALE
from streams.contracts.learning import PolicySnapshot

_ROOT = Path(__file__).parents[3]

PEERS = LockedEnvironment(
    name="policy-peers",
    lock=Path(__file__).with_name("peers") / "policy.lock",
    title="the other bandits' environment",
    size="about 80 MB",
    mend="connect this machine to a package index and start again",
    whole=True,
)

GOAL = 0.9

#: Seeds that are in memory at once.
_TOGETHER = 10

#: The other scales of gamma and forms that are tried, on so many seeds.
_SCALES = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
_TRIED_SEEDS = 4

#: The others play each seed by itself, one round after the other, and are slow.
_SEEDS_OF = {"river": 3, "vw": 5}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds_each`: processor time of a peer's seed, at most; `peers` False: ours alone."""

    rounds: int = 50_000
    seeds: int = 20
    seconds_each: float = 90.0
    peers: bool = True


async def bench_policy(plan: Plan, cache: Path, say: Say) -> PolicyReport:
    """Plays all of it.

    Raises:
        UserError: the other bandits' environment cannot be made.
    """
    began = time.monotonic()
    root = await PEERS.ensure(cache, say) if plan.peers else None
    played = await asyncio.to_thread(_ours, plan, say)
    forms, scales = await asyncio.to_thread(_others, plan, say)
    errors: list[str] = []
    peers: dict[str, Played | None] = {"river": None, "vw": None}
    obd: list[logs.Offline] = []
    if root is not None:
        python = root / "bin" / "python"
        peers = await _peers(python, plan, say, errors)
        say("reading the Open Bandit logs")
        obd = await asyncio.to_thread(logs.judged, _data(root))
    snapshot, first = played.snapshot, played.first
    return PolicyReport(
        simulated=True,
        rounds=plan.rounds,
        seeds=plan.seeds,
        creatives=world.CREATIVES,
        features=world.FEATURES,
        late_s=(world.LEAST_LATE, world.MOST_LATE),
        floor=ours.FLOOR,
        control_share=world.CONTROL_SHARE,
        snapshot_s=ours.SNAPSHOT_ROUNDS,
        goal=GOAL,
        reached=float(np.mean(played.ours)) >= GOAL,
        cores=os.cpu_count() or 1,
        seconds=round(time.monotonic() - began, 1),
        ours=_played(
            played.ours,
            plan.rounds,
            timing.decide_us(snapshot, first),
            Micros(p50=timing.learn_us(first).p50),
        ),
        rotation=_played(played.rotation, plan.rounds, _rotation_us(), Micros(p50=0.0)),
        rule=_played(played.rule, plan.rounds, _rule_us(first), Micros(p50=0.0)),
        river=peers["river"],
        vw=peers["vw"],
        snapshot_us=timing.snapshot_us(snapshot),
        choose_us=timing.choose_us(),
        forms=forms,
        scales=scales,
        obd=obd,
        errors=errors,
    )


@dataclass(frozen=True, slots=True)
class _Ours:
    ours: list[float]
    rotation: list[float]
    rule: list[float]
    snapshot: PolicySnapshot
    first: world.World


def _ours(plan: Plan, say: Say) -> _Ours:
    """Ours, the rotation and the rule, on all seeds."""
    captured: dict[str, list[float]] = {"ours": [], "rotation": [], "rule": []}
    kept: tuple[PolicySnapshot, world.World] | None = None
    for begin in range(0, plan.seeds, _TOGETHER):
        seeds = range(begin, min(begin + _TOGETHER, plan.seeds))
        say(f"our bandit, seeds {seeds.start} to {seeds.stop - 1}")
        worlds = [world.make(seed, plan.rounds) for seed in seeds]
        chosen = ours.play(worlds, list(seeds), "pooled")
        for each, mine in zip(worlds, chosen, strict=True):
            captured["ours"].append(world.captured(mine, each))
            captured["rotation"].append(world.captured(world.rotation(plan.rounds), each))
            captured["rule"].append(world.captured(world.rule(each), each))
        if kept is None:
            names = [f"f{k}" for k in range(world.FEATURES)]
            kept = timing.learned(worlds[0], chosen[0], names), worlds[0]
    if kept is None:
        raise UserError("there is nothing to play; give --seeds 1 or more")
    return _Ours(captured["ours"], captured["rotation"], captured["rule"], *kept)


def _others(plan: Plan, say: Say) -> tuple[dict[str, float], dict[str, float]]:
    """What other forms of the regression and other scales of gamma capture, on the first seeds."""
    seeds = range(min(_TRIED_SEEDS, plan.seeds))
    worlds = [world.make(seed, plan.rounds) for seed in seeds]

    def mean(form: ours.Form, scale: float) -> float:
        say(f"the form {form}, gamma {scale:g}")
        chosen = ours.play(worlds, list(seeds), form, scale)
        pairs = zip(chosen, worlds, strict=True)
        return round(float(np.mean([world.captured(mine, each) for mine, each in pairs])), 4)

    scales = {f"{scale:g}": mean("pooled", scale) for scale in _SCALES}
    forms: dict[str, float] = {form: mean(form, GAMMA_SCALE) for form in _FORMS}
    return forms, scales


_FORMS: tuple[ours.Form, ...] = ("pooled", "arms", "shared")


async def _peers(python: Path, plan: Plan, say: Say, errors: list[str]) -> dict[str, Played | None]:
    """River and Vowpal Wabbit, side by side: each takes one core."""
    say("river and Vowpal Wabbit")
    told = await asyncio.gather(*(_peer(python, name, plan, errors) for name in _SEEDS_OF))
    return dict(zip(_SEEDS_OF, told, strict=True))


async def _peer(python: Path, name: str, plan: Plan, errors: list[str]) -> Played | None:
    env = {
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    seen = []
    for seed in range(min(_SEEDS_OF[name], plan.seeds)):
        given = (name, str(seed), str(plan.rounds), str(plan.seconds_each))
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-m",
            "infra.bench.policy.peers.play",
            *given,
            env=env,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, error = await process.communicate()
        if process.returncode:
            last = (error.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
            errors.append(f"{name} ended by itself on seed {seed}: {last}")
            continue
        seen.append(json.loads(out))
    if not seen:
        return None
    each = [one["captured"] for one in seen]
    decide = [one["decide_us"] for one in seen]
    return Played(
        captured=round(float(np.mean(each)), 4),
        least=round(min(each), 4),
        by_seed=[round(one, 4) for one in each],
        seeds=len(each),
        rounds=min(one["rounds"] for one in seen),
        decide_us=Micros(
            p50=round(float(np.median([d[0] for d in decide])), 1),
            p99=round(float(np.median([d[1] for d in decide])), 1),
        ),
        learn_us=Micros(p50=round(float(np.median([one["learn_us"] for one in seen])), 1)),
    )


def _played(each: Sequence[float], rounds: int, decide: Micros, learn: Micros) -> Played:
    return Played(
        captured=round(float(np.mean(each)), 4),
        least=round(min(each), 4),
        by_seed=[round(one, 4) for one in each],
        seeds=len(each),
        rounds=rounds,
        decide_us=decide,
        learn_us=learn,
    )


def _rotation_us() -> Micros:
    names = [f"c{k}" for k in range(world.CREATIVES)]
    return timing.micros(lambda t: names[t // 10 % len(names)], 5_000)


def _rule_us(first: world.World) -> Micros:
    made: list[NDArray[np.int64]] = [
        np.flatnonzero(first.zone == zone) for zone in range(world.ZONES)
    ]

    def decide(t: int) -> int:
        held = first.x[t, 1 : 1 + world.ZONES]
        mine = made[int(held.argmax())]
        return int(mine[t // 10 % len(mine)])

    return timing.micros(decide, 5_000)


def _data(root: Path) -> Path:
    """The folder of logs in the environment."""
    found = sorted(root.glob("lib/python*/site-packages/obp/dataset/obd"))
    if not found:
        raise UserError(
            f"the archive of obp in {root} holds no logs; remove that folder and start again"
        )
    return found[0]
