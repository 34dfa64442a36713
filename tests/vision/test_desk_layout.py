"""The packaged layout for one's own desk: who looks left or right looks at the right product."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import infra.simulator.scenario
from infra.layouts import load_layout
from signage.catalogue import load_catalogue
from vision.core import scene as scenes
from vision.core.attention import GazeBegan
from vision.core.geometry import camera_model
from vision.core.person import Track
from vision.core.scene import GazeOutput, Scene
from vision.settings import GatewaySettings

LAYOUT = load_layout(Path(infra.simulator.scenario.__file__).with_name("webcam.yaml"))


def gazes_of(
    draw_face: Callable[..., np.ndarray], yaw_deg: float, away_m: float, aside_m: float
) -> list[str]:
    """What somebody is told to look at who sits there for a second and looks along `yaw_deg`."""
    pose = LAYOUT.cameras[0].pose
    assert pose is not None
    camera = camera_model(pose, 1280, 720)
    around = scenes.surroundings(LAYOUT, "webcam-1", camera, GatewaySettings().scene_rules())
    face = draw_face(camera, (1.5 + aside_m, away_m, 1.2), yaw_deg, -6.0)
    told: list[str] = []
    scene = Scene()
    for at_ms in range(0, 1100, 100):
        track = Track("a", (0.2, 0.1, 0.8, 1.0), face, 0.9, 0)
        scene, outputs = scenes.step(scene, [track], at_ms, around)
        for output in outputs:
            if isinstance(output, GazeOutput) and isinstance(output.event, GazeBegan):
                told.append(output.target.target_id)
                assert at_ms == 300
    return told


@pytest.mark.parametrize("away_m", [0.4, 0.6, 0.9, 1.5])
@pytest.mark.parametrize("aside_m", [-0.06, 0.0, 0.06])
@pytest.mark.parametrize(
    ("turn_deg", "target_id"), [(32, "tea"), (25, "tea"), (-25, "coffee"), (-32, "coffee")]
)
def test_left_is_tea_and_right_is_coffee(
    draw_face: Callable[..., np.ndarray],
    turn_deg: float,
    away_m: float,
    aside_m: float,
    target_id: str,
) -> None:
    assert gazes_of(draw_face, turn_deg, away_m, aside_m) == [target_id]


@pytest.mark.parametrize("away_m", [0.4, 0.5, 0.6])
def test_who_looks_straight_ahead_looks_at_the_screen(
    draw_face: Callable[..., np.ndarray], away_m: float
) -> None:
    assert gazes_of(draw_face, 0.0, away_m, 0.0) == ["screen-1"]


def test_each_product_has_a_creative() -> None:
    categories = {zone.category for zone in LAYOUT.zones}
    shown = {category for c in load_catalogue().creatives for category in c.categories}
    assert categories <= shown
