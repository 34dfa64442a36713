"""The estimate against programs that we did not write, and against what must be so. They are
imported where they are used: each worker collects this file, and they take a second.
"""

import math

import numpy as np
import pytest

from streams.uplift.estimate import FEWEST_SLOTS, effects
from streams.uplift.moments import Floats, Moments, moments, moments_by_day, rows

N = 4_000


def slots(seed: int, effect: float = 0.05) -> tuple[Floats, Floats, Floats, np.ndarray]:
    """Amount, base, a covariate that tells something of it, and the arm."""
    rng = np.random.default_rng(seed)
    known = rng.normal(0.0, 0.3, N)
    base = rng.poisson(40.0, N).astype(float)
    adaptive = rng.random(N) < 0.5
    amount = base * 30.0 * np.exp(known + rng.normal(0.0, 0.2, N)) * (1.0 + effect * adaptive)
    return amount, base, known * 40.0, adaptive


def test_without_covariates_it_is_the_ratio_of_means_of_tea_tasting() -> None:
    import pandas as pd
    import tea_tasting as tt

    amount, base, _, adaptive = slots(1)
    found = effects(moments(rows(amount, base), adaptive))
    frame = pd.DataFrame({"variant": adaptive.astype(int), "amount": amount, "base": base})
    told = tt.Experiment(
        ratio=tt.RatioOfMeans("amount", "base", use_t=False, equal_var=False)
    ).analyze(frame)["ratio"]
    assert float(found.change) == pytest.approx(told.rel_effect_size, rel=1e-9)
    half = math.log1p(told.rel_effect_size_ci_upper) - math.log1p(told.rel_effect_size)
    assert 1.959964 * math.sqrt(float(found.variance)) == pytest.approx(half, rel=1e-3)


def test_with_a_covariate_it_is_the_cuped_of_tea_tasting() -> None:
    import pandas as pd
    import tea_tasting as tt

    amount, _, known, adaptive = slots(2)
    one = np.ones(N)
    found = effects(moments(rows(amount, one, known[:, None]), adaptive))
    frame = pd.DataFrame(
        # A covariate of tea-tasting is a metric of its own, with a mean that is not nothing.
        {"variant": adaptive.astype(int), "amount": amount, "known": known + 100.0}
    )
    told = tt.Experiment(
        mean=tt.Mean("amount", covariate="known", use_t=False, equal_var=False)
    ).analyze(frame)["mean"]
    plain = effects(moments(rows(amount, one), adaptive))
    assert float(found.variance) < 0.7 * float(plain.variance)
    assert float(found.log_ratio) == pytest.approx(math.log1p(told.rel_effect_size), abs=2e-4)
    half = math.log1p(told.rel_effect_size_ci_upper) - math.log1p(told.rel_effect_size)
    assert 1.959964 * math.sqrt(float(found.variance)) == pytest.approx(half, rel=1e-2)


def test_its_t_is_that_of_a_regression_of_statsmodels() -> None:
    import statsmodels.api as sm

    amount, _, known, adaptive = slots(3)
    found = effects(moments(rows(amount, np.ones(N), known[:, None]), adaptive))
    # The linear model on deviations from the arms' own scale is the same first-order statement.
    scaled = amount / np.where(adaptive, amount[adaptive].mean(), amount[~adaptive].mean())
    design = sm.add_constant(np.column_stack([adaptive, known - known.mean()]).astype(float))
    told = sm.OLS(scaled, design).fit(cov_type="HC0")
    assert math.sqrt(float(found.variance)) == pytest.approx(told.bse[1], rel=5e-3)


def test_a_covariate_that_says_nothing_or_twice_the_same_changes_nothing() -> None:
    amount, base, known, adaptive = slots(4)
    once = effects(moments(rows(amount, base, known[:, None]), adaptive))
    copies = np.column_stack([known, 2.0 * known, np.zeros(N), np.full(N, 7.0)])
    twice = effects(moments(rows(amount, base, copies), adaptive))
    assert float(twice.log_ratio) == pytest.approx(float(once.log_ratio), abs=1e-9)
    assert float(twice.variance) == pytest.approx(float(once.variance), rel=2e-3)


def test_the_estimate_has_no_bias_and_its_standard_error_is_right() -> None:
    estimates, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng([9, seed])
        n = 400
        known = rng.normal(0.0, 0.3, n)
        base = rng.poisson(30.0, n).astype(float)
        adaptive = rng.random(n) < 0.5
        amount = base * np.exp(known + rng.normal(0.0, 0.3, n)) * (1.0 + 0.05 * adaptive)
        found = effects(moments(rows(amount, base, known[:, None] * 30.0), adaptive))
        estimates.append(float(found.log_ratio))
        errors.append(math.sqrt(float(found.variance)))
    spread = float(np.std(estimates))
    assert np.mean(estimates) == pytest.approx(math.log(1.05), abs=4 * spread / math.sqrt(300))
    assert np.mean(errors) == pytest.approx(spread, rel=0.12)


def test_too_few_slots_in_an_arm_are_no_number() -> None:
    amount, base, _, adaptive = slots(5)
    keep = np.flatnonzero(adaptive)[: FEWEST_SLOTS - 1]
    few = np.concatenate([keep, np.flatnonzero(~adaptive)])
    found = effects(moments(rows(amount, base)[few], adaptive[few]))
    assert math.isnan(float(found.log_ratio))
    nothing = effects(Moments(np.zeros((2, 3, 3))))
    assert math.isnan(float(nothing.log_ratio))


def test_days_add_up_to_the_whole() -> None:
    amount, base, known, adaptive = slots(6)
    z = rows(amount, base, known[:, None])
    day = np.random.default_rng(1).integers(0, 30, N)
    path = moments_by_day(z, adaptive, day, 31)
    whole = moments(z, adaptive)
    assert np.allclose(path.last().by_arm, whole.by_arm)
    first = moments(z[day == 0], adaptive[day == 0])
    assert np.allclose(path.by_arm[0], first.by_arm)
