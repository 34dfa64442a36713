"""The days that a page tells about: whole days of the store's own calendar. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from infra.pages.errors import PeriodError

#: Longer than this a page is a report for a warehouse of data; the views hold the rest.
MOST_DAYS = 366

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `first` to the end of `last`, in the store's time zone."""

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PeriodError(
                f"the days go from {self.first} to {self.last}, which is backwards; "
                "give the earlier day first"
            )
        if self.days > MOST_DAYS:
            raise PeriodError(
                f"{self.first} to {self.last} is {self.days} days, and a page shows at most "
                f"{MOST_DAYS}; choose fewer, or ask the database's views"
            )

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def starts_at(self) -> datetime:
        """The first moment of the period."""
        return datetime.combine(self.first, time.min, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time.min, self.zone)

    def week_before(self) -> "Period":
        """The same weekdays, as many whole weeks earlier as keep the two apart.

        >>> day = Period(date(2026, 3, 9), date(2026, 3, 9), ZoneInfo("UTC"))
        >>> day.week_before().first
        datetime.date(2026, 3, 2)
        """
        weeks = -(-self.days // 7) * _WEEK
        return Period(self.first - weeks, self.last - weeks, self.zone)

    def words(self) -> str:
        """The period for people.

        >>> Period(date(2026, 3, 9), date(2026, 3, 15), ZoneInfo("UTC")).words()
        'Monday 9 March to Sunday 15 March 2026'
        """
        if self.days == 1:
            return f"{self.first:%A} {self.first.day} {self.first:%B %Y}"
        return (
            f"{self.first:%A} {self.first.day} {self.first:%B} to "
            f"{self.last:%A} {self.last.day} {self.last:%B %Y}"
        )


def parse(first: str | None, last: str | None, today: date, zone: ZoneInfo) -> Period:
    """The period that a page was asked for; today where nothing was said.

    Raises:
        PeriodError: a day that is none, the days are the wrong way round or too many.
    """
    begin = _day(first) or _day(last) or today
    return Period(begin, _day(last) or max(begin, today if first else begin), zone)


def last_week(today: date, zone: ZoneInfo) -> Period:
    """The last whole week, Monday to Sunday, before `today`.

    >>> last_week(date(2026, 3, 18), ZoneInfo("UTC")).first
    datetime.date(2026, 3, 9)
    """
    monday = today - timedelta(days=today.weekday()) - _WEEK
    return Period(monday, monday + timedelta(days=6), zone)


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PeriodError(
            f"{text[:40]!r} is not a day; write it as year-month-day, such as 2026-03-09"
        ) from error
