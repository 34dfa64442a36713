"""Places of the store in the picture: floors, gaze rays and their cones, in pixels. Pure."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Point, Polygon
from vision.core.gaze import Direction
from vision.core.geometry import CameraModel, Vector

Floats = npt.NDArray[np.float64]

#: What is nearer to the camera's plane than this is cut off before it is projected.
_NEAR_M = 0.05

#: How long a gaze is drawn, in metres and as a part of the way to the camera: far enough to be read
#: as a direction, short of where perspective blows it up.
_RAY_M = 0.5
_RAY_SHARE = 0.35

#: A straight edge through a lens that bends it is drawn in so many pieces.
_PIECES = 16

#: Points of a cone's rim.
_RIM = 24


class Ray(NamedTuple):
    """A gaze as seen from the camera: offsets in pixels from where the head is seen. `rim` is
    (N, 2) float64, the end of the cone that holds the gaze with one sigma."""

    tip: Point
    rim: Floats


def floor_in_picture(
    camera: CameraModel, floor: Polygon, size_px: tuple[int, int]
) -> Floats | None:
    """A polygon of the floor, (N, 2) float64 in pixels, cut to the picture; None if out of sight.

    Arguments:
        floor: in metres.
        size_px: width and height of the picture.
    """
    places = np.array([(x, y, 0.0) for x, y in floor]) - np.asarray(camera.position_m)
    seen = _cut(places @ camera.rotation, lambda p: float(p[2]) - _NEAR_M)
    if len(seen) < 3:
        return None
    points = camera.picture(seen if camera.lens.ideal else _finer(seen)) * size_px
    points = points[~np.isnan(points[:, 0])]
    return cut_to_picture(points, size_px) if len(points) >= 3 else None


def cut_to_picture(polygon_px: Floats, size_px: tuple[int, int]) -> Floats | None:
    """The part of a polygon, (N, 2) float64 in pixels, that lies in the picture; None if none."""
    width_px, height_px = size_px
    sides: list[Callable[[Floats], float]] = [
        lambda p: float(p[0]),
        lambda p: width_px - float(p[0]),
        lambda p: float(p[1]),
        lambda p: height_px - float(p[1]),
    ]
    for side in sides:
        polygon_px = _cut(polygon_px, side)
        if len(polygon_px) < 3:
            return None
    return polygon_px


def ray_in_picture(
    camera: CameraModel,
    head_m: Vector,
    direction: Direction,
    gaze_sigma_deg: float,
    size_px: tuple[int, int],
) -> Ray | None:
    """A gaze from `head_m` along `direction`, with its uncertainty; None if it cannot be drawn."""
    origin = camera.project(head_m)
    if origin is None:
        return None
    size = np.array(size_px, dtype=np.float64)
    yaw_sigma = math.hypot(direction.yaw_sigma_deg, gaze_sigma_deg)
    pitch_sigma = math.hypot(direction.pitch_sigma_deg, gaze_sigma_deg)
    ends = [(direction.yaw_deg, direction.pitch_deg)] + [
        (
            direction.yaw_deg + yaw_sigma * math.cos(2 * math.pi * i / _RIM),
            direction.pitch_deg + pitch_sigma * math.sin(2 * math.pi * i / _RIM),
        )
        for i in range(_RIM)
    ]
    reach_m = _reach_m(camera, head_m)
    points: list[Floats] = []
    for yaw_deg, pitch_deg in ends:
        place = np.asarray(head_m) + reach_m * _unit(yaw_deg, pitch_deg)
        seen = camera.project((float(place[0]), float(place[1]), float(place[2])))
        if seen is None:
            return None
        points.append((np.asarray(seen) - origin) * size)
    return Ray((float(points[0][0]), float(points[0][1])), np.array(points[1:]))


def _reach_m(camera: CameraModel, head_m: Vector) -> float:
    """How long the ray may be."""
    depth_m = float((np.asarray(head_m) - np.asarray(camera.position_m)) @ camera.rotation[:, 2])
    return min(_RAY_M, _RAY_SHARE * depth_m)


def _unit(yaw_deg: float, pitch_deg: float) -> Floats:
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    return np.array(
        [math.sin(yaw) * math.cos(pitch), -math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
    )


def _finer(polygon: Floats) -> Floats:
    """The same polygon, (N, D), with points along its edges."""
    share = np.arange(_PIECES)[:, None] / _PIECES
    ends = zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
    return np.concatenate([a + share * (b - a) for a, b in ends])


def _cut(points: Floats, inside: Callable[[Floats], float]) -> Floats:
    """The part of a polygon, (N, D), where `inside` is not negative (Sutherland and Hodgman)."""
    kept: list[Floats] = []
    for i, point in enumerate(points):
        before = points[i - 1]
        here, there = inside(point), inside(before)
        if (here < 0) != (there < 0):
            kept.append(before + there / (there - here) * (point - before))
        if here >= 0:
            kept.append(point)
    return np.array(kept).reshape(-1, points.shape[1])
