"""Where a head is and which way its face points, from five keypoints. Pure: OpenCV's projection is
used as mathematics; never imports an adapter.

The keypoints of the face are fitted to an average adult's head by weighted least squares with mild
priors on nodding and tilting, started from `cv2.solvePnP` where it has enough points. With the
priors three points are enough, and a small face's jitter does not become a nod.
Reference: Gauss-Newton with the Jacobian of `cv2.projectPoints` (docs.opencv.org, calib3d).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.core.geometry import Floats, PinholeCamera, Vector

#: COCO order: nose, left eye, right eye, left ear, right ear (left and right are the person's own).
_FACE = 5

#: An average adult's head in metres, origin between the ears, x to the picture's right for a face
#: that looks into the camera, y down, z away from the camera. Breadth between ears 150 mm, between
#: pupils 63 mm; depths after common anthropometric tables (NASA-STD-3000, head and face).
MODEL_M = np.array(
    [
        [0.0, 0.018, -0.115],
        [0.0315, -0.022, -0.085],
        [-0.0315, -0.022, -0.085],
        [0.075, 0.0, 0.0],
        [-0.075, 0.0, 0.0],
    ]
)

#: How far a network's keypoint lies from the model's point on a real head, one sigma in metres:
#: people differ, and an ear is wide.
_SPREAD_M = np.array([0.008, 0.006, 0.006, 0.014, 0.014])

#: A keypoint is never better than this, in parts of the picture's width (half a pixel of a network
#: with an input of 320 px).
_FINEST = 0.5 / 320

#: Priors on the rotation vector (nod, turn, tilt), one sigma in degrees: shoppers nod by 20 ° and
#: tilt by 10 °, and turn as they like.
_PRIOR_SIGMA_DEG = np.array([20.0, 70.0, 10.0])

#: Gauss-Newton has converged to a hundredth of a degree after 6 steps in all tried cases.
_STEPS = 8

#: Once a face is seen, its faint points help too, with a spread that grows as confidence falls: a
#: hidden ear is where the network expects it, and without it depth and yaw are hard to tell apart.
_FAINTEST = 0.2

#: Eyes, nose and ears within so few pixels say nothing of a pose.
_SMALLEST_PX = 3.0

#: A face that is turned further from the camera than this is not seen well enough to tell.
_MAX_TURN_DEG = 80.0


@dataclass(frozen=True, slots=True)
class HeadPose:
    """A head as one picture shows it, in the camera frame.

    `position_m`: midpoint of the ears; `direction`: unit vector out of the face; `yaw_deg`: + to
    the picture's right, `pitch_deg`: + upwards, both of `direction` against the line of sight's
    parallel to the optical axis; sigmas are what the keypoints allow, without the person's own
    difference between head and eyes.
    """

    position_m: Vector
    direction: Vector
    yaw_deg: float
    pitch_deg: float
    yaw_sigma_deg: float
    pitch_sigma_deg: float
    distance_sigma_m: float


def estimate_head(
    keypoints: npt.NDArray[np.float32], camera: PinholeCamera, min_confidence: float
) -> HeadPose | None:
    """The head of one person.

    Arguments:
        keypoints: (17, 3) float32, x and y normalised, confidence; COCO order.
        camera: at the size of the picture.
        min_confidence: keypoints below it are not used.

    Returns None where the face is turned away, or too little of it is seen to tell: the nose, an
    eye and one more point are needed.
    """
    size = np.array([camera.width_px, camera.height_px], dtype=float)
    points = keypoints[:_FACE, :2].astype(float) * size
    seen = keypoints[:_FACE, 2] >= min_confidence
    if not seen[0] or not (seen[1] or seen[2]) or int(seen.sum()) < 3:
        return None
    confidence = keypoints[:_FACE, 2].astype(float)
    chosen = np.flatnonzero(confidence >= min(_FAINTEST, min_confidence))
    fit = _fit(MODEL_M[chosen], points[chosen], _SPREAD_M[chosen] / confidence[chosen], camera)
    if fit is None:
        return None
    turn, place, covariance = fit
    facing = cv2.Rodrigues(turn)[0] @ np.array([0.0, 0.0, -1.0])
    away = math.degrees(math.acos(float(np.clip(-facing @ place / np.linalg.norm(place), -1, 1))))
    if away > _MAX_TURN_DEG:
        return None
    sigma = np.degrees(np.sqrt(np.diag(covariance)[:2]))
    return HeadPose(
        position_m=(float(place[0]), float(place[1]), float(place[2])),
        direction=(float(facing[0]), float(facing[1]), float(facing[2])),
        yaw_deg=math.degrees(math.atan2(facing[0], -facing[2])),
        pitch_deg=math.degrees(math.asin(float(np.clip(-facing[1], -1, 1)))),
        yaw_sigma_deg=float(sigma[1]),
        pitch_sigma_deg=float(sigma[0]),
        distance_sigma_m=float(math.sqrt(covariance[5, 5])),
    )


def _fit(
    model_m: Floats, points_px: Floats, spread_m: Floats, camera: PinholeCamera
) -> tuple[Floats, Floats, Floats] | None:
    """Rotation vector, place and covariance (6, 6) that explain `points_px` best; None if none."""
    if float(np.ptp(points_px, axis=0).max()) < _SMALLEST_PX:
        return None
    best: tuple[float, Floats, Floats, Floats] | None = None
    for turn, place in _starts(model_m, points_px, camera):
        result = _descend(model_m, points_px, spread_m, camera, turn, place)
        if result is not None and (best is None or result[0] < best[0]):
            best = result
    if best is None:
        return None
    cost, turn, place, covariance = best
    # A misfit worse than expected means worse keypoints than expected: say so in the sigmas.
    return turn, place, covariance * max(1.0, cost / (2 * len(model_m)))


def _starts(
    model_m: Floats, points_px: Floats, camera: PinholeCamera
) -> list[tuple[Floats, Floats]]:
    """Rotation vectors and places to start from: head-on, and what solvePnP says."""
    width_px = max(float(np.ptp(points_px[:, 0])), float(np.ptp(points_px[:, 1])), 1.0)
    extent_m = max(float(np.ptp(model_m[:, 0])), 0.06)
    depth = camera.focal_px * extent_m / width_px
    centre = points_px.mean(axis=0) - [camera.width_px / 2, camera.height_px / 2]
    place = np.array([*(centre * depth / camera.focal_px), depth])
    starts = [(np.array([0.0, math.radians(-yaw), 0.0]), place) for yaw in (-35.0, 35.0)]
    if len(model_m) >= 4:
        try:
            found, turn, shift = cv2.solvePnP(
                model_m, points_px, camera.matrix, None, flags=cv2.SOLVEPNP_SQPNP
            )
        except cv2.error:  # points on a line: no pose follows from them alone
            return starts
        if found and float(shift[2, 0]) > 0:
            starts.append((turn[:, 0].astype(float), shift[:, 0].astype(float)))
    return starts


def _descend(
    model_m: Floats,
    points_px: Floats,
    spread_m: Floats,
    camera: PinholeCamera,
    turn: Floats,
    place: Floats,
) -> tuple[float, Floats, Floats, Floats] | None:
    """Gauss-Newton from one start: cost, rotation vector, place, covariance; None if it strays."""
    prior = np.diag(np.concatenate([1 / np.radians(_PRIOR_SIGMA_DEG) ** 2, np.zeros(3)]))
    matrix, floor_px = camera.matrix, _FINEST * camera.width_px
    state = np.concatenate([turn, place])
    for _ in range(_STEPS):
        seen, jacobian = cv2.projectPoints(model_m, state[:3], state[3:], matrix, None)
        misfit = (points_px - seen[:, 0]).ravel()
        scale = spread_m * camera.focal_px / max(float(state[5]), 0.05)
        weight = np.repeat(1 / (scale**2 + floor_px**2), 2)
        slope = jacobian[:, :6]
        normal = slope.T @ (weight[:, None] * slope) + prior
        step = np.linalg.solve(
            normal + 1e-9 * np.eye(6), slope.T @ (weight * misfit) - prior @ state
        )
        state = state + step
        if not np.isfinite(state).all() or state[5] < 0.05 or np.linalg.norm(state[:3]) > math.pi:
            return None
    cost = float(misfit @ (weight * misfit) + state @ prior @ state)
    covariance = np.asarray(np.linalg.inv(normal + 1e-9 * np.eye(6)), dtype=np.float64)
    return cost, state[:3], state[3:], covariance
