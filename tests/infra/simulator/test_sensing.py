"""Detections without pictures: what the gateway's own mathematics makes of them is the truth."""

import math
from pathlib import Path

import numpy as np
import pytest

import infra.simulator.crowd
from infra.layouts import load_layout
from infra.simulator.people import Person
from infra.simulator.sensing import NOISELESS, Noise, detections, named_detections
from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, camera_model
from vision.core.head import estimate_head
from vision.core.place import locate

LAYOUT = load_layout(Path(infra.simulator.crowd.__file__).with_name("aisle.yaml"))


@pytest.fixture
def camera() -> CameraModel:
    return camera_model(CameraPose(position_m=(1.8, 0.0, 1.6), pitch_deg=-8.0), 1280, 720)


def person(name: str = "a", x: float = 1.8, y: float = 2.0, yaw: float = 0.0) -> Person:
    return Person(name, x, y, 1.7, yaw, 0.0, None, 0, body_yaw_deg=0.0)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("x", "y", "yaw"), [(1.8, 1.2, 0.0), (1.2, 2.0, 20.0), (2.6, 3.0, -25.0)])
def test_head_and_place_are_found_again(
    camera: CameraModel, x: float, y: float, yaw: float
) -> None:
    found = detections([person(x=x, y=y, yaw=yaw)], camera, NOISELESS, rng())
    assert len(found) == 1
    head = estimate_head(found.keypoints[0], camera, 0.5)
    assert head is not None
    across, ahead, _ = camera.direction_to_world(head.direction)
    assert math.degrees(math.atan2(across, -ahead)) == pytest.approx(yaw, abs=2.0)
    x0, y0, x1, y1 = (float(side) for side in found.boxes[0])
    place = locate((x0, y0, x1, y1), found.keypoints[0], head, camera, 0.5, 0)
    assert place is not None
    assert math.dist(place.point_m, (x, y)) < 0.12


def test_who_faces_away_shows_no_face(camera: CameraModel) -> None:
    away = detections([person(yaw=180.0)], camera, NOISELESS, rng())
    assert away.keypoints[0, :3, 2].max() < 0.1
    assert estimate_head(away.keypoints[0], camera, 0.5) is None
    aside = detections([person(yaw=75.0)], camera, NOISELESS, rng())
    left, right = aside.keypoints[0, 3, 2], aside.keypoints[0, 4, 2]
    assert min(left, right) < 0.1 < 0.9 < max(left, right)


def test_who_is_out_of_the_picture_is_not_found(camera: CameraModel) -> None:
    assert len(detections([person(x=9.0)], camera, NOISELESS, rng())) == 0
    assert len(detections([person(y=-1.0)], camera, NOISELESS, rng())) == 0
    assert len(detections([], camera, NOISELESS, rng())) == 0


def test_the_nearer_hides_the_farther(camera: CameraModel) -> None:
    people = [person("far", y=3.0), person("near", y=1.4)]
    _, both = named_detections(people, camera, NOISELESS, rng())
    found, names = named_detections(people, camera, Noise(hides=True), rng())
    assert sorted(map(str, both)) == ["far", "near"]
    assert names == ("near",)
    assert len(found) == 1
    beside = [person("far", x=2.35, y=3.0), person("near", y=1.4)]
    found, names = named_detections(beside, camera, Noise(hides=True), rng())
    assert set(names) == {"near", "far"}


def test_misses_false_alarms_and_jitter_are_as_frequent_as_set(camera: CameraModel) -> None:
    noise = Noise(keypoint_px=2.0, box_px=4.0, missed=0.2, false_per_picture=0.1)
    draw, clean = rng(3), detections([person()], camera, NOISELESS, rng())
    seen, false, offs = 0, 0, []
    for _ in range(400):
        found, names = named_detections([person()], camera, noise, draw)
        seen += "a" in names
        false += sum(name is None for name in names)
        if "a" in names:
            row = found.keypoints[names.index("a")]
            offs.append((row[0, :2] - clean.keypoints[0, 0, :2]) * [1280, 720])
    assert seen / 400 == pytest.approx(0.8, abs=0.06)
    assert false / 400 == pytest.approx(0.1, abs=0.05)
    assert float(np.std(offs)) == pytest.approx(2.0, rel=0.25)
    assert (
        np.diff(detections([person(), person("b", x=1.0)], camera, noise, draw).scores) <= 0
    ).all()
