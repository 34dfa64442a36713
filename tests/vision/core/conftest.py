"""Shoppers as one or more calibrated cameras see them, without pictures."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from vision.core.geometry import CameraModel
from vision.core.person import Track

#: Shoulders, hips and feet of an average adult: aside of the middle (to the person's left), up.
_JOINTS = {5: (0.17, 1.42), 6: (-0.17, 1.42), 11: (0.1, 0.92), 12: (-0.1, 0.92)}

DrawShopper = Callable[..., Track | None]


@pytest.fixture
def draw_shopper(draw_face: Callable[..., np.ndarray]) -> DrawShopper:
    """A shopper at `(x, y)` who looks along `yaw_deg` (0: at the shelf), as `camera` shows them
    with `noise` (one sigma, in parts of the picture); None if it does not."""

    def draw(
        camera: CameraModel,
        name: str,
        x: float,
        y: float,
        yaw_deg: float = 0.0,
        *,
        pitch_deg: float = -8.0,
        noise: float = 0.0,
        random: np.random.Generator | None = None,
        since_ms: int = 10**15,
    ) -> Track | None:
        yaw = math.radians(yaw_deg)
        left = math.cos(yaw), math.sin(yaw)
        keypoints = np.zeros((17, 3), dtype=np.float32)
        for index, (aside, up) in _JOINTS.items():
            seen = camera.project((x + aside * left[0], y + aside * left[1], up))
            if seen is None:
                return None
            keypoints[index] = (*seen, 0.9)
        top, feet = camera.project((x, y, 1.75)), camera.project((x, y, 0.0))
        if top is None or feet is None or not 0.02 < top[0] < 0.98:
            return None
        towards = np.array([camera.position_m[0] - x, camera.position_m[1] - y])
        turned = math.degrees(math.atan2(towards[0], -towards[1])) - yaw_deg
        if abs((turned + 180) % 360 - 180) < 70:
            keypoints[:5] = draw_face(camera, (x, y, 1.6), yaw_deg, pitch_deg)[:5]
        jitter = random or np.random.default_rng(0)
        keypoints[:, :2] += noise * jitter.standard_normal((17, 2)).astype(np.float32)
        half = abs(keypoints[5, 0] - keypoints[6, 0]) * 0.8 + 0.02
        edges = noise * jitter.standard_normal(4)
        box = (
            float(np.clip(top[0] - half + edges[0], 0, 1)),
            float(np.clip(top[1] + edges[1], 0, 1)),
            float(np.clip(top[0] + half + edges[2], 0, 1)),
            float(np.clip(feet[1] + edges[3], 0, 1)),
        )
        return Track(name, box, keypoints, 0.9, since_ms)

    return draw
