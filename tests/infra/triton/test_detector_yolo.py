"""Decoding of a YOLO pose head, on heads made by hand."""

import numpy as np
import pytest

from infra.triton.detection.frames import Letterbox
from infra.triton.detection.yolo import CHANNELS, decode

# A frame of 200 x 100 px in the middle of a 100 x 64 px input.
BOX = Letterbox(0, 7, 100, 50, 200, 100)


def column(score: float, cx: float, cy: float, w: float, h: float) -> np.ndarray:
    """One anchor: all keypoints at the box's centre, the nose at its top left corner."""
    values = np.zeros(CHANNELS, np.float32)
    values[:5] = (cx, cy, w, h, score)
    values[5:] = np.tile([cx, cy, 0.8], 17)
    values[5:8] = (cx - w / 2, cy - h / 2, 0.9)
    return values


def head(*columns: np.ndarray) -> np.ndarray:
    return np.stack(columns, axis=1)


def test_one_person() -> None:
    people = decode(head(column(0.9, 50, 32, 20, 30), column(0.1, 10, 20, 5, 5)), BOX)
    assert len(people) == 1
    np.testing.assert_allclose(people.scores, [0.9], rtol=1e-6)
    np.testing.assert_allclose(people.boxes, [[0.4, 0.2, 0.6, 0.8]], rtol=1e-5)
    assert people.keypoints.shape == (1, 17, 3)
    np.testing.assert_allclose(people.keypoints[0, 0], [0.4, 0.2, 0.9], rtol=1e-5)
    np.testing.assert_allclose(people.keypoints[0, 16], [0.5, 0.5, 0.8], rtol=1e-5)
    assert {a.dtype for a in (people.scores, people.boxes, people.keypoints)} == {np.dtype("f4")}


def test_the_best_comes_first_and_repeats_go() -> None:
    people = decode(
        head(
            column(0.5, 20, 32, 10, 20),
            column(0.8, 80, 32, 10, 20),
            column(0.7, 80.2, 32, 10, 20),
        ),
        BOX,
    )
    np.testing.assert_allclose(people.scores, [0.8, 0.5], rtol=1e-6)
    assert people.boxes[0, 0] > people.boxes[1, 0]


def test_boxes_end_at_the_frame_but_keypoints_do_not() -> None:
    people = decode(head(column(0.9, 0, 32, 40, 90)), BOX)
    np.testing.assert_allclose(people.boxes, [[0, 0, 0.2, 1]], atol=1e-6)
    assert people.keypoints[0, 0, 0] < 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_dropped(bad: float) -> None:
    broken = column(0.9, 50, 32, 20, 30)
    broken[20] = bad
    nameless = column(bad, 50, 32, 20, 30)
    people = decode(head(broken, nameless, column(0.6, 20, 32, 10, 20)), BOX)
    assert people.scores.tolist() == pytest.approx([0.6])


def test_nobody() -> None:
    people = decode(np.zeros((CHANNELS, 84), np.float32), BOX)
    assert len(people) == 0
    assert people.keypoints.shape == (0, 17, 3)


def test_another_head_is_refused() -> None:
    with pytest.raises(ValueError, match="56 channels"):
        decode(np.zeros((84, 100), np.float32), BOX)
