"""Power and cost before the start."""

import math

import numpy as np
import pytest

from streams.uplift.design import (
    Noise,
    cost,
    noise_of,
    slot_minutes,
    smallest_visible,
    times_even,
)
from streams.uplift.errors import TooLittleError

NOISE = Noise(per_slot=0.3, plain=0.4, slots_per_day=56.0, baskets_per_day=3_000.0)


def test_ninety_to_ten_costs_nearly_three_times_as_much() -> None:
    assert times_even(0.9) == pytest.approx(2.78, abs=0.01)
    even, uneven = cost(NOISE, 0.5, 0.05), cost(NOISE, 0.9, 0.05)
    assert uneven.baskets / even.baskets == pytest.approx(times_even(0.9), rel=1e-6)
    assert uneven.fixed_days / even.fixed_days == pytest.approx(times_even(0.9), rel=1e-6)


def test_looking_every_day_costs_about_twice_a_single_look() -> None:
    needs = cost(NOISE, 0.5, 0.05)
    assert 1.7 < needs.days / needs.fixed_days < 2.2


def test_a_fixed_test_needs_what_the_textbook_says() -> None:
    # Two arms of n/2 slots with standard deviation s: n = 4 s^2 (1.96 + 0.84)^2 / log(1.05)^2.
    wanted = 4 * 0.3**2 * (1.959964 + 0.841621) ** 2 / math.log(1.05) ** 2 / 56.0
    assert cost(NOISE, 0.5, 0.05).fixed_days == pytest.approx(wanted, rel=1e-6)


def test_the_smallest_visible_effect_is_the_one_that_takes_so_long() -> None:
    needs = cost(NOISE, 0.5, 0.05)
    assert smallest_visible(NOISE, 0.5, needs.days) == pytest.approx(0.05, rel=0.02)
    assert smallest_visible(NOISE, 0.5, 4 * needs.days) < 0.03


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_control_it_takes_for_ever(share: float) -> None:
    assert math.isinf(cost(NOISE, share, 0.05).days)
    assert math.isinf(smallest_visible(NOISE, share, 100.0))


def test_the_noise_is_what_covariates_leave() -> None:
    rng = np.random.default_rng(3)
    known = rng.normal(0.0, 0.3, 2_000)
    base = np.full(2_000, 40.0)
    amount = base * (1.0 + known + rng.normal(0.0, 0.4, 2_000))
    noise = noise_of(amount, base, known[:, None], 80_000.0, 100.0)
    assert noise.plain == pytest.approx(0.5, rel=0.06)
    assert noise.per_slot == pytest.approx(0.4, rel=0.06)
    assert noise.explained == pytest.approx(0.36, abs=0.05)
    assert (noise.slots_per_day, noise.baskets_per_day) == (20.0, 800.0)


def test_a_store_without_a_past_has_no_noise_to_plan_with() -> None:
    with pytest.raises(TooLittleError, match="28 are needed"):
        noise_of(np.ones(5), np.ones(5), np.zeros((5, 0)), 5.0, 1.0)


def test_longer_lags_ask_for_longer_slots() -> None:
    lengths = [slot_minutes(w, 1.0, 2.0, 0.03) for w in (0.0, 5.0, 20.0, 60.0)]
    assert lengths == sorted(lengths)
    assert all(each >= 2 * w for each, w in zip(lengths, (0.0, 5.0, 20.0, 60.0), strict=True))
