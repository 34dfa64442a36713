"""Where the legs say that somebody is, of drawn bodies."""

import math

import numpy as np
import pytest

from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, camera_model
from vision.core.legs import from_legs
from vision.core.place import locate

#: Shoulders, hips, knees and ankles: how far aside (to both sides), ahead, and up, in metres.
Body = tuple[tuple[int, float, float, float], ...]
ADULT: Body = (
    (5, 0.17, 0.0, 1.39),
    (11, 0.11, 0.0, 0.89),
    (13, 0.11, 0.02, 0.48),
    (15, 0.11, 0, 0.08),
)
CHILD: Body = (
    (5, 0.11, 0.0, 0.88),
    (11, 0.07, 0.0, 0.56),
    (13, 0.07, 0.01, 0.3),
    (15, 0.07, 0, 0.06),
)
SEATED: Body = (
    (5, 0.17, 0.0, 1.0),
    (11, 0.12, 0.02, 0.54),
    (13, 0.12, 0.45, 0.54),
    (15, 0.1, 0.48, 0.14),
)
#: A squat down to the lowest board: knees ahead of the feet, hips behind them.
CROUCHING: Body = (
    (5, 0.17, 0.08, 0.78), (11, 0.12, -0.16, 0.3), (13, 0.15, 0.2, 0.46), (15, 0.12, -0.02, 0.08),
)  # fmt: skip

LOW = camera_model(CameraPose(position_m=(0.0, 0.0, 1.6), pitch_deg=-8.0), 1280, 720)
HIGH = camera_model(CameraPose(position_m=(0.0, 0.0, 2.4), pitch_deg=-22.0), 1280, 720)


def draw(body: Body, camera: CameraModel, at: tuple[float, float], yaw_deg: float) -> np.ndarray:
    """The keypoints of a body at a place whose chest points along `yaw_deg` (0: at the shelf)."""
    yaw = math.radians(yaw_deg)
    left, ahead = (math.cos(yaw), math.sin(yaw)), (math.sin(yaw), -math.cos(yaw))
    keypoints = np.zeros((17, 3), dtype=np.float32)
    for index, aside, before, up in body:
        for joint, side in ((index, aside), (index + 1, -aside)):
            seen = camera.project(
                (
                    at[0] + side * left[0] + before * ahead[0],
                    at[1] + side * left[1] + before * ahead[1],
                    up,
                )
            )
            assert seen is not None
            keypoints[joint] = (*seen, 0.9)
    return keypoints


def found(keypoints: np.ndarray, camera: CameraModel) -> tuple[tuple[float, float], float]:
    legs = from_legs(keypoints, 0.5, camera, 0.5)
    assert legs is not None
    return legs


PLACES = [(0.0, 2.0), (0.8, 2.6), (-0.9, 3.2)]
YAWS = [0.0, 60.0, -90.0, 180.0]


@pytest.mark.parametrize("camera", [LOW, HIGH])
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("yaw_deg", YAWS)
@pytest.mark.parametrize("body", [ADULT, CHILD])
def test_who_stands_is_where_the_ankles_are(
    camera: CameraModel, at: tuple[float, float], yaw_deg: float, body: Body
) -> None:
    point, _ = found(draw(body, camera, at, yaw_deg), camera)
    assert point == pytest.approx(at, abs=0.05)


@pytest.mark.parametrize("camera", [LOW, HIGH])
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("yaw_deg", YAWS[:3])
def test_who_sits_is_where_the_hips_are(
    camera: CameraModel, at: tuple[float, float], yaw_deg: float
) -> None:
    """And not where the feet are, half a metre ahead; from behind, a chair hides those."""
    point, sigma_m = found(draw(SEATED, camera, at, yaw_deg), camera)
    assert math.dist(point, at) < 0.12
    assert sigma_m >= 0.1


@pytest.mark.parametrize("camera", [LOW, HIGH])
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("yaw_deg", YAWS)
def test_who_crouches_is_where_the_feet_are(
    camera: CameraModel, at: tuple[float, float], yaw_deg: float
) -> None:
    point, sigma_m = found(draw(CROUCHING, camera, at, yaw_deg), camera)
    assert math.dist(point, at) < 0.1
    assert camera is HIGH or sigma_m >= 0.2


def test_a_jitter_of_keypoints_sits_nobody_down() -> None:
    """Two pixels of a picture of 640 px, as networks have it."""
    random = np.random.default_rng(4)
    for camera in (LOW, HIGH):
        keypoints = draw(ADULT, camera, (0.4, 2.4), 20.0)
        for _ in range(200):
            noisy = keypoints.copy()
            noisy[:, :2] += random.normal(0.0, 2 / 640, (17, 2)).astype(np.float32)
            assert math.dist(found(noisy, camera)[0], (0.4, 2.4)) < 0.35


@pytest.mark.parametrize("hidden", [(13, 14), (11, 12), (5, 6)])
def test_without_all_joints_the_ankles_are_believed(hidden: tuple[int, ...]) -> None:
    keypoints = draw(ADULT, LOW, (0.5, 2.5), 0.0)
    keypoints[list(hidden), 2] = 0.1
    assert found(keypoints, LOW)[0] == pytest.approx((0.5, 2.5), abs=0.05)


def test_without_ankles_legs_tell_nothing() -> None:
    keypoints = draw(SEATED, LOW, (0.5, 2.5), 0.0)
    keypoints[15:, 2] = 0.1
    assert from_legs(keypoints, 0.5, LOW, 0.5) is None


def test_the_seat_wins_over_feet_and_trunk() -> None:
    place = locate((0.4, 0.3, 0.6, 0.9), draw(SEATED, LOW, (0.0, 2.2), 10.0), None, LOW, 0.5, 7)
    assert place is not None
    assert place.point_m == pytest.approx((0.0, 2.2), abs=0.12)


def test_straight_from_above_nobody_sits() -> None:
    above = camera_model(CameraPose(position_m=(0.0, 0.0, 3.0), pitch_deg=-90.0), 1280, 720)
    keypoints = np.zeros((17, 3), dtype=np.float32)
    keypoints[5:] = (0.5, 0.5, 0.9)
    legs = from_legs(keypoints, 0.3, above, 0.5)
    assert legs is None or math.dist(legs[0], (0.0, 0.0)) < 0.1
