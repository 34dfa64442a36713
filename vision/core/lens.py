"""What a lens does to directions: an ideal pinhole or equidistant fisheye, bent by OpenCV's
coefficients. Pure; never imports an adapter.

Camera frame as in OpenCV: x right, y down, z forward. Plane points are in focal lengths from the
principal point, so that an ideal pinhole shows (x, y, z) at (x / z, y / z).
References: docs.opencv.org, calib3d (pinhole: k1 k2 p1 p2 k3 k4 k5 k6) and fisheye (k1 to k4).
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["pinhole", "fisheye"]

#: No pinhole shows what is further from its axis; there the picture would be endless.
_WIDEST_RAD = {"pinhole": math.radians(89.9), "fisheye": math.radians(179.0)}

#: Plane points nearer than this (84 degrees from the axis) an ideal pinhole surely shows.
_STRAIGHT = 10.0

#: Support points of the inverse, 0.04 to 0.09 degrees apart; two Newton steps make it exact.
_TABLE = 2_048
_NEWTON_STEPS = 2
_NUDGE_RAD = 1e-6

#: The tangential part is about a thousandth: each round makes what is left so much smaller.
_TANGENTIAL_ROUNDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """A lens. `coefficients` as OpenCV orders them: 0, 4, 5 or 8 for a pinhole, 0 or 4 for a
    fisheye.

    >>> Lens().plane(np.array([[1.0, 0.5, 2.0]])).tolist()
    [[0.5, 0.25]]
    >>> Lens("fisheye").plane(np.array([[1.0, 0.0, 0.0]])).round(4).tolist()
    [[1.5708, 0.0]]
    """

    kind: Kind = "pinhole"
    coefficients: tuple[float, ...] = ()
    _angles_rad: Floats = field(init=False, repr=False)
    _radii: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        angles = np.linspace(0.0, _WIDEST_RAD[self.kind], _TABLE)
        radii = self._radius(angles)
        # Beyond a turning point the polynomial folds the world back into the picture: never used.
        folds = np.flatnonzero(np.diff(radii) <= 0)
        last = int(folds[0]) + 1 if len(folds) else _TABLE
        object.__setattr__(self, "_angles_rad", angles[:last])
        object.__setattr__(self, "_radii", radii[:last])

    @property
    def ideal(self) -> bool:
        """Whether straight lines stay straight."""
        return self.kind == "pinhole" and not self.coefficients

    @property
    def widest_rad(self) -> float:
        """The furthest from the optical axis that the lens shows at all."""
        return float(self._angles_rad[-1])

    def plane(self, directions: Floats) -> Floats:
        """Where directions are seen.

        Arguments:
            directions: (N, 3) float64, camera frame, of any length.

        Returns (N, 2) float64 plane points; NaN for what the lens does not show.
        """
        reach, outward = _polar(directions[:, :2])
        angles = np.arctan2(reach, directions[:, 2])
        seen = angles <= self.widest_rad
        angles = np.where(seen, angles, 0.0)
        points = outward * self._radius(angles)[:, None]
        if any(self._tangential):
            points = points + self._shift(outward * np.tan(angles)[:, None])
        return np.where(seen[:, None], points, np.nan)

    def directions(self, points: Floats) -> Floats:
        """The inverse of `plane`: (N, 2) plane points to (N, 3) unit directions, camera frame.

        A point that the lens shows nothing at is taken for the nearest at which it does.
        """
        if self.ideal and np.abs(points).max(initial=0.0) < _STRAIGHT:
            rays = np.ones((len(points), 3))
            rays[:, :2] = points
            return np.asarray(rays / np.sqrt((rays * rays).sum(axis=1, keepdims=True)))
        reach, outward = _polar(points)
        for _ in range(_TANGENTIAL_ROUNDS if any(self._tangential) else 0):
            near = np.tan(np.interp(reach, self._radii, self._angles_rad))
            reach, outward = _polar(points - self._shift(outward * near[:, None]))
        angles = self._angles(reach)
        return np.column_stack([outward * np.sin(angles)[:, None], np.cos(angles)])

    @property
    def _tangential(self) -> tuple[float, float]:
        if self.kind == "fisheye" or len(self.coefficients) < 4:
            return 0.0, 0.0
        return self.coefficients[2], self.coefficients[3]

    def _radius(self, angles_rad: Floats) -> Floats:
        """How far from the principal point, in focal lengths, an angle from the axis is seen."""
        k = self.coefficients
        if self.kind == "fisheye":
            return np.asarray(angles_rad * _polynomial(k, angles_rad**2))
        tangents = np.tan(angles_rad)
        if not k:
            return np.asarray(tangents)
        square = tangents**2
        bent = tangents * _polynomial((*k[:2], *k[4:5]), square)
        return np.asarray(bent / _polynomial(k[5:8], square) if len(k) > 5 else bent)

    def _angles(self, radii: Floats) -> Floats:
        """The inverse of `_radius`."""
        if not self.coefficients:
            ideal = np.arctan(radii) if self.kind == "pinhole" else radii
            return np.minimum(ideal, self.widest_rad)
        angles = np.interp(radii, self._radii, self._angles_rad)
        inside = radii < self._radii[-1]
        for _ in range(_NEWTON_STEPS):
            slope = self._radius(angles + _NUDGE_RAD) - self._radius(angles - _NUDGE_RAD)
            step = (self._radius(angles) - radii) * 2 * _NUDGE_RAD / slope
            angles = np.clip(np.where(inside, angles - step, angles), 0.0, self.widest_rad)
        return np.asarray(angles)

    def _shift(self, ideal: Floats) -> Floats:
        """What a decentred lens adds, (N, 2), at ideal pinhole points (N, 2)."""
        p1, p2 = self._tangential
        x, y = ideal.T
        square = x * x + y * y
        return np.column_stack(
            [2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y]
        )


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """1 + c1 x + c2 x^2 + ..., by Horner's rule."""
    value = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        value = (value + coefficient) * x
    return value + 1.0


def _polar(points: Floats) -> tuple[Floats, Floats]:
    """How far (N, 2) points are from the origin, and the unit vectors to them (zeros there)."""
    reach = np.hypot(points[:, 0], points[:, 1])
    return reach, points / np.where(reach > 0, reach, 1.0)[:, None]
