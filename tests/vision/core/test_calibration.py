import msgspec
import numpy as np
import pytest

from streams.contracts.layout import CameraPose, Point
from vision.core.calibration import Known, Seen, calibration_version, fit_pose, floor_point
from vision.core.geometry import camera_model
from vision.core.surfaces import Rectangle, check_points, place_screen
from vision.errors import CalibrationRefused

ASPECT = 720 / 1280

OUT = CameraPose(
    position_m=(1.5, 0.0, 2.3), yaw_deg=5.0, pitch_deg=-20.0, roll_deg=1.0, horizontal_fov_deg=90.0
)
#: Across the aisle, looking at the shelf.
IN = CameraPose(
    position_m=(1.0, 3.5, 2.6), yaw_deg=175.0, pitch_deg=-20.0, roll_deg=-1.0, horizontal_fov_deg=80
)
FISHEYE = msgspec.structs.replace(OUT, lens="fisheye", horizontal_fov_deg=150.0)

FLOOR = Rectangle("floor", (0.5, 2.5), (2.3, 3.5))
OPPOSITE = Rectangle("opposite", (0.0, 3.0), (0.2, 2.05), away_m=4.4)
SHELF = Rectangle("shelf", (0.0, 2.5), (0.3, 2.0))
FLOOR_IN = Rectangle("floor", (0.3, 2.0), (0.2, 0.8), inwards=True)


def seen(pose: CameraPose, *rectangles: Rectangle, noise: float = 0.0) -> list[Seen]:
    camera, rng = camera_model(pose, 1280, 720), np.random.default_rng(1)
    found = []
    for corner in (c for r in rectangles for c in r.corners()):
        point = camera.project(corner)
        assert point is not None
        x, y = np.array(point) + rng.normal(0, noise, 2)
        found.append(Seen(corner, (float(x), float(y))))
    return found


@pytest.mark.parametrize(
    ("pose", "rectangles", "known"),
    [
        (OUT, (FLOOR,), Known(80.0)),
        (OUT, (OPPOSITE,), Known(80.0, y_m=0.0, z_m=2.3)),
        (OUT, (OPPOSITE, FLOOR), Known(70.0)),
        (OUT, (OPPOSITE,), Known(90.0, fov_is_measured=True)),
        (IN, (SHELF,), Known(75.0)),
        (IN, (SHELF, FLOOR_IN), Known(95.0)),
        (FISHEYE, (OPPOSITE, FLOOR), Known(140.0, lens=FISHEYE)),
    ],
)
def test_the_camera_is_found_from_what_it_shows(
    pose: CameraPose, rectangles: tuple[Rectangle, ...], known: Known
) -> None:
    fit = fit_pose(seen(pose, *rectangles, noise=0.0007), known, ASPECT)
    assert fit.pose.position_m == pytest.approx(pose.position_m, abs=4 * fit.place_sigma_m)
    assert fit.place_sigma_m < 0.3
    for angle in ("yaw_deg", "pitch_deg", "roll_deg"):
        off = getattr(fit.pose, angle) - getattr(pose, angle)
        assert abs((off + 180) % 360 - 180) < max(0.5, 4 * fit.angle_sigma_deg)
    assert fit.pose.horizontal_fov_deg == pytest.approx(
        pose.horizontal_fov_deg, abs=max(0.3, 4 * fit.fov_sigma_deg)
    )
    assert fit.fov_measured
    assert fit.error < 0.002


def test_what_the_points_leave_open_stays_at_the_guess() -> None:
    """A plane seen square from the front tells focal length and distance only together."""
    square = CameraPose(position_m=(1.5, 0.0, 1.2), horizontal_fov_deg=60.0)
    far = Rectangle("opposite", (0.5, 2.5), (0.7, 1.7), away_m=5.0)
    with pytest.raises(CalibrationRefused, match="open by"):
        fit_pose(seen(square, far), Known(60.0), ASPECT)
    fit = fit_pose(seen(square, far), Known(60.0, y_m=0.0), ASPECT)
    assert fit.pose.horizontal_fov_deg == pytest.approx(60.0, abs=0.5)


def _moved(points: list[Seen], order: tuple[int, ...]) -> list[Seen]:
    return [Seen(points[i].place_m, points[j].point) for i, j in enumerate(order)]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ((1, 0, 2, 3), "cross"),
        ((0, 2, 1, 3), "cross"),
        ((1, 0, 3, 2), "wrong way round"),
        ((3, 2, 1, 0), "wrong way round"),
        ((0, 0, 2, 3), "on one another"),
    ],
)
def test_corners_in_the_wrong_order_are_refused(order: tuple[int, ...], says: str) -> None:
    with pytest.raises(CalibrationRefused, match=says):
        fit_pose(_moved(seen(OUT, FLOOR), order), Known(90.0), ASPECT)


@pytest.mark.parametrize("order", [(1, 2, 3, 0), (2, 3, 0, 1)])
def test_corners_turned_round_do_not_pass(order: tuple[int, ...]) -> None:
    """Still a proper quadrilateral: only the fit can tell, by the sizes or by the floor."""
    with pytest.raises(CalibrationRefused):
        fit_pose(_moved(seen(OUT, OPPOSITE, FLOOR)[:4], order), Known(90.0, y_m=0, z_m=2.3), ASPECT)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (((0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.1, 0.9)), "one line"),
        (((0.5, 0.5), (0.52, 0.5), (0.52, 0.52), (0.5, 0.52)), "too small"),
        (((0.0, 0.1), (0.5, 0.1), (0.5, 0.9), (0.1, 0.9)), "edge"),
    ],
)
def test_points_that_say_too_little_are_refused(points: tuple[Point, ...], says: str) -> None:
    with pytest.raises(CalibrationRefused, match=says):
        check_points(points)


def test_too_few_points_and_wrong_sizes_are_refused() -> None:
    with pytest.raises(CalibrationRefused, match="four points"):
        fit_pose(seen(OUT, FLOOR)[:3], Known(90.0), ASPECT)
    with pytest.raises(CalibrationRefused, match="no size"):
        Rectangle("floor", (2.0, 1.0), (1.0, 2.0))
    with pytest.raises(CalibrationRefused, match="across the aisle"):
        Rectangle("opposite", (0.0, 1.0), (1.0, 2.0))


def test_a_screen_elsewhere_is_placed() -> None:
    corners = ((0.6, 3.0, 2.4), (1.6, 3.1, 2.4), (1.6, 3.1, 1.8), (0.6, 3.0, 1.8))
    camera = camera_model(OUT, 1280, 720)
    points = [camera.project(c) for c in corners]
    found, error = place_screen(camera, [p for p in points if p], float(np.hypot(1.0, 0.1)), 0.6)
    assert np.array(found) == pytest.approx(np.array(corners), abs=0.005)
    assert error < 1e-6
    with pytest.raises(CalibrationRefused, match="measure its picture again"):
        place_screen(camera, [p for p in points if p], 0.6, 1.0)


def test_the_floor_follows_from_the_pose() -> None:
    camera = camera_model(OUT, 1280, 720)
    point = camera.project((2.0, 3.0, 0.0))
    assert point is not None
    assert floor_point(camera, point) == pytest.approx((2.0, 3.0))
    assert floor_point(camera, (0.5, 0.0)) is None


def test_the_version_is_of_the_content() -> None:
    one = calibration_version(OUT, (), "2026-11-22")
    assert one == calibration_version(OUT, (), "2026-11-22")
    assert one != calibration_version(IN, (), "2026-11-22")
    assert one.startswith("cal-2026-11-22-")
