"""The lag from shelf to till is found from counts, or nothing is said."""

import numpy as np
import pytest

from streams.uplift.lag import lag_of
from streams.uplift.moments import Floats

DAYS = 6


def counts(seed: int, mean_min: float) -> tuple[Floats, Floats]:
    """People before the shelf by minute, and the baskets of half of them, with a gamma lag."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(DAYS * 1_440)
    rate = 1.2 * np.clip(np.sin((minutes % 1_440 - 480) / 840 * np.pi), 0.0, None)
    people = rng.poisson(rate)
    baskets = np.zeros(minutes.size + 600)
    for minute in np.flatnonzero(people):
        buys = rng.binomial(people[minute], 0.5)
        lags = rng.gamma(4.0, mean_min / 4.0, buys)
        np.add.at(baskets, (minute + lags).astype(int), 1.0)
    other = rng.poisson(0.3 * rate)
    return people.astype(float), baskets[: minutes.size] + other


@pytest.mark.parametrize("mean_min", [8.0, 20.0])
def test_a_lag_is_found_from_counts_alone(mean_min: float) -> None:
    people, baskets = counts(4, mean_min)
    lag = lag_of(people, baskets)
    assert lag is not None
    assert lag.p50_min == pytest.approx(0.92 * mean_min, abs=3.5)  # the median of gamma(4)
    assert 1.3 * mean_min < lag.p95_min < 3.2 * mean_min


def test_baskets_that_have_nothing_to_do_with_the_shelf_tell_no_lag() -> None:
    people, _ = counts(5, 10.0)
    _, others = counts(6, 10.0)
    assert lag_of(people, np.random.default_rng(1).permutation(others)) is None


@pytest.mark.parametrize("what", ["short", "empty"])
def test_too_little_tells_no_lag(what: str) -> None:
    people, baskets = counts(7, 10.0)
    if what == "short":
        assert lag_of(people[:600], baskets[:600]) is None
    else:
        assert lag_of(people, np.zeros_like(baskets)) is None
