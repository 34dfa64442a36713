"""The vectorised shops: sizes of the panel, and the effect that was put in."""

import math

import numpy as np
import pytest

from infra.simulator.effects import NO_EFFECT, TrueEffect
from infra.simulator.shops import Shops, Sums, simulate

SHOPS = Shops(stores=4, baskets_per_day=400.0, pre_days=14, days=28)


def ratio(sums: Sums, outcome: str) -> float:
    """Adaptive by control, of sums by basket."""
    here = slice(SHOPS.pre_days, None)
    values, base, on = (
        each[:, :, here] for each in (getattr(sums, outcome), sums.baskets, sums.adaptive)
    )
    return float(values[on].sum() / base[on].sum() / (values[~on].sum() / base[~on].sum()))


def test_sizes_are_those_of_the_panel() -> None:
    sums = simulate(SHOPS, NO_EFFECT, 60, 1)
    baskets = sums.baskets.sum()
    assert sums.units.sum() / baskets == pytest.approx(13.6, rel=0.02)
    assert sums.value.sum() / baskets == pytest.approx(math.exp(2.70 + 1.27**2 / 2), rel=0.04)
    assert not sums.adaptive[:, :, : SHOPS.pre_days].any()
    assert sums.adaptive[:, :, SHOPS.pre_days :].mean() == pytest.approx(0.5, abs=0.01)
    for values in (sums.value, sums.units, sums.product_units):
        assert not values[sums.baskets == 0].any()


def test_baskets_of_a_store_have_something_in_common() -> None:
    sums = simulate(Shops(stores=40, baskets_per_day=200.0, pre_days=0, days=14), NO_EFFECT, 8, 2)
    means = sums.value.sum(axis=(2, 3)) / sums.baskets.sum(axis=(2, 3))
    own = math.expm1(1.27**2)
    assert float(np.log(means).std()) == pytest.approx(math.sqrt(math.log1p(0.03 * own)), rel=0.15)


@pytest.mark.parametrize("share", [0.05, 0.28])
def test_the_effect_is_the_one_put_in(share: float) -> None:
    sums = simulate(SHOPS, TrueEffect(basket=share), 60, 3)
    assert ratio(sums, "value") == pytest.approx(1.0 + share, abs=0.02)
    assert ratio(sums, "units") == pytest.approx(1.0 + share, abs=0.02)


def test_a_product_moves_alone() -> None:
    sums = simulate(SHOPS, TrueEffect(product=0.44), 60, 3)
    assert ratio(sums, "product_units") == pytest.approx(1.44, abs=0.03)
    assert ratio(sums, "value") == pytest.approx(1.0, abs=0.02)
    assert ratio(sums, "units") == pytest.approx(1.0, abs=0.02)


def test_the_seed_decides() -> None:
    small = Shops(stores=1, baskets_per_day=50.0, pre_days=7, days=7)
    first, again = (simulate(small, TrueEffect(basket=0.05), 2, 9) for _ in range(2))
    assert np.array_equal(first.value, again.value)
    assert not np.array_equal(first.value, simulate(small, TrueEffect(), 2, 10).value)
