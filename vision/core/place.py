"""Where on the floor a person stands, from the best of what is seen. Pure.

Legs give the best place, and of a child as of an adult (`vision.core.legs`: the ankles of who
stands, the hips of who sits); where they are not seen the head does; without a face the length of
the trunk, else the breadth of the shoulders. Each has its sigma, and the smallest wins, so that
somebody who faces away still stays in a zone. Where a box ends says nothing: the picture's edge, a
shelf or somebody else may cut it off.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Point
from vision.core import floor as floors
from vision.core.floor import Floor
from vision.core.geometry import CameraModel
from vision.core.head import HeadPose
from vision.core.legs import from_legs

#: (x0, y0, x1, y1), normalised.
Box = tuple[float, float, float, float]

#: COCO keypoints.
_SHOULDERS, _HIPS = (5, 6), (11, 12)

#: Shoulder line to hip line, and between the shoulder joints, of an average adult, in metres.
_TRUNK_M = 0.50
_SHOULDERS_M = 0.34

#: One sigma of a distance from them, as a part of it: people differ by 8 %, keypoints on clothes do
#: the rest; and the turn of the body for shoulders, which from the side look as if they were far
#: away (a quarter of 6,400 detections more than twice as far: simulated store, tuning seed 1).
_TRUNK_SIGMA = 0.15
_SHOULDERS_SIGMA = 0.6

#: A place that is known no better than this, in metres, is none: zones are a metre wide, and where
#: somebody was last seen is the better guess.
_VAGUEST_M = 1.0

#: A box that ends lower than this is cut off by the picture: its feet are not seen.
FEET_SEEN = 0.985


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the floor, in metres, with its sigma, at an instant.

    `motion` is how the person moves, once it was followed; `seen_sigma_m` the sigma of the last
    single picture: most of its error is the same in the next picture, so following does not make
    a place as much sharper as `sigma_m` says. `towards`: the unit vector on the floor along which
    the camera looks there; across it a place is known better.
    """

    point_m: Point
    sigma_m: float
    at_ms: int
    motion: Floor | None = None
    seen_sigma_m: float = 0.0
    towards: Point | None = None


def locate(
    box: Box,
    keypoints: npt.NDArray[np.float32],
    head: HeadPose | None,
    camera: CameraModel,
    min_confidence: float,
    at_ms: int,
) -> Place | None:
    """Where the person stands as this one picture shows it; None if nothing tells."""
    found: list[Place] = []
    if head is not None:
        x, y, _ = camera.to_world(head.position_m)
        found.append(Place((x, y), max(head.distance_sigma_m, 0.05), at_ms))
    legs = from_legs(keypoints, box[3] - box[1], camera, min_confidence)
    if legs is not None:
        found.append(Place(*legs, at_ms))
    # Where a face tells better than a trunk at its distance could, the trunk is not looked at.
    if head is None or head.distance_sigma_m > _TRUNK_SIGMA * head.position_m[2]:
        trunk = _from_trunk(keypoints, camera, min_confidence, at_ms)
        if trunk is not None:
            found.append(trunk)
    best = min(found, key=lambda place: place.sigma_m, default=None)
    if best is None or best.sigma_m > _VAGUEST_M:
        return None
    return replace(best, towards=_towards(camera, best.point_m))


def _towards(camera: CameraModel, point: Point) -> Point | None:
    off = point[0] - camera.position_m[0], point[1] - camera.position_m[1]
    away = math.hypot(*off)
    return (off[0] / away, off[1] / away) if away > 0 else None


def _from_trunk(
    keypoints: npt.NDArray[np.float32], camera: CameraModel, min_confidence: float, at_ms: int
) -> Place | None:
    def pair(indices: tuple[int, int]) -> npt.NDArray[np.float64] | None:
        points = keypoints[list(indices)]
        if float(points[:, 2].min()) < min_confidence:
            return None
        return camera.undistort(points[:, :2].astype(float))

    shoulders, hips = pair(_SHOULDERS), pair(_HIPS)
    if shoulders is None:
        return None
    seen = float(np.linalg.norm(shoulders[0] - shoulders[1]))
    real_m, sigma = _SHOULDERS_M, _SHOULDERS_SIGMA
    if hips is not None:
        seen = float(np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0)))
        real_m, sigma = _TRUNK_M, _TRUNK_SIGMA
    if not seen * camera.focal_px >= 2.0:  # NaN: beside a fisheye
        return None
    depth = real_m / seen
    across, down = shoulders.mean(axis=0) * depth
    x, y, _ = camera.to_world((float(across), float(down), depth))
    return Place((x, y), sigma * depth, at_ms)


def follow(before: Place | None, now: Place) -> Place:
    """The place after `now` was seen: a Kalman filter of constant velocity (`floor`)."""
    seen = floors.spread(now.sigma_m, now.towards)
    if before is None:
        motion = floors.begin(now.point_m, seen, now.at_ms)
    else:
        known = floors.spread(before.sigma_m, before.towards)
        motion = before.motion or floors.begin(before.point_m, known, before.at_ms)
        motion = floors.update(motion, now.point_m, seen, now.at_ms)
    sigma_m = floors.sigma_m(motion.place)
    return Place(motion.point, sigma_m, now.at_ms, motion, now.sigma_m, now.towards)


def anchor(box: Box) -> Point:
    """The point that stands for a person in the picture, for zones that are drawn in it.

    The middle of the box's lower edge, where the feet are; for a body that the picture cuts off it
    lies just inside the picture's lower edge, since the feet are nearer still. So a zone whose
    floor runs out of the picture is drawn down to its edge.

    >>> anchor((0.25, 0.0, 0.75, 1.0))
    (0.5, 0.985)
    """
    return min(1.0, max(0.0, (box[0] + box[2]) / 2)), min(FEET_SEEN, max(0.0, box[3]))
