"""Eyes that look elsewhere than the head: the irises of the face's texture moved within the lids.

Pure: pixels and angles in, pixels out.
"""

import cv2
import numpy as np

from infra.simulator.pixels import Floats, Image, floats, image
from infra.simulator.portrait import texels

#: The eyeball's radius and the iris's with its dark rim (mm; Forrester, The Eye: 12 and 5.9).
_EYEBALL_MM = 12.0
_IRIS_MM = 6.3

#: The opening between the lids, round the pupil: to the nose, to the temple, up and down (mm).
_INWARD_MM, _OUTWARD_MM, _UP_MM, _DOWN_MM = 13.0, 13.0, 5.0, 4.6

#: No eye turns further than its lids show.
_FURTHEST_MM = 7.0

#: The pupils' places on the portrait's face (mm), and the piece of the texture round each.
_PUPILS_MM = (-31.2, 30.3)
_AROUND_MM = (22.0, 13.0)

#: The white of an eye below its upper lid is darker by this part, over so many mm.
_LID_SHADE, _LID_MM = 0.45, 3.0


def move(face: Image, yaw_deg: float, pitch_deg: float) -> None:
    """Turn the eyes of the head's texture, (h, w, 3), in place: yaw + to the picture's right, pitch
    + upwards, against the head's direction."""
    across = float(np.clip(_EYEBALL_MM * np.sin(np.radians(yaw_deg)), -_FURTHEST_MM, _FURTHEST_MM))
    down = float(np.clip(-_EYEBALL_MM * np.sin(np.radians(pitch_deg)), -4.0, 4.0))
    x_mm, y_mm = _places_mm()
    for pupil_mm in _PUPILS_MM:
        _move(face, x_mm - pupil_mm, y_mm, 1 if pupil_mm > 0 else -1, (across, down))


def _move(
    face: Image, x_mm: Floats, y_mm: Floats, side: int, shift_mm: tuple[float, float]
) -> None:
    """One eye, in place; `x_mm` and `y_mm` are measured from its pupil."""
    near = (np.abs(x_mm) < _AROUND_MM[0]) & (np.abs(y_mm) < _AROUND_MM[1])
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x, y, eye = x_mm[box], y_mm[box], np.ascontiguousarray(face[box])
    wide = np.where(x * side > 0, _OUTWARD_MM, _INWARD_MM)
    tall = np.where(y > 0, _DOWN_MM, _UP_MM)
    open_ = _soft(floats(1.0 - np.hypot(x / wide, y / tall)), 0.12)
    iris = np.hypot(x, y)
    # The white of the eye where the iris was: as its brighter half is, and shaded by the lid.
    beside = eye[(iris > _IRIS_MM) & (open_ > 0.9)]
    bright = np.median(beside[beside.sum(axis=1) >= np.median(beside.sum(axis=1))], axis=0)
    lid = 1.0 - _LID_SHADE * np.clip((-y - _UP_MM + _LID_MM) / _LID_MM, 0.0, 1.0)
    bare = floats(_soft(floats(_IRIS_MM - iris), 1.0))[..., None]
    white = eye + (bright * lid[..., None] - eye) * bare
    per_mm = np.array([np.gradient(x, axis=1).mean(), np.gradient(y, axis=0).mean()])
    by = np.array(shift_mm) / per_mm
    matrix = np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]]])
    size = (eye.shape[1], eye.shape[0])
    ring = floats(_soft(floats(_IRIS_MM - iris), 0.8))
    there = floats(cv2.warpAffine(ring, matrix, size))[..., None]
    pupil = floats(cv2.warpAffine(eye, matrix, size, borderMode=cv2.BORDER_REPLICATE))
    looking = white + (pupil - white) * there
    face[box] = image(eye + (looking - eye) * open_[..., None])


def _places_mm() -> tuple[Floats, Floats]:
    """Where on the face each texel lies, to the right and down, as one sees it from before it."""
    angle, y = texels()
    # The back of the head is no face.
    return floats(np.where(np.abs(angle) < 1.2, 95.0 * np.sin(angle), 1e3)), y


def _soft(value: Floats, over: float) -> Floats:
    return floats(np.clip(value / over + 0.5, 0.0, 1.0))
