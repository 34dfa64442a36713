"""Head pose from keypoints whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest

from streams.contracts.layout import CameraPose
from vision.core.gaze import direction_of
from vision.core.geometry import CameraModel, camera_model
from vision.core.head import HeadReading, estimate_head, fuse, reading_of

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


def reading(yaw_deg: float, pitch_deg: float, sigma_deg: float = 4.0) -> HeadReading:
    return HeadReading(yaw_deg, pitch_deg, 0.0, sigma_deg, sigma_deg, 60.0)


def test_two_that_agree_are_one_that_is_more_certain() -> None:
    mean, sigmas = fuse(np.array([10.0, 0.0]), np.array([8.0, 8.0]), reading(14.0, -2.0))
    # Inverse-variance weights are 1 to 4.
    np.testing.assert_allclose(mean, [13.2, -1.6], atol=0.1)
    np.testing.assert_allclose(sigmas, [3.58, 3.58], atol=0.2)


def test_a_network_that_has_gone_astray_is_hardly_believed() -> None:
    mean, sigmas = fuse(np.array([0.0, 0.0]), np.array([6.0, 6.0]), reading(60.0, 0.0))
    assert abs(mean[0]) < 1.0
    assert sigmas[0] == pytest.approx(6.0, abs=1.5)
    between, unsure = fuse(np.array([0.0, 0.0]), np.array([6.0, 6.0]), reading(16.0, 0.0))
    assert 0.0 < between[0] < 11.0
    assert unsure[0] > 3.5


@pytest.mark.parametrize("yaw_deg", [-30.0, 0.0, 25.0])
def test_the_network_draws_a_head_in_its_place_wherever_it_stands(
    camera: CameraModel, draw_face: Callable[..., np.ndarray], yaw_deg: float
) -> None:
    """Its angles are against the line of sight, which runs aside to a head at the edge."""
    head_m = (2.6, 2.5, 1.5)
    x, y, z = np.subtract(head_m, camera.position_m)
    aside_deg = np.degrees(np.arctan2(x, y))
    keypoints = draw_face(camera, head_m, yaw_deg)
    # Who looks straight at the shelf from the right is seen turned to the right.
    told = reading(yaw_deg + aside_deg, np.degrees(np.arctan2(z, np.hypot(x, y))), 1.0)
    alone = estimate_head(keypoints, camera, 0.5)
    both = estimate_head(keypoints, camera, 0.5, told)
    assert alone is not None
    assert both is not None
    seen = direction_of(camera.direction_to_world(both.direction), 0, 0, 0)
    assert seen.yaw_deg == pytest.approx(yaw_deg, abs=1.5)
    assert both.yaw_sigma_deg < alone.yaw_sigma_deg
    assert both.position_m == alone.position_m


def test_a_row_of_the_detector_is_a_reading_or_none() -> None:
    assert reading_of(np.zeros(6, np.float32)) is None
    row = np.array([1, 2, 3, 4, 5, 60], np.float32)
    assert reading_of(row) == HeadReading(1.0, 2.0, 3.0, 4.0, 5.0, 60.0)


def test_a_lens_that_bends_the_picture_does_not_turn_heads(
    draw_face: Callable[..., np.ndarray],
) -> None:
    pose = CameraPose(position_m=(1.5, 0.0, 1.6), horizontal_fov_deg=100.0)
    straight = camera_model(pose, 1280, 720)
    bent = camera_model(
        CameraPose(position_m=pose.position_m, horizontal_fov_deg=150.0, lens="fisheye"), 1280, 720
    )
    keypoints = draw_face(straight, (2.9, 1.8, 1.6), 10.0)
    seen = keypoints.copy()
    seen[:, :2] = bent.picture(straight.directions(keypoints[:, :2].astype(float)))
    one, other = (estimate_head(k, c, 0.5) for k, c in ((keypoints, straight), (seen, bent)))
    assert one is not None
    assert other is not None
    assert other.yaw_deg == pytest.approx(one.yaw_deg, abs=2.0)
    assert other.position_m == pytest.approx(one.position_m, abs=0.1)
