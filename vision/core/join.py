"""One person before two cameras: who of one camera is who of another. Pure.

Where the views of two cameras overlap on the floor, two bodies that are at the same place at the
same time again and again are one person. This lives in the gateway's memory alone. It knows places
and their errors, never appearance; clocks that differ by 100 ms move a walker by 12 cm, which is
part of the error.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from streams.contracts.layout import Point
from vision.core import floor as floors
from vision.core.body import Body
from vision.core.floor import Spread

#: Two names in a fixed order.
Pair = tuple[str, str]

#: One sigma, in metres, of what two cameras make of the same place beside what each knows: a body
#: is not a point, and clocks differ by 100 ms at a walk of 1.2 m/s. (That people differ from the
#: average body is part of the sigma of a place that a head or a trunk has told.)
_BODY_SIGMA_M, _CLOCK_SIGMA_M = 0.05, 0.12

#: Places further apart than this in their sigmas, squared, or in metres, are two people; those of
#: a person who is joined may lie a little further apart before they are parted again.
_GATE, _GATE_M = 9.0, 1.0
_RELEASE, _RELEASE_M = 16.0, 1.5

#: Places that are known worse than this (determinant of the covariance, in m^4) say nothing of who
#: is who: one sigma of a metre along a line of sight and a quarter across it.
_VAGUE = 0.06

#: A body that was not seen for so long has no place to compare.
FRESH_MS = 500

#: Hysteresis: so many times together in sum, over at least this time, make one person; as many
#: times apart part them again. Two cameras at 5 pictures a second compare 10 times a second.
_ENOUGH, _MOST = 4, 6
_LONG_ENOUGH_MS = 500

_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Together:
    """How often two bodies were at one place rather than not, in sum, from when until when."""

    score: int
    since_ms: int
    at_ms: int

    @property
    def sure(self) -> bool:
        """Whether that is enough to say that they are one (or, of joined ones, two)."""
        return self.score >= _ENOUGH and self.at_ms - self.since_ms >= _LONG_ENOUGH_MS


def pair(one: str, other: str) -> Pair:
    """The two names in their fixed order."""
    return (one, other) if one < other else (other, one)


def misfit(one: Body, other: Body, at_ms: int, *, release: bool = False) -> float | None:
    """How far two bodies of different cameras are apart at `at_ms`, in squared sigmas; None where
    they cannot be one person (`release`: can no longer be), or one has no place.
    """
    found = _apart(one, other, at_ms)
    if found is None:
        return None
    off, known = found
    gate, gate_m = (_RELEASE, _RELEASE_M) if release else (_GATE, _GATE_M)
    cost = floors.misfit(off, known)
    return cost if math.hypot(*off) <= gate_m and cost <= gate else None


def comparable(one: Body, other: Body, at_ms: int) -> bool:
    """Whether both have a place at `at_ms` that is known well enough to tell people apart."""
    found = _apart(one, other, at_ms) if _fresh(one, other, at_ms) else None
    return found is not None and floors.size(found[1]) <= _VAGUE


def _fresh(one: Body, other: Body, at_ms: int) -> bool:
    return max(abs(at_ms - one.seen_at_ms), abs(at_ms - other.seen_at_ms)) <= FRESH_MS


def _apart(one: Body, other: Body, at_ms: int) -> tuple[Point, Spread] | None:
    a, b = place_of(one, at_ms), place_of(other, at_ms)
    if a is None or b is None:
        return None
    both = _BODY_SIGMA_M**2 + _CLOCK_SIGMA_M**2
    known = floors.add(floors.add(a[1], b[1]), (both, 0.0, both))
    return (a[0][0] - b[0][0], a[0][1] - b[0][1]), known


def place_of(body: Body, at_ms: int) -> tuple[Point, Spread] | None:
    """Where somebody is at `at_ms`, and how exactly that is known: what is the same in all pictures
    of a camera does not become less by following."""
    place = body.place
    if place is None or place.motion is None:
        return None
    now = floors.predict(place.motion, at_ms)
    return now.point, floors.add(now.place, floors.spread(place.seen_sigma_m, place.towards))


def compare(
    pairs: Mapping[Pair, Together],
    here: Mapping[str, Body],
    there: Mapping[str, Sequence[Body]],
    two: Callable[[str, str], bool],
    at_ms: int,
) -> dict[Pair, Together]:
    """The evidence after a picture of one camera.

    Arguments:
        pairs: the evidence so far, of all cameras.
        here: by person, the bodies that the picture shows.
        there: by person, the bodies that other cameras see of those who may be one of `here`.
        two: whether they are two people for certain, since one camera sees both.

    Of several who are near each other only the best fit of all together gains.
    """
    names = [name for name, bodies in there.items() if bodies]
    costs = np.full((len(here), len(names)), _NEVER)
    seen: set[Pair] = set()
    for row, (name, body) in enumerate(here.items()):
        for column, other in enumerate(names):
            # Nothing can be gained from afar, nor lost without evidence: most of a large area.
            far = all(_is_far(body, b, at_ms) for b in there[other])
            if (far and pair(name, other) not in pairs) or two(name, other):
                continue
            fits = [misfit(body, b, at_ms) for b in there[other] if comparable(body, b, at_ms)]
            if fits:
                seen.add(pair(name, other))
                costs[row, column] = min((f for f in fits if f is not None), default=_NEVER)
    rows = list(here)
    best = {
        pair(rows[r], names[c])
        for r, c in zip(*linear_sum_assignment(costs), strict=True)
        if costs[r, c] < _NEVER
    }
    after = {key: before for key, before in pairs.items() if key not in seen}
    for key in seen:
        now = _judged(pairs.get(key), gained=key in best, at_ms=at_ms)
        if now is not None:
            after[key] = now
    return after


def _is_far(one: Body, other: Body, at_ms: int) -> bool:
    """Whether they are so far apart that they are no one person, however badly placed."""
    if one.place is None or one.place.motion is None:
        return True
    if other.place is None or other.place.motion is None:
        return True
    a = floors.point_at(one.place.motion, at_ms)
    return math.dist(a, floors.point_at(other.place.motion, at_ms)) > _GATE_M


def part(before: Together | None, body: Body, other: Body, at_ms: int) -> Together | None:
    """The evidence that two joined bodies are two people; None for none."""
    # Vague places make nobody one, but where even they are far apart there are two.
    if not _fresh(body, other, at_ms) or _apart(body, other, at_ms) is None:
        return before
    return _judged(before, gained=misfit(body, other, at_ms, release=True) is None, at_ms=at_ms)


def _judged(before: Together | None, *, gained: bool, at_ms: int) -> Together | None:
    if before is None:
        return Together(1, at_ms, at_ms) if gained else None
    score = min(_MOST, before.score + 1) if gained else before.score - 2
    return Together(score, before.since_ms, max(at_ms, before.at_ms)) if score > 0 else None
