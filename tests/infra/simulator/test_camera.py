"""Shoppers are drawn where and as large as the pinhole has them, turned as they are."""

import math
import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest

from infra.simulator.camera import EYES_FORWARD_M, TURN_GAIN, ShelfCamera, eyes_px, place_head
from infra.simulator.clothes import WARDROBE
from infra.simulator.head import MAX_YAW_DEG, TurningHead, turn, turned
from infra.simulator.people import Person, facing
from infra.simulator.pixels import Image
from infra.simulator.portrait import PIVOT_PX, portrait
from streams.contracts.layout import CameraPose
from vision.core.geometry import PinholeCamera, pinhole

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


def test_eyes_are_where_the_pinhole_has_them_by_hand() -> None:
    level = CameraPose(position_m=(0.0, 0.0, 1.5), horizontal_fov_deg=90.0)
    person = Person("p", 0.4, 2.0 + EYES_FORWARD_M, 1.8, 0.0, 0.0, None, 0)
    x, y = eyes_px(pinhole(level, 800, 600), person)
    # Focal length 400 px, eyes 2 m away: 0.4 m aside is 80 px, 0.185 m up is 37 px.
    assert (x, y) == pytest.approx((480.0, 263.0), abs=0.5)


@pytest.mark.parametrize("x", [0.9, 1.5, 2.1])
@pytest.mark.parametrize("y", [1.0, 1.5, 2.5])
@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (30.0, -15.0), (-25.0, 10.0)])
def test_the_drawn_eyes_are_within_two_pixels(x: float, y: float, yaw: float, pitch: float) -> None:
    lens = pinhole(POSE, *SIZE)
    person = shopper(x_m=x, y_m=y, head_yaw_deg=yaw, head_pitch_deg=pitch)
    place = place_head(lens, person)
    assert place is not None
    drawn = turn(place.yaw_deg, place.pitch_deg)
    middle = place.centre + place.axes @ (drawn @ [0.0, 0.0, EYES_FORWARD_M])[:2]
    assert np.hypot(*(middle - eyes_px(lens, person))) < 2.0
    # 63 mm between the eyes, drawn with the affine map, against the pinhole's view of both eyes.
    seen = turn(place.yaw_deg / TURN_GAIN, place.pitch_deg / TURN_GAIN) @ [0.063, 0.0, 0.0]
    left, right = (eye_px(lens, person, side) for side in (-0.0315, 0.0315))
    assert np.hypot(*(place.axes @ seen[:2])) == pytest.approx(math.dist(left, right), abs=2.0)


def eye_px(lens: PinholeCamera, person: Person, aside_m: float) -> tuple[float, float]:
    """One eye of a shopper as the pinhole sees it, px; the head's own axes in the world."""
    yaw = math.radians(person.head_yaw_deg)
    x, y, z = facing(person.head_yaw_deg, person.head_pitch_deg)
    seen = lens.project(
        (
            person.x_m + EYES_FORWARD_M * x + aside_m * math.cos(yaw),
            person.y_m + EYES_FORWARD_M * y + aside_m * math.sin(yaw),
            person.eyes_m + EYES_FORWARD_M * z,
        )
    )
    assert seen is not None
    return seen[0] * SIZE[0], seen[1] * SIZE[1]


@pytest.mark.parametrize("y", [1.3, 2.0])
def test_a_head_in_the_picture_is_as_high_and_as_tall_as_a_head(
    camera: ShelfCamera, y: float
) -> None:
    person = shopper(y_m=y)
    mask = changed(camera, camera.render([person]))
    top = int(np.flatnonzero(mask.any(axis=1))[0])
    x, eyes = eyes_px(camera.pinhole, person)
    # The portrait's hair ends 92 px above its eyes, at 681 px a metre.
    above = 92.0 / 681.0 * camera.pinhole.focal_px / (y - EYES_FORWARD_M)
    assert top == pytest.approx(eyes - above, abs=3.0)
    columns = np.flatnonzero(mask[round(eyes)])
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(x, abs=4.0)


def test_yaw_against_the_line_of_sight_grows_with_yaw_and_with_the_place() -> None:
    lens = pinhole(POSE, *SIZE)
    places = [place_head(lens, shopper(head_yaw_deg=float(yaw))) for yaw in range(-40, 41, 10)]
    yaws = [place.yaw_deg / TURN_GAIN for place in places if place is not None]
    assert yaws == pytest.approx(list(range(-40, 41, 10)), abs=1.0)
    # Who stands to the right and looks straight at the shelf looks past the camera, to its right.
    aside = place_head(lens, shopper(x_m=2.5, y_m=1.0))
    assert aside is not None
    assert aside.yaw_deg / TURN_GAIN == pytest.approx(45.0, abs=1.5)


@pytest.mark.parametrize("yaw", [-150.0, -100.0, -75.0, 75.0, 100.0, 150.0])
@pytest.mark.parametrize("x", [0.2, 1.5, 2.8])
def test_a_head_stands_upright_however_far_it_turns(yaw: float, x: float) -> None:
    place = place_head(pinhole(POSE, *SIZE), shopper(x_m=x, head_yaw_deg=yaw, head_pitch_deg=-8.0))
    assert place is not None
    right, down = place.axes[:, 0], place.axes[:, 1]
    assert right[0] > 3 * abs(right[1])
    assert down[1] > 3 * abs(down[0])
    assert abs(place.yaw_deg) <= MAX_YAW_DEG + 1e-9


def nose_px(yaw_deg: float) -> float:
    """Where the portrait's nose is drawn, px from the pivot to the right."""
    head = TurningHead(portrait())
    x, y, _, alpha = head.maps(yaw_deg, 0.0)
    away = np.hypot(x - (PIVOT_PX[0] - 1.9), y - (PIVOT_PX[1] + 27.0)) + 1e3 * (alpha < 128)
    return float(np.unravel_index(away.argmin(), away.shape)[1]) * 2 - PIVOT_PX[0]


def test_the_nose_moves_to_the_side_that_the_face_turns_to() -> None:
    noses = [nose_px(yaw) for yaw in (-40.0, -20.0, 0.0, 20.0, 40.0)]
    assert noses == sorted(noses)
    assert noses[2] == pytest.approx(0.0, abs=5.0)
    assert noses[3] - noses[2] > 15.0
    assert noses[2] - noses[1] > 15.0


def test_a_head_turned_too_far_is_drawn_as_far_as_it_goes() -> None:
    head = TurningHead(portrait())
    far, farthest = head.maps(170.0, 0.0), head.maps(MAX_YAW_DEG, 0.0)
    assert far is farthest
    tile, _ = turned(portrait().bgr, far, fine=False)
    assert tile.shape == (112, 112, 4)
    # Premultiplied: no colour is stronger than its alpha.
    assert (tile[..., :3].max(axis=2).astype(int) <= tile[..., 3].astype(int) + 1).all()


def test_who_is_nearer_hides_who_is_farther(camera: ShelfCamera) -> None:
    near, far = shopper(appearance=0), shopper(y_m=2.6, appearance=2)
    assert np.array_equal(camera.render([near, far]), camera.render([far, near]))
    x, eyes = eyes_px(camera.pinhole, near)
    row, column = round(eyes) + 90, round(x)
    alone = camera.render([near])
    assert np.array_equal(camera.render([far, near])[row, column], alone[row, column])


def test_appearances_differ_in_coat_and_face(camera: ShelfCamera) -> None:
    frames = [camera.render([shopper(appearance=i)]) for i in range(len(WARDROBE))]
    for i, frame in enumerate(frames):
        for other in frames[:i]:
            assert np.abs(frame.astype(int) - other.astype(int)).mean() > 0.5


def test_nobody_behind_or_too_near_the_camera_is_drawn(camera: ShelfCamera) -> None:
    empty = camera.render([])
    for y in (-1.0, 0.0, 0.2):
        assert np.array_equal(camera.render([shopper(y_m=y)]), empty)


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
        for _ in range(30):
            camera.render(people)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < kept.nbytes
