"""Crops of heads, and the rows that tell their directions."""

import numpy as np
import pytest

from infra.triton.detection import heads
from infra.triton.detection.people import People, tensors

WIDE, HIGH = 640, 480


def face(x: float, y: float, px_per_m: float, yaw_deg: float = 0.0) -> np.ndarray:
    """Keypoints of a face whose ears' middle is at (x, y) px, turned to the picture's right."""
    turn = np.radians(yaw_deg)
    across, ahead = np.cos(turn), np.sin(turn)
    places = np.zeros((17, 2))
    places[0] = (0.117 * ahead, 0.0)
    places[1:3] = [(0.08 * ahead + side * 0.03 * across, -0.02) for side in (1, -1)]
    places[3:5] = [(side * 0.075 * across, 0.0) for side in (1, -1)]
    points = np.ones((17, 3), np.float32)
    points[:, :2] = (places * px_per_m + (x, y)) / (WIDE, HIGH)
    return points


@pytest.mark.parametrize("yaw_deg", [-60.0, -30.0, 0.0, 30.0, 60.0])
def test_a_crop_has_the_size_of_the_head_however_it_turns(yaw_deg: float) -> None:
    crop = heads.crop_of(face(300, 200, 400, yaw_deg), (WIDE, HIGH))
    assert crop is not None
    assert crop.face_px == pytest.approx(60, rel=0.01)
    assert crop.side_px == pytest.approx(104, rel=0.01)
    assert crop.y_px == pytest.approx(200, abs=1)
    assert (crop.x_px - 300) * yaw_deg >= 0


def test_who_faces_away_or_is_too_small_has_no_crop() -> None:
    away = face(300, 200, 400)
    away[:3, 2] = 0.1
    assert heads.crop_of(away, (WIDE, HIGH)) is None
    assert heads.crop_of(face(300, 200, 0.9 * heads.MIN_FACE_PX / 0.15), (WIDE, HIGH)) is None
    broken = face(300, 200, 400)
    broken[3, 0] = np.nan
    assert heads.crop_of(broken, (WIDE, HIGH)) is None


@pytest.mark.parametrize(("x", "y", "side"), [(20, 30, 100), (630, 470, 200), (320, 240, 9_000)])
def test_a_crop_beyond_the_frame_repeats_its_edge(x: float, y: float, side: float) -> None:
    frame = np.full((HIGH, WIDE, 3), 7, np.uint8)
    square = heads.cut(frame, heads.Crop(x, y, side, 50))
    assert square.shape == (heads.SIDE_PX, heads.SIDE_PX, 3)
    assert (square == 7).all()


def test_a_crop_is_centred_and_scaled() -> None:
    frame = np.zeros((HIGH, WIDE, 3), np.uint8)
    frame[190:210, 290:310] = 255
    square = heads.cut(frame, heads.Crop(300, 200, 40, 20))
    assert square[18:46, 18:46].min() == 255
    assert square[:14].max() == square[:, :14].max() == 0
    batch = heads.to_input([square, square])
    assert batch.shape == (2, 3, heads.SIDE_PX, heads.SIDE_PX)
    assert (batch.min(), batch.max()) == (-127.5 / 128, 127.5 / 128)


def test_rows_of_heads() -> None:
    crops = [heads.Crop(0, 0, 100, 60), heads.Crop(0, 0, 40, 24), heads.Crop(0, 0, 100, 60)]
    angles = np.array([[-20.0, -5.0, 3.0], [70.0, 0.0, 0.0], [np.nan, 0.0, 0.0]], np.float32)
    rows = heads.rows_of(angles, crops)
    # The network's yaw runs the other way.
    assert rows[0, 0] == 20
    assert rows[1, 0] == -70
    assert rows[0, 5] == 60
    # Smaller and more turned is less certain, and never certain.
    assert (rows[1, 3:5] > rows[0, 3:5]).all()
    assert (rows[0, 3:5] > 2).all()
    assert not rows[2].any()


def test_heads_stand_beside_their_people() -> None:
    people = People(
        np.array([0.9, 0.5], np.float32),
        np.zeros((2, 4), np.float32),
        np.zeros((2, 17, 3), np.float32),
    )
    assert people.heads.shape == (2, 6)
    people.heads[1] = 1.0
    told = tensors([people, people])["HEADS"]
    assert told.shape == (2, 2, 6)
    assert not told[0, 0].any()
    assert (told[1, 1] == 1).all()
