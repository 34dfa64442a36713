"""How something moves in a picture: a Kalman filter of constant velocity, both axes alike. Pure.

The unit of length is parts of a picture. (On the floor, where directions differ in how well they
are known, it is `vision.core.floor`.) People start and stop, so the velocity wanders with white
acceleration, and a prediction grows uncertain with time.
Reference: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking, 2001, ch. 6.2.
"""

import math
from dataclasses import dataclass

from streams.contracts.layout import Point

#: A walk is not extrapolated beyond this: after it a lost person is expected to have stopped.
_STRAIGHT_S = 1.5


@dataclass(frozen=True, slots=True)
class Wander:
    """How fast things move: one sigma of a first speed, a second, and the spectral density of the
    acceleration, in (length / s)^2 a second.
    """

    speed: float
    density: float


@dataclass(frozen=True, slots=True)
class Motion:
    """A place and a velocity with their covariance, the same in x and y, at an instant."""

    x: float
    y: float
    vx: float
    vy: float
    place_var: float
    cross_var: float
    speed_var: float
    at_ms: int

    @property
    def point(self) -> Point:
        """Where it is."""
        return self.x, self.y


def begin(point: Point, sigma: float, wander: Wander, at_ms: int) -> Motion:
    """Something seen for the first time: it may stand or move."""
    return Motion(point[0], point[1], 0.0, 0.0, sigma * sigma, 0.0, wander.speed**2, at_ms)


def predict(motion: Motion, wander: Wander, at_ms: int) -> Motion:
    """Where it is at `at_ms` if nothing more was seen; the past is not predicted.

    >>> walker = Motion(0.0, 0.0, 1.0, 0.0, 0.01, 0.0, 0.01, 0)
    >>> predict(walker, Wander(1.0, 0.6), 500).point
    (0.5, 0.0)
    """
    seconds = (at_ms - motion.at_ms) / 1000
    if seconds <= 0.0:
        return motion
    moved, density = min(seconds, _STRAIGHT_S), wander.density
    return Motion(
        x=motion.x + motion.vx * moved,
        y=motion.y + motion.vy * moved,
        vx=motion.vx,
        vy=motion.vy,
        place_var=motion.place_var
        + 2 * motion.cross_var * seconds
        + motion.speed_var * seconds**2
        + density * seconds**3 / 3,
        cross_var=motion.cross_var + motion.speed_var * seconds + density * seconds**2 / 2,
        speed_var=motion.speed_var + density * seconds,
        at_ms=at_ms,
    )


def update(motion: Motion, point: Point, sigma: float, wander: Wander, at_ms: int) -> Motion:
    """The motion after it was seen at `point` with one `sigma`."""
    ahead = predict(motion, wander, at_ms)
    total = ahead.place_var + sigma * sigma
    place_gain, speed_gain = ahead.place_var / total, ahead.cross_var / total
    off_x, off_y = point[0] - ahead.x, point[1] - ahead.y
    return Motion(
        x=ahead.x + place_gain * off_x,
        y=ahead.y + place_gain * off_y,
        vx=ahead.vx + speed_gain * off_x,
        vy=ahead.vy + speed_gain * off_y,
        place_var=(1 - place_gain) * ahead.place_var,
        cross_var=(1 - place_gain) * ahead.cross_var,
        speed_var=max(0.0, ahead.speed_var - speed_gain * ahead.cross_var),
        at_ms=at_ms,
    )


def apart(motion: Motion, point: Point) -> float:
    """How far `point` lies from where it is."""
    return math.hypot(point[0] - motion.x, point[1] - motion.y)
