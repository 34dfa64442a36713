"""The bench of the uplift analysis, small."""

import numpy as np
import pytest

from infra.bench.uplift.panel import Baskets, inject
from infra.bench.uplift.trials import Run, planned, trials
from infra.simulator.effects import TrueEffect
from infra.simulator.shops import Shops

SHOPS = Shops(stores=4, baskets_per_day=300.0, pre_days=28, days=21)


def test_trials_find_a_large_effect_and_cover_the_truth() -> None:
    run = Run("+28 %", TrueEffect(basket=0.28), ("basket_units", "product_units"))
    horizon = {"basket_units": 14.0, "product_units": 14.0}
    units, product = trials(run, SHOPS, 40, horizon, 1, lambda _: None)
    assert (units.outcome, product.outcome) == ("basket_units", "product_units")
    assert units.true_effect == product.true_effect == 0.28
    assert units.coverage >= 0.9
    assert units.discoveries == 1.0
    assert units.median_estimate == pytest.approx(0.28, abs=0.02)
    assert units.oracle_days is not None
    assert units.days.p50 is not None
    assert units.looked_at_days == 21


def test_no_effect_is_found_rarely_and_by_the_daily_t_test_often() -> None:
    run = Run("none", TrueEffect(), ("basket_value",))
    (told,) = trials(run, SHOPS, 60, {"basket_value": 20.0}, 2, lambda _: None)
    assert told.discoveries <= 0.1
    assert told.naive_daily_t_discoveries > told.discoveries
    assert told.oracle_days is None


def test_the_plan_foretells_days() -> None:
    value = planned(SHOPS, "basket_value", 0.05, 1)
    units = planned(SHOPS, "basket_units", 0.05, 1)
    assert 5 < units.days < value.days < 400


def test_an_effect_put_into_baskets_is_found_again() -> None:
    rng = np.random.default_rng(1)
    n = 40_000
    baskets = Baskets(rng.integers(0, 12, n), rng.integers(0, 200, n), rng.lognormal(3.0, 0.8, n))
    found = inject(baskets, 0.10, seed=1, draws=5)
    assert found.interval[0] < 0.10 < found.interval[1]
    assert found.mean_recovered == pytest.approx(0.10, abs=0.02)
    assert found.answer.startswith("Yes")
