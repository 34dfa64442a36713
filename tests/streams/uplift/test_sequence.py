"""The confidence sequence: tight where it was tuned, and true however often one looks."""

import math

import numpy as np
import pytest

from streams.uplift.sequence import ALPHA, e_value, half_width, slots_until, tuned


def test_the_truth_stays_inside_at_every_look() -> None:
    rng = np.random.default_rng(5)
    paths, steps = 3_000, 2_000
    n = np.arange(1, steps + 1, dtype=float)
    outside = 0
    for _ in range(10):
        mean = rng.standard_normal((paths // 10, steps)).cumsum(axis=1) / n
        half = half_width(np.array(1.0), n, tuned(300.0))
        outside += int((np.abs(mean) > half).any(axis=1).sum())
    assert outside / paths <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / paths)
    # And not by saying nothing: a boundary that is far too wide would hardly ever be crossed.
    assert outside / paths > 0.01


def test_it_is_tightest_where_it_was_tuned() -> None:
    target = np.array(500.0)
    best = float(half_width(np.array(1.0), target, tuned(500.0)))
    for other in (50.0, 200.0, 1_500.0, 5_000.0):
        assert best < float(half_width(np.array(1.0), target, tuned(other)))


@pytest.mark.parametrize("effect", [0.01, 0.05, 0.099, 0.11, 0.3])
def test_the_e_value_says_the_same_as_the_interval(effect: float) -> None:
    n, sigma, rho2 = np.array(900.0), np.array(0.8), tuned(900.0)
    outside = effect > float(half_width(sigma, n, rho2))
    assert outside == (float(e_value(np.array(effect), sigma, n, rho2)) > 1 / ALPHA)


@pytest.mark.parametrize("margin", [0.0, 0.84])
def test_slots_until_is_where_the_width_is_reached(margin: float) -> None:
    sigma, rho2 = 0.7, tuned(2_000.0)
    slots = slots_until(0.05, sigma, rho2, margin=margin)
    wide = float(half_width(np.array(sigma), np.array(slots), rho2))
    assert wide + margin * sigma / math.sqrt(slots) == pytest.approx(0.05, rel=1e-6)


def test_without_noise_to_go_by_there_is_no_end() -> None:
    assert math.isinf(slots_until(0.05, math.nan, 0.01))
    assert math.isinf(slots_until(0.05, 0.0, 0.01))
