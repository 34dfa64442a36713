"""YOLO pose networks (YOLOv8-pose and YOLO11-pose, COCO keypoints, exported without NMS)."""

import numpy as np

from .frames import Letterbox
from .people import KEYPOINTS, Floats, People, best_first, nobody, suppress

#: Pixels enter as 0..1.
INPUT_SCALE = 1.0 / 255.0
#: 4 box (cx, cy, w, h), 1 score, 17 keypoints of (x, y, confidence).
CHANNELS = 4 + 1 + 3 * len(KEYPOINTS)
#: Ultralytics' default for prediction; a tracker can use what a person's threshold drops.
SCORE_THRESHOLD = 0.25
#: Ultralytics' default for prediction: people before a shelf do overlap.
IOU_THRESHOLD = 0.7


def decode(head: Floats, box: Letterbox, score_threshold: float = SCORE_THRESHOLD) -> People:
    """People from the head (56, A) of one picture, in network pixels.

    Columns that are not finite are dropped: a broken network finds nobody, never nonsense.
    """
    if head.ndim != 2 or head.shape[0] != CHANNELS:
        raise ValueError(f"a YOLO pose head has {CHANNELS} channels, this one {head.shape}")
    with np.errstate(invalid="ignore"):
        chosen = best_first(head[4], score_threshold)
    rows = head[:, chosen].T
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return nobody()
    half = rows[:, 2:4] / 2
    corners = np.concatenate([rows[:, 0:2] - half, rows[:, 0:2] + half], axis=1)
    kept = suppress(corners, IOU_THRESHOLD)
    rows, corners = rows[kept], corners[kept]
    keypoints = rows[:, 5:].reshape(-1, len(KEYPOINTS), 3).copy()
    keypoints[:, :, :2] = box.to_frame(keypoints[:, :, :2])
    boxes = box.to_frame(corners.reshape(-1, 2, 2)).reshape(-1, 4)
    return People(
        scores=np.clip(rows[:, 4], 0, 1).astype(np.float32),
        boxes=np.clip(boxes, 0, 1).astype(np.float32),
        keypoints=keypoints.astype(np.float32),
    )
