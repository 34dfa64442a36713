"""The story of a broker that was killed."""

from typing import Any

import pytest

from infra.web.outage import Outage, Row
from infra.web.view import OutageView

_NOW = 1_700_000_000_000


def _rows(gaze: int = 0, plays: int = 0, **known: int) -> list[Row]:
    """Rows of which the database has so many less than the log."""
    return [Row("gaze", 9, 9 - gaze, **known), Row("plays", 5, 5 - plays, **known)]


@pytest.fixture
def outage() -> Outage:
    outage = Outage()
    _step(outage, 0)
    return outage


def _step(
    outage: Outage, after_ms: int, rows: list[Row] | None = None, **changes: Any
) -> OutageView | None:
    told = {"broker_up": True, "log_read": True, "database_at_ms": _NOW + after_ms}
    outage.step(_NOW + after_ms, _rows() if rows is None else rows, **{**told, **changes})
    return outage.view()


def _states(outage: Outage, rows: list[Row]) -> list[str]:
    return [outage.count(row).state for row in rows]


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
    told = _step(outage, 2_000, _rows(plays=1))
    assert told is not None
    assert told.equal_at_ms is None
    told = _step(outage, 3_000, _rows(gaze=1))
    assert told is not None
    assert told.equal_at_ms == _NOW + 3_000


@pytest.mark.parametrize(
    ("plays", "known", "state"),
    [
        (1, {"unread": 1}, "forgotten"),
        (-2, {"unlogged": 3}, "forgotten"),
        (2, {"unread": 1, "unlogged": 3}, "behind"),
        (-1, {"unread": 9}, "behind"),
    ],
)
def test_a_difference_is_forgiven_only_for_what_the_broker_forgot(
    outage: Outage, plays: int, known: dict[str, int], state: str
) -> None:
    rows = _rows(plays=plays, **known)
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    told = _step(outage, 3_000, rows)
    assert told is not None
    assert told.equal_at_ms is None
    assert _states(outage, rows) == ["equal", "behind"]
    told = _step(outage, 9_000, rows)
    assert told is not None
    assert _states(outage, rows) == ["equal", state]
    assert (told.equal_at_ms is not None) == (state == "forgotten")


def test_what_is_new_is_behind_and_never_taken_for_forgotten(outage: Outage) -> None:
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    _step(outage, 3_000, _rows(unread=1))
    assert _states(outage, _rows(plays=1, unread=1)) == ["equal", "behind"]


def test_without_an_outage_nothing_is_forgiven(outage: Outage) -> None:
    rows = _rows(plays=1, unread=9, unlogged=9)
    _step(outage, 60_000, rows)
    assert _states(outage, rows) == ["equal", "behind"]
    assert outage.count(Row("gaze", 9, None)).state == "behind"


def test_the_next_outage_is_a_new_story(outage: Outage) -> None:
    _step(outage, 200, broker_up=False)
    _step(outage, 1_000)
    _step(outage, 1_200)
    told = _step(outage, 9_000, broker_up=False)
    assert told == OutageView(killed_at_ms=None, gone_at_ms=_NOW + 9_000)
