"""What is learned is a function of the log alone: stopped and begun again anywhere, it is equal."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from signage.core.context import FEATURES
from signage.core.learning import Learner, Lesson
from streams.contracts.attention import Exposure
from streams.contracts.learning import PolicySnapshot
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Candidate, Decision

T0 = 1_700_000_000_000
LESSON = Lesson("bandit", "s", "attention", horizon_ms=60_000)


def decision(number: int, at_ms: int, **fields: Any) -> Decision:
    base = Decision(
        decision_id=f"d{number}",
        store_id="s",
        area_id="a",
        screen_id="one",
        decided_at_ms=at_ms,
        slot_start_ms=0,
        arm="adaptive",
        arm_probability=0.5,
        policy_version="v",
        context=(),
        showing=None,
        candidates=(Candidate(creative_id="c", creative_version=1, propensity=1.0),),
        creative_id=f"c{number % 3}",
        creative_version=1,
        reason="rotation",
        sentence="because",
        features=(1.0, *((number * k % 7) / 7 for k in range(1, len(FEATURES)))),
    )
    return msgspec.structs.replace(base, **fields)


def exposure(number: int, at_ms: int, offset: int, **fields: Any) -> Exposure:
    base = Exposure(
        play_id=f"p{number}",
        store_id="s",
        area_id="a",
        screen_id="one",
        decision_id=f"d{number}",
        creative_id=f"c{number % 3}",
        creative_version=1,
        started_at_ms=at_ms,
        ended_at_ms=at_ms + 4_000,
        ended=True,
        gross_impressions=1,
        ots=1,
        verified_impressions=1,
        exposed_ms=4_000,
        watchers=1,
        attention_ms=100 * (number % 40),
        late=0,
        through_offset=offset,
    )
    return msgspec.structs.replace(base, **fields)


Record = tuple[int, Decision | Exposure]


def a_log(count: int = 120) -> Iterator[Record]:
    """Decisions every 10 s; of each play an early row, and the last one."""
    told: list[Record] = []
    for number in range(count):
        at_ms = T0 + 10_000 * number
        told.append((at_ms, decision(number, at_ms)))
        if number % 11:  # some were never on the glass
            told.append((at_ms + 2_000, exposure(number, at_ms, 1, attention_ms=1)))
            told.append((at_ms + 9_000 + number * 37 % 30_000, exposure(number, at_ms, 2)))
    return iter(sorted(told, key=lambda each: each[0]))


def teach(learner: Learner, records: Iterator[Record] | list[Record], every: int) -> None:
    for index, (logged_ms, event) in enumerate(records):
        if isinstance(event, Decision):
            learner.decided(event, logged_ms)
        else:
            learner.exposed(event, logged_ms)
        if index % every == 0:
            learner.close(logged_ms)


def sums(learner: Learner) -> PolicySnapshot:
    return learner.snapshot(1, 0, simulated=True)


def test_a_reward_waits_for_its_horizon_and_is_learned_once() -> None:
    learner = Learner(LESSON)
    learner.decided(decision(1, T0), T0)
    learner.exposed(exposure(1, T0, 7, attention_ms=6_000), T0 + 5_000)
    assert learner.close(T0 + 60_000) == 0
    assert learner.close(T0 + 60_001) == 1
    assert learner.close(T0 + 90_000) == 0
    (arm,) = sums(learner).arms
    assert (arm.creative_id, arm.rewards) == ("c1", 1)
    assert arm.b[0] == pytest.approx(0.5)  # 6 s of attention in 4 s: 1.5 watchers, of three


def test_the_newest_row_of_a_play_counts_whatever_the_order() -> None:
    learner = Learner(LESSON)
    learner.exposed(exposure(1, T0, 9, attention_ms=4_000), T0 + 5_000)
    learner.exposed(exposure(1, T0, 3, attention_ms=0), T0 + 6_000)
    learner.decided(decision(1, T0), T0 + 7_000)
    learner.close(T0 + 70_000)
    assert sums(learner).arms[0].b[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "told",
    [
        [],
        [exposure(1, T0, 1, watchers=None)],
        [exposure(1, T0, 1, store_id="other")],
    ],
    ids=["never shown", "nobody could tell who looked", "another store"],
)
def test_what_cannot_be_known_teaches_nothing(told: list[Exposure]) -> None:
    learner = Learner(LESSON)
    learner.decided(decision(1, T0), T0)
    for each in told:
        learner.exposed(each, T0 + 1)
    assert learner.close(T0 + 70_000) == 0
    assert learner.unknown == 1
    assert learner.open == 0


def test_how_often_it_looks_changes_nothing() -> None:
    whole, often = Learner(LESSON), Learner(LESSON)
    teach(whole, a_log(), every=10_000)
    teach(often, a_log(), every=1)
    end_ms = T0 + 10_000_000
    whole.close(end_ms)
    often.close(end_ms)
    assert sums(whole) == sums(often)
    assert sums(whole).rewards == 120 - 11


@pytest.mark.parametrize("stop", [40, 123, 200])
def test_a_restart_from_a_snapshot_doubles_and_loses_nothing(stop: int) -> None:
    log = list(a_log())
    whole = Learner(LESSON)
    teach(whole, log, every=5)
    first = Learner(LESSON)
    teach(first, log[:stop], every=5)
    kept = msgspec.json.decode(msgspec.json.encode(sums(first)), type=PolicySnapshot)
    again = Learner(LESSON, kept)
    # The log is read again from before where the learned ends.
    since_ms = again.through_ms - 5_000
    teach(again, [(ms, event) for ms, event in log if ms >= since_ms], every=5)
    end_ms = T0 + 10_000_000
    whole.close(end_ms)
    again.close(end_ms)
    assert sums(again) == sums(whole)


def test_sums_over_other_features_are_not_used() -> None:
    old = msgspec.structs.replace(sums(Learner(LESSON)), features=("one",), arms=(), rewards=9)
    assert Learner(LESSON, old).rewards == 0


def basket(number: int, at_ms: int, units: int, sku: str = "tea-1") -> Basket:
    line = BasketLine(sku=sku, category="tea", units=Decimal(units), net_value=Decimal(units))
    return Basket(
        basket_id=f"b{number}",
        store_id="s",
        area_id="a",
        closed_at_ms=at_ms,
        currency="EUR",
        lines=(line,),
    )


def test_sales_are_held_against_what_sells_usually_and_repeats_count_once() -> None:
    learner = Learner(Lesson("bandit", "s", "sales", horizon_ms=60_000))
    learner.advertises("c1", ("tea-1",))
    for k in range(12):  # two units in each stretch before
        learner.paid(basket(k, T0 - 60_000 * k - 1, 2))
    for _ in range(2):
        learner.paid(basket(99, T0 + 30_000, 5))
    learner.paid(basket(100, T0 + 30_000, 50, sku="other"))
    learner.decided(decision(1, T0), T0)
    learner.exposed(exposure(1, T0, 1), T0 + 5_000)
    learner.close(T0 + 70_000)
    assert sums(learner).arms[0].b[0] == pytest.approx(0.5 + 0.5 * 3 / 10)


def test_baskets_are_units_a_transaction() -> None:
    learner = Learner(Lesson("bandit", "s", "basket", horizon_ms=60_000))
    learner.paid(basket(1, T0 + 10_000, 10))
    learner.paid(basket(2, T0 + 20_000, 30))
    learner.decided(decision(1, T0), T0)
    learner.exposed(exposure(1, T0, 1), T0 + 5_000)
    learner.close(T0 + 70_000)
    assert sums(learner).arms[0].b[0] == pytest.approx(0.5)
