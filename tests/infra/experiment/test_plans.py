"""Nothing starts or ends without a name, and a draft that contradicts itself is refused."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from infra.experiment.errors import DraftError, NotApprovedError, RunningError
from infra.experiment.plans import DAY_MS, Draft, approved, label, read_draft, stopped, write_draft

NOW_MS = 1_800_000_000_000
DRAFT = Draft(experiment_id="e", store_id="s", hypothesis="It grows.")


@pytest.mark.parametrize("name", [None, "", "   ", "12", "--"])
def test_without_a_name_nothing_starts_and_nothing_ends(name: str | None) -> None:
    with pytest.raises(NotApprovedError, match="--approved-by"):
        approved(DRAFT, name, NOW_MS)
    plan = approved(DRAFT, "Ada Lovelace", NOW_MS)
    with pytest.raises(NotApprovedError, match="not stopped without"):
        stopped(plan, "s", name, NOW_MS + DAY_MS)


def test_an_approved_plan_names_who_and_begins_with_a_whole_slot() -> None:
    plan = approved(DRAFT, "  Ada   Lovelace ", NOW_MS + 1)
    assert (plan.approved_by, plan.approved_at_ms) == ("Ada Lovelace", NOW_MS + 1)
    assert plan.starts_at_ms % plan.slot_ms == 0
    assert NOW_MS < plan.starts_at_ms <= NOW_MS + 1 + plan.slot_ms
    assert plan.ends_at_ms is None
    timed = approved(replace(DRAFT, days=14.0), "Ada", NOW_MS)
    assert timed.ends_at_ms == timed.starts_at_ms + 14 * DAY_MS


def test_nobody_knows_the_arms_before_the_approval() -> None:
    first, second = approved(DRAFT, "Ada", NOW_MS), approved(DRAFT, "Ada", NOW_MS + 1)
    assert first.salt != second.salt
    assert approved(replace(DRAFT, salt="own"), "Ada", NOW_MS).salt == "own"


def test_a_store_runs_one_experiment_at_a_time() -> None:
    plan = approved(DRAFT, "Ada", NOW_MS)
    with pytest.raises(RunningError, match="smartstore experiment stop s"):
        approved(DRAFT, "Ada", NOW_MS + DAY_MS, plan)
    ended = stopped(plan, "s", "Grace", NOW_MS + DAY_MS)
    assert (ended.stopped_by, ended.stopped_at_ms) == ("Grace", NOW_MS + DAY_MS)
    assert approved(DRAFT, "Ada", NOW_MS + 2 * DAY_MS, ended).approved_by == "Ada"
    for none in (None, ended):
        with pytest.raises(RunningError, match="runs no experiment"):
            stopped(none, "s", "Grace", NOW_MS + 3 * DAY_MS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unit": "screen-slot"}, "one basket passes several screens"),
        ({"washout_ms": 7_200_000}, "washout_ms must be shorter"),
        ({"starts_at_ms": NOW_MS - DAY_MS}, "starts in the past"),
    ],
)
def test_a_draft_that_contradicts_itself_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(DraftError, match=why):
        approved(replace(DRAFT, **change), "Ada", NOW_MS)


def test_a_draft_survives_its_file(tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    draft = replace(DRAFT, categories=("tea",), outcome="product_units", simulated=True)
    write_draft(draft, file)
    assert read_draft(file) == draft
    file.write_text("experiment_id: e\nstore_id: s\nhypothesis: h\napproved_by: me\n")
    with pytest.raises(DraftError, match="is no draft"):
        read_draft(file)
    with pytest.raises(DraftError, match="cannot be read"):
        read_draft(tmp_path / "none.yaml")


def test_what_is_simulated_says_so() -> None:
    plan = approved(replace(DRAFT, simulated=True, true_effect=0.0), "Ada", NOW_MS)
    assert label(plan) == "simulated, true effect +0 %"
    assert label(approved(DRAFT, "Ada", NOW_MS)) is None
