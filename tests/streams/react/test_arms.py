"""Whose arm a screen is in: the plan's, the settings', or control for certain."""

import msgspec

from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.react.arms import Drawn, FixedArms, FollowedArms

SLOT = 60_000
BEGIN = 100 * SLOT

PLAN = ExperimentPlan(
    experiment_id="e",
    store_id="s",
    unit="store-slot",
    salt="salt",
    slot_ms=SLOT,
    washout_ms=0,
    adaptive_share=0.5,
    outcome="basket_units",
    starts_at_ms=BEGIN,
    ends_at_ms=None,
    approved_by="Ada",
    approved_at_ms=BEGIN,
    hypothesis="Something.",
)


def test_without_a_plan_and_settings_all_is_control() -> None:
    assert FollowedArms("s", None).drawn("s", "one", 7_200_001) == Drawn("control", 1.0, 7_200_000)


def test_settings_draw_until_a_plan_is_told() -> None:
    arms = FollowedArms("s", Experiment(salt="x", slot_ms=SLOT, adaptive_share=1.0))
    assert arms.drawn("s", "one", BEGIN) == Drawn("adaptive", 1.0, BEGIN)
    arms.take("other", msgspec.structs.replace(PLAN, store_id="other"))
    assert arms.plan is None
    arms.take("s", PLAN)
    assert arms.drawn("s", "one", BEGIN - 1) == Drawn("control", 1.0, BEGIN - SLOT, "e")
    arms.take("s", None)
    assert arms.drawn("s", "one", BEGIN).experiment_id is None


def test_the_plan_draws_as_its_analysis_does_and_ends_at_once() -> None:
    arms = FollowedArms("s", None)
    arms.take("s", PLAN)
    for slot in range(40):
        at_ms = BEGIN + slot * SLOT + 5
        arm, probability = PLAN.arm(at_ms)
        assert arms.drawn("s", "one", at_ms) == Drawn(arm, probability, at_ms - 5, "e")
    stopped = BEGIN + 10 * SLOT + 7
    arms.take("s", msgspec.structs.replace(PLAN, stopped_at_ms=stopped))
    assert arms.drawn("s", "one", stopped).arm == "control"
    assert arms.drawn("s", "one", stopped).probability == 1.0


def test_screens_drawn_one_by_one_differ() -> None:
    experiment = Experiment(salt="x", slot_ms=SLOT, adaptive_share=0.5, unit="screen-slot")
    arms = FixedArms(experiment)
    drawn = [[arms.drawn("s", n, k * SLOT).arm for k in range(64)] for n in ("one", "two")]
    assert drawn[0] != drawn[1]
