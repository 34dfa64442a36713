"""Shoppers are drawn where and as large as the camera's own model has them, turned as they are."""

import math
import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest

from infra.simulator.camera import NEAREST_M, ShelfCamera, eyes_px
from infra.simulator.clothes import WARDROBE
from infra.simulator.people import Person
from infra.simulator.pixels import Image
from streams.contracts.layout import CameraPose
from vision.core.geometry import camera_model

POSE = CameraPose(position_m=(1.5, 0.0, 1.55), pitch_deg=-3.0, horizontal_fov_deg=75.0)
SIZE = (640, 480)


def shopper(**changed: object) -> Person:
    person = Person("p", 1.5, 1.5, 1.7, 0.0, 0.0, None, 0)
    return replace(person, **changed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def camera() -> ShelfCamera:
    return ShelfCamera(POSE, *SIZE)


def changed(camera: ShelfCamera, frame: Image) -> Image:
    difference = cv2.absdiff(frame, camera.render([])).max(axis=2)
    return np.asarray(difference > 24, np.uint8)


def eyes(camera: ShelfCamera, person: Person) -> tuple[float, float]:
    seen = eyes_px(camera.model, person)
    assert seen is not None
    return seen


def test_eyes_are_where_the_pinhole_has_them_by_hand() -> None:
    level = CameraPose(position_m=(0.0, 0.0, 1.5), horizontal_fov_deg=90.0)
    person = Person("p", 0.4, 2.085, 1.8, 0.0, 0.0, None, 0)
    # Focal length 400 px, eyes 85 mm before the axis: 2 m away, 0.4 m aside is 80 px, 0.185 m up
    # is 37 px.
    assert eyes_px(camera_model(level, 800, 600), person) == pytest.approx((480.0, 263.0), abs=0.5)


@pytest.mark.parametrize("y", [1.3, 2.0])
def test_a_head_in_the_picture_is_as_high_and_as_tall_as_a_head(
    camera: ShelfCamera, y: float
) -> None:
    person = shopper(y_m=y)
    mask = changed(camera, camera.render([person]))
    top = int(np.flatnonzero(mask.any(axis=1))[0])
    x, row = eyes(camera, person)
    above = 0.115 * camera.model.focal_px / y
    assert top == pytest.approx(row - above, abs=3.5)
    columns = np.flatnonzero(mask[round(row)])
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(x, abs=2.0)
    # 150 mm of head and two ears that stand out.
    breadth = (columns[-1] - columns[0]) * y / camera.model.focal_px
    assert 0.15 < breadth < 0.21


def test_a_head_at_the_edge_that_faces_the_camera_looks_frontal(camera: ShelfCamera) -> None:
    aside, ahead = 0.9, 1.5
    bearing = math.degrees(math.atan2(aside, ahead))
    person = shopper(x_m=1.5 + aside, y_m=ahead, head_yaw_deg=-bearing, appearance=1)
    mask = changed(camera, camera.render([person]))
    x, row = eyes(camera, person)
    columns = np.flatnonzero(mask[round(row)])
    left, right = x - columns[0], columns[-1] - x
    # The pinhole stretches what is to the outside by a few percent, no more.
    assert left == pytest.approx(right, rel=0.12)
    turned = changed(camera, camera.render([replace(person, head_yaw_deg=0.0)]))
    x, row = eyes(camera, replace(person, head_yaw_deg=0.0))
    columns = np.flatnonzero(turned[round(row)])
    assert columns[-1] - x < 0.75 * (x - columns[0])


def test_two_cameras_see_one_person_from_two_sides(camera: ShelfCamera) -> None:
    opposite = ShelfCamera(
        CameraPose(position_m=(1.5, 3.5, 1.55), yaw_deg=180.0, horizontal_fov_deg=75.0), *SIZE
    )
    person = shopper(y_m=1.75, appearance=1)
    front, back = camera.render([person]), opposite.render([person])
    skin = [_skin_share(view, frame, person) for view, frame in ((camera, front), (opposite, back))]
    assert skin[0] > 0.5
    assert skin[1] < 0.1
    # What is to one camera's right is to the other's left.
    aside = replace(person, x_m=1.9)
    assert eyes(camera, aside)[0] > SIZE[0] / 2 + 40
    assert eyes(opposite, aside)[0] < SIZE[0] / 2 - 40


def _skin_share(camera: ShelfCamera, frame: Image, person: Person) -> float:
    """How much of the picture at the height of nose and cheeks is skin: red, and bright."""
    x, y = (round(v) for v in eyes(camera, person))
    piece = frame[y + 2 : y + 10, x - 10 : x + 10].astype(int)
    skin = (piece[..., 2] > 120) & (piece[..., 2] - piece[..., 0] > 35)
    return float(skin.mean())


def test_who_is_nearer_hides_who_is_farther(camera: ShelfCamera) -> None:
    near, far = shopper(appearance=0), shopper(y_m=2.6, appearance=2)
    assert np.array_equal(camera.render([near, far]), camera.render([far, near]))
    x, row = (round(v) for v in eyes(camera, near))
    alone = camera.render([near])
    both = camera.render([far, near])
    assert np.array_equal(both[row + 90, x], alone[row + 90, x])
    assert np.array_equal(both[row, x], alone[row, x])


def test_appearances_differ_in_coat_and_face(camera: ShelfCamera) -> None:
    frames = [camera.render([shopper(appearance=i)]) for i in range(len(WARDROBE))]
    for i, frame in enumerate(frames):
        for other in frames[:i]:
            assert np.abs(frame.astype(int) - other.astype(int)).mean() > 0.5


def test_a_child_has_a_smaller_face_and_a_chair_stands_round_who_sits(camera: ShelfCamera) -> None:
    def width(kind: str, up_m: float) -> int:
        person = shopper(y_m=2.2, height_m=1.3, kind=kind)
        mask = changed(camera, camera.render([person]))
        _, row = eyes(camera, person)
        columns = np.flatnonzero(mask[round(row - up_m * camera.model.focal_px / person.y_m)])
        return int(columns[-1] - columns[0])

    assert width("child", 0.0) < 0.95 * width("adult", 0.0)
    assert width("wheelchair", -0.65) > 1.2 * width("adult", -0.65)


def test_nobody_behind_or_too_near_the_camera_is_drawn(camera: ShelfCamera) -> None:
    empty = camera.render([])
    for y in (-1.0, 0.0, 0.8 * NEAREST_M):
        assert np.array_equal(camera.render([shopper(y_m=y)]), empty)


@pytest.mark.parametrize(
    "pose",
    [
        CameraPose(position_m=(1.5, 2.0, 3.0), pitch_deg=-85.0, lens="fisheye",
                   horizontal_fov_deg=185.0),
        CameraPose(position_m=(1.5, 0.0, 1.6), horizontal_fov_deg=100.0,
                   distortion=(-0.25, 0.06, 0.0, 0.0)),
        CameraPose(position_m=(-0.5, 0.2, 2.4), yaw_deg=45.0, pitch_deg=-15.0, roll_deg=8.0,
                   horizontal_fov_deg=90.0),
    ],
    ids=["fisheye", "distorted", "turned"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(480, 360), (270, 480)])
def test_any_lens_and_format_shows_the_shopper_in_place(
    pose: CameraPose, size: tuple[int, int]
) -> None:
    view = ShelfCamera(pose, *size)
    person = shopper(y_m=1.6)
    mask = changed(view, view.render([person]))
    x, y = (round(v) for v in eyes(view, person))
    assert mask.any()
    if 3 < x < size[0] - 3 and 3 < y < size[1] - 3:
        assert mask[y - 3 : y + 4, x - 3 : x + 4].any()


def test_frames_are_fresh_and_memory_does_not_grow(camera: ShelfCamera) -> None:
    people = [shopper(), shopper(x_m=2.2, head_yaw_deg=-20.0, stride=0.3, appearance=2)]
    first = camera.render(people)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(camera.render(people), kept)
    tracemalloc.start()
    try:
        camera.render(people)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            camera.render(people)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < kept.nbytes


def test_the_same_store_for_two_cameras_of_one_pose() -> None:
    one, two = ShelfCamera(POSE, 320, 240), ShelfCamera(POSE, 320, 240)
    assert np.array_equal(one.render([shopper()]), two.render([shopper()]))
