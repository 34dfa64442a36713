"""Poses of heads from points whose truth is known."""

import math

import numpy as np
import pytest

from vision.core.head import MODEL_M
from vision.core.headfit import Sighted, better, fit

PRIOR = np.array([8.0, 0.7, 33.0, 0.0, 0.0, 0.0])


def turn(yaw_deg: float) -> np.ndarray:
    cos, sin = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def sighted(yaws_deg: list[float], depth_m: float = 2.0) -> Sighted:
    """Heads that are turned so, straight before the camera, seen without an error."""
    places = np.stack([MODEL_M @ turn(yaw).T + [0.0, 0.0, depth_m] for yaw in yaws_deg])
    shape = places.shape[:2]
    points = places[:, :, :2] / places[:, :, 2:]
    return Sighted(points, np.full(shape, 1e-4), np.ones(shape), 1e-6)


def starts(count: int, yaws_deg: tuple[float, ...] = (35.0, -35.0)) -> np.ndarray:
    poses = np.zeros((count, len(yaws_deg), 6))
    poses[:, :, 1] = np.radians(yaws_deg)
    poses[:, :, 5] = 1.5
    return poses


def test_exact_points_give_the_exact_pose() -> None:
    yaws = [-40.0, -10.0, 0.0, 25.0]
    found = fit(MODEL_M, sighted(yaws), starts(4), PRIOR)
    np.testing.assert_allclose(np.degrees(found.turns[:, 1]), yaws, atol=0.05)
    np.testing.assert_allclose(found.places, [[0.0, 0.0, 2.0]] * 4, atol=0.005)
    np.testing.assert_allclose(found.rotations, [turn(yaw) for yaw in yaws], atol=0.001)


def test_a_head_is_the_same_alone_and_among_others() -> None:
    yaws = [-30.0, 5.0, 20.0]
    together = fit(MODEL_M, sighted(yaws), starts(3), PRIOR)
    for number, yaw in enumerate(yaws):
        alone = fit(MODEL_M, sighted([yaw]), starts(1), PRIOR)
        np.testing.assert_allclose(together.turns[number], alone.turns[0], atol=2e-3)
        np.testing.assert_allclose(together.covariances[number], alone.covariances[0], rtol=0.05)


def test_a_point_that_is_not_used_says_nothing() -> None:
    seen = sighted([15.0])
    seen.points[0, 4] = 9.0
    seen.used[0, 4] = 0.0
    found = fit(MODEL_M, seen, starts(1), PRIOR)
    assert math.degrees(found.turns[0, 1]) == pytest.approx(15.0, abs=0.5)


def test_points_that_no_pose_explains_cost_without_end_and_leave_others_alone() -> None:
    seen = sighted([10.0, 10.0])
    seen.points[1] *= -1.0  # as a head upside down would be, behind the camera
    seen.points[1] += np.linspace(0.0, 60.0, 5)[:, None]
    found = fit(MODEL_M, seen, starts(2), PRIOR)
    assert math.degrees(found.turns[0, 1]) == pytest.approx(10.0, abs=0.1)
    assert found.costs[1] > 1e3


def test_the_better_of_two_fits_is_taken_for_each_head() -> None:
    first = fit(MODEL_M, sighted([10.0, 60.0]), starts(2), PRIOR)
    second = fit(MODEL_M, sighted([10.0, 60.0]), starts(2), PRIOR)
    first.costs[0], second.costs[1] = np.inf, np.inf
    second.turns[0], first.turns[1] = 1.0, 2.0
    both = better(first, second)
    assert both.turns[:, 0].tolist() == [1.0, 2.0]
    assert np.isfinite(both.costs).all()


def test_whatever_the_points_every_head_gets_a_pose_or_a_cost_without_end() -> None:
    random = np.random.default_rng(5)
    for size in (1e-3, 1.0, 1e3, 1e6):
        seen = sighted([0.0] * 300)
        seen.points[:] = size * random.standard_normal(seen.points.shape)
        seen.used[:] = random.random(seen.used.shape) < 0.7
        found = fit(MODEL_M, seen, starts(300), PRIOR)
        assert np.isfinite(found.turns).all()
        assert np.isfinite(found.places).all()
        assert not np.isnan(found.costs).any()
        assert (found.places[np.isfinite(found.costs), 2] > 0.0).all()
