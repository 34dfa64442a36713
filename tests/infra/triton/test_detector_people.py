"""Suppression, and the tensors of an answer."""

import numpy as np
import pytest

from infra.triton.detection.people import (
    MAX_CANDIDATES,
    MAX_PEOPLE,
    People,
    best_first,
    nobody,
    suppress,
    tensors,
)


@pytest.mark.parametrize(
    ("boxes", "threshold", "kept"),
    [
        ([], 0.5, []),
        ([[0, 0, 1, 1]], 0.5, [0]),
        ([[0, 0, 2, 2], [0, 0, 2, 2]], 0.5, [0]),
        ([[0, 0, 2, 2], [1, 0, 3, 2]], 0.5, [0, 1]),  # IoU 1/3
        ([[0, 0, 2, 2], [1, 0, 3, 2]], 0.3, [0]),
        ([[0, 0, 10, 10], [4, 4, 5, 5]], 0.5, [0, 1]),  # inside, but small
        # The second goes, so it does not take the third along.
        ([[0, 0, 4, 4], [0, 0, 4, 3], [0, 0, 4, 2]], 0.7, [0, 2]),
        ([[2, 2, 0, 0], [0, 0, 2, 2]], 0.5, [0, 1]),  # inside out
    ],
)
def test_suppress(boxes: list[list[float]], threshold: float, kept: list[int]) -> None:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    assert suppress(array, threshold).tolist() == kept


def test_suppression_is_bounded() -> None:
    far_apart = np.arange(200, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 1, 1], np.float32)
    assert len(suppress(far_apart, 0.5)) == MAX_PEOPLE


def test_best_first_drops_what_is_no_number() -> None:
    scores = np.array([np.nan, 0.5, 0.7, 0.2, np.nan], np.float32)
    assert best_first(scores, 0.3).tolist() == [2, 1]
    assert len(best_first(np.ones(1000, np.float32), 0.3)) == MAX_CANDIDATES


def crowd(n: int) -> People:
    return People(
        np.linspace(0.9, 0.5, n, dtype=np.float32),
        np.full((n, 4), 0.5, np.float32),
        np.full((n, 17, 3), 0.25, np.float32),
    )


def test_tensors_are_padded_to_the_most_people() -> None:
    answer = tensors([crowd(1), nobody(), crowd(3)])
    assert answer["COUNT"].tolist() == [[1], [0], [3]]
    assert answer["COUNT"].dtype == np.int32
    assert answer["SCORES"].shape == (3, 3)
    assert answer["BOXES"].shape == (3, 3, 4)
    assert answer["KEYPOINTS"].shape == (3, 3, 17, 3)
    np.testing.assert_allclose(answer["SCORES"][2], [0.9, 0.7, 0.5], rtol=1e-6)
    assert not answer["SCORES"][0, 1:].any()
    assert not answer["BOXES"][1].any()


def test_an_empty_frame_has_empty_tensors() -> None:
    answer = tensors([nobody()])
    assert answer["COUNT"].tolist() == [[0]]
    assert answer["KEYPOINTS"].shape == (1, 0, 17, 3)
