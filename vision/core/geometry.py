"""Where things are: cameras, rays, planes, polygons. Pure; never imports an adapter.

World frame of an area, in metres, as in `streams.contracts.layout`: x to the right as a camera on
the shelf sees it, y away from the shelf, z up; the shelf's face is the plane y = 0. Camera frame as
in OpenCV: x right, y down, z forward. Picture points are normalised, 0 to 1 of width and height.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streams.contracts.layout import CameraPose, Point, Polygon
from vision.core.lens import Lens

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]

#: (x, y, z) in metres, or a unit direction.
Vector = tuple[float, float, float]

#: A ray that is closer to parallel to a plane than this meets it nowhere that matters.
_PARALLEL = 1e-9

#: The cosine of 88 degrees: a direction further from the axis has no useful ideal point.
_BESIDE = math.cos(math.radians(88.0))


@dataclass(frozen=True, slots=True, eq=False)
class CameraModel:
    """A camera in its place, with its lens.

    `rotation`: (3, 3) float64, camera frame to world frame; `focal_px` is the same in both axes;
    `centre` is the principal point, normalised.
    """

    position_m: Vector
    rotation: Floats
    focal_px: float
    width_px: int
    height_px: int
    lens: Lens = field(default_factory=Lens)
    centre: Point = (0.5, 0.5)

    @property
    def matrix(self) -> Floats:
        """The intrinsic matrix, (3, 3) float64, in pixels."""
        x, y = self._centre_px
        return np.array([[self.focal_px, 0, x], [0, self.focal_px, y], [0, 0, 1]], dtype=float)

    def ray(self, point: Point) -> Vector:
        """The unit direction, in the world, of all that is seen at `point` (normalised)."""
        x, y, z = self.rotation @ self.directions(np.array([point], dtype=float))[0]
        return float(x), float(y), float(z)

    def project(self, place_m: Vector) -> Point | None:
        """Where in the picture (normalised, may lie outside 0 to 1) a place is seen.

        None for what the lens does not show: what is beside or behind a pinhole.
        """
        seen = self.rotation.T @ (np.asarray(place_m, dtype=float) - np.asarray(self.position_m))
        if not seen.any():
            return None
        x, y = self.picture(seen[None])[0]
        return None if math.isnan(x) else (float(x), float(y))

    def directions(self, points: Floats) -> Floats:
        """Picture points (N, 2), normalised, as unit directions (N, 3) in the camera frame."""
        return self.lens.directions(
            (points * [self.width_px, self.height_px] - self._centre_px) / self.focal_px
        )

    def picture(self, directions: Floats) -> Floats:
        """Directions (N, 3) in the camera frame as picture points (N, 2), normalised; NaN for what
        the lens does not show."""
        points = self.lens.plane(directions) * self.focal_px + self._centre_px
        return np.asarray(points / [self.width_px, self.height_px])

    def undistort(self, points: Floats) -> Floats:
        """Picture points (N, 2), normalised, as the ideal points (x / z, y / z), (N, 2), that a
        pinhole of focal length 1 would show: for `cv2.solvePnP` with the identity as its matrix.
        NaN for what no pinhole shows, 88 degrees or more from the axis."""
        rays = self.directions(points)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(rays[:, 2:] > _BESIDE, rays[:, :2] / rays[:, 2:], np.nan)

    def remap_from(self, source: "CameraModel") -> tuple[Pixels, Pixels]:
        """The maps, (H, W) float32 each, with which `cv2.remap` makes this camera's picture of the
        picture of `source`: a camera at the same place with another lens, size or direction, as an
        ideal pinhole that a renderer draws. What it does not show is at (-1, -1)."""
        x, y = np.meshgrid(np.arange(self.width_px) + 0.5, np.arange(self.height_px) + 0.5)
        points = np.column_stack([x.ravel() / self.width_px, y.ravel() / self.height_px])
        turn = source.rotation.T @ self.rotation
        seen = source.picture(self.directions(points) @ turn.T)
        seen = seen * [source.width_px, source.height_px] - 0.5
        maps = np.nan_to_num(seen, nan=-1.0).astype(np.float32)
        shape = (self.height_px, self.width_px)
        return maps[:, 0].reshape(shape), maps[:, 1].reshape(shape)

    def to_world(self, place_m: Vector) -> Vector:
        """A place in the camera frame, as a place in the world."""
        x, y, z = self.rotation @ np.asarray(place_m) + np.asarray(self.position_m)
        return float(x), float(y), float(z)

    def direction_to_world(self, direction: Vector) -> Vector:
        """A direction in the camera frame, as a unit direction in the world."""
        x, y, z = self.rotation @ np.asarray(direction)
        length = math.sqrt(x * x + y * y + z * z)
        return float(x / length), float(y / length), float(z / length)

    @property
    def _centre_px(self) -> Floats:
        return np.array([self.centre[0] * self.width_px, self.centre[1] * self.height_px])


def camera_model(pose: CameraPose, width_px: int, height_px: int) -> CameraModel:
    """The camera of a layout at one picture size.

    Yaw turns it to the picture's right, pitch upwards, roll clockwise as it looks out.
    """
    yaw, pitch, roll = (math.radians(a) for a in (pose.yaw_deg, pose.pitch_deg, pose.roll_deg))
    forward = np.array(
        [math.sin(yaw) * math.cos(pitch), math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
    )
    level = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    up = np.cross(level, forward)
    right = math.cos(roll) * level - math.sin(roll) * up
    half_rad = math.radians(pose.horizontal_fov_deg) / 2
    half = half_rad if pose.lens == "fisheye" else math.tan(half_rad)
    return CameraModel(
        position_m=pose.position_m,
        rotation=np.column_stack([right, np.cross(forward, right), forward]),
        focal_px=width_px / 2 / half,
        width_px=width_px,
        height_px=height_px,
        lens=Lens(pose.lens, pose.distortion),
        centre=pose.centre,
    )


#: Their former names, from when every lens was a pinhole.
PinholeCamera = CameraModel
pinhole = camera_model


def meet_shelf(origin_m: Vector, direction: Vector) -> Point | None:
    """Where a ray meets the shelf's face, as (x, z) in metres; None if it never does.

    >>> meet_shelf((1.0, 2.0, 1.5), (0.0, -1.0, -0.25))
    (1.0, 1.0)
    >>> meet_shelf((1.0, 2.0, 1.5), (0.0, 1.0, 0.0)) is None
    True
    """
    reach = _reach(origin_m[1], direction[1])
    if reach is None:
        return None
    return origin_m[0] + reach * direction[0], origin_m[2] + reach * direction[2]


def meet_floor(origin_m: Vector, direction: Vector) -> Point | None:
    """Where a ray meets the floor, as (x, y) in metres; None if it never does.

    >>> meet_floor((0.0, 0.0, 2.0), (0.0, 0.6, -0.8))
    (0.0, 1.5)
    """
    reach = _reach(origin_m[2], direction[2])
    if reach is None:
        return None
    return origin_m[0] + reach * direction[0], origin_m[1] + reach * direction[1]


def _reach(start: float, slope: float) -> float | None:
    if abs(slope) < _PARALLEL or -start / slope <= 0:
        return None
    return -start / slope


def contains(polygon: Polygon, point: Point) -> bool:
    """Whether `point` lies in `polygon`; the even-odd rule, left and lower edges belong to it.

    >>> contains(((0, 0), (1, 0), (1, 1), (0, 1)), (0.5, 0.5))
    True
    >>> contains(((0, 0), (1, 0), (1, 1), (0, 1)), (1.5, 0.5))
    False
    """
    x, y = point
    inside = False
    x0, y0 = polygon[-1]
    for x1, y1 in polygon:
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
        x0, y0 = x1, y1
    return inside


def distance_to(polygon: Polygon, point: Point) -> float:
    """How far `point` is from `polygon`, in the polygon's unit; 0 inside it.

    >>> distance_to(((0, 0), (1, 0), (1, 1), (0, 1)), (3.0, 0.5))
    2.0
    """
    if contains(polygon, point):
        return 0.0
    ends = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return min(_to_segment(point, a, b) for a, b in ends)


def _to_segment(point: Point, a: Point, b: Point) -> float:
    across, up = b[0] - a[0], b[1] - a[1]
    square = across * across + up * up
    along = 0.0
    if square > 0:
        along = ((point[0] - a[0]) * across + (point[1] - a[1]) * up) / square
        along = min(1.0, max(0.0, along))
    return math.hypot(point[0] - a[0] - along * across, point[1] - a[1] - along * up)
