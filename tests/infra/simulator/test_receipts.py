"""Baskets have the panel's sizes, exact sums, and ids that a restart repeats."""

from decimal import Decimal
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.simulator import receipts
from infra.simulator.receipts import BasketMaker, size
from streams.contracts import codec
from streams.contracts.layout import Area, StoreLayout
from streams.contracts.topics import BASKET

LAYOUT = StoreLayout(store_id="s", name="A store", currency="SEK", areas=(Area(area_id="a"),))
START_MS = 1_700_000_000_000


def maker(seed: int = 1, every_s: float = 3.0) -> BasketMaker:
    return BasketMaker(LAYOUT, seed, START_MS, every_s)


def test_sizes_are_those_of_the_panel() -> None:
    rng = np.random.default_rng(11)
    drawn = [size(rng) for _ in range(20_000)]
    units = np.array([n for n, _ in drawn], dtype=float)
    value = np.log(np.array([float(v) for _, v in drawn]))
    assert units.min() == 1
    assert units.mean() == pytest.approx(13.6, abs=0.5)
    assert 7 <= np.median(units) <= 8
    # Negative binomial: variance = mean + mean^2 / r.
    assert units.var() == pytest.approx(13.5 + 13.5**2 / 0.64, rel=0.08)
    assert value.mean() == pytest.approx(2.70, abs=0.04)
    assert value.std() == pytest.approx(1.27, abs=0.04)
    assert np.corrcoef(np.log(units), value)[0, 1] > 0.6


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(0, 10**6))
def test_lines_add_up_and_survive_the_wire(seed: int, number: int) -> None:
    basket = maker(seed).basket(number, START_MS)
    units, value = size(np.random.default_rng([seed, number, 2]))
    assert sum(line.units for line in basket.lines) == units
    assert sum(line.net_value for line in basket.lines) == value
    assert all(line.net_value >= Decimal("0.01") for line in basket.lines)
    assert all(line.net_value.as_tuple().exponent == -2 for line in basket.lines)
    assert {line.category for line in basket.lines} <= {name for name, _ in receipts.CATEGORIES}
    assert len({line.category for line in basket.lines}) == len(basket.lines)
    assert basket.simulated
    assert basket.currency == "SEK"
    assert codec.decode(BASKET.name, codec.encode(basket)) == basket


def test_the_same_run_gives_the_same_baskets_and_a_restart_goes_on() -> None:
    first = list(islice(maker().baskets(), 50))
    assert first == list(islice(maker().baskets(), 50))
    assert len({basket.basket_id for basket in first}) == 50
    again = list(islice(maker().from_time(first[20].closed_at_ms), 30))
    assert again == first[20:]


def test_another_run_has_other_ids() -> None:
    later = BasketMaker(LAYOUT, 1, START_MS + 1, 3.0)
    ours, theirs = next(maker().baskets()), next(later.baskets())
    assert ours.basket_id != theirs.basket_id
    assert ours.lines == theirs.lines


def test_baskets_close_in_order_at_the_rate_asked_for() -> None:
    closed = np.array([b.closed_at_ms for b in islice(maker(5, 2.0).baskets(), 1_500)])
    gaps = np.diff(closed)
    assert gaps.min() > 0
    assert gaps.mean() == pytest.approx(2_000, rel=0.08)
