"""Which person a camera's track shows: time, place and motion, never appearance. Pure.

The tracker's names count little: it compares boxes, and those of people who stand before each
other, or whom the picture cuts off, are much alike. Here a track goes to the person whose way it
continues best, all people together: in the picture, where from one to the next a head moves
little and a body keeps its size, and on the floor, where every camera helps that sees the person.
So a lost person who is found again soon goes on even if the tracker gave a new name, before the
same camera or another; names that were exchanged at a crossing are given back; a name that jumped
to somebody else begins a new person.

Costs are twice the negative logarithms of how probable a sight is of a person; the tails are those
of Student's t, since boxes jump where people hide each other.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from streams.contracts.layout import Point
from vision.core import floor as floors
from vision.core import motion as motions
from vision.core.body import Body, Sight, Track, mark, wander, width
from vision.core.floor import Spread
from vision.core.join import place_of
from vision.core.motion import Motion

#: From a picture to the next, 200 ms on: one sigma across and down in body widths, and of the
#: logarithm of the body's height (of 6,000 detections on tuning seeds two thirds are within 0.04,
#: 0.04 and 0.014, and one in 20 beyond 0.16, 0.13 and 0.07).
_ACROSS, _DOWN, _HEIGHT = 0.06, 0.05, 0.03
#: A body that somebody else hides from the waist on is suddenly half as high: no height costs more.
_CUT = 9.0
#: They grow by this part in a second that somebody was not seen, up to so many times.
_GROWS, _MOST_TIMES = 6.0, 7.0
#: A picture so long ago tells nothing of where in the picture somebody is.
_PICTURE_MS = 2_500
#: Degrees of freedom of Student's t.
_TAIL = 3.0

#: What the tracker's name is worth where nobody has a place on the floor; else it helps no more.
_NAMED = 4.0
#: A sight that fits nobody better than this is somebody new.
_SOMEBODY_ELSE = 27.0
#: Whoever is found again, or comes from another camera's view, might be somebody new; the second
#: bears no likeness that could be compared in this picture.
_FOUND, _UNSEEN = 4.0, 8.0
#: Squared sigmas beyond which a place is not that of somebody whom this camera does not know.
_GATE = 9.0
#: Nor one that is known worse than this: the determinant of the covariance, in m^4.
_VAGUE = 0.06

#: Who has moved so much in the picture and jumped so far on the floor (squared sigmas) is another;
#: one of both alone is a wild box or place.
_MOVED, _JUMPED = 10.0, 36.0

#: More than a place changes by when it is worked out in another way.
_ROUNDING_M = 1e-6

#: Bodies are no points, bend and turn: one sigma of a place, in metres, beside what is known of it.
_BODY_M = 0.1
#: The usual such place: its size makes costs comparable.
_USUAL = 0.15**4

#: Who was seen so lately is not lost: the way is known from the picture before.
FRESH_MS = 450

#: A box this near to the picture's left or right is cut off by it, and on its way out when it moves
#: there by this many body widths a second.
_EDGE, _GOING = 0.02, 0.2

_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Matches:
    """For each sight the person whom it shows, None for somebody new; how many were stitched: went
    on in another track than the one in which the tracker had followed them.
    """

    people: tuple[str | None, ...]
    stitched: int


def assign(
    bodies: Mapping[str, Body],
    sights: Sequence[Sight],
    reach: float,
    elsewhere: Mapping[str, Sequence[Body]] | None = None,
) -> Matches:
    """Who is who in one picture: all together at the least cost.

    Arguments:
        bodies: by person, of those whom this camera has seen.
        sights: what the picture shows, each under another track.
        reach: how far a lost person may be found from where the way led: metres, or body widths.
        elsewhere: by person, their bodies before other cameras.
    """
    others = elsewhere or {}
    if not sights:
        return Matches((), 0)
    at_ms = sights[0].at_ms
    strangers = [name for name in others if name not in bodies]
    names = [*bodies, *(n for n in strangers if not _is_away(others[n], sights, reach, at_ms))]
    if not names:
        return Matches((None,) * len(sights), 0)
    ways = [_way(n, bodies.get(n), others.get(n, ()), at_ms) for n in names]
    # Of two who went under one name the one who was seen last bears it.
    ordered = sorted(bodies, key=lambda name: bodies[name].seen_at_ms)
    bearers = {bodies[name].track_id: name for name in ordered}
    many = len(ways)
    costs = [[_NEVER] * (many + len(sights)) for _ in sights]
    for row, sight in enumerate(sights):
        costs[row][many + row] = 0.0  # somebody new
        bearer, point = bearers.get(sight.track.track_id), mark(sight.track)
        for column, way in enumerate(ways):
            cost = _cost(way, sight, point, reach)
            if cost is not None:
                named = _NAMED * (way.name == bearer and way.floor is None)
                costs[row][column] = cost - named - _SOMEBODY_ELSE
    found: list[str | None] = [None] * len(sights)
    stitched = 0
    for row, column in _least(costs):
        if column < many:
            found[row] = ways[column].name
            stitched += _is_stitched(bodies.get(ways[column].name), sights[row].track)
    return Matches(tuple(found), stitched)


def _is_stitched(body: Body | None, track: Track) -> bool:
    """Whether a track goes on with somebody whom this camera followed in another one."""
    before = None if body is None else body.followed_as
    return track.sure and before is not None and before != track.track_id


def _least(costs: Sequence[Sequence[float]]) -> Iterable[tuple[int, int]]:
    """For each row its column, at the least cost of all together."""
    if len(costs) == 1:
        return [(0, costs[0].index(min(costs[0])))]
    return zip(*linear_sum_assignment(np.array(costs)), strict=True)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where somebody is expected: on the floor, and in the picture if this camera saw them lately
    (`body`, `picture`). `gone_s`: since it did; `seen`: by any camera a moment ago; `left`: the way
    led out of this picture.
    """

    name: str
    body: Body | None
    picture: Motion | None
    floor: tuple[Point, Spread] | None
    gone_s: float
    seen: bool
    left: bool


def _way(name: str, body: Body | None, others: Sequence[Body], at_ms: int) -> _Way:
    everywhere = [*others] if body is None else [body, *others]
    seen = any(at_ms - each.seen_at_ms <= FRESH_MS for each in everywhere)
    floor = where(everywhere, at_ms)
    if body is None or at_ms - body.seen_at_ms > _PICTURE_MS:
        return _Way(name, None, None, floor, math.inf, seen, left=False)
    gone_s = (at_ms - body.seen_at_ms) / 1000
    picture = motions.predict(body.motion, wander(body.box), at_ms)
    left = not seen and has_left(body, at_ms)
    return _Way(name, body, picture, floor, gone_s, seen, left)


def _is_away(bodies: Sequence[Body], sights: Sequence[Sight], reach: float, at_ms: int) -> bool:
    """Whether `_cost` surely finds that somebody whom this camera does not know is in none of the
    sights: lost, by the one camera that does, too far away. In a large area most are.
    """
    if len(bodies) != 1 or at_ms - bodies[0].seen_at_ms <= FRESH_MS:
        return False
    [body] = bodies
    if body.place is None or body.place.motion is None:
        return True
    point = floors.point_at(body.place.motion, at_ms)
    placed = (sight.place.point_m for sight in sights if sight.place is not None)
    return all(math.dist(point, each) > reach + _ROUNDING_M for each in placed)


def where(bodies: Sequence[Body], at_ms: int) -> tuple[Point, Spread] | None:
    """Where on the floor somebody is by what all cameras have seen; None if nothing tells."""
    parts = [known for body in bodies if (known := place_of(body, at_ms)) is not None]
    return floors.together(parts) if parts else None


def _cost(way: _Way, sight: Sight, point: Point, reach: float) -> float | None:
    """What it costs to say that the sight, marked by `point`, shows whoever goes this way; None
    where it cannot."""
    cost, known = 0.0, False
    if way.left:
        return None
    lost = way.gone_s * 1000 > FRESH_MS
    if way.body is not None and way.picture is not None:
        cost, known = _in_picture(way.body, way.picture, sight, point, way.gone_s), True
        gap = motions.apart(way.picture, point)
        if gap > reach * width(sight.track.box) and (not lost or way.floor is None):
            return None
    if way.floor is not None and sight.place is not None:
        (x, y), spread = way.floor
        off = sight.place.point_m[0] - x, sight.place.point_m[1] - y
        if lost and not way.seen and math.hypot(*off) > reach:
            return None
        seen = floors.spread(math.hypot(sight.place.sigma_m, _BODY_M), sight.place.towards)
        both = floors.add(spread, seen)
        misfit = floors.misfit(off, both)
        if known and cost > _MOVED and misfit > _JUMPED:
            return None
        if not known and (misfit > _GATE or floors.size(both) > _VAGUE):
            return None
        tail = (_TAIL + 2) * math.log1p(misfit / _TAIL)
        floor = tail + math.log(max(1.0, floors.size(both) / _USUAL))
        cost += floor if known else _UNSEEN + floor
        known = True
    if not known:
        return None
    return cost + _FOUND * lost


def _in_picture(body: Body, picture: Motion, sight: Sight, point: Point, gone_s: float) -> float:
    box = sight.track.box
    unit = max(width(body.box), width(box))
    times = min(_MOST_TIMES, 1.0 + _GROWS * max(0.0, gone_s - 0.2))
    x, y = point
    across = _tail((x - picture.x) / (unit * _ACROSS * times))
    down = _tail((y - picture.y) / (unit * _DOWN * times))
    taller = _tail(math.log(_height(box) / _height(body.box)) / (_HEIGHT * times))
    return across + down + min(taller, _CUT) + 6.0 * math.log(times)


def _tail(misfit: float) -> float:
    return (_TAIL + 1) * math.log1p(misfit * misfit / _TAIL)


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
