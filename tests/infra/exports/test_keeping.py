"""When a day's demand signal is due, and when its rows have to wait for it."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from infra.exports.keeping import MARGIN, days_due, must_wait

_DAY = timedelta(days=1)
_BERLIN, _KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def _at(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("since", "now", "kept_days", "zone", "due"),
    [
        # Turned on in the morning: that day is the first, a quarter of an hour after its end.
        ("2026-03-09 08:00", "2026-03-10 00:14", 1, _BERLIN, []),
        ("2026-03-09 08:00", "2026-03-10 00:15", 1, _BERLIN, [9]),
        ("2026-03-09 08:00", "2026-03-10 23:59", 1, _BERLIN, [9]),
        # The day before it was turned on is nobody's to tell.
        ("2026-03-09 08:00", "2026-03-09 12:00", 7, _BERLIN, []),
        # Away for days: what is left of the rows is told, the last day of them whole.
        ("2026-03-01 08:00", "2026-03-10 09:00", 1, _BERLIN, [9]),
        ("2026-03-01 08:00", "2026-03-10 09:00", 3, _BERLIN, [7, 8, 9]),
        # A zone whose midnight is at half past, and the nights in which clocks change.
        ("2026-03-09 08:00", "2026-03-10 00:15", 1, _KOLKATA, [9]),
        ("2026-03-28 08:00", "2026-03-30 00:15", 2, _BERLIN, [28, 29]),
        ("2026-10-25 00:00", "2026-10-26 00:14", 1, _BERLIN, []),
        ("2026-10-25 00:00", "2026-10-26 00:15", 1, _BERLIN, [25]),
    ],
)
def test_days_that_are_due(
    since: str, now: str, kept_days: int, zone: ZoneInfo, due: list[int]
) -> None:
    at = _at(now, zone).astimezone(UTC)
    found = days_due(_at(since, zone), at - kept_days * _DAY, at, zone)
    assert [day.day for day in found] == due


@pytest.mark.parametrize(
    ("now", "told", "waits"),
    [
        ("2026-03-10 00:00", [], True),
        ("2026-03-10 00:14", [], True),
        ("2026-03-10 00:15", [], False),  # whatever became of it
        ("2026-03-10 00:01", [9], False),
        ("2026-03-09 23:59", [8], False),
        ("2026-03-09 12:00", [], False),  # nobody told the day before: its time is over
        # The day on which clocks go back: its first rows are 24 hours old before it is over.
        ("2026-10-25 23:30", [24], True),
        ("2026-10-25 22:30", [24], False),
        # The day on which they go forward is over when its first rows are 23 hours old.
        ("2026-03-30 00:30", [], False),
    ],
)
def test_rows_that_wait(now: str, told: list[int], waits: bool) -> None:
    at = _at(now, _BERLIN)
    days = {date(at.year, at.month, day) for day in told}
    since = _at("2026-01-01 00:00", _BERLIN)
    assert must_wait(days, since, _DAY, at.astimezone(UTC), _BERLIN) is waits


def test_what_nobody_asked_for_waits_for_nothing() -> None:
    at = _at("2026-03-10 00:05", _BERLIN)
    assert must_wait(set(), at, _DAY, at, _BERLIN) is False
    assert timedelta(minutes=30) > MARGIN
