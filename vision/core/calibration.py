"""From points clicked in a picture to a camera in metres: place, direction and field of view. Pure.

One least-squares fit over all that is known: where measured places were clicked, the guess of the
field of view, and what was measured of the camera's own place with a tape. What the points leave
open stays at the guess, and the sigmas say so.
References: `cv2.solvePnPGeneric` (IPPE for points in a plane: two poses, both are tried) and
`scipy.optimize.least_squares`.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np
from scipy.optimize import least_squares

from streams.contracts.layout import CameraPose, Place, Point
from vision.core.geometry import CameraModel, Floats, camera_model
from vision.core.surfaces import check_points
from vision.errors import CalibrationRefused

#: One sigma of a click with the loupe, in parts of the picture's width: 1.5 px of 1000.
_CLICK = 0.0015

#: One sigma of a guessed field of view, as a part of it: data sheets name the diagonal one, or that
#: of another mode, and are wrong by as much.
_GUESS_SIGMA = 0.15

#: One sigma of what was measured of the camera's place with a tape, in metres.
_TAPE_M = 0.02

#: A fit that misses its points by more, in parts of the picture's width, fits another rectangle.
MAX_ERROR = 0.008

#: Points that leave the camera's place open by more than this (one sigma) are too near together.
_MAX_PLACE_SIGMA_M = 0.35

#: The field of view is measured when its sigma is below this part of what was guessed.
_MEASURED_SHARE = 0.4

#: Residual of a point that the camera would not see at all: worse than any that it sees.
_UNSEEN = 1e3

_NARROWEST_DEG, _WIDEST_DEG = 8.0, {"pinhole": 170.0, "fisheye": 235.0}


@dataclass(frozen=True, slots=True)
class Seen:
    """A place in metres and where the picture shows it, normalised 0 to 1."""

    place_m: Place
    point: Point


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a camera beside its picture; None where nothing was measured.

    `horizontal_fov_deg` is a guess unless `fov_is_measured`; `x_m`, `y_m`, `z_m` of its lens.
    """

    horizontal_fov_deg: float = 75.0
    fov_is_measured: bool = False
    x_m: float | None = None
    y_m: float | None = None
    z_m: float | None = None
    lens: CameraPose | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A camera as its points show it.

    `error`: root mean square of where the points are missed, in parts of the picture's width;
    sigmas are one standard deviation. `fov_measured` False: the guess stands.
    """

    pose: CameraPose
    error: float
    place_sigma_m: float
    angle_sigma_deg: float
    fov_sigma_deg: float
    fov_measured: bool


def fit_pose(seen: Sequence[Seen], known: Known, aspect: float) -> Fit:
    """The camera that shows `seen` as it was clicked.

    Arguments:
        seen: four places or more, not on one line; those of one rectangle in its corners' order.
        known: the guess and what was measured.
        aspect: the picture's height over its width.

    Raises:
        CalibrationRefused: too few points, or points that no camera shows so; says how to mend it.
    """
    if len(seen) < 4:
        raise CalibrationRefused("four points are needed; click all four corners of a rectangle")
    check_points([s.point for s in seen])
    best = None
    for start in _starts(seen, known, aspect):
        found = _descend(start, seen, known, aspect)
        if best is None or found.cost < best.cost:
            best = found
    if best is None:
        raise CalibrationRefused(
            "no camera shows the points like this; see that they were clicked in the order of "
            "their labels, and that left and right are not exchanged"
        )
    return _judged(best, seen, known, aspect)


def calibration_version(pose: CameraPose, lenses: Iterable[object], day: str) -> str:
    """The name of a calibration: its day and a hash of its content, the same for the same.

    >>> calibration_version(CameraPose(position_m=(0.0, 0.0, 1.5)), (), "2026-11-22")
    'cal-2026-11-22-20c41917'
    """
    content = msgspec.json.encode([pose, *lenses])
    return f"cal-{day}-{hashlib.sha256(content).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    cost: float
    state: Floats
    jacobian: Floats


def _starts(seen: Sequence[Seen], known: Known, aspect: float) -> list[Floats]:
    """Poses to begin from: all that `solvePnP` says for the guessed lens, and a wider and a
    narrower one."""
    places = np.array([s.place_m for s in seen], dtype=float)
    points = np.array([s.point for s in seen], dtype=float)
    scales = (1.0,) if known.fov_is_measured else (1.0, 0.75, 1.3)
    starts: list[Floats] = []
    for scale in scales:
        fov = min(_widest(known), known.horizontal_fov_deg * scale)
        lens = _pose(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, fov]), known)
        ideal = _camera(lens, aspect).undistort(points)
        if not np.isfinite(ideal).all():
            continue
        for turn, shift in _solved(places, ideal):
            # From the camera frame to the world frame.
            rotation = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64).T
            place = -rotation @ shift
            if place[2] > 0:
                starts.append(np.array([*place, *_angles(rotation), fov]))
    return starts


def _solved(places: Floats, ideal: Floats) -> list[tuple[Floats, Floats]]:
    """World-to-camera rotation vectors and shifts, best first; none where OpenCV finds none."""
    flat = np.linalg.matrix_rank(places - places.mean(axis=0), tol=1e-6) < 3
    method = cv2.SOLVEPNP_IPPE if flat else cv2.SOLVEPNP_SQPNP
    try:
        _, turns, shifts, _ = cv2.solvePnPGeneric(places, ideal, np.eye(3), None, flags=method)
    except cv2.error:  # points of which no pose follows; the sentence is the caller's
        return []
    pairs = zip(turns, shifts, strict=True)
    return [
        (np.asarray(t, dtype=np.float64).ravel(), np.asarray(s, dtype=np.float64).ravel())
        for t, s in pairs
    ]


def _descend(start: Floats, seen: Sequence[Seen], known: Known, aspect: float) -> _Result:
    places = np.array([s.place_m for s in seen], dtype=float)
    points = np.array([s.point for s in seen], dtype=float)
    measured = [(i, v) for i, v in enumerate((known.x_m, known.y_m, known.z_m)) if v is not None]
    fov_sigma = _fov_sigma(known)

    def misfit(state: Floats) -> Floats:
        camera = _camera(_pose(state, known), aspect)
        shown = camera.picture((places - state[:3]) @ camera.rotation)
        off = (shown - points) * [1.0, aspect] / _CLICK
        priors = [(state[i] - v) / _TAPE_M for i, v in measured]
        priors.append((state[6] - known.horizontal_fov_deg) / fov_sigma)
        return np.concatenate([np.nan_to_num(off, nan=_UNSEEN).ravel(), priors])

    scale = np.array([0.1, 0.1, 0.1, 2.0, 2.0, 2.0, 2.0])
    low = np.array([-np.inf] * 6 + [_NARROWEST_DEG])
    high = np.array([np.inf] * 6 + [_widest(known)])
    inside = np.clip(start, low + 1e-6, high - 1e-6)
    found = least_squares(misfit, inside, x_scale=scale, bounds=(low, high), max_nfev=200)
    return _Result(float(found.cost), np.asarray(found.x), np.asarray(found.jac))


def _judged(best: _Result, seen: Sequence[Seen], known: Known, aspect: float) -> Fit:
    """The fit with its sigmas. Raises CalibrationRefused where it is none."""
    pose = _pose(best.state, known)
    camera = _camera(pose, aspect)
    shown = [camera.project(s.place_m) for s in seen]
    error = math.sqrt(
        sum(
            math.inf if at is None else _off(at, s.point, aspect) ** 2
            for at, s in zip(shown, seen, strict=True)
        )
        / len(seen)
    )
    if error > MAX_ERROR:
        raise CalibrationRefused(
            f"no camera shows the points like this: the best one misses them by {error:.1%} of "
            "the picture's width; see that they were clicked in the order of their labels and "
            "that the measured lengths and the field of view are right"
        )
    if pose.position_m[2] <= 0:
        raise CalibrationRefused(
            "the camera would lie below the floor; see that the points were clicked in the order "
            "of their labels"
        )
    covariance = np.linalg.pinv(best.jacobian.T @ best.jacobian)
    sigma = np.sqrt(np.diag(covariance))
    place_sigma = float(sigma[:3].max())
    if place_sigma > _MAX_PLACE_SIGMA_M:
        raise CalibrationRefused(
            f"the points leave the camera's place open by {place_sigma:.2f} m; use a larger "
            "rectangle, a second one, or measure the camera's own place with a tape"
        )
    fov_sigma = float(sigma[6])
    return Fit(
        pose=pose,
        error=error,
        place_sigma_m=place_sigma,
        angle_sigma_deg=float(sigma[3:6].max()),
        fov_sigma_deg=fov_sigma,
        fov_measured=known.fov_is_measured or fov_sigma < _MEASURED_SHARE * _fov_sigma(known),
    )


def _off(shown: Point, clicked: Point, aspect: float) -> float:
    return math.hypot(shown[0] - clicked[0], (shown[1] - clicked[1]) * aspect)


def _fov_sigma(known: Known) -> float:
    return 0.05 if known.fov_is_measured else _GUESS_SIGMA * known.horizontal_fov_deg


def _widest(known: Known) -> float:
    return _WIDEST_DEG["pinhole" if known.lens is None else known.lens.lens]


def _pose(state: Floats, known: Known) -> CameraPose:
    lens = known.lens
    x, y, z, yaw, pitch, roll, fov = (float(v) for v in state)
    return CameraPose(
        position_m=(x, y, z),
        yaw_deg=_wrapped(yaw),
        pitch_deg=_wrapped(pitch),
        roll_deg=_wrapped(roll),
        horizontal_fov_deg=fov,
        lens="pinhole" if lens is None else lens.lens,
        distortion=() if lens is None else lens.distortion,
        centre=(0.5, 0.5) if lens is None else lens.centre,
    )


def _camera(pose: CameraPose, aspect: float) -> CameraModel:
    # Any size does, since points are normalised; the shape of the picture counts.
    return camera_model(pose, 1_000, round(1_000 * aspect))


def _angles(rotation: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a rotation, camera frame to world frame, as `CameraPose`.

    >>> turned = camera_model(CameraPose(position_m=(0, 0, 0), yaw_deg=20, pitch_deg=-5), 10, 10)
    >>> [round(a, 6) for a in _angles(turned.rotation)[:2]]
    [20.0, -5.0]
    """
    right, forward = rotation[:, 0], rotation[:, 2]
    yaw = math.atan2(forward[0], forward[1])
    level = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    up = np.cross(level, forward)
    roll = math.atan2(-float(right @ up), float(right @ level))
    pitch = math.asin(max(-1.0, min(1.0, float(forward[2]))))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _wrapped(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


def floor_point(camera: CameraModel, point: Point) -> Point | None:
    """The floor homography: where on the floor (metres) a picture point lies; None above the
    horizon. It follows from the pose, so it is never stored beside it."""
    x, y, z = camera.ray(point)
    if z >= 0:
        return None
    reach = -camera.position_m[2] / z
    return camera.position_m[0] + reach * x, camera.position_m[1] + reach * y
