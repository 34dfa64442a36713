"""Each check finds what it is for, and is silent otherwise."""

import numpy as np
import pytest

from streams.uplift import checks
from streams.uplift.estimate import effects
from streams.uplift.moments import Floats, moments, rows


def slots(seed: int, n: int = 1_200) -> tuple[Floats, Floats, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.poisson(40.0, n).astype(float)
    return base * rng.lognormal(0.0, 0.3, n), base, rng.random(n) < 0.5


@pytest.mark.parametrize(
    ("adaptive", "control", "share", "mismatched", "verdict"),
    [
        (500, 520, 0.5, 0, "passed"),
        (500, 700, 0.5, 0, "failed"),
        (900, 100, 0.9, 0, "passed"),
        (500, 520, 0.5, 3, "failed"),
        (500, 0, 1.0, 0, "not looked at"),
        (0, 0, 0.5, 0, "not looked at"),
    ],
)
def test_the_sample_ratio(
    adaptive: int, control: int, share: float, mismatched: int, verdict: str
) -> None:
    assert checks.sample_ratio(adaptive, control, share, mismatched).verdict == verdict


def test_the_sample_ratio_may_be_looked_at_every_day() -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(400):
        on = rng.binomial(1, 0.5, (60, 20)).sum(axis=1).cumsum()
        alarms += any(
            checks.sample_ratio(int(a), 20 * (day + 1) - int(a), 0.5).verdict == "failed"
            for day, a in enumerate(on)
        )
    assert alarms / 400 <= 0.01


def test_aa_passes_on_slots_that_were_drawn_apart() -> None:
    amount, base, _ = slots(2)
    check = checks.again(rows(amount, base), 0.5, seed=1)
    assert check.verdict == "passed"
    assert check.figure == pytest.approx(0.05, abs=0.035)
    assert checks.again(rows(amount[:30], base[:30]), 0.5, seed=1).verdict == "not looked at"


def test_novelty_is_an_effect_that_fades() -> None:
    amount, base, adaptive = slots(3)
    first, second = slice(0, 600), slice(600, None)

    def halves(values: Floats) -> checks.Check:
        z = rows(values, base)
        return checks.novelty(
            effects(moments(z[first], adaptive[first])),
            effects(moments(z[second], adaptive[second])),
        )

    assert halves(amount * (1 + 0.1 * adaptive)).verdict == "passed"
    fading = amount.copy()
    fading[:600] *= 1 + 0.3 * adaptive[:600]
    check = halves(fading)
    assert check.verdict == "failed"
    assert "at first" in check.sentence


def test_carry_over_is_the_arm_before_that_still_shows() -> None:
    amount, base, adaptive = slots(4)
    before = np.roll(adaptive, 1)
    assert checks.carry_over(rows(amount * (1 + 0.1 * adaptive), base), before).verdict == "passed"
    lingering = amount * (1 + 0.2 * adaptive) * (1 + 0.15 * before)
    assert checks.carry_over(rows(lingering, base), before).verdict == "failed"


def test_slots_of_a_day_that_hang_together_are_noticed() -> None:
    amount, base, adaptive = slots(5)
    day = np.arange(amount.size) // 12
    z = rows(amount, base)
    assert checks.days_alike(z, adaptive, day).verdict == "passed"
    # A store that is adaptive for whole days, and has good and bad days.
    whole = np.random.default_rng(1).random(day.max() + 1) < 0.5
    good = np.random.default_rng(2).lognormal(0.0, 0.5, day.max() + 1)
    told = checks.days_alike(rows(amount * good[day], base), whole[day], day)
    assert told.verdict == "failed"
    assert checks.days_alike(z, adaptive, day // 20).verdict == "not looked at"


def test_influences_add_up_to_the_variance() -> None:
    amount, base, adaptive = slots(6)
    known = np.log(amount / base) + np.random.default_rng(3).normal(0.0, 0.3, amount.size)
    z = rows(amount, base, (known * base)[:, None])
    psi = checks.influences(z, adaptive)
    variance = float((psi**2).sum()) / amount.size / (amount.size - 3)
    assert float(effects(moments(z, adaptive)).variance) == pytest.approx(variance, rel=1e-9)
