"""What a picture shows of somebody."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from streams.contracts.layout import CameraPose
from vision.core.body import Track, look
from vision.core.geometry import camera_model

HIGH = camera_model(CameraPose(position_m=(0.0, 0.0, 1.8), pitch_deg=-12.0), 1280, 720)


def shown(
    draw_face: Callable[..., np.ndarray], head: tuple[float, float, float], times: float
) -> Track:
    """Somebody with the feet below `head`, whose face is as small as one so many times as far."""
    far = tuple(c + times * (h - c) for h, c in zip(head, HIGH.position_m, strict=True))
    keypoints = draw_face(HIGH, far, 5.0)
    ankle = HIGH.project((head[0], head[1], 0.08))
    assert ankle is not None
    keypoints[[15, 16]] = (*ankle, 0.9)
    return Track("child", (0.4, 0.4, 0.5, 0.9), keypoints, 0.9, 0)


@pytest.mark.parametrize("times", [1.0, 1.6])
def test_a_childs_head_is_as_high_as_it_is_seen_over_the_feet(
    draw_face: Callable[..., np.ndarray], times: float
) -> None:
    """Its face is small, as one that is far away is, whose head would be lower."""
    [sight] = look([shown(draw_face, (0.3, 2.0, 1.05), times)], 7, HIGH, 0.5)
    assert sight.place is not None
    assert math.dist(sight.place.point_m, (0.3, 2.0)) < 0.05
    assert sight.head_height_m == pytest.approx(1.05, abs=0.05)


@pytest.mark.parametrize(("head_m", "held_m"), [(0.15, 0.4), (2.9, 2.4)])
def test_no_head_is_lower_or_higher_than_people_are(
    draw_face: Callable[..., np.ndarray], head_m: float, held_m: float
) -> None:
    [sight] = look([shown(draw_face, (0.0, 3.5, head_m), 1.0)], 7, HIGH, 0.5)
    assert sight.head_height_m == held_m
