"""When a creative may be shown, by the store's own clock. Pure: the time is an argument."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from streams.contracts.signage import Creative, Hours

_DAY_MINUTES = 1440
_DAYS = 7


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A minute of the week in the store: `day` 1 (Monday) to 7, `minute` of the day 0 to 1439."""

    day: int
    minute: int


def local_time(at_ms: int, zone: tzinfo = UTC) -> LocalTime:
    """The store's local time at `at_ms` (UTC epoch).

    >>> local_time(0)
    LocalTime(day=4, minute=0)
    """
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    return LocalTime(at.isoweekday(), at.hour * 60 + at.minute)


def within(hours: Hours, at: LocalTime) -> bool:
    """Whether `at` lies in `hours`.

    >>> night = Hours(days=(5,), from_minute=22 * 60, until_minute=2 * 60)
    >>> within(night, LocalTime(5, 23 * 60)), within(night, LocalTime(6, 60))
    (True, True)
    >>> within(night, LocalTime(5, 60))
    False
    """
    days = hours.days or range(1, _DAYS + 1)
    yesterday = (at.day - 2) % _DAYS + 1
    if hours.from_minute < hours.until_minute:
        return at.day in days and hours.from_minute <= at.minute < hours.until_minute
    return (at.day in days and at.minute >= hours.from_minute) or (
        yesterday in days and at.minute < hours.until_minute
    )


def schedule_fault(creative: Creative, now_ms: int | None, local: LocalTime | None) -> str | None:
    """Why the schedule forbids a creative now: `not-yet`, `over` or `hours`; None where it may.

    A creative with a schedule is never shown by somebody who does not know the time.
    """
    since, until = creative.valid_from_ms, creative.valid_until_ms
    if since is not None and (now_ms is None or now_ms < since):
        return "not-yet"
    if until is not None and (now_ms is None or now_ms >= until):
        return "over"
    if creative.hours and (local is None or not any(within(h, local) for h in creative.hours)):
        return "hours"
    return None


def clock_text(minute: int) -> str:
    """A minute of the day as people write it.

    >>> clock_text(510), clock_text(1440)
    ('08:30', '24:00')
    """
    return f"{minute // 60:02d}:{minute % 60:02d}" if minute < _DAY_MINUTES else "24:00"
