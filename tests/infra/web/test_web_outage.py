"""The story of a broker that was killed."""

from typing import Any

import pytest

from infra.web.outage import Outage
from infra.web.view import CountView, OutageView

_NOW = 1_700_000_000_000


def _counts(**states: Any) -> list[CountView]:
    return [CountView(what=what, log=1, database=1, state=state) for what, state in states.items()]


@pytest.fixture
def outage() -> Outage:
    outage = Outage()
    _step(outage, 0)
    return outage


def _step(outage: Outage, after_ms: int, **changes: Any) -> OutageView | None:
    told = {"broker_up": True, "log_read": True, "database_at_ms": _NOW + after_ms}
    counts = _counts(gaze="equal", plays="equal")
    outage.step(_NOW + after_ms, **{**told, "counts": counts, **changes})
    return outage.view()


def test_a_broker_that_was_never_away_has_no_story(outage: Outage) -> None:
    assert _step(outage, 200) is None


def test_a_start_is_no_outage() -> None:
    outage = Outage()
    assert _step(outage, 0, broker_up=False) is None
    assert _step(outage, 200) is None


def test_killed_back_equal(outage: Outage) -> None:
    outage.killed(_NOW + 100)
    told = _step(outage, 200, broker_up=False, log_read=False)
    assert told == OutageView(killed_at_ms=_NOW + 100, gone_at_ms=_NOW + 200)
    told = _step(outage, 1_400, log_read=False)
    assert told is not None
    assert (told.back_at_ms, told.equal_at_ms) == (_NOW + 1_400, None)
    told = _step(outage, 1_600)
    assert told is not None
    assert told.equal_at_ms == _NOW + 1_600


def test_the_press_may_be_heard_of_after_the_outage_was_noticed(outage: Outage) -> None:
    _step(outage, 200, broker_up=False)
    outage.killed(_NOW + 150)
    told = outage.view()
    assert told is not None
    assert told.killed_at_ms == _NOW + 150


def test_a_press_long_ago_did_not_cause_it(outage: Outage) -> None:
    outage.killed(_NOW)
    told = _step(outage, 60_000, broker_up=False)
    assert told is not None
    assert told.killed_at_ms is None


def test_counts_are_equal_only_by_an_answer_and_a_log_from_after_the_return(
    outage: Outage,
) -> None:
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    for changes in ({"log_read": False}, {"database_at_ms": _NOW + 900}, {"database_at_ms": None}):
        told = _step(outage, 1_200, **changes)
        assert told is not None
        assert told.equal_at_ms is None


def test_each_kind_becomes_equal_for_itself(outage: Outage) -> None:
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    told = _step(outage, 2_000, counts=_counts(gaze="equal", plays="behind"))
    assert told is not None
    assert told.equal_at_ms is None
    told = _step(outage, 3_000, counts=_counts(gaze="behind", plays="forgotten"))
    assert told is not None
    assert told.equal_at_ms == _NOW + 3_000


def test_the_next_outage_is_a_new_story(outage: Outage) -> None:
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    _step(outage, 1_200)
    told = _step(outage, 9_000, broker_up=False)
    assert told == OutageView(killed_at_ms=None, gone_at_ms=_NOW + 9_000)
