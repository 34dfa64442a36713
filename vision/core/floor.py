"""How somebody moves on the floor, in metres: a Kalman filter of constant velocity. Pure.

A camera knows very well in which direction somebody is, and much less well how far away: places are
measured with one sigma along the line of sight and another across it, so two cameras that see
the same person from two sides place them well together, and people behind each other are told
apart. People start and stop, so the velocity wanders with white acceleration.
Reference: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking, 2001, ch. 6.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streams.contracts.layout import Point

#: A symmetric matrix in the plane: xx, xy, yy.
Spread = tuple[float, float, float]

#: One sigma of a shopper's first speed, in m/s: 1.2 is a walk; and the spectral density of the
#: acceleration, (m/s)^2 a second: a walk is taken up or given up within half a second.
_SPEED_M_PER_S, _DENSITY = 1.0, 0.6

#: A walk is not extrapolated beyond this: after it a lost person is expected to have stopped.
_STRAIGHT_S = 1.5

#: Across the line of sight a place is this well known: bodies are no points; and never better than
#: this part of what is known along it.
_ACROSS_M, _ACROSS_SHARE = 0.05, 0.15

#: A place that misfits by more than this, in squared sigmas, counts as less exact than it says.
_WILD = 9.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A place and a velocity on the floor at an instant; `place` and `speed` their covariances,
    `cross` that of place (rows) with velocity (columns): xx, xy, yx, yy.
    """

    x: float
    y: float
    vx: float
    vy: float
    place: Spread
    cross: tuple[float, float, float, float]
    speed: Spread
    at_ms: int

    @property
    def point(self) -> Point:
        """Where it is."""
        return self.x, self.y


def spread(sigma_m: float, towards: Point | None) -> Spread:
    """The covariance of a place that is known to `sigma_m` along `towards`, the unit vector of the
    line of sight, and better across it; alike in all directions where there is no such line.
    """
    along = sigma_m * sigma_m
    if towards is None:
        return along, 0.0, along
    across = min(along, max(_ACROSS_M, _ACROSS_SHARE * sigma_m) ** 2)
    (x, y), more = towards, along - across
    return across + more * x * x, more * x * y, across + more * y * y


def begin(point: Point, seen: Spread, at_ms: int) -> Floor:
    """Somebody seen for the first time, who may stand or walk."""
    var = _SPEED_M_PER_S**2
    return Floor(*point, 0.0, 0.0, seen, (0.0, 0.0, 0.0, 0.0), (var, 0.0, var), at_ms)


def point_at(floor: Floor, at_ms: int) -> Point:
    """Where `predict` has somebody."""
    moved = min(max(0.0, (at_ms - floor.at_ms) / 1000), _STRAIGHT_S)
    return floor.x + floor.vx * moved, floor.y + floor.vy * moved


def predict(floor: Floor, at_ms: int) -> Floor:
    """Where somebody is at `at_ms` if nothing more was seen; the past is not predicted.

    >>> walker = Floor(0.0, 0.0, 1.0, 0.0, (0.01, 0.0, 0.01), (0.0,) * 4, (0.01, 0.0, 0.01), 0)
    >>> predict(walker, 500).point
    (0.5, 0.0)
    """
    t = (at_ms - floor.at_ms) / 1000
    if t <= 0.0:
        return floor
    moved = min(t, _STRAIGHT_S)
    (pxx, pxy, pyy), (sxx, sxy, syy) = floor.place, floor.speed
    cxx, cxy, cyx, cyy = floor.cross
    noise, half = _DENSITY * t**3 / 3, _DENSITY * t * t / 2
    return Floor(
        floor.x + floor.vx * moved,
        floor.y + floor.vy * moved,
        floor.vx,
        floor.vy,
        (
            pxx + 2 * t * cxx + t * t * sxx + noise,
            pxy + t * (cxy + cyx) + t * t * sxy,
            pyy + 2 * t * cyy + t * t * syy + noise,
        ),
        (cxx + t * sxx + half, cxy + t * sxy, cyx + t * sxy, cyy + t * syy + half),
        (sxx + _DENSITY * t, sxy, syy + _DENSITY * t),
        at_ms,
    )


def update(floor: Floor, point: Point, seen: Spread, at_ms: int) -> Floor:
    """The motion after somebody was seen at `point`, known to `seen`."""
    now = predict(floor, at_ms)
    off = point[0] - now.x, point[1] - now.y
    wild = misfit(off, add(now.place, seen)) / _WILD
    if wild > 1.0:
        seen = seen[0] * wild, seen[1] * wild, seen[2] * wild
    ixx, ixy, iyy = _inverse(add(now.place, seen))
    (pxx, pxy, pyy), (sxx, sxy, syy) = now.place, now.speed
    cxx, cxy, cyx, cyy = now.cross
    # Gains: of the place P / (P + R), of the velocity C' / (P + R).
    gxx, gxy = pxx * ixx + pxy * ixy, pxx * ixy + pxy * iyy
    gyx, gyy = pxy * ixx + pyy * ixy, pxy * ixy + pyy * iyy
    hxx, hxy = cxx * ixx + cyx * ixy, cxx * ixy + cyx * iyy
    hyx, hyy = cxy * ixx + cyy * ixy, cxy * ixy + cyy * iyy
    return Floor(
        now.x + gxx * off[0] + gxy * off[1],
        now.y + gyx * off[0] + gyy * off[1],
        now.vx + hxx * off[0] + hxy * off[1],
        now.vy + hyx * off[0] + hyy * off[1],
        (
            pxx - gxx * pxx - gxy * pxy,
            pxy - gxx * pxy - gxy * pyy,
            pyy - gyx * pxy - gyy * pyy,
        ),
        (
            cxx - gxx * cxx - gxy * cyx,
            cxy - gxx * cxy - gxy * cyy,
            cyx - gyx * cxx - gyy * cyx,
            cyy - gyx * cxy - gyy * cyy,
        ),
        (
            max(0.0, sxx - hxx * cxx - hxy * cyx),
            sxy - hxx * cxy - hxy * cyy,
            max(0.0, syy - hyx * cxy - hyy * cyy),
        ),
        at_ms,
    )


def together(parts: Sequence[tuple[Point, Spread]]) -> tuple[Point, Spread]:
    """Places of one person that were seen apart, as one: each counts as much as it knows.

    >>> far = (0.0, 1.0), (0.0001, 0.0, 100.0)
    >>> wide = (2.0, 3.0), (100.0, 0.0, 0.0001)
    >>> point, _ = together([far, wide])
    >>> round(point[0], 3), round(point[1], 3)
    (0.0, 3.0)
    """
    xx = xy = yy = x = y = 0.0
    for point, known in parts:
        ixx, ixy, iyy = _inverse(known)
        xx, xy, yy = xx + ixx, xy + ixy, yy + iyy
        x += ixx * point[0] + ixy * point[1]
        y += ixy * point[0] + iyy * point[1]
    known = _inverse((xx, xy, yy))
    return (known[0] * x + known[1] * y, known[1] * x + known[2] * y), known


def misfit(off: Point, known: Spread) -> float:
    """The squared length of `off` in the sigmas of `known`."""
    ixx, ixy, iyy = _inverse(known)
    return ixx * off[0] ** 2 + 2 * ixy * off[0] * off[1] + iyy * off[1] ** 2


def add(one: Spread, other: Spread) -> Spread:
    """The covariance of a sum."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def size(known: Spread) -> float:
    """The determinant: the square of how much floor a place may be on, but for a constant."""
    return max(known[0] * known[2] - known[1] ** 2, 1e-12)


def sigma_m(known: Spread) -> float:
    """One sigma in metres, as if it were the same in all directions."""
    return math.sqrt(max(0.0, (known[0] + known[2]) / 2))


def _inverse(known: Spread) -> Spread:
    xx, xy, yy = known
    whole = size(known)
    return yy / whole, -xy / whole, xx / whole
