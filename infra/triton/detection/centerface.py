"""CenterFace: faces with five landmarks, from which a body and COCO keypoints are estimated.

The network's form is that of "CenterFace: Joint Face Detection and Alignment Using Face as Point"
(Xu et al., 2019): at a quarter of the input's size a heat map of face centres, the logarithm of
the face's height and width, the centre's offset, and the landmarks relative to the box.
"""

import numpy as np

from .frames import Letterbox
from .head import ears
from .people import KEYPOINTS, Floats, People, best_first, nobody, suppress

#: Pixels enter as 0..255.
INPUT_SCALE = 1.0
#: Channels of the four outputs: heat, scale (h, w), offset (y, x), landmarks (y, x) x 5.
CHANNELS = (1, 2, 2, 10)
#: Faces at 3 m score 0.5 to 0.6 at 480 px; backs of heads and half profiles seldom above 0.4.
SCORE_THRESHOLD = 0.4
#: The published code's: faces overlap less than bodies.
IOU_THRESHOLD = 0.3

_STRIDE_PX = 4
#: exp(6) strides are 1614 px, more than any input: a larger logarithm is noise.
_MAX_LOG_SIZE = 6.0

# The body from the height of the face's box (hairline to chin, about 0.19 m): a person of 1.7 m is
# 9 of them tall and 2.4 across the shoulders, and the crown is 0.3 above the hairline. The box's
# width is not used: it shrinks as the head turns.
_CROWN, _TALL, _HALF_WIDE = 0.3, 9.0, 1.2

#: Landmark in the network's order (as head.LANDMARKS_M) -> COCO keypoint.
_TO_COCO = {0: KEYPOINTS.index("right_eye"), 1: KEYPOINTS.index("left_eye"), 2: 0}
_LEFT_EAR = KEYPOINTS.index("left_ear")


def decode(
    heads: tuple[Floats, ...], box: Letterbox, score_threshold: float = SCORE_THRESHOLD
) -> People:
    """People from the four outputs (1, h, w), (2, h, w), (2, h, w), (10, h, w) of one picture.

    Shoulders and everything below get confidence 0: a face does not show them.
    """
    scores, faces, landmarks = _faces(heads, score_threshold)
    if not len(scores):
        return nobody()
    kept = suppress(faces, IOU_THRESHOLD)
    scores, faces, landmarks = scores[kept], faces[kept], landmarks[kept]
    to_px = np.array([box.frame_width_px, box.frame_height_px], np.float32)
    faces_px = box.to_frame(faces.reshape(-1, 2, 2)) * to_px
    landmarks_px = box.to_frame(landmarks) * to_px
    bodies = _bodies(faces_px.reshape(-1, 4))
    boxes = (bodies.reshape(-1, 2, 2) / to_px).reshape(-1, 4)
    keypoints = np.stack(
        [
            _keypoints(points, score, (box.frame_width_px, box.frame_height_px))
            for points, score in zip(landmarks_px, scores, strict=True)
        ]
    )
    keypoints[:, :, :2] /= to_px
    return People(scores, np.clip(boxes, 0, 1).astype(np.float32), keypoints)


def _faces(heads: tuple[Floats, ...], threshold: float) -> tuple[Floats, Floats, Floats]:
    """Scores (N,), boxes (N, 4) xyxy and landmarks (N, 5, 2), in network pixels, best first."""
    heat, log_size, offset, marks = heads
    with np.errstate(invalid="ignore"):
        flat = best_first(heat.reshape(-1), threshold)
    rows, columns = np.unravel_index(flat, heat.shape[-2:])
    size = np.exp(np.minimum(log_size[:, rows, columns], _MAX_LOG_SIZE)) * _STRIDE_PX
    height, width = size
    centre_y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE_PX
    centre_x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE_PX
    left, top = centre_x - width / 2, centre_y - height / 2
    boxes = np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)
    local = marks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    corner = np.stack([left, top], axis=1)[:, None, :]
    landmarks = (local * np.stack([width, height], axis=1)[:, None, :] + corner).astype(np.float32)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2))
    scores = np.clip(heat.reshape(-1)[flat], 0, 1).astype(np.float32)
    return scores[finite], boxes[finite], landmarks[finite]


def _bodies(faces: Floats) -> Floats:
    """Boxes (N, 4) xyxy of the bodies under the face boxes (N, 4), in square pixels."""
    height = faces[:, 3] - faces[:, 1]
    centre = (faces[:, 0] + faces[:, 2]) / 2
    top = faces[:, 1] - _CROWN * height
    return np.stack(
        [centre - _HALF_WIDE * height, top, centre + _HALF_WIDE * height, top + _TALL * height],
        axis=1,
    ).astype(np.float32)


def _keypoints(landmarks: Floats, score: np.float32, frame_wh: tuple[int, int]) -> Floats:
    """COCO keypoints (17, 3) from five landmarks (5, 2), both in pixels."""
    keypoints = np.zeros((len(KEYPOINTS), 3), np.float32)
    for landmark, keypoint in _TO_COCO.items():
        keypoints[keypoint] = (*landmarks[landmark], score)
    found = ears(landmarks, frame_wh)
    if found is not None:
        keypoints[_LEFT_EAR : _LEFT_EAR + 2, :2] = found.points
        keypoints[_LEFT_EAR : _LEFT_EAR + 2, 2] = found.shares * score
    return keypoints
