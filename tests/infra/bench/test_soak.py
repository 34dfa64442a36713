"""A short long run: through the gateway's own core, counts equal the truth's."""

import pytest

from infra.bench.soak import run_soak, slope, soak_plans


def test_counts_equal_the_truth() -> None:
    plans = soak_plans(
        cameras=2, hours=0.35, people_per_hour=120.0, fps=5.0, idle_fps=1.0, noisy=False, seed=3
    )
    report = run_soak(plans)
    assert report.simulated
    assert report.truth["people"] > 0
    assert report.counts == report.truth
    assert report.equal
    assert report.errors == []


def test_the_slope_leaves_the_warm_up_out() -> None:
    samples = [(0.0, 10.0), (1.0, 90.0), (2.0, 100.0), (8.0, 100.0)]
    assert slope(samples, 10.0) == pytest.approx(0.0, abs=1e-9)
    assert slope([(0.0, 10.0)], 10.0) == 0.0
