"""Heads: square crops round the faces of people, and what a head-pose network says of them.

The network is FSANet ("FSA-Net: Learning Fine-Grained Structure Aggregation for Head Pose
Estimation from a Single Image", Yang et al., 2019), which was trained on crops of 1.4 times a
face's box. Its angles are against the line of sight to the head, since a crop knows no camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Frame
from .people import HEAD, Floats

#: Side of the network's input, and what it tells: yaw, pitch, roll in degrees.
SIDE_PX = 64
ANGLES = 3

#: Breadth of a head between its ears, and from the line between them to the tip of the nose.
_EARS_M, _NOSE_M = 0.15, 0.117

#: The crop's side, and where its centre lies on the way from the ears' middle to the nose: what
#: gave the least error of 0.22 to 0.30 m and of 0 to 0.6.
_CROP_M, _TOWARDS_NOSE = 0.26, 0.25

#: Nose and an eye must be seen this well: a head that faces away has no direction to tell.
_SEEN = 0.3

#: Smaller faces are left to the keypoints.
MIN_FACE_PX = 20.0

#: Simulated heads whose pupils are level with the horizon come out this much too low; on two real
#: clips keypoints differ from the network by +5 and -5 degrees, so the pitch's sigma is wide.
_PITCH_LOW_DEG = 6.8

#: One sigma in degrees of a bare head within 45 degrees of the line of sight, from 28 to 300 px
#: (tuning seed 1901: half of the errors are below 2.2 and 2.0, without the constant part); a px in
#: the crop's edge is this much more, and so is each degree of turn beyond 45.
_YAW_SIGMA_DEG, _PITCH_SIGMA_DEG = 3.2, 4.0
_SIGMA_DEG_PX = 40.0
_WIDE_DEG, _WIDE_SIGMA = 45.0, 0.4


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the frame, in px, and the breadth of the face in it."""

    x_px: float
    y_px: float
    side_px: float
    face_px: float


def crop_of(keypoints: Floats, frame_wh: tuple[int, int]) -> Crop | None:
    """Where the face of somebody's `keypoints` (17, 3) is; None where it is not seen well enough.

    The size comes from the ears' distance and from how far the nose stands out of their line, which
    together are the same for every turn of a head; a hidden ear is where the network expects it.
    """
    nose, left_eye, right_eye, left_ear, right_ear = keypoints[:5]
    if nose[2] < _SEEN or max(left_eye[2], right_eye[2]) < _SEEN:
        return None
    size = np.array(frame_wh, np.float32)
    middle = (left_ear[:2] + right_ear[:2]) / 2 * size
    forward = nose[:2] * size - middle
    across = float(np.linalg.norm((left_ear[:2] - right_ear[:2]) * size))
    px_per_m = float(np.hypot(across / _EARS_M, np.linalg.norm(forward) / _NOSE_M))
    if not np.isfinite(px_per_m) or px_per_m * _EARS_M < MIN_FACE_PX:
        return None
    x, y = middle + _TOWARDS_NOSE * forward
    return Crop(float(x), float(y), _CROP_M * px_per_m, _EARS_M * px_per_m)


def cut(frame: Frame, crop: Crop) -> Frame:
    """The crop as the network takes it, (SIDE_PX, SIDE_PX, 3) uint8; beyond the frame its edge is
    repeated."""
    height, width = frame.shape[:2]
    # More than the frame itself is never needed, whatever the keypoints say.
    side = min(max(2, round(crop.side_px)), 2 * max(height, width))
    left, top = round(crop.x_px - side / 2), round(crop.y_px - side / 2)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    square = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if len(rows) != rows[-1] - rows[0] + 1 or len(columns) != columns[-1] - columns[0] + 1:
        square = frame[rows[:, None], columns]
    method = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=method), np.uint8)


def to_input(crops: Sequence[Frame]) -> Floats:
    """Crops as the network's input: (N, 3, SIDE_PX, SIDE_PX) float32 BGR, -1 to 1."""
    stacked = np.stack(crops).astype(np.float32)
    return np.ascontiguousarray(((stacked - 127.5) / 128.0).transpose(0, 3, 1, 2))


def rows_of(angles: Floats, crops: Sequence[Crop]) -> NDArray[np.float32]:
    """The rows of HEADS, (N, 6), of the network's `angles` (N, 3): yaw, pitch, roll.

    An angle that is not finite leaves its head unmeasured.
    """
    rows = np.zeros((len(crops), len(HEAD)), np.float32)
    for row, (yaw, pitch, roll), crop in zip(rows, angles, crops, strict=True):
        told = np.array([-yaw, pitch + _PITCH_LOW_DEG, roll], np.float32)
        if not np.isfinite(told).all():
            continue
        wide = _WIDE_SIGMA * max(0.0, abs(float(told[0])) - _WIDE_DEG)
        small = _SIGMA_DEG_PX / crop.face_px
        row[:3] = told
        row[3] = np.hypot(_YAW_SIGMA_DEG, small) + wide
        row[4] = np.hypot(_PITCH_SIGMA_DEG, small) + wide
        row[5] = crop.face_px
    return rows
