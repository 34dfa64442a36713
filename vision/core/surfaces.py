"""The rectangles that an installer clicks: on the shelves, on the floor, and screens that hang
elsewhere. Pure; never imports an adapter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from streams.contracts.layout import Place, Point
from vision.core.geometry import CameraModel, Floats
from vision.errors import CalibrationRefused

#: `opposite`: on a plane across the aisle, which a camera on the shelf looks at; `floor`: marks on
#: the floor; `shelf`: the shelf's own face, for a camera that hangs across the aisle.
Surface = Literal["opposite", "floor", "shelf"]

#: Corners nearer together than this, in parts of the picture, cannot be told apart by clicking.
_NEAREST = 0.01

#: This near to the picture's edge a corner is taken to lie outside.
_EDGE = 0.0005

#: A rectangle's picture that covers less than this part of the whole says too little.
_SMALLEST_AREA = 0.004

#: Three corners within this part of a line (twice their area over the square of their span).
_STRAIGHT = 0.02

Corners = tuple[Place, Place, Place, Place]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of known size in a known place, in metres.

    `across_m`: its stretch along the shelf, x0 < x1; `other_m`: its stretch upwards, or on the
    floor away from the shelf; `away_m`: how far from the shelf's face an `opposite` one is.
    `inwards`: the camera looks towards the shelf, so that x runs to the picture's left.
    """

    surface: Surface
    across_m: tuple[float, float]
    other_m: tuple[float, float]
    away_m: float = 0.0
    inwards: bool = False

    def __post_init__(self) -> None:
        if not (self.across_m[0] < self.across_m[1] and self.other_m[0] < self.other_m[1]):
            raise CalibrationRefused(
                "the rectangle has no size; give its ends in metres with the smaller number first"
            )
        if self.surface == "opposite" and self.away_m <= 0:
            raise CalibrationRefused(
                "how far the plane across the aisle is from the shelf is missing; measure it from "
                "the shelf's face and give it in metres"
            )

    def corners(self) -> Corners:
        """Top left, top right, bottom right, bottom left as the camera sees it, in metres."""
        x0, x1 = self.across_m
        low, high = self.other_m
        if self.surface == "floor":
            near, far = (high, low) if self.inwards else (low, high)
            left, right = (x1, x0) if self.inwards else (x0, x1)
            return (left, far, 0.0), (right, far, 0.0), (right, near, 0.0), (left, near, 0.0)
        y = self.away_m if self.surface == "opposite" else 0.0
        left, right = (x1, x0) if self.surface == "shelf" else (x0, x1)
        return (left, y, high), (right, y, high), (right, y, low), (left, y, low)


def check_points(points: Sequence[Point]) -> None:
    """Whether each four clicked points are the corners of a rectangle as a camera shows it.

    Raises CalibrationRefused, in one sentence.
    """
    for begin in range(0, len(points) - len(points) % 4, 4):
        _check_corners(points[begin : begin + 4])


def _check_corners(corners: Sequence[Point]) -> None:
    if any(not (_EDGE <= side <= 1 - _EDGE) for corner in corners for side in corner):
        raise CalibrationRefused(
            "a point lies on the picture's edge, so that its true place may be outside; use a "
            "rectangle that is seen whole"
        )
    array = np.array(corners, dtype=float)
    gaps = [np.hypot(*(array[i] - array[j])) for i in range(4) for j in range(i)]
    if min(gaps) < _NEAREST:
        raise CalibrationRefused("two points lie on one another; drag each to its own corner")
    after = np.roll(array, -1, axis=0)
    span = max(gaps)
    turns = _cross(after - array, np.roll(after, -1, axis=0) - after)
    if min(abs(turns)) < _STRAIGHT * span * span:
        raise CalibrationRefused(
            "three of the points lie on one line; drag each to its own corner of the rectangle"
        )
    if not (turns > 0).all() and not (turns < 0).all():
        raise CalibrationRefused(
            "the lines between the points cross one another; click top left, top right, bottom "
            "right and bottom left in this order"
        )
    if (turns < 0).all():
        raise CalibrationRefused(
            "the points run the wrong way round: left and right, or top and bottom, are exchanged; "
            "click top left, top right, bottom right and bottom left as the picture shows them"
        )
    if 0.5 * abs(float(np.sum(_cross(array, after)))) < _SMALLEST_AREA:
        raise CalibrationRefused(
            "the rectangle is too small in the picture; use a larger one, or one that is nearer"
        )


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def place_screen(
    camera: CameraModel, points: Sequence[Point], width_m: float, height_m: float
) -> tuple[Corners, float]:
    """Where a screen hangs of which a calibrated camera sees the front.

    Arguments:
        points: top left, top right, bottom right, bottom left as the picture shows them.
        width_m, height_m: of its picture, in metres.

    Returns its corners in metres, and by how much they miss the points, in parts of the picture's
    width. Raises CalibrationRefused.
    """
    check_points(points)
    if not (0.05 <= width_m <= 20 and 0.05 <= height_m <= 20):
        raise CalibrationRefused("a screen is 0.05 to 20 m wide and high; give its size in metres")
    clicked = np.array(points, dtype=float)
    ideal = camera.undistort(clicked)
    flat = np.array(
        [[0, 0, 0], [width_m, 0, 0], [width_m, height_m, 0], [0, height_m, 0]], dtype=float
    )
    found: list[tuple[float, Floats]] = []
    for turn, shift, error in _solved(flat, ideal):
        inside = flat @ cv2.Rodrigues(turn)[0].T + shift.ravel()
        world = inside @ camera.rotation.T + np.asarray(camera.position_m)
        # Of two poses that fit alike the one whose lower edge lies below the upper one, upright.
        lean = float(np.hypot(*(world[3] - world[0])[:2])) / height_m
        found.append((float(error.ravel()[0]) + 0.002 * lean, world))
    if not found:
        raise CalibrationRefused("the points are no rectangle of that size; measure it again")
    corners = min(found, key=lambda each: each[0])[1]
    shown = camera.picture((corners - np.asarray(camera.position_m)) @ camera.rotation)
    aspect = camera.height_px / camera.width_px
    off = (shown - clicked) * [1.0, aspect]
    missed = float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
    if not np.isfinite(missed) or missed > 0.02:
        raise CalibrationRefused(
            f"a screen of {width_m:g} x {height_m:g} m misses the points by {missed:.1%} of the "
            "picture's width; measure its picture again (width first) and click its corners anew"
        )
    a, b, c, d = (_place(corner) for corner in corners)
    return (a, b, c, d), missed


def _solved(flat: Floats, ideal: Floats) -> list[tuple[Floats, Floats, Floats]]:
    """The two poses of a flat rectangle: rotation vector, shift and error of each."""
    try:
        _, turns, shifts, errors = cv2.solvePnPGeneric(
            flat, ideal, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:
        return []
    return [
        (_floats(turn), _floats(shift), _floats(error))
        for turn, shift, error in zip(turns, shifts, np.asarray(errors), strict=True)
    ]


def _floats(array: object) -> Floats:
    return np.asarray(array, dtype=np.float64)


def _place(corner: Floats) -> Place:
    x, y, z = (round(float(v), 4) for v in corner)
    return x, y, z
