"""OpenRTB 2.6 `qty`: how many impressions one play of a screen stands for. Pure.

Reference: OpenRTB 2.6, 3.2.31 Object: Qty (multiplier, sourcetype, vendor).
"""

from dataclasses import dataclass
from typing import Any

#: "Publisher provided": nobody else measured it.
_PUBLISHER_PROVIDED = 2

#: Fewer plays or people say nothing about the next play, and too much about somebody.
FEWEST_PLAYS = 30
FEWEST_PEOPLE = 5

FORMULA = (
    "multiplier = verified impressions / plays of the same screen and hour of the week; a verified "
    "impression is a play on the glass and a presence in the screen's exposure zone that overlap "
    "by at least 1 s"
)


@dataclass(frozen=True, slots=True)
class Hour:
    """The plays and verified impressions of one screen in one hour of the week (0: Monday, 00:00 to
    01:00 in the store's time)."""

    screen_id: str
    hour_of_week: int
    plays: int
    verified_impressions: int


def multiplier(hour: Hour) -> float | None:
    """Impressions a play, None where too little is known to say.

    >>> multiplier(Hour("s", 0, 100, 250)), multiplier(Hour("s", 0, 3, 8))
    (2.5, None)
    """
    if hour.plays < FEWEST_PLAYS or 0 < hour.verified_impressions < FEWEST_PEOPLE:
        return None
    return round(hour.verified_impressions / hour.plays, 4)


def qty(hour: Hour) -> dict[str, Any] | None:
    """The `qty` object for an impression on that screen in that hour, None where it cannot be said:
    then an auction must go without, for 1 would be a claim too."""
    found = multiplier(hour)
    if found is None:
        return None
    return {
        "multiplier": found,
        "sourcetype": _PUBLISHER_PROVIDED,
        "ext": {"formula": FORMULA, "plays": hour.plays},
    }
