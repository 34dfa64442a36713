"""The watch over a camera in the rendered store: people walk, light changes, the camera is hit."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest

from infra.layouts import load_layout
from infra.simulator.camera import ShelfCamera
from infra.simulator.people import Person
from streams.contracts.layout import Camera, CameraPose
from vision.nudge import IN_DOUBT_MS, NudgeWatch, landmarks
from vision.ports import Image

SIZE = (640, 480)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return load_layout(Path(__file__).parents[3] / "examples" / "store.yaml").cameras[0]


@pytest.fixture(scope="module")
def store(camera: Camera) -> ShelfCamera:
    assert camera.pose is not None
    return ShelfCamera(camera.pose, *SIZE)


@pytest.fixture(scope="module")
def frames(store: ShelfCamera) -> list[Image]:
    """Of the camera in its place."""
    return [store.render(people(step)) for step in range(9)]


@pytest.fixture(scope="module")
def known(camera: Camera, store: ShelfCamera) -> Camera:
    """With the landmarks of its calibration."""
    return msgspec.structs.replace(camera, landmarks=landmarks([store.render([])] * 3))


def people(step: int) -> list[Person]:
    """Two who walk past each other, and one who stands near the camera."""
    return [
        Person("a", 0.4 + 0.25 * step, 1.8, 1.75, 20.0, 0.0, None, 1),
        Person("b", 2.8 - 0.3 * step, 2.4, 1.65, -30.0, -5.0, None, 2),
        Person("c", 1.2, 1.0, 1.8, 0.0, -10.0, None, 3),
    ]


def lit(image: Image, gain: float) -> Image:
    return np.clip(image.astype(np.float32) * gain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("learns", [False, True])
def test_people_and_light_are_no_nudge(
    camera: Camera, known: Camera, frames: list[Image], learns: bool
) -> None:
    watch = NudgeWatch(camera if learns else known)
    gains = [1.0] * 9 + [0.8, 1.2, 0.8, 1.2]
    for step, gain in enumerate(gains):
        state = watch.look(lit(frames[step % 9], gain), step * IN_DOUBT_MS)
        assert not state.nudged
    assert watch.nudges == 0


@pytest.mark.parametrize(
    ("changes", "angle_deg"),
    [
        ({"yaw_deg": 1.0}, 1.0),
        ({"pitch_deg": -5.0}, 2.0),
        ({"yaw_deg": -5.0}, 5.0),
    ],
)
def test_a_nudge_is_found_and_its_end(
    known: Camera, frames: list[Image], changes: Mapping[str, float], angle_deg: float
) -> None:
    pose = known.pose
    assert isinstance(pose, CameraPose)
    moved = ShelfCamera(msgspec.structs.replace(pose, **changes), *SIZE)
    watch = NudgeWatch(known)
    for step in range(4):
        state = watch.look(moved.render(people(step)), step * IN_DOUBT_MS)
    assert state.nudged
    assert state.angle_deg == pytest.approx(angle_deg, rel=0.3, abs=0.2)
    for step in range(4, 8):
        state = watch.look(frames[step], step * IN_DOUBT_MS)
    assert not state.nudged
    assert watch.nudges == 1
