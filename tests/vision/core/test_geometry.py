"""Cameras, rays, polygons."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.layout import CameraPose
from vision.core.geometry import camera_model, contains, distance_to, meet_floor, meet_shelf

SQUARE = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0))
ANGLED = ((0.0, 0.0), (4.0, 0.0), (4.0, 1.0), (1.0, 1.0), (1.0, 4.0), (0.0, 4.0))


def pose(**changes: float) -> CameraPose:
    return CameraPose(position_m=(1.0, 0.0, 1.5), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "seen"),
    [
        ((1.0, 2.0, 1.5), (0.5, 0.5)),  # straight ahead
        ((3.0, 2.0, 1.5), (1.0, 0.5)),  # 45 degrees to the right: the edge of 90 degrees
        ((-1.0, 2.0, 1.5), (0.0, 0.5)),
        ((1.0, 2.0, 2.5), (0.5, 0.0)),  # up: the picture is half as high as wide
        ((1.0, -2.0, 1.5), None),  # behind
    ],
)
def test_a_level_camera_sees_the_world_where_it_is(
    place: tuple[float, float, float], seen: tuple[float, float] | None
) -> None:
    assert camera_model(pose(), 1000, 500).project(place) == pytest.approx(seen)


@pytest.mark.parametrize(
    ("turn", "ahead"),
    [
        ({"yaw_deg": 30.0}, (0.5, math.sqrt(0.75), 0.0)),  # + to the picture's right
        ({"pitch_deg": 30.0}, (0.0, math.sqrt(0.75), 0.5)),  # + upwards
        ({"roll_deg": 30.0}, (0.0, 1.0, 0.0)),
    ],
)
def test_turning_a_camera(turn: dict[str, float], ahead: tuple[float, float, float]) -> None:
    assert camera_model(pose(**turn), 800, 600).ray((0.5, 0.5)) == pytest.approx(ahead)


def test_a_camera_rolled_clockwise_sees_the_right_hand_side_lower_in_the_world() -> None:
    right = camera_model(pose(roll_deg=90.0), 800, 800).ray((1.0, 0.5))
    assert right[2] < -0.5


@given(
    st.floats(-60, 60),
    st.floats(-40, 40),
    st.floats(-30, 30),
    st.floats(0.05, 0.95),
    st.floats(0.05, 0.95),
    st.floats(0.5, 9.0),
)
def test_a_pixels_ray_leads_back_to_the_pixel(
    yaw: float, pitch: float, roll: float, x: float, y: float, reach: float
) -> None:
    camera = camera_model(pose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll), 1280, 720)
    ray = camera.ray((x, y))
    place = tuple(
        start + reach * along for start, along in zip(camera.position_m, ray, strict=True)
    )
    assert camera.project(place) == pytest.approx((x, y), abs=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "direction", "hit"),
    [
        ((0.0, 2.0, 1.0), (0.6, -0.8, 0.0), (1.5, 1.0)),
        ((0.0, 2.0, 1.0), (0.0, 0.8, 0.6), None),  # away from the shelf
        ((0.0, 2.0, 1.0), (1.0, 0.0, 0.0), None),  # along the shelf
    ],
)
def test_a_ray_meets_the_shelf(
    origin: tuple[float, float, float],
    direction: tuple[float, float, float],
    hit: tuple[float, float] | None,
) -> None:
    assert meet_shelf(origin, direction) == pytest.approx(hit)


def test_a_ray_upwards_never_meets_the_floor() -> None:
    assert meet_floor((0.0, 0.0, 1.0), (0.0, 0.8, 0.6)) is None


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.5, 3.0), True), ((3.0, 0.5), True), ((2.0, 2.0), False), ((-0.1, 0.5), False)],
)
def test_point_in_an_angled_polygon(point: tuple[float, float], inside: bool) -> None:
    assert contains(ANGLED, point) is inside


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_distance_is_zero_exactly_inside_and_grows_outside(x: float, y: float) -> None:
    outside = math.hypot(max(-x, 0, x - 2), max(-y, 0, y - 2))
    assert distance_to(SQUARE, (x, y)) == pytest.approx(outside, abs=1e-9)
