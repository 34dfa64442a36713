"""Slopes of memory and lag after the warm-up."""

import pytest

from infra.bench.steady import Look, steady


def test_the_warm_up_is_left_out() -> None:
    looks = [Look(0.0, 10.0, 9_000, 1.0), Look(10.0, 100.0, 500, 5.0)]
    looks += [Look(60.0 + 10 * n, 200.0 + n, 7 - n, 10.0 + 2 * n) for n in range(7)]
    found = steady(looks, 60.0)
    assert (found.rss_mb_at_begin, found.rss_mb_at_end) == (200.0, 206.0)
    assert found.rss_mb_per_hour == pytest.approx(360.0)
    assert found.lag_growth_per_min == pytest.approx(-6.0)
    assert (found.lag_most, found.lag_at_end) == (7, 1)
    assert found.cpu_share == pytest.approx(0.2)
