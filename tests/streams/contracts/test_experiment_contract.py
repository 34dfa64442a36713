"""The draw of the arms: fair, repeatable, and one for a whole store and slot."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.topics import EXPERIMENT


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_adaptive_slots_is_the_one_asked_for(share: float) -> None:
    experiment = Experiment(salt="s", slot_ms=1_000, adaptive_share=share)
    arms = [experiment.arm("store", slot * 1_000) for slot in range(20_000)]
    # Five standard errors of a binomial share.
    margin = 5 * (share * (1 - share) / len(arms)) ** 0.5
    assert abs(arms.count("adaptive") / len(arms) - share) < margin


@given(st.integers(0, 2**41), st.text(min_size=1, max_size=10))
def test_the_arm_is_constant_within_a_slot(at_ms: int, store: str) -> None:
    experiment = Experiment(salt="s", slot_ms=60_000, adaptive_share=0.5)
    start = experiment.slot_start_ms(at_ms)
    assert start <= at_ms < start + 60_000
    assert experiment.arm(store, start) == experiment.arm(store, at_ms)
    assert experiment.arm(store, start) == experiment.arm(store, start + 59_999)


def test_stores_and_salts_draw_apart() -> None:
    slots = range(0, 4_000_000, 1_000)

    def arms(salt: str, store: str) -> list[str]:
        experiment = Experiment(salt=salt, slot_ms=1_000, adaptive_share=0.5)
        return [experiment.arm(store, slot) for slot in slots]

    assert arms("a", "1") != arms("a", "2")
    assert arms("a", "1") != arms("b", "1")


def test_the_probabilities_of_the_arms_add_up() -> None:
    experiment = Experiment(salt="s", slot_ms=1_000, adaptive_share=0.75)
    assert experiment.probability("adaptive") + experiment.probability("control") == 1.0


PLAN = ExperimentPlan(
    experiment_id="e",
    store_id="s",
    unit="store-slot",
    salt="a",
    slot_ms=60_000,
    washout_ms=10_000,
    adaptive_share=0.5,
    outcome="basket_value",
    starts_at_ms=600_000,
    ends_at_ms=1_200_000,
    approved_by="Ada Lovelace",
    approved_at_ms=0,
    hypothesis="It grows.",
)


@pytest.mark.parametrize(
    ("at_ms", "running"),
    [(599_999, False), (600_000, True), (1_199_999, True), (1_200_000, False)],
)
def test_outside_its_time_a_plan_is_all_control(at_ms: int, running: bool) -> None:
    assert PLAN.running(at_ms) == running
    everything = replace(PLAN, adaptive_share=1.0)
    assert everything.arm(at_ms) == (("adaptive", 1.0) if running else ("control", 1.0))
    halted = replace(PLAN, stopped_at_ms=900_000)
    assert halted.running(at_ms) == (running and at_ms < 900_000)


def test_a_slot_that_had_begun_before_the_start_is_not_drawn() -> None:
    plan = replace(PLAN, starts_at_ms=600_001)
    assert not plan.running(600_001)
    assert plan.running(660_000)


def test_screens_that_are_drawn_one_by_one_have_arms_of_their_own() -> None:
    experiment = Experiment(salt="s", slot_ms=1_000, adaptive_share=0.5, unit="screen-slot")
    slots = range(0, 2_000_000, 1_000)
    first, second = ([experiment.arm("s", at, screen) for at in slots] for screen in ("a", "b"))
    agree = sum(one == two for one, two in zip(first, second, strict=True)) / len(slots)
    assert agree == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="name the screen"):
        experiment.arm("s", 0)
    # All screens of a store are in one arm otherwise, whichever is named.
    whole = replace(experiment, unit="store-slot")
    assert whole.arm("s", 0, "a") == whole.arm("s", 0, "b") == whole.arm("s", 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unit": "screen-slot"}, "needs the unit store-slot"),
        ({"washout_ms": 60_000}, "shorter than slot_ms"),
        ({"ends_at_ms": 600_000}, "after starts_at_ms"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(change: dict[str, object], why: str) -> None:
    fields = {name: getattr(PLAN, name) for name in PLAN.__struct_fields__}
    with pytest.raises(ValueError, match=why):
        ExperimentPlan(**{**fields, **change})


def test_a_plan_without_a_name_is_no_plan() -> None:
    value = msgspec.json.decode(codec.encode(PLAN))
    for name in ("", "   "):
        with pytest.raises(UndecodableError, match="approved_by"):
            codec.decode(EXPERIMENT.name, msgspec.json.encode({**value, "approved_by": name}))
    del value["approved_by"]
    with pytest.raises(UndecodableError, match="approved_by"):
        codec.decode(EXPERIMENT.name, msgspec.json.encode(value))
