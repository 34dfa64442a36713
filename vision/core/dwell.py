"""Stays: somebody is in a target's zone, from the first detection to the last. Pure.

A stay holds while no gap between detections exceeds the gap window. Every stay is a presence; one
that reaches the zone's minimum is a dwell; one that exceeds the staff limit is excluded.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StayRules:
    """When a stay holds, counts and stops to count. `tells_dwell` is False for screens."""

    min_dwell_ms: int
    gap_ms: int
    staff_limit_ms: int
    tells_dwell: bool = True


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detection of a person. `inside`: in the zone; `sees`: could see the target from there,
    None where this camera cannot tell.
    """

    at_ms: int
    inside: bool
    sees: bool | None = False


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay so far, from `entered_at_ms` to `seen_at_ms`, both detections.

    `opportunity_ms`: the part of it with the target in view, `measured` whether any detection could
    tell; `sees` is the last detection's; `dwelling`: the minimum is reached and told; `staff`:
    excluded.
    """

    entered_at_ms: int
    seen_at_ms: int
    opportunity_ms: int = 0
    sees: bool = False
    measured: bool = False
    dwelling: bool = False
    staff: bool = False


@dataclass(frozen=True, slots=True)
class DwellBegan:
    """The stay has just become a dwell."""

    stay: Stay


@dataclass(frozen=True, slots=True)
class StaffFound:
    """The stay is excluded from now on: it has just exceeded the staff limit, or the person was
    taken for staff elsewhere. A dwell that was told is over.
    """

    stay: Stay


@dataclass(frozen=True, slots=True)
class StayOver:
    """The stay has ended with its last detection; `censored` if its end was not seen."""

    stay: Stay
    censored: bool


StayEvent = DwellBegan | StaffFound | StayOver


def step(
    stay: Stay | None, sighting: Sighting, rules: StayRules
) -> tuple[Stay | None, tuple[StayEvent, ...]]:
    """The stay after one more detection. One that is not later than the last changes nothing;
    the caller sees to it that none is earlier than a stay that has ended.

    >>> rules = StayRules(min_dwell_ms=1000, gap_ms=500, staff_limit_ms=60_000)
    >>> stay, told = step(None, Sighting(0, True), rules)
    >>> stay, told = step(stay, Sighting(400, True), rules)
    >>> step(stay, Sighting(1000, False), rules)[1][0].stay.seen_at_ms
    400
    """
    stay, events = expire(stay, sighting.at_ms, rules)
    if not sighting.inside:
        return stay, events
    sees, measured = bool(sighting.sees), sighting.sees is not None
    if stay is None:
        stay = Stay(sighting.at_ms, sighting.at_ms, sees=sees, measured=measured)
    elif sighting.at_ms <= stay.seen_at_ms:
        return stay, events
    else:
        stay = Stay(
            entered_at_ms=stay.entered_at_ms,
            seen_at_ms=sighting.at_ms,
            opportunity_ms=stay.opportunity_ms
            + (sighting.at_ms - stay.seen_at_ms if stay.sees else 0),
            sees=sees,
            measured=stay.measured or measured,
            dwelling=stay.dwelling,
            staff=stay.staff,
        )
    return _tell(stay, rules, events)


def exclude(stay: Stay) -> tuple[Stay, tuple[StayEvent, ...]]:
    """The stay of somebody who was taken for staff."""
    if stay.staff:
        return stay, ()
    stay = replace(stay, staff=True)
    return stay, (StaffFound(stay),)


def _tell(
    stay: Stay, rules: StayRules, events: tuple[StayEvent, ...]
) -> tuple[Stay, tuple[StayEvent, ...]]:
    length_ms = stay.seen_at_ms - stay.entered_at_ms
    if not stay.staff and length_ms > rules.staff_limit_ms:
        stay, found = exclude(stay)
        return stay, (*events, *found)
    ripe = rules.tells_dwell and length_ms >= rules.min_dwell_ms
    if ripe and not stay.dwelling and not stay.staff:
        stay = replace(stay, dwelling=True)
        return stay, (*events, DwellBegan(stay))
    return stay, events


def expire(
    stay: Stay | None, at_ms: int, rules: StayRules
) -> tuple[Stay | None, tuple[StayEvent, ...]]:
    """The stay at `at_ms`, if the person is not seen: over once the gap window has passed."""
    if stay is None or at_ms - stay.seen_at_ms <= rules.gap_ms:
        return stay, ()
    return None, (StayOver(stay, censored=False),)


def close(stay: Stay | None) -> tuple[StayEvent, ...]:
    """End a stay whose end will not be seen: the gateway stops, or the camera is gone."""
    return () if stay is None else (StayOver(stay, censored=True),)
