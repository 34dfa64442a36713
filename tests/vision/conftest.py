"""Factories for tests of the gateway."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from streams.contracts.layout import Area, Camera, CameraPose, Screen, StoreLayout, View, Zone
from vision.core.geometry import CameraModel, camera_model
from vision.core.head import MODEL_M

Keypoints = npt.NDArray[np.float32]
DrawFace = Callable[..., Keypoints]


def _draw_face(
    camera: CameraModel,
    head_m: tuple[float, float, float],
    yaw_deg: float,
    pitch_deg: float = 0.0,
    confidence: float = 0.9,
) -> Keypoints:
    """(17, 3) keypoints of a head at `head_m` (world) that looks along yaw and pitch (world)."""
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    out = np.array(
        [math.sin(yaw) * math.cos(pitch), -math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
    )
    side = -np.cross(out, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    axes = np.column_stack([side, np.cross(-out, side), -out])
    keypoints = np.zeros((17, 3), dtype=np.float32)
    for index, point in enumerate(MODEL_M):
        x, y, z = np.asarray(head_m) + axes @ point
        seen = camera.project((float(x), float(y), float(z)))
        assert seen is not None
        keypoints[index] = (*seen, confidence)
    return keypoints


@pytest.fixture
def draw_face() -> DrawFace:
    """Draws the keypoints of a face whose pose is known."""
    return _draw_face


@pytest.fixture
def camera() -> CameraModel:
    """A level camera in the shelf's face, 1.5 m above the floor, 720p."""
    pose = CameraPose(position_m=(1.5, 0.0, 1.5), horizontal_fov_deg=80.0)
    return camera_model(pose, 1280, 720)


@pytest.fixture
def shelf() -> StoreLayout:
    """Two zones side by side and a screen above them, seen by one posed camera."""
    floor = ((-1.0, 0.3), (1.5, 0.3), (1.5, 4.0), (-1.0, 4.0))
    return StoreLayout(
        store_id="shop",
        name="A shop",
        areas=(Area(area_id="main"),),
        zones=(
            Zone(
                zone_id="tea",
                area_id="main",
                name="Tea",
                face=(0.0, 0.8, 1.5, 1.8),
                floor=floor,
                min_dwell_ms=1000,
            ),
            Zone(
                zone_id="coffee",
                area_id="main",
                name="Coffee",
                face=(1.5, 0.8, 3.0, 1.8),
                floor=((1.5, 0.3), (4.0, 0.3), (4.0, 4.0), (1.5, 4.0)),
                min_dwell_ms=1000,
            ),
        ),
        screens=(
            Screen(
                screen_id="top",
                area_id="main",
                name="Top",
                face=(0.0, 1.9, 3.0, 2.6),
                floor=((-1.0, 0.3), (4.0, 0.3), (4.0, 4.0), (-1.0, 4.0)),
            ),
        ),
        cameras=(
            Camera(
                camera_id="cam",
                area_id="main",
                calibration_version="drawn",
                pose=CameraPose(position_m=(1.5, 0.0, 1.5), horizontal_fov_deg=80.0),
            ),
        ),
    )


@pytest.fixture
def aisle() -> StoreLayout:
    """One zone, drawn in the picture of a camera without a pose: its left half."""
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    return StoreLayout(
        store_id="shop",
        name="A shop",
        areas=(Area(area_id="main"),),
        zones=(Zone(zone_id="left", area_id="main", name="Left", min_dwell_ms=1000, gap_ms=1500),),
        cameras=(
            Camera(
                camera_id="cam",
                area_id="main",
                views=(View(target_id="left", polygon=left),),
            ),
        ),
    )
