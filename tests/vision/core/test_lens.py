"""Lenses: against OpenCV's own projection, and there and back."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.layout import CameraPose
from vision.core.geometry import camera_model
from vision.core.lens import Lens

#: A wide webcam, a decentred one with the rational terms, and a pincushion.
PINHOLES = [
    (-0.32, 0.11, 0.0, 0.0),
    (-0.28, 0.09, 0.0012, -0.0008, -0.01),
    (0.12, 0.05, 0.0005, 0.0003, 0.01, 0.3, 0.02, 0.001),
    (0.08, 0.02, 0.0, 0.0, 0.0),
]
FISHEYES = [(-0.02, 0.003, -0.002, 0.0002), (0.05, -0.01, 0.002, 0.0)]
SIZES = [(1280, 720), (720, 1280)]


def directions(widest_deg: float) -> np.ndarray:
    """(N, 3) unit directions up to so far from the axis, the axis itself among them."""
    angle, around = np.meshgrid(
        np.radians(np.linspace(0.0, widest_deg, 12)), np.linspace(0.0, 2 * math.pi, 16)
    )
    aside = np.sin(angle).ravel()
    around = around.ravel()
    return np.column_stack([aside * np.cos(around), aside * np.sin(around), np.cos(angle).ravel()])


@pytest.mark.parametrize("coefficients", PINHOLES)
def test_a_bent_pinhole_shows_what_opencv_says(coefficients: tuple[float, ...]) -> None:
    rays = directions(35.0)
    expected, _ = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients)
    )
    assert Lens("pinhole", coefficients).plane(rays) == pytest.approx(expected[:, 0], abs=1e-9)


@pytest.mark.parametrize("coefficients", [*FISHEYES, ()])
def test_a_fisheye_shows_what_opencv_says(coefficients: tuple[float, ...]) -> None:
    rays = directions(80.0)
    expected, _ = cv2.fisheye.projectPoints(
        rays[:, None], np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients or [0.0] * 4)
    )
    assert Lens("fisheye", coefficients).plane(rays) == pytest.approx(expected[:, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("lens", "widest_deg"),
    [
        (Lens(), 85.0),
        *((Lens("pinhole", k), 35.0) for k in PINHOLES),
        *((Lens("fisheye", k), 95.0) for k in [*FISHEYES, ()]),
    ],
)
def test_what_is_seen_leads_back_to_its_direction(lens: Lens, widest_deg: float) -> None:
    rays = directions(widest_deg)
    assert lens.directions(lens.plane(rays)) == pytest.approx(rays, abs=1e-7)


def test_a_strong_barrel_does_not_fold_the_world_back_into_the_picture() -> None:
    lens = Lens("pinhole", (-0.4, 0.0, 0.0, 0.0))  # turns back at tan = 0.91
    shown = lens.plane(np.array([[0.5, 0.0, 1.0], [2.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    assert shown[0, 0] == pytest.approx(0.45)
    assert np.isnan(shown[1:]).all()


poses = st.builds(
    CameraPose,
    position_m=st.just((1.0, 0.0, 2.5)),
    yaw_deg=st.floats(-60, 60),
    pitch_deg=st.floats(-60, 20),
    roll_deg=st.floats(-90, 90),
    horizontal_fov_deg=st.floats(40, 75),
    lens=st.just("pinhole"),
    distortion=st.sampled_from([(), *PINHOLES]),
    centre=st.tuples(st.floats(0.45, 0.55), st.floats(0.45, 0.55)),
) | st.builds(
    CameraPose,
    position_m=st.just((1.0, 0.0, 2.5)),
    yaw_deg=st.floats(-60, 60),
    pitch_deg=st.floats(-60, 20),
    horizontal_fov_deg=st.floats(90, 200),
    lens=st.just("fisheye"),
    distortion=st.sampled_from([(), *FISHEYES]),
    centre=st.tuples(st.floats(0.45, 0.55), st.floats(0.45, 0.55)),
)


@settings(max_examples=100, deadline=None)
@given(poses, st.sampled_from(SIZES), st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.5, 9.0))
def test_a_pixels_ray_leads_back_to_the_pixel_through_every_lens(
    pose: CameraPose, size: tuple[int, int], x: float, y: float, reach: float
) -> None:
    camera = camera_model(pose, *size)
    ray = camera.ray((x, y))
    assert math.hypot(*ray) == pytest.approx(1.0)
    point = np.array([[x, y]])
    plane = (point - camera.centre) * size / camera.focal_px
    if (
        np.hypot(*plane[0])
        > Lens(pose.lens, pose.distortion)
        .plane(directions(math.degrees(camera.lens.widest_rad) - 0.1))[:, 0]
        .max()
    ):
        return  # the corner of a picture that is wider than its lens
    at = np.asarray(camera.position_m) + reach * np.asarray(ray)
    assert camera.project((at[0], at[1], at[2])) == pytest.approx((x, y), abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lens", ["pinhole", "fisheye"])
def test_the_angle_of_view_is_the_horizontal_one_in_landscape_and_portrait(
    lens: str, size: tuple[int, int]
) -> None:
    pose = CameraPose(position_m=(0.0, 0.0, 1.5), horizontal_fov_deg=100.0, lens=lens)  # type: ignore[arg-type]
    right = camera_model(pose, *size).ray((1.0, 0.5))
    assert math.degrees(math.atan2(right[0], right[1])) == pytest.approx(50.0)


def test_a_fisheye_sees_behind_itself() -> None:
    pose = CameraPose(position_m=(0.0, 0.0, 1.5), horizontal_fov_deg=200.0, lens="fisheye")
    camera = camera_model(pose, 1000, 1000)
    assert camera.ray((1.0, 0.5))[1] < 0
    assert camera.project((5.0, -0.5, 1.5)) is not None
    assert np.isnan(camera.undistort(np.array([[0.99, 0.5]]))).all()


@pytest.mark.parametrize("coefficients", PINHOLES)
def test_undistorted_keypoints_give_solvepnp_the_true_pose(
    coefficients: tuple[float, ...],
) -> None:
    pose = CameraPose(
        position_m=(0.0, 0.0, 1.5),
        horizontal_fov_deg=70.0,
        distortion=coefficients,
        centre=(0.48, 0.53),
    )
    camera = camera_model(pose, 1280, 720)
    model = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.3, 0.1], [-0.3, 0.2, 0], [0.1, -0.3, 0.2]])
    turn, shift = np.array([0.1, -0.4, 0.05]), np.array([0.3, -0.2, 2.0])
    seen = camera.picture(model @ cv2.Rodrigues(turn)[0].T + shift)
    found, turned, shifted = cv2.solvePnP(
        model, camera.undistort(seen), np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP
    )
    assert found
    assert turned[:, 0] == pytest.approx(turn, abs=1e-5)
    assert shifted[:, 0] == pytest.approx(shift, abs=1e-5)


def test_a_drawing_through_a_pinhole_is_bent_as_the_lens_bends_it() -> None:
    fisheye = camera_model(
        CameraPose(position_m=(0.0, 0.0, 1.5), horizontal_fov_deg=120.0, lens="fisheye"), 320, 240
    )
    drawn = camera_model(
        CameraPose(position_m=(0.0, 0.0, 1.5), yaw_deg=10.0, horizontal_fov_deg=140.0), 800, 600
    )
    picture = np.zeros((600, 800), dtype=np.uint8)
    place = (0.6, 2.0, 1.3)
    point = drawn.project(place)
    assert point is not None
    cv2.circle(picture, (round(point[0] * 800 - 0.5), round(point[1] * 600 - 0.5)), 6, 255, -1)
    bent = cv2.remap(picture, *fisheye.remap_from(drawn), cv2.INTER_LINEAR)
    rows, columns = np.nonzero(bent > 128)
    seen = fisheye.project(place)
    assert seen is not None
    middle = ((columns.mean() + 0.5) / 320, (rows.mean() + 0.5) / 240)
    assert middle == pytest.approx(seen, abs=0.004)
