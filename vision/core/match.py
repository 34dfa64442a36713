"""Which person a camera's track shows: time, place and motion, never appearance. Pure.

The tracker's names are evidence, no more: it compares boxes, and those of people who stand before
each other, or whom the picture cuts off, are much alike. Here a track goes to the person whose way
it continues best, on the floor and in the picture, all people together. So a lost person who is
found again soon goes on even if the tracker gave a new name, before the same camera or another;
names that were exchanged at a crossing are given back; a name that jumped to somebody else begins a
new person.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.core import motion as motions
from vision.core.body import Body, Sight, mark, wander, width
from vision.core.motion import Motion
from vision.core.place import Place

#: Squared sigmas beyond which a place does not continue a way (3 sigma).
_GATE = 9.0

#: What the tracker's name is worth in squared sigmas: it is wrong in 1 of 50 pictures or so, and an
#: exchange is wrong twice. Two people who pass at a walk exceed it 3 pictures of 5 a second on.
_NAMED = 7.5

#: A track whose misfit to its person is greater than this, in sum over floor and picture, after
#: what the name is worth, is somebody else.
_SOMEBODY_ELSE = 25.0

#: One wild place (a profile taken for a far body) does not end a way that the picture continues:
#: no misfit counts for more.
_WILD = 25.0

#: A place is never better known than this: bodies bend and turn.
_PLACE_SIGMA_M = 0.15

#: The same in the picture, in body widths; and for somebody who was just seen.
_LOST_SIGMA, _SEEN_SIGMA = 0.15, 0.08

#: Who was seen so lately is not lost: the way is known from the picture before.
FRESH_MS = 450

#: One sigma, in metres, of what two cameras make of the same place beside what each knows.
_OTHER_CAMERA_M = 0.15

#: A box this near to the picture's left or right is cut off by it, and on its way out when it moves
#: there by this many body widths a second.
_EDGE, _GOING = 0.02, 0.2

_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Matches:
    """For each sight the person whom it shows, None for somebody new; how many were stitched."""

    people: tuple[str | None, ...]
    stitched: int


#: Whether a lost person may be the one whom a new track shows.
MayBe = Callable[[str, Sight], bool]


def assign(
    bodies: Mapping[str, Body],
    sights: Sequence[Sight],
    reach: float,
    may_be: MayBe = lambda name, sight: True,
    elsewhere: Mapping[str, Body] | None = None,
) -> Matches:
    """Who is who in one picture: all together at the least cost.

    Arguments:
        bodies: by person, of those who may be continued.
        elsewhere: by person, the body before another camera, where that was seen later.
        sights: what the picture shows, each under another track.
        reach: how far a lost person may be found from where the way led: metres, or body widths.
        may_be: says no where more is known of them.
    """
    others = elsewhere or {}
    names = [*bodies, *(name for name in others if name not in bodies)]
    if not names or not sights:
        return Matches((None,) * len(sights), 0)
    ways = [_ahead(n, bodies.get(n), others.get(n), sights[0].at_ms) for n in names]
    # Of two who went under one name the one who was seen last bears it.
    named = sorted(bodies, key=lambda name: bodies[name].seen_at_ms)
    bearers = {bodies[name].track_id: name for name in named}
    many = len(ways)
    costs = np.full((len(sights), many + len(sights)), _NEVER)
    for row, sight in enumerate(sights):
        costs[row, many + row] = 0.0  # somebody new
        bearer = bearers.get(sight.track.track_id)
        for column, way in enumerate(ways):
            if way.name == bearer:
                costs[row, column] = _misfit(way, sight) - _NAMED - _SOMEBODY_ELSE
                continue
            cost = _cost(way, sight, reach)
            if cost is not None and (bearer is not None or may_be(way.name, sight)):
                costs[row, column] = cost - _SOMEBODY_ELSE
    found: list[str | None] = [None] * len(sights)
    stitched = 0
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        if column < many:
            found[row] = ways[column].name
            stitched += bearers.get(sights[row].track.track_id) != found[row]
    return Matches(tuple(found), stitched)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where somebody is expected: on the floor, and in the picture if this camera saw them
    (`body`). `left`: the way led out of the picture.
    """

    name: str
    body: Body | None
    floor: Motion | None
    picture: Motion | None
    lost: bool
    left: bool


def _ahead(name: str, body: Body | None, other: Body | None, at_ms: int) -> _Way:
    floor = _floor(other or body, at_ms)
    if other is not None and floor is not None:
        floor = replace(floor, place_var=floor.place_var + _OTHER_CAMERA_M**2)
    if body is None:
        return _Way(name, None, floor, None, lost=True, left=False)
    picture = motions.predict(body.motion, wander(body.box), at_ms)
    lost = at_ms - body.seen_at_ms > FRESH_MS
    seen = other is not None and at_ms - other.seen_at_ms <= FRESH_MS
    left = not seen and has_left(body, at_ms)
    return _Way(name, body, floor, picture, lost, left)


def _floor(body: Body | None, at_ms: int) -> Motion | None:
    if body is None or body.place is None or body.place.motion is None:
        return None
    return motions.predict(body.place.motion, motions.ON_FLOOR, at_ms)


def _misfit(way: _Way, sight: Sight) -> float:
    """How badly the sight continues the way in squared sigmas, over both where both are known."""
    seen = _in_picture(way, sight, _SEEN_SIGMA)
    if way.floor is None or sight.place is None:
        return min(2 * seen, _WILD)
    return min(seen, _WILD) + min(_on_floor(way.floor, sight.place), _WILD)


def _cost(way: _Way, sight: Sight, reach: float) -> float | None:
    """The same for a track that goes by another name; None where it cannot be that person."""
    if way.lost:
        return None if way.left else _found_again(way, sight, reach)
    cost = _misfit(way, sight)
    return cost if cost < _SOMEBODY_ELSE else None


def _found_again(way: _Way, sight: Sight, reach: float) -> float | None:
    if way.floor is not None and sight.place is not None:
        gap, unit = motions.apart(way.floor, sight.place.point_m), 1.0
        cost = _on_floor(way.floor, sight.place)
    elif way.body is not None and way.picture is not None:
        unit = max(width(way.body.box), width(sight.track.box))
        gap = motions.apart(way.picture, mark(sight.track.box))
        cost = _in_picture(way, sight, _LOST_SIGMA)
    else:
        return None
    if gap > reach * unit or cost > _GATE:
        return None
    if way.body is None:
        return cost
    # A body of another size is another body, or at another distance.
    sizes = math.log(_height(sight.track.box) / _height(way.body.box))
    return cost + sizes * sizes


def _on_floor(floor: Motion, place: Place) -> float:
    return motions.misfit(floor, place.point_m, max(place.sigma_m, _PLACE_SIGMA_M))


def _in_picture(way: _Way, sight: Sight, sigma: float) -> float:
    if way.body is None or way.picture is None:
        return _WILD
    unit = max(width(way.body.box), width(sight.track.box))
    return motions.misfit(way.picture, mark(sight.track.box), sigma * unit)


def has_left(body: Body, at_ms: int) -> bool:
    """Whether the way led out at the left or right of the picture: who comes in there is new."""
    x0, _, x1, _ = body.box
    ahead = motions.predict(body.motion, wander(body.box), at_ms)
    going = ahead.vx / width(body.box)
    if (x0 <= _EDGE and going < -_GOING) or (x1 >= 1 - _EDGE and going > _GOING):
        return True
    return not _EDGE <= ahead.x <= 1 - _EDGE


def _height(box: tuple[float, float, float, float]) -> float:
    return max(box[3] - box[1], 1e-3)
