"""Decoding of CenterFace, and the head that is fitted to its landmarks."""

import math

import cv2
import numpy as np
import pytest

from infra.triton.detection.centerface import decode
from infra.triton.detection.frames import Letterbox
from infra.triton.detection.head import EARS_M, LANDMARKS_M, ears

# A frame of 640 x 320 px in a 320 x 192 px input.
BOX = Letterbox(0, 16, 320, 160, 640, 320)
ROWS, COLUMNS = 192 // 4, 320 // 4
CAMERA = np.array([[512.0, 0, 320], [0, 512.0, 160], [0, 0, 1]])


def outputs() -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((channels, ROWS, COLUMNS), np.float32) for channels in (1, 2, 2, 10))


def put_face(
    heads: tuple[np.ndarray, ...],
    cell: tuple[int, int],
    size: tuple[float, float],
    score: float,
    landmarks: np.ndarray,
) -> None:
    """A face of `size` (w, h) px centred in `cell` (row, column); landmarks (5, 2) in the box."""
    heat, log_size, offset, marks = heads
    at = (slice(None), *cell)
    heat[at] = score
    log_size[at] = np.log(np.array([size[1], size[0]]) / 4)
    offset[at] = (0.25, -0.25)
    marks[at] = landmarks[:, ::-1].reshape(-1)


#: In a face's box: eyes, nose, corners of the mouth, of a face that looks into the camera.
FRONTAL = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def test_a_face_becomes_a_person() -> None:
    heads = outputs()
    put_face(heads, (20, 40), (24, 32), 0.8, FRONTAL)
    people = decode(heads, BOX)
    assert len(people) == 1
    np.testing.assert_allclose(people.scores, [0.8], rtol=1e-6)
    # The centre in the network: ((40 - .25 + .5) * 4, (20 + .25 + .5) * 4) = (161, 83);
    # in the frame twice that without the 16 px of padding: (322, 134); the face is 48 x 64 px.
    points = people.keypoints[0, :, :2] * (640, 320)
    np.testing.assert_allclose(points[0], [322, 134 - 32 + 0.6 * 64], atol=0.1)
    np.testing.assert_allclose(points[1], [298 + 0.7 * 48, 102 + 0.4 * 64], atol=0.1)
    np.testing.assert_allclose(points[2], [298 + 0.3 * 48, 102 + 0.4 * 64], atol=0.1)
    np.testing.assert_allclose(people.keypoints[0, :3, 2], 0.8, rtol=1e-6)
    assert not people.keypoints[0, 5:].any()
    left, top, right, bottom = people.boxes[0] * (640, 320, 640, 320)
    assert left == pytest.approx(322 - 1.2 * 64, abs=0.2)
    assert right == pytest.approx(322 + 1.2 * 64, abs=0.2)
    assert top == pytest.approx(102 - 0.3 * 64, abs=0.2)
    assert bottom == 320  # the feet are below the picture


def test_ears_of_a_frontal_face_are_level_and_outside_the_eyes() -> None:
    heads = outputs()
    put_face(heads, (20, 40), (24, 32), 0.8, FRONTAL)
    eyes, hearing = np.split(decode(heads, BOX).keypoints[0, 1:5], 2)
    assert hearing[0, 0] > eyes[0, 0] > eyes[1, 0] > hearing[1, 0]
    assert hearing[0, 1] == pytest.approx(hearing[1, 1], abs=0.01)
    assert hearing[:, 2] == pytest.approx([0.68, 0.68], abs=0.02)


def test_the_weaker_of_two_answers_for_one_face_goes() -> None:
    heads = outputs()
    put_face(heads, (20, 40), (40, 40), 0.6, FRONTAL)
    put_face(heads, (20, 41), (40, 40), 0.9, FRONTAL)
    put_face(heads, (20, 10), (20, 20), 0.7, FRONTAL)
    put_face(heads, (5, 70), (20, 20), 0.2, FRONTAL)
    assert decode(heads, BOX).scores.tolist() == pytest.approx([0.9, 0.7])


def test_nonsense_finds_nobody() -> None:
    heads = outputs()
    put_face(heads, (20, 40), (24, 32), 0.8, FRONTAL)
    heads[3][4] = np.nan
    heads[0][0, 3, 3] = np.nan
    assert len(decode(heads, BOX)) == 0
    assert len(decode(outputs(), BOX)) == 0


def turned(yaw_deg: float, pitch_deg: float, distance_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (5, 2) and ears (2, 2) of the model's head, seen by CAMERA."""
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    matrix = cv2.Rodrigues(np.array([0, yaw, 0]))[0] @ cv2.Rodrigues(np.array([pitch, 0, 0]))[0]
    rotation = cv2.Rodrigues(matrix)[0]
    place = np.array([0.1, -0.1, distance_m])
    seen, _ = cv2.projectPoints(np.vstack([LANDMARKS_M, EARS_M]), rotation, place, CAMERA, None)
    return seen[:5, 0], seen[5:, 0]


@pytest.mark.parametrize("yaw_deg", [-45, -20, 0, 20, 45])
@pytest.mark.parametrize("pitch_deg", [-20, 0, 20])
@pytest.mark.parametrize("distance_m", [0.6, 2.5])
def test_the_fit_finds_a_known_heads_ears(
    yaw_deg: float, pitch_deg: float, distance_m: float
) -> None:
    landmarks, truth = turned(yaw_deg, pitch_deg, distance_m)
    found = ears(landmarks.astype(np.float32), (640, 320))
    assert found is not None
    breadth_px = 0.152 * 512 / distance_m
    np.testing.assert_allclose(found.points, truth, atol=0.03 * breadth_px)
    # Positive yaw of this rotation turns the face to the picture's left: the left ear shows.
    near, far = (0, 1) if yaw_deg > 0 else (1, 0)
    if abs(yaw_deg) >= 20:
        assert found.shares[near] == pytest.approx(0.85)
        assert found.shares[far] < 0.5
    if abs(yaw_deg) >= 45:
        assert found.shares[far] < 0.1


@pytest.mark.parametrize(
    "landmarks",
    [np.full((5, 2), 100.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)],
)
def test_landmarks_of_no_head_give_no_ears(landmarks: np.ndarray) -> None:
    assert ears(landmarks.astype(np.float32), (640, 320)) is None
