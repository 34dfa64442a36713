"""Two boxes round one body."""

import numpy as np
import pytest

from vision.core.body import Track
from vision.core.double import without_doubles


def body(name: str, x: float, score: float, confidence: float = 0.9) -> Track:
    keypoints = np.zeros((17, 3), dtype=np.float32)
    for index in range(7):
        keypoints[index] = (x + 0.1 + 0.01 * index, 0.3 + 0.01 * index, confidence)
    return Track(name, (x, 0.2, x + 0.2, 0.9), keypoints, score, 0)


def names(*tracks: Track) -> list[str]:
    return [track.track_id for track in without_doubles(tracks, 9 / 16, 0.5)]


def test_of_two_boxes_round_one_body_the_better_stays() -> None:
    assert names(body("faint", 0.4, 0.4), body("clear", 0.405, 0.9)) == ["clear"]


@pytest.mark.parametrize("x", [0.43, 0.7])
def test_two_bodies_stay_two(x: float) -> None:
    assert set(names(body("one", 0.4, 0.9), body("other", x, 0.8))) == {"one", "other"}


def test_where_too_little_is_seen_nobody_is_taken_for_another() -> None:
    assert len(names(body("one", 0.4, 0.9), body("other", 0.4, 0.8, confidence=0.3))) == 2


def test_nobody_is_nobody() -> None:
    assert names() == []
