"""People out: what a network found in a frame, and the tensors that tell it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Columns of a head: yaw, pitch, roll against the line of sight, one sigma of yaw and of pitch, all
#: in degrees, and the face's side in px of the frame; all 0 where it was not measured.
HEAD = ("yaw_deg", "pitch_deg", "roll_deg", "yaw_sigma_deg", "pitch_sigma_deg", "size_px")

#: COCO's keypoints, in order.
KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

#: More people than this do not fit before one shelf: the rest is noise, and bounds the answer.
MAX_PEOPLE = 100
#: Candidates that enter the suppression, which costs their square (Ultralytics keeps 300 too).
MAX_CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class People:
    """N people in one frame, best first.

    `scores` (N,), `boxes` (N, 4) xyxy clipped to 0..1, `keypoints` (N, 17, 3) x, y, confidence in
    COCO's order; all float32, coordinates normalised 0..1 to the frame. A keypoint may lie
    outside 0..1 where the body leaves the picture. `heads` (N, 6) float32, columns as HEAD says;
    zeros until a head-pose network has looked.
    """

    scores: Floats
    boxes: Floats
    keypoints: Floats
    heads: Floats = field(default_factory=lambda: np.zeros((0, len(HEAD)), np.float32))

    def __post_init__(self) -> None:
        if len(self.heads) != len(self.scores):
            object.__setattr__(self, "heads", np.zeros((len(self.scores), len(HEAD)), np.float32))

    def __len__(self) -> int:
        return len(self.scores)


def nobody() -> People:
    """An empty frame."""
    return People(
        np.zeros(0, np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((0, len(KEYPOINTS), 3), np.float32),
    )


def best_first(scores: Floats, threshold: float) -> NDArray[np.intp]:
    """Indices of the at most MAX_CANDIDATES scores of at least `threshold`, best first.

    >>> best_first(np.array([0.2, 0.9, 0.5], np.float32), 0.3).tolist()
    [1, 2]
    """
    kept = np.flatnonzero(scores >= threshold)
    order = np.argsort(-scores[kept], kind="stable")
    return kept[order][:MAX_CANDIDATES]


def suppress(boxes: Floats, iou_threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes that stay.

    Args:
        boxes: (N, 4) xyxy in any unit, best first.
        iou_threshold: a box that overlaps a better one by more than this goes.

    >>> suppress(np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6]], np.float32), 0.5).tolist()
    [0, 2]
    """
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas = sides[:, 0] * sides[:, 1]
    open_ = np.arange(len(boxes))
    kept: list[int] = []
    while open_.size and len(kept) < MAX_PEOPLE:
        best, rest = int(open_[0]), open_[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        overlap = np.prod(np.maximum(high - low, 0), axis=1)
        union = areas[best] + areas[rest] - overlap
        open_ = rest[overlap <= iou_threshold * union]
    return np.array(kept, np.intp)


def tensors(frames: list[People]) -> dict[str, NDArray[np.int32] | Floats]:
    """The answer's tensors for the frames of one request, padded with zeros to the most people.

    Where nobody is in any frame N is 0 and the tensors hold no element.
    `COUNT` (B, 1) int32, `SCORES` (B, N), `BOXES` (B, N, 4), `KEYPOINTS` (B, N, 17, 3) and `HEADS`
    (B, N, 6) float32.
    """
    batch, rows = len(frames), max(len(people) for people in frames)
    scores = np.zeros((batch, rows), np.float32)
    boxes = np.zeros((batch, rows, 4), np.float32)
    keypoints = np.zeros((batch, rows, len(KEYPOINTS), 3), np.float32)
    heads = np.zeros((batch, rows, len(HEAD)), np.float32)
    for i, people in enumerate(frames):
        n = len(people)
        scores[i, :n] = people.scores
        boxes[i, :n] = people.boxes
        keypoints[i, :n] = people.keypoints
        heads[i, :n] = people.heads
    count = np.array([[len(people)] for people in frames], np.int32)
    return {
        "COUNT": count,
        "SCORES": scores,
        "BOXES": boxes,
        "KEYPOINTS": keypoints,
        "HEADS": heads,
    }
