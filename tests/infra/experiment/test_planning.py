"""What a person reads before they put their name to an experiment."""

import pytest
from msgspec.structs import replace

from infra.experiment.errors import DraftError
from infra.experiment.planning import lines, propose
from infra.experiment.plans import Draft

NOW_MS = 1_800_000_000_000
DRAFT = Draft(experiment_id="e", store_id="s", hypothesis="It grows.")


def said(draft: Draft, baskets_per_day: float = 1_500.0) -> str:
    proposal = propose(draft, NOW_MS, None, baskets_per_day=baskets_per_day)
    return "\n".join(lines(proposal))


def test_a_store_without_a_past_is_told_that_the_figures_are_not_its_own() -> None:
    text = said(DRAFT)
    assert "a panel's figures, NOT this store's" in text
    assert "not measured; 20 min supposed" in text


def test_the_cost_of_ninety_to_ten_stands_beside_fifty_fifty() -> None:
    text = said(replace(DRAFT, adaptive_share=0.9))
    assert "90% adaptive" in text
    assert "Beside it 50/50" in text
    assert "takes 2.8 times as many" in text
    assert "Smallest effect" in text


def test_too_small_a_store_cannot_know() -> None:
    assert "cannot be known here" in said(DRAFT, baskets_per_day=50.0)
    assert "cannot be known here" not in said(replace(DRAFT, smallest_effect=0.5))


def test_without_a_control_there_will_be_no_number() -> None:
    assert "there will be no number" in said(replace(DRAFT, adaptive_share=1.0))


def test_slots_follow_the_lag_unless_they_are_given() -> None:
    chosen = propose(DRAFT, NOW_MS, None).draft
    assert chosen.washout_ms == 20 * 60_000
    assert chosen.slot_ms >= 2 * chosen.washout_ms
    assert chosen.slot_ms % 60_000 == 0
    kept = propose(replace(DRAFT, slot_ms=600_000, washout_ms=0), NOW_MS, None, keep_slots=True)
    assert (kept.draft.slot_ms, kept.draft.washout_ms) == (600_000, 0)
    assert kept.draft.horizon_days == pytest.approx(kept.chosen.days, rel=1e-6)


def test_a_basket_outcome_by_screen_is_refused_at_once() -> None:
    with pytest.raises(DraftError, match="passes several screens"):
        propose(replace(DRAFT, unit="screen-slot"), NOW_MS, None)
