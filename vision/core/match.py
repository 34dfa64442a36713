"""Which person before one camera a track shows: time, place and motion, never appearance. Pure.

A lost person who is found again where the way would have led, within the gap window, goes on even
if the tracker gave a new name. Two people whose names the tracker exchanged as they crossed get
their own back, where the exchange explains both ways far better.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.core import motion as motions
from vision.core.body import Body, Sight, mark, picture_misfit, wander, width

#: Squared sigmas beyond which a place does not continue a way (3 sigma).
_GATE = 9.0

#: An exchange of names must explain both ways better by this in sum: one that is only as good is
#: left as the tracker has it. Two people who pass at a walk exceed it 3 pictures of 5 a second on.
_EXCHANGE = 15.0

#: Two ways are compared only as long as both are fresh: older predictions explain anything.
_FRESH_MS = 1_000

#: A place is never better known than this when somebody was lost: bodies bend and turn.
_PLACE_SIGMA_M = 0.15

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
) -> Matches:
    """Who is who in one picture.

    Arguments:
        bodies: by person, of those who may be continued.
        sights: what the picture shows, each under another track.
        reach: how far a lost person may be found from where the way led: metres, or body widths.
        may_be: says no where more is known of them.
    """
    named = {body.track_id: name for name, body in bodies.items()}
    found = [named.get(sight.track.track_id) for sight in sights]
    stitched = _exchange(bodies, sights, found)
    new = [index for index, name in enumerate(found) if name is None]
    if new and len(found) - len(new) < len(bodies):
        lost = [name for name in bodies if name not in found]
        for index, name in _continued(bodies, sights, new, lost, reach, may_be):
            found[index] = name
            stitched += 1
    return Matches(tuple(found), stitched)


def _exchange(bodies: Mapping[str, Body], sights: Sequence[Sight], found: list[str | None]) -> int:
    """Gives exchanged names back in `found`; how many tracks now go on under another person."""
    known = [(index, name) for index, name in enumerate(found) if name is not None]
    if len(known) < 2:
        return 0
    suspects = {
        index
        for index, name in known
        if picture_misfit(bodies[name], sights[index].track.box, sights[index].at_ms) > _GATE
    }
    changed = 0
    for (one, name), (two, other) in combinations(known, 2) if suspects else ():
        if one not in suspects and two not in suspects:
            continue
        first, second = sights[one], sights[two]
        a, b, at_ms = bodies[name], bodies[other], first.at_ms
        if at_ms - min(a.seen_at_ms, b.seen_at_ms) > _FRESH_MS:
            continue
        kept = picture_misfit(a, first.track.box, at_ms) + picture_misfit(
            b, second.track.box, at_ms
        )
        changed_over = picture_misfit(a, second.track.box, at_ms) + picture_misfit(
            b, first.track.box, at_ms
        )
        if changed_over + _EXCHANGE < kept and {found[one], found[two]} == {name, other}:
            found[one], found[two] = other, name
            changed += 2
    return changed


def _continued(
    bodies: Mapping[str, Body],
    sights: Sequence[Sight],
    new: Sequence[int],
    lost: Sequence[str],
    reach: float,
    may_be: MayBe,
) -> list[tuple[int, str]]:
    """The lost people whom new tracks continue: all together at the least cost."""
    costs = np.full((len(new), len(lost)), _NEVER)
    for row, index in enumerate(new):
        for column, name in enumerate(lost):
            cost = _cost(bodies[name], sights[index], reach)
            if cost is not None and may_be(name, sights[index]):
                costs[row, column] = cost
    pairs = zip(*linear_sum_assignment(costs), strict=True)
    return [(new[r], lost[c]) for r, c in pairs if costs[r, c] < _NEVER]


def _cost(body: Body, sight: Sight, reach: float) -> float | None:
    """How badly the sight continues the body, in squared sigmas; None where it cannot."""
    if _has_left(body, sight.at_ms):
        return None
    if body.place is not None and body.place.motion is not None and sight.place is not None:
        ahead = motions.predict(body.place.motion, motions.ON_FLOOR, sight.at_ms)
        point, unit = sight.place.point_m, 1.0
        sigma = max(sight.place.sigma_m, _PLACE_SIGMA_M)
    else:
        ahead = motions.predict(body.motion, wander(body.box), sight.at_ms)
        point = mark(sight.track.box)
        unit = max(width(body.box), width(sight.track.box))
        sigma = _PLACE_SIGMA_M * unit
    if motions.apart(ahead, point) > reach * unit:
        return None
    cost = motions.misfit(ahead, point, sigma)
    # A body of another size is another body, or at another distance.
    sizes = math.log(_height(sight.track.box) / _height(body.box))
    return cost + sizes * sizes if cost <= _GATE else None


def _has_left(body: Body, at_ms: int) -> bool:
    """Whether the way led out at the left or right of the picture: who comes in there is new."""
    x0, _, x1, _ = body.box
    ahead = motions.predict(body.motion, wander(body.box), at_ms)
    going = ahead.vx / width(body.box)
    if (x0 <= _EDGE and going < -_GOING) or (x1 >= 1 - _EDGE and going > _GOING):
        return True
    return not _EDGE <= ahead.x <= 1 - _EDGE


def _height(box: tuple[float, float, float, float]) -> float:
    return max(box[3] - box[1], 1e-3)
