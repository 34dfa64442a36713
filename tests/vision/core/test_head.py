"""Head pose from keypoints whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest

from vision.core.gaze import direction_of
from vision.core.geometry import CameraModel
from vision.core.head import estimate_head

HEADS = [(1.5, 1.5, 1.6), (0.6, 2.0, 1.7), (2.6, 2.5, 1.5)]


@pytest.mark.parametrize("head_m", HEADS)
@pytest.mark.parametrize("yaw_deg", [-40.0, -20.0, 0.0, 20.0, 40.0])
@pytest.mark.parametrize("pitch_deg", [-20.0, 0.0, 15.0])
def test_pose_and_place_of_a_clear_face(
    camera: CameraModel,
    draw_face: Callable[..., np.ndarray],
    head_m: tuple[float, float, float],
    yaw_deg: float,
    pitch_deg: float,
) -> None:
    keypoints = draw_face(camera, head_m, yaw_deg, pitch_deg)
    head = estimate_head(keypoints, camera, 0.5)
    assert head is not None
    seen = direction_of(camera.direction_to_world(head.direction), 0, 0, 0)
    # The priors draw a nodding or turned face a little towards the camera.
    assert seen.yaw_deg == pytest.approx(yaw_deg, abs=5)
    assert seen.pitch_deg == pytest.approx(pitch_deg, abs=6)
    assert camera.to_world(head.position_m) == pytest.approx(head_m, abs=0.15)


@pytest.mark.parametrize(
    ("hidden", "yaw_deg"),
    [((3, 4), 0.0), ((3, 4), 15.0), ((4,), -30.0), ((3,), 30.0), ((2, 4), -50.0)],
)
def test_some_points_are_enough(
    camera: CameraModel,
    draw_face: Callable[..., np.ndarray],
    hidden: tuple[int, ...],
    yaw_deg: float,
) -> None:
    keypoints = draw_face(camera, (1.5, 1.5, 1.6), yaw_deg)
    whole = estimate_head(keypoints, camera, 0.5)
    keypoints[list(hidden), 2] = 0.1
    head = estimate_head(keypoints, camera, 0.5)
    assert head is not None
    assert whole is not None
    # Of a profile, three points remain: the priors draw it towards the camera.
    assert head.yaw_deg == pytest.approx(yaw_deg, abs=15)
    assert head.yaw_sigma_deg > whole.yaw_sigma_deg


@pytest.mark.parametrize(
    "hidden",
    [
        (0, 1, 2),  # seen from behind: only ears
        (0,),  # no nose
        (1, 2),  # no eye
        (2, 3, 4),  # a nose and an eye are not enough
        (0, 1, 2, 3, 4),
    ],
)
def test_too_little_of_a_face_is_no_head(
    camera: CameraModel, draw_face: Callable[..., np.ndarray], hidden: tuple[int, ...]
) -> None:
    keypoints = draw_face(camera, (1.5, 1.5, 1.6), 0.0)
    keypoints[list(hidden), 2] = 0.2
    assert estimate_head(keypoints, camera, 0.5) is None


@pytest.mark.parametrize("yaw_deg", [100.0, -120.0, 180.0])
def test_a_face_that_is_turned_away_is_no_head(
    camera: CameraModel, draw_face: Callable[..., np.ndarray], yaw_deg: float
) -> None:
    """Even if the network claims to see all points of it."""
    assert estimate_head(draw_face(camera, (1.5, 1.5, 1.6), yaw_deg), camera, 0.5) is None


def test_a_small_face_is_less_certain(
    camera: CameraModel, draw_face: Callable[..., np.ndarray]
) -> None:
    near = estimate_head(draw_face(camera, (1.5, 1.0, 1.6), 10.0), camera, 0.5)
    far = estimate_head(draw_face(camera, (1.5, 5.0, 1.6), 10.0), camera, 0.5)
    assert near is not None
    assert far is not None
    assert far.yaw_sigma_deg > near.yaw_sigma_deg
    assert far.pitch_sigma_deg > near.pitch_sigma_deg


def test_points_in_one_place_are_no_head_and_no_error(camera: CameraModel) -> None:
    keypoints = np.full((17, 3), 0.5, dtype=np.float32)
    head = estimate_head(keypoints, camera, 0.4)
    assert head is None or head.yaw_sigma_deg > 10
