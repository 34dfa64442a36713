"""Where a head is and which way its face points, from five keypoints and, where there is one, from
what a head-pose network says. Pure; never imports an adapter.

The keypoints of the face are fitted to an average adult's head by weighted least squares with mild
priors on nodding and tilting (`vision.core.headfit`). With the priors three points are enough, and
a small face's jitter does not become a nod. The fit is made in the frame of an ideal camera that
looks straight at the head, so that the lens does not matter and angles are against the line of
sight, as those of a network that sees nothing but the head's crop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.core.geometry import CameraModel, Floats, Vector
from vision.core.headfit import Fitted, Sighted, better, fit

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
#: tilt by 10 °, and turn as they like; none on the place.
_PRIOR_SIGMA_DEG = np.array([20.0, 70.0, 10.0])
_PRIOR = np.concatenate([1 / np.radians(_PRIOR_SIGMA_DEG) ** 2, np.zeros(3)])

#: Where the fit begins: half turned to both sides, since a face may fit in two ways; and, for the
#: one in a hundred from which that leads nowhere, these.
_HALF_TURNED_DEG = (35.0, -35.0)
_OTHER_TURNS_DEG = (70.0, 0.0, -70.0)

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
_ASTRAY_SIGMA_DEG = 45.0, 20.0

#: No variance is less: points never leave a pose that certain.
_LEAST = 1e-12

#: Yaw and pitch.
Pair = tuple[float, float]


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
    """The head of one person: see `estimate_heads`."""
    return estimate_heads([keypoints], camera, min_confidence, [reading])[0]


def estimate_heads(
    keypoints: Sequence[npt.NDArray[np.float32]],
    camera: CameraModel,
    min_confidence: float,
    readings: Sequence[HeadReading | None],
) -> list[HeadPose | None]:
    """The heads of all people in a picture, in their order.

    Arguments:
        keypoints: of each (17, 3) float32, x and y normalised, confidence; COCO order.
        camera: at the size of the picture.
        min_confidence: keypoints below it are not used.
        readings: what a head-pose network says of the same heads.

    None stands where the face is turned away, or too little of it is seen to tell: the nose, an eye
    and one more point are needed.
    """
    heads: list[HeadPose | None] = [None] * len(keypoints)
    faces = [face[:_FACE].astype(float) for face in keypoints]
    rows = [row for row, face in enumerate(faces) if _is_face(face, min_confidence)]
    if not rows:
        return heads
    seen = np.stack([faces[row] for row in rows])
    used = seen[:, :, 2] >= min(_FAINTEST, min_confidence)
    rays = camera.directions(seen[:, :, :2].reshape(-1, 2)).reshape(-1, _FACE, 3)
    views = np.stack([_view(ray) for ray in (rays * used[:, :, None]).sum(axis=1).tolist()])
    ahead = rays @ views
    with np.errstate(divide="ignore", invalid="ignore"):
        points = np.where(used[:, :, None], ahead[:, :, :2] / ahead[:, :, 2:], 0.0)
    spread_m = _SPREAD_M / np.maximum(seen[:, :, 2], 1e-3)
    fitted = _fit(points, spread_m, used, camera)
    for number, row in enumerate(rows):
        cost = float(fitted.costs[number])
        if math.isfinite(cost):
            # A misfit worse than expected means worse keypoints than expected: say so in the
            # sigmas.
            wide = max(1.0, cost / (2 * int(used[number].sum())))
            heads[row] = _head(fitted, number, wide, views[number], readings[row])
    return heads


def _is_face(face: Floats, min_confidence: float) -> bool:
    """Whether so much of a face (5, 3) is seen that it may be told where it points."""
    nose, *eyes, left_ear, right_ear = face[:, 2].tolist()
    seen_eyes = sum(eye >= min_confidence for eye in eyes)
    ears = (left_ear >= min_confidence) + (right_ear >= min_confidence)
    return bool(nose >= min_confidence and seen_eyes and seen_eyes + ears >= 2)


def _head(
    fitted: Fitted, number: int, wide: float, view: Floats, reading: HeadReading | None
) -> HeadPose | None:
    """The head of that number, seen in the frame of `view`, its variances `wide` times as wide;
    None if it is turned away."""
    variances = fitted.covariances[number].diagonal().tolist()
    nod, turn, depth = (math.sqrt(max(variances[index] * wide, _LEAST)) for index in (0, 1, 5))
    angles = _angles(*(-fitted.rotations[number, :, 2]).tolist())
    sigmas = math.degrees(turn), math.degrees(nod)
    if reading is not None:
        angles, sigmas = fuse(angles, sigmas, reading)
    facing, place = _facing(*angles), fitted.places[number]
    towards = float(-facing @ place) / math.dist((0.0, 0.0, 0.0), place)
    if math.degrees(math.acos(min(1.0, max(-1.0, towards)))) > _MAX_TURN_DEG:
        return None
    x, y, z = (view @ facing).tolist()
    right, down, away = (view @ place).tolist()
    yaw, pitch = _angles(x, y, z)
    return HeadPose(
        position_m=(right, down, away),
        direction=(x, y, z),
        yaw_deg=yaw,
        pitch_deg=pitch,
        yaw_sigma_deg=sigmas[0],
        pitch_sigma_deg=sigmas[1],
        distance_sigma_m=depth,
    )


def fuse(angles_deg: Pair, sigmas_deg: Pair, reading: HeadReading) -> tuple[Pair, Pair]:
    """Keypoints' yaw and pitch with their sigmas, and a network's, as one.

    The inverse-variance mean, robust to disagreement: the network may have gone astray, and the
    further the two are apart the more the keypoints alone are believed and the wider the sigmas.
    """
    yaw = reading.yaw_deg - angles_deg[0], sigmas_deg[0] ** 2, reading.yaw_sigma_deg**2
    pitch = reading.pitch_deg - angles_deg[1], sigmas_deg[1] ** 2, reading.pitch_sigma_deg**2
    right, astray = 1 - _ASTRAY, _ASTRAY
    for (apart, own, near), wide in zip((yaw, pitch), _ASTRAY_SIGMA_DEG, strict=True):
        right *= _density(apart, own + near)
        astray *= _density(apart, own + near + wide**2)
    believed = right / (right + astray) if right + astray > 0 else 0.0
    yaw_deg, yaw_sigma_deg = _mixed(angles_deg[0], *yaw, believed)
    pitch_deg, pitch_sigma_deg = _mixed(angles_deg[1], *pitch, believed)
    return (yaw_deg, pitch_deg), (yaw_sigma_deg, pitch_sigma_deg)


def _mixed(angle: float, apart: float, own: float, near: float, believed: float) -> Pair:
    """An angle of variance `own` and one `apart` from it of variance `near`, which is true with
    probability `believed`, as one with its sigma."""
    both = 1 / (1 / own + 1 / near)
    joint = angle + both / near * apart
    mean = believed * joint + (1 - believed) * angle
    variance = believed * (both + (joint - mean) ** 2)
    variance += (1 - believed) * (own + (angle - mean) ** 2)
    return mean, math.sqrt(variance)


def _density(apart: float, variance: float) -> float:
    return math.exp(-0.5 * apart**2 / variance) / math.sqrt(variance)


def _view(ray: Sequence[float]) -> Floats:
    """The frame of a camera that looks along `ray` with its picture upright, (3, 3): columns are
    its axes in the camera frame."""
    x, y, z = ray
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    level = math.hypot(x, z)
    across, along = (z / level, -x / level) if level > 1e-6 else (1.0, 0.0)
    # The columns: level to the right, downwards (ahead x right), ahead.
    return np.array(
        [
            [across, y * along, x],
            [0.0, z * across - x * along, y],
            [along, -y * across, z],
        ]
    )


def _angles(x: float, y: float, z: float) -> Pair:
    """Yaw and pitch in degrees of a unit vector out of a face."""
    return math.degrees(math.atan2(x, -z)), math.degrees(math.asin(min(1.0, max(-1.0, -y))))


def _facing(yaw_deg: float, pitch_deg: float) -> Floats:
    """The inverse of `_angles`."""
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    across = math.cos(pitch)
    return np.array([across * math.sin(yaw), -math.sin(pitch), -across * math.cos(yaw)])


def _fit(
    points: Floats, spread_m: Floats, used: npt.NDArray[np.bool_], camera: CameraModel
) -> Fitted:
    """The poses that explain `points` (H, 5, 2), in focal lengths, best; of infinite cost where
    nothing does, or all is within a few pixels."""
    lowest = np.where(used[:, :, None], points, np.inf).min(axis=1)
    highest = np.where(used[:, :, None], points, -np.inf).max(axis=1)
    breadth = (highest - lowest).max(axis=1)
    finest = _FINEST * camera.width_px / camera.focal_px
    seen = Sighted(points, spread_m, used.astype(float), finest)
    middle = points.sum(axis=1) / used.sum(axis=1)[:, None]
    model_x = np.where(used, MODEL_M[:, 0], 0.0)  # the nose, always used, is at 0
    broad_m = np.maximum(model_x.max(axis=1) - model_x.min(axis=1), 0.06)
    depth = (broad_m / np.maximum(breadth, 1.0 / camera.focal_px))[:, None]
    places = np.concatenate([middle * depth, depth], axis=1)
    fitted = fit(MODEL_M, seen, _starts(places, _HALF_TURNED_DEG), _PRIOR)
    if not np.isfinite(fitted.costs).all():
        fitted = better(fitted, fit(MODEL_M, seen, _starts(places, _OTHER_TURNS_DEG), _PRIOR))
    fitted.costs[~(breadth * camera.focal_px >= _SMALLEST_PX)] = np.inf
    return fitted


def _starts(places: Floats, turns_deg: Sequence[float]) -> Floats:
    """Poses to start from, (H, S, 6): turned so at each of `places` (H, 3)."""
    starts = np.zeros((len(places), len(turns_deg), 6))
    starts[:, :, 1] = np.radians(turns_deg)
    starts[:, :, 3:] = places[:, None]
    return starts
