import cv2
import numpy as np
import pytest

from vision.core.checkerboard import Board, fit_lens, is_new
from vision.core.geometry import Floats
from vision.errors import CalibrationRefused

BOARD = Board(9, 6)
SIZE = (1280, 720)
FOCAL_PX = 720.0
BENT = np.array([-0.22, 0.05, 0.001, -0.0005, 0.0])


def views(count: int, spread: float = 1.0) -> list[Floats]:
    """A board as a bent lens shows it: tilted, near and far, all over the picture."""
    rng = np.random.default_rng(2)
    flat = np.zeros((54, 3))
    flat[:, :2] = np.mgrid[:9, :6].T.reshape(-1, 2) * 0.03 - [0.12, 0.075]
    matrix = np.array([[FOCAL_PX, 0, 652.0], [0, FOCAL_PX, 355.0], [0, 0, 1]])
    found = []
    for _ in range(count):
        turn = rng.uniform(-0.5, 0.5, 3)
        depth = rng.uniform(0.35, 0.6)
        place = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.35, 0.35), 1.0]) * depth
        place[:2] *= spread
        shown, _ = cv2.projectPoints(flat, turn, place, matrix, BENT)
        found.append(np.asarray(shown[:, 0] + rng.normal(0, 0.1, (54, 2)), dtype=np.float64))
    return found


def test_a_lens_is_found_by_a_board() -> None:
    fit = fit_lens(views(16), BOARD, SIZE)
    assert fit.horizontal_fov_deg == pytest.approx(2 * np.degrees(np.arctan(640 / 720)), abs=0.6)
    assert fit.distortion[:2] == pytest.approx(BENT[:2], abs=0.04)
    assert fit.centre == pytest.approx((652 / 1280, 355 / 720), abs=0.006)
    assert fit.error_px < 0.5


def test_too_few_views_or_one_place_are_refused() -> None:
    with pytest.raises(CalibrationRefused, match="8 are needed"):
        fit_lens(views(5), BOARD, SIZE)
    with pytest.raises(CalibrationRefused, match="all its corners"):
        fit_lens(views(10, spread=0.05), BOARD, SIZE)


def test_corners_of_another_board_are_refused() -> None:
    shuffled = [np.random.default_rng(i).permutation(v) for i, v in enumerate(views(10))]
    with pytest.raises(CalibrationRefused, match="inner corners"):
        fit_lens(shuffled, BOARD, SIZE)


def test_a_view_is_new_where_it_differs() -> None:
    one, other = views(2)
    assert is_new(one, [other], SIZE[0])
    assert not is_new(one, [other, one + 3.0], SIZE[0])
