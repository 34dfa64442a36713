"""Where a head is and which way its face points, from five keypoints and, where there is one, from
what a head-pose network says. Pure: OpenCV's projection is used as mathematics; never imports an
adapter.

The keypoints of the face are fitted to an average adult's head by weighted least squares with mild
priors on nodding and tilting, started from `cv2.solvePnP` where it has enough points. With the
priors three points are enough, and a small face's jitter does not become a nod. The fit is made in
the frame of an ideal camera that looks straight at the head, so that the lens does not matter and
angles are against the line of sight, as those of a network that sees nothing but the head's crop.
Reference: Gauss-Newton with the Jacobian of `cv2.projectPoints` (docs.opencv.org, calib3d).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.core.geometry import CameraModel, Floats, Vector

#: COCO order: nose, left eye, right eye, left ear, right ear (left and right are the person's own).
_FACE = 5

#: Where pose networks see the keypoints of an average adult's head, in metres: origin between the
#: ears, x to the picture's right for a face that looks into the camera, y down, z away from the
#: camera. Triangulated from 250 simulated heads of anthropometric size in known poses (tuning seed
#: 1901; YOLOv8n-pose and YOLO11n-pose agree within 5 mm): they put the nose 2 cm behind its tip.
MODEL_M = np.array(
    [
        [0.0, 0.008, -0.098],
        [0.030, -0.0235, -0.076],
        [-0.030, -0.0235, -0.076],
        [0.075, 0.0, 0.0],
        [-0.075, 0.0, 0.0],
    ]
)

#: How far a network's keypoint lies from the model's point on a real head, one sigma in metres:
#: what was left after that triangulation (4 to 8 mm), and people differ.
_SPREAD_M = np.array([0.007, 0.006, 0.006, 0.012, 0.012])

#: A keypoint is never better than this, in parts of the picture's width (half a pixel of a network
#: with an input of 320 px).
_FINEST = 0.5 / 320

#: Priors on the rotation vector (nod, turn, tilt), one sigma in degrees: shoppers nod by 20 ° and
#: tilt by 10 °, and turn as they like.
_PRIOR_SIGMA_DEG = np.array([20.0, 70.0, 10.0])

#: Gauss-Newton has converged to a hundredth of a degree after 6 steps in all tried cases.
_STEPS = 8
#: A step of less than this, in radians and metres, changes nothing any more.
_SETTLED = 1e-4

#: Once a face is seen, its faint points help too, with a spread that grows as confidence falls: a
#: hidden ear is where the network expects it, and without it depth and yaw are hard to tell apart.
_FAINTEST = 0.2

#: Eyes, nose and ears within so few pixels say nothing of a pose.
_SMALLEST_PX = 3.0

#: A face that is turned further from the camera than this is not seen well enough to tell.
_MAX_TURN_DEG = 80.0

#: How often a head-pose network is far off (masks, caps, profiles: 12 of 100 simulated heads, by
#: more than 15 degrees), and its one sigma of yaw and pitch then.
_ASTRAY = 0.12
_ASTRAY_SIGMA_DEG = np.array([45.0, 20.0])

_FORWARD = np.array([0.0, 0.0, -1.0])
_IDENTITY = np.eye(3)


@dataclass(frozen=True, slots=True)
class HeadReading:
    """What a head-pose network says of one head, in degrees against the line of sight to it: yaw +
    to the picture's right, pitch + upwards, roll + clockwise, one sigma of yaw and of pitch.
    `size_px`: the face's side in the frame; 0 where the network did not look.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    yaw_sigma_deg: float
    pitch_sigma_deg: float
    size_px: float


def reading_of(row: npt.NDArray[np.float32]) -> HeadReading | None:
    """One row, (6,), of `Detections.heads`; None where the network did not look."""
    values = [float(value) for value in row]
    reading = HeadReading(*values)
    return reading if reading.size_px > 0 and reading.yaw_sigma_deg > 0 else None


@dataclass(frozen=True, slots=True)
class HeadPose:
    """A head as one picture shows it, in the camera frame.

    `position_m`: midpoint of the ears; `direction`: unit vector out of the face; `yaw_deg`: + to
    the picture's right, `pitch_deg`: + upwards, both of `direction` against the line of sight's
    parallel to the optical axis; sigmas are what keypoints and network allow, without the person's
    own difference between head and eyes.
    """

    position_m: Vector
    direction: Vector
    yaw_deg: float
    pitch_deg: float
    yaw_sigma_deg: float
    pitch_sigma_deg: float
    distance_sigma_m: float


def estimate_head(
    keypoints: npt.NDArray[np.float32],
    camera: CameraModel,
    min_confidence: float,
    reading: HeadReading | None = None,
) -> HeadPose | None:
    """The head of one person.

    Arguments:
        keypoints: (17, 3) float32, x and y normalised, confidence; COCO order.
        camera: at the size of the picture.
        min_confidence: keypoints below it are not used.
        reading: what a head-pose network says of the same head.

    Returns None where the face is turned away, or too little of it is seen to tell: the nose, an
    eye and one more point are needed.
    """
    seen = keypoints[:_FACE, 2] >= min_confidence
    if not seen[0] or not (seen[1] or seen[2]) or int(seen.sum()) < 3:
        return None
    confidence = keypoints[:_FACE, 2].astype(float)
    chosen = np.flatnonzero(confidence >= min(_FAINTEST, min_confidence))
    rays = camera.directions(keypoints[chosen, :2].astype(float))
    view = _view(rays.mean(axis=0))
    ahead = rays @ view
    points = ahead[:, :2] / ahead[:, 2:]
    fit = _fit(MODEL_M[chosen], points, _SPREAD_M[chosen] / confidence[chosen], camera)
    if fit is None:
        return None
    turn, place, covariance = fit
    yaw, pitch = _angles(cv2.Rodrigues(turn)[0] @ _FORWARD)
    angles = np.array([yaw, pitch])
    sigmas = np.degrees(np.sqrt(np.diag(covariance)[[1, 0]]))
    if reading is not None:
        angles, sigmas = fuse(angles, sigmas, reading)
    facing = _facing(*angles)
    away = math.degrees(math.acos(float(np.clip(-facing @ place / np.linalg.norm(place), -1, 1))))
    if away > _MAX_TURN_DEG:
        return None
    facing, place = view @ facing, view @ place
    yaw, pitch = _angles(facing)
    return HeadPose(
        position_m=(float(place[0]), float(place[1]), float(place[2])),
        direction=(float(facing[0]), float(facing[1]), float(facing[2])),
        yaw_deg=yaw,
        pitch_deg=pitch,
        yaw_sigma_deg=float(sigmas[0]),
        pitch_sigma_deg=float(sigmas[1]),
        distance_sigma_m=float(math.sqrt(covariance[5, 5])),
    )


def fuse(angles_deg: Floats, sigmas_deg: Floats, reading: HeadReading) -> tuple[Floats, Floats]:
    """Keypoints' yaw and pitch, (2,) each with their sigmas, and a network's, as one.

    The inverse-variance mean, robust to disagreement: the network may have gone astray, and the
    further the two are apart the more the keypoints alone are believed and the wider the sigmas.
    """
    told = np.array([reading.yaw_deg, reading.pitch_deg])
    near = np.array([reading.yaw_sigma_deg, reading.pitch_sigma_deg]) ** 2
    own = sigmas_deg**2
    apart = told - angles_deg
    right = (1 - _ASTRAY) * _density(apart, own + near)
    astray = _ASTRAY * _density(apart, own + near + _ASTRAY_SIGMA_DEG**2)
    believed = right / (right + astray) if right + astray > 0 else 0.0
    both = 1 / (1 / own + 1 / near)
    joint = angles_deg + both / near * apart
    mean = believed * joint + (1 - believed) * angles_deg
    variance = believed * (both + (joint - mean) ** 2)
    variance += (1 - believed) * (own + (angles_deg - mean) ** 2)
    return mean, np.sqrt(variance)


def _density(apart: Floats, variance: Floats) -> float:
    return float(np.prod(np.exp(-0.5 * apart**2 / variance) / np.sqrt(variance)))


def _view(ray: Floats) -> Floats:
    """The frame of a camera that looks along `ray` with its picture upright, (3, 3): columns are
    its axes in the camera frame."""
    ahead = ray / np.linalg.norm(ray)
    right = np.cross([0.0, 1.0, 0.0], ahead)
    length = float(np.linalg.norm(right))
    right = right / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
    return np.column_stack([right, np.cross(ahead, right), ahead])


def _angles(facing: Floats) -> tuple[float, float]:
    """Yaw and pitch in degrees of a unit vector out of a face."""
    return (
        math.degrees(math.atan2(facing[0], -facing[2])),
        math.degrees(math.asin(float(np.clip(-facing[1], -1, 1)))),
    )


def _facing(yaw_deg: float, pitch_deg: float) -> Floats:
    """The inverse of `_angles`."""
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    across = math.cos(pitch)
    return np.array([across * math.sin(yaw), -math.sin(pitch), -across * math.cos(yaw)])


def _fit(
    model_m: Floats, points: Floats, spread_m: Floats, camera: CameraModel
) -> tuple[Floats, Floats, Floats] | None:
    """Rotation vector, place and covariance (6, 6) that explain `points` (N, 2), in focal lengths,
    best; None if none."""
    if float(np.ptp(points, axis=0).max()) * camera.focal_px < _SMALLEST_PX:
        return None
    finest = _FINEST * camera.width_px / camera.focal_px
    best: tuple[float, Floats, Floats, Floats] | None = None
    for turn, place in _starts(model_m, points, camera):
        result = _descend(model_m, points, spread_m, finest, turn, place)
        if result is not None and (best is None or result[0] < best[0]):
            best = result
    if best is None:
        return None
    cost, turn, place, covariance = best
    # A misfit worse than expected means worse keypoints than expected: say so in the sigmas.
    return turn, place, covariance * max(1.0, cost / (2 * len(model_m)))


def _starts(model_m: Floats, points: Floats, camera: CameraModel) -> list[tuple[Floats, Floats]]:
    """Rotation vectors and places to start from: half turned, and what solvePnP says."""
    width = max(float(np.ptp(points, axis=0).max()), 1.0 / camera.focal_px)
    depth = max(float(np.ptp(model_m[:, 0])), 0.06) / width
    place = np.array([*(points.mean(axis=0) * depth), depth])
    starts = [(np.array([0.0, math.radians(-yaw), 0.0]), place) for yaw in (-35.0, 35.0)]
    if len(model_m) >= 4:
        try:
            found, turn, shift = cv2.solvePnP(
                model_m, points, _IDENTITY, None, flags=cv2.SOLVEPNP_SQPNP
            )
        except cv2.error:  # points on a line: no pose follows from them alone
            return starts
        if found and float(shift[2, 0]) > 0:
            starts.append((turn[:, 0].astype(float), shift[:, 0].astype(float)))
    return starts


def _descend(
    model_m: Floats, points: Floats, spread_m: Floats, finest: float, turn: Floats, place: Floats
) -> tuple[float, Floats, Floats, Floats] | None:
    """Gauss-Newton from one start: cost, rotation vector, place, covariance; None if it strays."""
    prior = np.diag(np.concatenate([1 / np.radians(_PRIOR_SIGMA_DEG) ** 2, np.zeros(3)]))
    damped = prior + 1e-9 * np.eye(6)
    state = np.concatenate([turn, place])
    for _ in range(_STEPS):
        seen, jacobian = cv2.projectPoints(model_m, state[:3], state[3:], _IDENTITY, None)
        misfit = (points - seen[:, 0]).ravel()
        weight = np.repeat(1 / ((spread_m / max(float(state[5]), 0.05)) ** 2 + finest**2), 2)
        slope = jacobian[:, :6]
        normal = slope.T @ (weight[:, None] * slope) + damped
        step = np.linalg.solve(normal, slope.T @ (weight * misfit) - prior @ state)
        state = state + step
        if not np.isfinite(state).all() or state[5] < 0.05 or np.linalg.norm(state[:3]) > math.pi:
            return None
        if np.abs(step).max() < _SETTLED:
            break
    cost = float(misfit @ (weight * misfit) + state @ prior @ state)
    covariance = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    return cost, state[:3], state[3:], covariance
