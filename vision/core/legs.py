"""Where on the floor the legs say that somebody is. Pure.

Ankles tell it best, of who stands or walks. Who sits in a wheelchair has them half a metre ahead,
and is where the hips are: at a seat's height, which is nearly the same for all. Legs tell the two
apart: hips rise as far above the knees as knees above the ankles on who stands, and hardly on who
sits. Whoever crouches has folded legs too, and rests on the feet: taken to be at a seat's height,
the low hips would lie nearer to the camera than the feet, or leave no room for the trunk.
"""

import math

import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Point
from vision.core.geometry import CameraModel, Vector, meet_floor

#: COCO keypoints.
_SHOULDERS, _HIPS, _KNEES, _ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)

#: How high ankles are above the floor, and one sigma of where a network sees them in the picture,
#: as a part of the box's height: 1 % of a body's, and a step lifts a foot. No ankle is better than
#: the last.
_ANKLE_M = 0.08
_ANKLE_SIGMA = 0.02
_FINEST_M = 0.05

#: A thigh that rises less than this part of a shank is folded. Of 4,500 detections of people who
#: stand or walk (yolov8n-pose on the simulated store, tuning seeds 1, 1906 and 1907) 1 in 100 is
#: below 0.91, of 250 of wheelchairs 1 in 100 above 0.79.
_FOLDED = 0.8
#: From high above, a seat half a metre behind the feet looks as high as a standing body's hips, but
#: then the trunk looks short: on who stands 99 of 100 are above 0.57 of the legs.
_SHORT_TRUNK = 0.5

#: Where a network sees the hips of who sits in a wheelchair (seats are 48 to 53 cm high), and by
#: how much people differ, one sigma.
_SEAT_M, _SEAT_SIGMA_M = 0.55, 0.05
#: No seat is known better than this: the hips are not where the head is.
_FINEST_SEAT_M = 0.1

#: Feet are no further ahead of a seat than this, and no trunk on one is shorter than this.
_FURTHEST_M, _SHORTEST_TRUNK_M = 0.8, 0.36

#: A seat that lies no further than this aside of the line of sight to the feet is not nearer than
#: they by more than this: from behind a chair hides its user's feet, and a crouch does not.
_ASIDE_M, _NEARER_M = 0.2, 0.1

#: Of who has folded legs and does not sit: the feet may be as far from the body's middle as this.
_CROUCHING_SIGMA_M = 0.2

#: A ray has no slope nearer to the upright than this.
_UPRIGHT = 1e-6

Joints = npt.NDArray[np.float32]


def from_legs(
    keypoints: Joints, height: float, camera: CameraModel, min_confidence: float
) -> tuple[Point, float] | None:
    """The place and one sigma, in metres; None where no ankle is seen.

    Arguments:
        keypoints: (17, 3), x and y normalised, confidence; COCO order.
        height: of the body's box, normalised.
    """
    ankles = _middle(keypoints, _ANKLES, min_confidence)
    if ankles is None:
        return None
    seen = [ankles, (ankles[0], ankles[1] + _ANKLE_SIGMA * height)]
    for pair in (_KNEES, _HIPS, _SHOULDERS):
        joint = _middle(keypoints, pair, min_confidence)
        if joint is not None:
            seen.append(joint)
    rays = (camera.directions(np.array(seen)) @ camera.rotation.T).tolist()
    at, beside = _meet(camera, rays[0], _ANKLE_M), _meet(camera, rays[1], _ANKLE_M)
    if at is None or beside is None:
        return None
    sigma_m = max(math.dist(at, beside), _FINEST_M)
    if len(rays) < 5:
        return at, sigma_m
    _, _, knees, hips, shoulders = rays
    knees_m, hips_m, shoulders_m = (_height(camera, at, ray) for ray in (knees, hips, shoulders))
    shank_m, thigh_m = knees_m - _ANKLE_M, hips_m - knees_m
    short = shoulders_m - hips_m < _SHORT_TRUNK * (shank_m + thigh_m)
    if shank_m <= 0.0 or (thigh_m >= _FOLDED * shank_m and not short):
        return at, sigma_m
    return _seat(camera, at, hips, shoulders) or (at, max(sigma_m, _CROUCHING_SIGMA_M))


def _seat(
    camera: CameraModel, feet: Point, hips: Vector, shoulders: Vector
) -> tuple[Point, float] | None:
    """Where who has the feet there sits, and one sigma; None of who does not."""
    at = _meet(camera, hips, _SEAT_M)
    beside = _meet(camera, hips, _SEAT_M - _SEAT_SIGMA_M)
    if at is None or beside is None or math.dist(at, feet) > _FURTHEST_M:
        return None
    x, y, _ = camera.position_m
    away = math.dist((x, y), feet)
    aside = (feet[0] - x) * (at[1] - y) - (feet[1] - y) * (at[0] - x)
    if abs(aside) < _ASIDE_M * away and math.dist((x, y), at) < away - _NEARER_M:
        return None
    if _height(camera, at, shoulders) - _SEAT_M < _SHORTEST_TRUNK_M:
        return None
    return at, max(math.dist(at, beside), _FINEST_SEAT_M)


def _middle(keypoints: Joints, pair: tuple[int, int], min_confidence: float) -> Point | None:
    """The middle of two keypoints, or the one that is seen."""
    seen = [
        keypoints[index, :2].tolist() for index in pair if keypoints[index, 2] >= min_confidence
    ]
    if not seen:
        return None
    return sum(x for x, _ in seen) / len(seen), sum(y for _, y in seen) / len(seen)


def _meet(camera: CameraModel, ray: Vector, height_m: float) -> Point | None:
    """Where a ray from the camera is so high above the floor."""
    x, y, z = camera.position_m
    return meet_floor((x, y, z - height_m), ray)


def _height(camera: CameraModel, at: Point, ray: Vector) -> float:
    """How high a ray from the camera is once it is as far away as `at`."""
    x, y, z = camera.position_m
    return z + ray[2] / max(math.hypot(ray[0], ray[1]), _UPRIGHT) * math.dist((x, y), at)
