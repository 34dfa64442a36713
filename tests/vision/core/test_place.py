"""Where people stand."""

from collections.abc import Callable

import numpy as np
import pytest

from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, camera_model
from vision.core.head import estimate_head
from vision.core.place import Place, anchor, follow, locate


def body(camera: CameraModel, x: float, y: float) -> np.ndarray:
    """Shoulders and hips of an average adult who faces away at (x, y) on the floor."""
    keypoints = np.zeros((17, 3), dtype=np.float32)
    joints = {5: (0.17, 1.42), 6: (-0.17, 1.42), 11: (0.1, 0.92), 12: (-0.1, 0.92)}
    for index, (aside, up) in joints.items():
        seen = camera.project((x + aside, y, up))
        assert seen is not None
        keypoints[index] = (*seen, 0.9)
    return keypoints


def test_a_face_tells_best(camera: CameraModel, draw_face: Callable[..., np.ndarray]) -> None:
    keypoints = draw_face(camera, (1.0, 2.0, 1.6), 10.0)
    head = estimate_head(keypoints, camera, 0.5)
    place = locate((0.3, 0.3, 0.5, 1.0), keypoints, head, camera, 0.5, 0)
    assert place is not None
    assert place.point_m == pytest.approx((1.0, 2.0), abs=0.2)


@pytest.mark.parametrize(("hidden", "y"), [((), 2.5), ((11, 12), 1.5)])
def test_a_back_tells_the_place_too(camera: CameraModel, hidden: tuple[int, ...], y: float) -> None:
    keypoints = body(camera, 2.0, y)
    keypoints[list(hidden), 2] = 0.0
    place = locate((0.5, 0.3, 0.7, 1.0), keypoints, None, camera, 0.5, 0)
    assert place is not None
    assert place.point_m == pytest.approx((2.0, y), abs=0.2)


def test_shoulders_alone_tell_nothing_from_afar(camera: CameraModel) -> None:
    """From the side they look as if they were twice as far away."""
    keypoints = body(camera, 2.0, 2.5)
    keypoints[11:13, 2] = 0.0
    assert locate((0.5, 0.3, 0.7, 1.0), keypoints, None, camera, 0.5, 0) is None


@pytest.mark.parametrize("seen", [(15, 16), (15,)])
def test_ankles_tell_the_place(seen: tuple[int, ...]) -> None:
    """Of a child too, whom a face or a trunk would put far behind."""
    high = camera_model(CameraPose(position_m=(0.0, 0.0, 2.5), pitch_deg=-25.0), 1280, 720)
    keypoints = np.zeros((17, 3), dtype=np.float32)
    ankle = high.project((1.0, 4.0, 0.08))
    assert ankle is not None
    keypoints[list(seen)] = (*ankle, 0.9)
    keypoints[[5, 6]] = [(*ankle, 0.9), (ankle[0] + 0.02, ankle[1] - 0.3, 0.9)]
    box = (ankle[0] - 0.05, ankle[1] - 0.4, ankle[0] + 0.05, ankle[1] + 0.02)
    place = locate(box, keypoints, None, high, 0.5, 7)
    assert place is not None
    assert place.point_m == pytest.approx((1.0, 4.0), abs=1e-4)
    assert place.at_ms == 7
    assert place.sigma_m < 0.2


def test_where_a_box_ends_tells_nothing(camera: CameraModel) -> None:
    """Near the shelf the picture cuts a body off, often a little above its own edge."""
    keypoints = body(camera, 2.0, 1.2)
    place = locate((0.5, 0.1, 0.7, 0.96), keypoints, None, camera, 0.5, 0)
    assert place is not None
    assert place.point_m == pytest.approx((2.0, 1.2), abs=0.2)


def test_a_box_without_feet_or_body_tells_nothing(camera: CameraModel) -> None:
    nothing = np.zeros((17, 3), dtype=np.float32)
    assert locate((0.4, 0.2, 0.6, 1.0), nothing, None, camera, 0.5, 0) is None


def test_following_trusts_a_sharp_place_more() -> None:
    before = Place((0.0, 2.0), 0.1, 0)
    sharp = follow(before, Place((1.0, 2.0), 0.05, 200))
    vague = follow(before, Place((1.0, 2.0), 1.0, 200))
    assert sharp.point_m[0] > 0.9
    assert vague.point_m[0] < 0.2
    assert follow(None, before).point_m == before.point_m


def test_following_learns_the_velocity() -> None:
    place = None
    for step in range(8):
        place = follow(place, Place((0.24 * step, 2.0), 0.1, 200 * step))
    assert place is not None
    assert place.motion is not None
    assert place.motion.vx == pytest.approx(1.2, abs=0.15)
    assert place.point_m[0] == pytest.approx(1.68, abs=0.05)
    assert place.seen_sigma_m == 0.1


@pytest.mark.parametrize(
    ("box", "point"),
    [
        ((0.2, 0.1, 0.4, 0.8), (0.3, 0.8)),
        ((0.2, 0.1, 0.4, 1.0), (0.3, 0.985)),  # cut off: just inside the picture
        ((0.0, 0.1, 0.0, 1.2), (0.0, 0.985)),
    ],
)
def test_the_anchor_lies_in_the_picture(
    box: tuple[float, float, float, float], point: tuple[float, float]
) -> None:
    assert anchor(box) == pytest.approx(point)
