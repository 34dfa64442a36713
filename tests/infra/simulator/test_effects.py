"""The truth of the simulated store is what it says."""

from decimal import Decimal

import numpy as np
import pytest

from infra.simulator.effects import ATTENTIVE, TrueEffect, changed
from infra.simulator.receipts import CATEGORIES, BasketMaker
from streams.contracts.layout import Area, StoreLayout
from streams.contracts.pos import BasketLine

LAYOUT = StoreLayout(store_id="s", name="A store", currency="EUR", areas=(Area(area_id="a"),))
TEA = dict(CATEGORIES)["tea"]


def maker(effect: TrueEffect, arm: str = "adaptive") -> BasketMaker:
    return BasketMaker(LAYOUT, 1, 0, 3.0, effect, lambda _: arm)


def sums(effect: TrueEffect, arm: str, count: int = 2_000) -> tuple[float, float, float]:
    """Units, value and tea of so many baskets: the same baskets for every effect."""
    baskets = [maker(effect, arm).basket(number, 0) for number in range(count)]
    lines = [line for basket in baskets for line in basket.lines]
    return (
        float(sum(line.units for line in lines)),
        float(sum(line.net_value for line in lines)),
        float(sum(line.units for line in lines if line.category == "tea")),
    )


@pytest.mark.parametrize("share", [0.05, 0.28])
def test_baskets_of_adaptive_slots_grow_by_the_true_effect(share: float) -> None:
    effect = TrueEffect(basket=share)
    control, adaptive = sums(effect, "control"), sums(effect, "adaptive")
    assert adaptive[0] / control[0] - 1 == pytest.approx(share, rel=0.2)
    assert adaptive[1] / control[1] - 1 == pytest.approx(share, rel=0.35)


def test_a_product_moves_and_the_basket_does_not() -> None:
    effect = TrueEffect(product=0.44)
    control, adaptive = sums(effect, "control"), sums(effect, "adaptive")
    assert adaptive[2] / control[2] - 1 == pytest.approx(0.44, rel=0.2)
    assert adaptive[:2] == pytest.approx(control[:2], rel=1e-12)


def test_without_an_effect_the_arm_changes_nothing_to_the_cent() -> None:
    plain = BasketMaker(LAYOUT, 1, 0, 3.0)
    for number in range(200):
        assert maker(TrueEffect()).basket(number, 0) == plain.basket(number, 0)
        assert maker(TrueEffect(basket=0.28), "control").basket(number, 0) == plain.basket(
            number, 0
        )


def test_only_those_who_look_buy_otherwise() -> None:
    lines = (
        BasketLine(sku="tea-01", category="tea", units=Decimal(10), net_value=Decimal("9.00")),
    )
    rngs = (np.random.default_rng(seed) for seed in range(2_000))
    touched = sum(changed(lines, TrueEffect(basket=0.4), TEA, rng) != lines for rng in rngs)
    assert touched / 2_000 == pytest.approx(ATTENTIVE, abs=0.03)


@pytest.mark.parametrize("effect", [TrueEffect(basket=-0.2), TrueEffect(basket=0.8)])
def test_lines_stay_sound(effect: TrueEffect) -> None:
    for number in range(300):
        basket = maker(effect).basket(number, 0)
        assert all(line.units >= 1 and line.net_value >= Decimal("0.01") for line in basket.lines)
        assert all(line.net_value.as_tuple().exponent == -2 for line in basket.lines)


def test_it_is_said_what_is_true() -> None:
    assert TrueEffect(basket=0.28).words == "simulated, true effect +28 %"
    assert TrueEffect(product=0.44).words == (
        "simulated, true effect +0 % on baskets, +44 % on tea"
    )
    with pytest.raises(ValueError, match="-20 % to"):
        TrueEffect(basket=3.0)
