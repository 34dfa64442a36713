"""Floors and rays in the picture."""

import numpy as np
import pytest

from streams.contracts.layout import CameraPose
from vision.core.gaze import Direction
from vision.core.geometry import CameraModel, camera_model
from vision.preview.projection import cut_to_picture, floor_in_picture, ray_in_picture

SIZE = (640, 360)


def test_a_floor_that_is_wholly_seen_keeps_its_corners(camera: CameraModel) -> None:
    floor = ((0.5, 4.0), (2.5, 4.0), (2.5, 6.0), (0.5, 6.0))
    polygon = floor_in_picture(camera, floor, SIZE)
    assert polygon is not None
    expected = [np.array(camera.project((x, y, 0.0))) * SIZE for x, y in floor]
    assert sorted(map(tuple, polygon.round(6))) == sorted(tuple(e.round(6)) for e in expected)


def test_a_floor_around_and_behind_the_camera_is_cut_to_the_picture(camera: CameraModel) -> None:
    floor = ((-9.0, -9.0), (9.0, -9.0), (9.0, 30.0), (-9.0, 30.0))
    polygon = floor_in_picture(camera, floor, SIZE)
    assert polygon is not None
    assert polygon.min() >= -1e-6
    assert (polygon <= np.array(SIZE) + 1e-6).all()
    # From the lower edge to where 30 m away is, just under the horizon.
    assert polygon[:, 1].max() == pytest.approx(360)
    far = camera.project((0.0, 30.0, 0.0))
    assert far is not None
    assert polygon[:, 1].min() == pytest.approx(far[1] * 360)


@pytest.mark.parametrize("y_m", [-4.0, -0.5])
def test_a_floor_behind_the_camera_is_not_seen(camera: CameraModel, y_m: float) -> None:
    floor = ((0.0, y_m - 1), (3.0, y_m - 1), (3.0, y_m), (0.0, y_m))
    assert floor_in_picture(camera, floor, SIZE) is None


def test_what_lies_outside_the_picture_is_cut_away() -> None:
    square = np.array([(-10.0, -10.0), (10.0, -10.0), (10.0, 10.0), (-10.0, 10.0)])
    cut = cut_to_picture(square, SIZE)
    assert cut is not None
    assert sorted(map(tuple, cut)) == [(0, 0), (0, 10), (10, 0), (10, 10)]
    assert cut_to_picture(square - 100, SIZE) is None


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "to"),
    [(30, 0, (1, 0)), (-30, 0, (-1, 0)), (0, 25, (0, -1)), (0, -25, (0, 1))],
)
def test_a_ray_points_where_the_face_does(
    camera: CameraModel, yaw_deg: float, pitch_deg: float, to: tuple[int, int]
) -> None:
    direction = Direction(yaw_deg, pitch_deg, 4.0, 4.0, 0)
    ray = ray_in_picture(camera, (1.5, 1.5, 1.5), direction, 6.0, SIZE)
    assert ray is not None
    along = ray.tip[0] * to[0] + ray.tip[1] * to[1]
    aside = ray.tip[0] * to[1] - ray.tip[1] * to[0]
    assert along > 10
    assert aside == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(ray.rim.mean(axis=0) - ray.tip) < 8


def test_the_cone_is_wider_the_less_is_known(camera: CameraModel) -> None:
    def width(sigma_deg: float) -> float:
        direction = Direction(0.0, 0.0, sigma_deg, sigma_deg, 0)
        ray = ray_in_picture(camera, (1.5, 1.5, 1.5), direction, 6.0, SIZE)
        assert ray is not None
        return float(np.ptp(ray.rim[:, 0]))

    assert width(20.0) > 1.5 * width(8.0) > 2 * width(0.0) * 0.7


def test_a_head_behind_the_camera_has_no_ray(camera: CameraModel) -> None:
    direction = Direction(0.0, 0.0, 5.0, 5.0, 0)
    assert ray_in_picture(camera, (1.5, -1.0, 1.5), direction, 6.0, SIZE) is None


def test_a_floor_seen_by_a_fisheye_has_bent_edges() -> None:
    fisheye = camera_model(
        CameraPose(
            position_m=(0.0, 0.0, 2.5), pitch_deg=-60.0, lens="fisheye", horizontal_fov_deg=180.0
        ),
        640,
        640,
    )
    floor = ((-2.0, 2.5), (2.0, 2.5), (2.0, 3.5), (-2.0, 3.5))
    seen = floor_in_picture(fisheye, floor, (640, 640))
    assert seen is not None
    middle = fisheye.project((0.0, 2.5, 0.0))
    assert middle is not None
    assert np.abs(seen / 640 - middle).sum(axis=1).min() < 0.002
    corner = fisheye.project((2.0, 2.5, 0.0))
    assert corner is not None
    assert abs(middle[1] - corner[1]) > 0.005
