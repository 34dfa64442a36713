"""What people read of a creative: where, when, and whether it may be shown now."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from signage.core.eligibility import Given, eligible
from signage.core.labels import label_fault
from signage.core.schedule import clock_text, local_time
from streams.contracts.signage import Creative, Hours

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: The reasons of `signage.core.eligibility`, for people.
WHY: Mapping[str, str] = {
    "screen": "made for another screen",
    "zone": "made for another zone",
    "not-yet": "not yet valid",
    "over": "no longer valid",
    "hours": "outside its hours",
    "label": "AI-generated and not labelled",
    "language": "in a language that the screen does not take",
    "price": "a price that it shows is not known",
    "stock": "sold out",
    "cap": "shown often enough this hour",
    "budget": "its campaign has had its plays",
}


def place(creative: Creative) -> str:
    """Where it may be shown."""
    parts = []
    if creative.zones:
        parts.append(f"zones {', '.join(creative.zones)}")
    if creative.screens:
        parts.append(f"screens {', '.join(creative.screens)}")
    return "; ".join(parts) or "everywhere"


def times(creative: Creative) -> str:
    """When it may be shown."""
    parts = [hours_text(hours) for hours in creative.hours]
    if creative.valid_from_ms is not None:
        parts.append(f"from {_date(creative.valid_from_ms)}")
    if creative.valid_until_ms is not None:
        parts.append(f"until {_date(creative.valid_until_ms)}")
    return ", ".join(parts) or "always"


def hours_text(hours: Hours) -> str:
    """Hours as people write them.

    >>> hours_text(Hours(days=(1, 2, 3, 4, 5), from_minute=480, until_minute=1200))
    'Mon-Fri 08:00-20:00'
    """
    span = f"{clock_text(hours.from_minute)}-{clock_text(hours.until_minute)}"
    days = sorted(hours.days)
    if not days or len(days) == len(_DAYS):
        return f"every day {span}"
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{_DAYS[days[0] - 1]}-{_DAYS[days[-1] - 1]} {span}"
    return f"{' '.join(_DAYS[day - 1] for day in days)} {span}"


def state(creative: Creative, now_ms: int, zone: tzinfo = UTC) -> str:
    """Whether its own terms let it be shown now; what hangs on a store is left out."""
    given = Given(now_ms=now_ms, local=local_time(now_ms, zone), prices=frozenset(creative.prices))
    screen = creative.screens[0] if creative.screens else ""
    _, barred = eligible([creative], screen, given=given)
    if not barred:
        return "may be shown"
    fault = label_fault(creative) if barred[0].why == "label" else None
    return fault or WHY.get(barred[0].why, barred[0].why)


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
