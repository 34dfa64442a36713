"""A head of average size, fitted to five landmarks: from them it tells where the ears are.

Reference: mean adult measures (eye distance 63 mm, mouth 50 mm, bitragion breadth 145 mm), as in
anthropometric surveys; rounded, since the fit forgives some millimetres.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Floats

#: Metres in a frame like a camera's (x to the picture's right, y down, z away), nose tip at the
#: origin, of a head that faces the camera: so the person's left is at +x.
LANDMARKS_M = np.array(
    [
        [-0.0315, -0.0365, 0.030],  # right eye
        [0.0315, -0.0365, 0.030],  # left eye
        [0.0, 0.0, 0.0],  # nose tip
        [-0.025, 0.030, 0.024],  # right corner of the mouth
        [0.025, 0.030, 0.024],  # left corner of the mouth
    ],
    np.float64,
)
EARS_M = np.array([[0.076, -0.015, 0.110], [-0.076, -0.015, 0.110]], np.float64)  # left, right
#: Out along the head's x axis an ear is seen when this points towards the camera.
_EAR_NORMALS = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
#: Horizontal field of view assumed for the fit: small heads hardly tell the lens apart.
_FOCAL_PER_SIDE = 0.8
#: An ear is computed, not seen: at the most this share of the face's score is its confidence.
_EAR_CONFIDENCE = 0.85
#: What is left to the ear of the far side, so that a reader can tell it from an ear in view.
_HIDDEN = 0.1


@dataclass(frozen=True, slots=True)
class Ears:
    """Left and right ear: `points` (2, 2) in the landmarks' pixels, `shares` (2,) of the face's
    score that are their confidence."""

    points: Floats
    shares: Floats


def ears(landmarks: Floats, frame_wh: tuple[int, int]) -> Ears | None:
    """The ears of the head whose five `landmarks` (5, 2), in the order of LANDMARKS_M, were found
    in a picture of `frame_wh` px; None where no head fits them.
    """
    camera = _camera(frame_wh)
    points = landmarks.astype(np.float64)
    depth = _depth(points, camera)
    if depth is None:
        return None
    centre = (points.mean(axis=0) - camera[:2, 2]) / camera[0, 0] * depth
    # Five nearly flat points have two poses that fit; starting from a frontal head finds the
    # one that looks at the camera's side, and a detected face does.
    try:
        found, rotation, position = cv2.solvePnP(
            LANDMARKS_M,
            points,
            camera,
            None,
            np.zeros((3, 1)),
            np.array([[centre[0]], [centre[1]], [depth]]),
            True,
            cv2.SOLVEPNP_ITERATIVE,
        )
    except cv2.error:
        return None
    if not found or not (np.isfinite(rotation).all() and np.isfinite(position).all()):
        return None
    matrix, _ = cv2.Rodrigues(rotation)
    if position[2, 0] <= 0 or matrix[2, 2] <= 0:  # behind the camera, or turned away from it
        return None
    projected, _ = cv2.projectPoints(EARS_M, rotation, position, camera, None)
    away = (_EAR_NORMALS @ matrix.T)[:, 2]
    shares = _EAR_CONFIDENCE * np.clip(1.0 - 1.5 * away, _HIDDEN, 1.0)
    return Ears(projected.reshape(2, 2).astype(np.float32), shares.astype(np.float32))


def _camera(frame_wh: tuple[int, int]) -> NDArray[np.float64]:
    width, height = frame_wh
    focal = _FOCAL_PER_SIDE * max(width, height)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float64)


def _depth(points: NDArray[np.float64], camera: NDArray[np.float64]) -> float | None:
    """A first guess of the distance in metres, from the spread of the landmarks."""
    if not np.isfinite(points).all():
        return None
    spread_px = float(np.linalg.norm(points - points.mean(axis=0)))
    spread_m = float(np.linalg.norm((LANDMARKS_M - LANDMARKS_M.mean(axis=0))[:, :2]))
    if spread_px < 1e-3:
        return None
    return float(camera[0, 0]) * spread_m / spread_px
