"""The truth of a crowd: who was where from when to when, looked at what, crossed which line. Pure;
of the positions and gazes themselves, never by the gateway's state machines.
"""

import math
from collections.abc import Iterator, Sequence

from infra.simulator.aisle import Aisle, Goal
from infra.simulator.crowd import Crowd
from infra.simulator.guest import Guest
from infra.simulator.people import Person
from infra.simulator.truth import TrueCrossing, TrueGaze, TrueStay, TrueVisit, Truth
from infra.simulator.visit import Stay, stays_in
from streams.contracts.layout import Line, Point
from vision.core.geometry import contains

#: Places are looked at this often; a walker moves 6 cm meanwhile. Crossings are interpolated.
_STEP_MS = 50

#: Headings are looked at this often.
_HEADING_STEP_MS = 100

#: Whoever has a target within this angle of the head's direction could see it (the gateway's
#: default of opportunity to see).
OPPORTUNITY_HALF_ANGLE_DEG = 60.0


def crowd_truth(crowd: Crowd, from_ms: int, until_ms: int) -> Iterator[Truth]:
    """The lines of all visits that begin before `until_ms` and end after `from_ms`, visit by visit;
    what goes on at the end is cut there and marked as censored."""
    for guest in crowd.guests(from_ms, until_ms):
        yield from guest_truth(crowd.aisle, guest, until_ms)


def guest_truth(
    aisle: Aisle, guest: Guest, until_ms: int, *, opportunity: bool = True
) -> Iterator[Truth]:
    """The lines of one visit; without `opportunity` it is left open, which is much quicker."""
    if guest.enter_ms >= until_ms:
        return
    yield _visit(aisle, guest, until_ms)
    goals = {goal.target_id: goal for goal in aisle.goals}
    kinds = {goal.target_id: goal.kind for goal in aisle.goals}
    end_ms = min(guest.leave_ms, until_ms)
    moments = range(guest.enter_ms, end_ms, _HEADING_STEP_MS)
    headings = [(at, guest.person(at)) for at in moments] if opportunity else []
    for stay in stays_in(aisle.floors, guest.place, guest.enter_ms, end_ms, _STEP_MS):
        goal = goals.get(stay.target_id)
        yield TrueStay(
            person_id=guest.person_id,
            target_id=stay.target_id,
            target_kind=kinds.get(stay.target_id, "zone"),
            entered_at_ms=stay.from_ms,
            left_at_ms=stay.to_ms,
            opportunity_ms=_opportunity_ms(headings, stay, goal) if goal and headings else None,
            censored=stay.to_ms == until_ms,
        )
    for gaze in guest.gazes:
        if gaze.from_ms < until_ms:
            yield TrueGaze(
                person_id=guest.person_id,
                target_id=gaze.target_id,
                target_kind=kinds[gaze.target_id],
                started_at_ms=gaze.from_ms,
                ended_at_ms=min(gaze.to_ms, until_ms),
                censored=gaze.to_ms > until_ms,
                aim=gaze.aims[0],
                distance_m=gaze.distance_m,
            )
    for line in aisle.lines:
        yield from _crossings(guest, line, end_ms)


def _visit(aisle: Aisle, guest: Guest, until_ms: int) -> TrueVisit:
    traits = guest.traits
    end_ms = min(guest.leave_ms, until_ms)
    return TrueVisit(
        person_id=guest.person_id,
        entered_at_ms=guest.enter_ms,
        left_at_ms=end_ms,
        censored=guest.leave_ms > until_ms,
        who=traits.kind,
        height_m=round(traits.height_m, 3),
        hat=traits.hat,
        mask=traits.mask,
        staff=traits.staff,
        staff_area=any(
            contains(floor, guest.place(at))
            for floor in aisle.staff_floors
            for at in range(guest.enter_ms, end_ms, 1_000)
        ),
        party_id=guest.party_id,
        party_size=guest.party_size,
        passing=guest.passing,
        density=guest.density,
    )


def _opportunity_ms(headings: Sequence[tuple[int, Person]], stay: Stay, goal: Goal) -> int:
    within = (person for at, person in headings if stay.from_ms <= at < stay.to_ms)
    seen = sum(could_see(person, goal) for person in within)
    return min(seen * _HEADING_STEP_MS, stay.to_ms - stay.from_ms)


def could_see(person: Person, goal: Goal) -> bool:
    """Whether place and heading let somebody see a target: before it, and its nearest edge no
    further aside than the half angle."""
    a, b, _, d = goal.corners
    right, down = _minus(b, a), _minus(d, a)
    # The side from which a target is seen: down x right points to its viewers.
    normal_x = down[1] * right[2] - down[2] * right[1]
    normal_y = down[2] * right[0] - down[0] * right[2]
    if normal_x * (person.x_m - a[0]) + normal_y * (person.y_m - a[1]) <= 0:
        return False
    yaws = [
        math.degrees(math.atan2(corner[0] - person.x_m, -(corner[1] - person.y_m)))
        for corner in (a, b)
    ]
    offs = [(yaw - person.head_yaw_deg + 180.0) % 360.0 - 180.0 for yaw in yaws]
    if min(offs) <= 0.0 <= max(offs) and max(offs) - min(offs) < 180.0:
        return True
    return min(abs(off) for off in offs) <= OPPORTUNITY_HALF_ANGLE_DEG


def _minus(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _crossings(guest: Guest, line: Line, end_ms: int) -> Iterator[TrueCrossing]:
    if line.ends is None or line.inward is None:
        return
    inner = _side(line.ends, line.inward)
    before_ms, before = guest.enter_ms, guest.place(guest.enter_ms)
    for at in range(guest.enter_ms + _STEP_MS, end_ms, _STEP_MS):
        here = guest.place(at)
        was, now = _side(line.ends, before), _side(line.ends, here)
        if (was > 0) != (now > 0):
            part = was / (was - now)
            where = (
                before[0] + part * (here[0] - before[0]),
                before[1] + part * (here[1] - before[1]),
            )
            if _within(line.ends, where):
                yield TrueCrossing(
                    person_id=guest.person_id,
                    line_id=line.line_id,
                    direction="in" if (now > 0) == (inner > 0) else "out",
                    crossed_at_ms=round(before_ms + part * (at - before_ms)),
                )
        before_ms, before = at, here


def _side(ends: tuple[Point, Point], place: Point) -> float:
    (ax, ay), (bx, by) = ends
    return (bx - ax) * (place[1] - ay) - (by - ay) * (place[0] - ax)


def _within(ends: tuple[Point, Point], place: Point) -> bool:
    (ax, ay), (bx, by) = ends
    along = (bx - ax) * (place[0] - ax) + (by - ay) * (place[1] - ay)
    return 0.0 <= along <= (bx - ax) ** 2 + (by - ay) ** 2
