"""Before the start: how small an effect can be seen, how long it takes, what it costs. Pure.

The noise comes from the store's own slots before the start. With s the standard deviation of a
slot's relative deviation (V - R N) / mean(V), a slot drawn adaptive with probability p has an
influence of variance s² / (p (1 - p)): 0.25 / (p (1 - p)) times as many slots are needed as with
p = 1/2, which is 2.8 times for 90/10.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.uplift.errors import TooLittleError
from streams.uplift.moments import Floats
from streams.uplift.sequence import half_width, slots_until, tuned

#: Standard normal quantiles: two-sided 5 %, and a power of 80 %.
Z_ALPHA, Z_POWER = 1.959964, 0.841621

#: Slots before the start below which the noise is not known well enough to plan with.
FEWEST_SLOTS = 28

#: Lengths of a slot that divide a day and that people can read, in minutes.
SLOT_MINUTES = (15, 20, 30, 60, 90, 120, 180, 240, 360, 480)

_MINUTES_A_DAY = 1_440


@dataclass(frozen=True, slots=True)
class Noise:
    """What the slots before the start were like.

    `per_slot` is s above after what covariates explain, `plain` before it; `slots_per_day` over all
    stores, `baskets_per_day` likewise.
    """

    per_slot: float
    plain: float
    slots_per_day: float
    baskets_per_day: float

    @property
    def explained(self) -> float:
        """The share of the variance that covariates explain."""
        return 1.0 - (self.per_slot / self.plain) ** 2 if self.plain > 0.0 else 0.0

    def sigma(self, share: float) -> float:
        """Standard deviation of one slot's influence when `share` of the slots are adaptive."""
        return self.per_slot / math.sqrt(share * (1.0 - share))


def noise_of(
    amount: Floats, base: Floats, covariates: Floats, baskets: float, days: float
) -> Noise:
    """The noise of (slots,) amounts and bases, with (slots, k) covariates that were known before.

    `baskets` and `days` are how many there were in all.

    Raises:
        TooLittleError: too few slots to plan with.
    """
    n = amount.size
    if n < FEWEST_SLOTS or amount.sum() <= 0.0 or base.sum() <= 0.0:
        raise TooLittleError("slots with sales before the start", n, FEWEST_SLOTS)
    deviation = (amount - amount.sum() / base.sum() * base) / amount.mean()
    plain = float(np.sqrt((deviation**2).mean()))
    centred = covariates - covariates.mean(axis=0) if covariates.size else covariates
    left = plain
    if centred.size:
        slope = np.linalg.lstsq(centred, deviation, rcond=1e-10)[0]
        spare = max(1, n - 1 - centred.shape[1])
        left = float(np.sqrt(((deviation - centred @ slope) ** 2).sum() / spare))
    return Noise(min(left, plain), plain, n / days, baskets / days)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one share of adaptive slots asks for, to find `effect` with 80 % at any time.

    `fixed_days`: a test that is looked at once, at its end, which would have to be known.
    """

    share: float
    effect: float
    slots: float
    days: float
    baskets: float
    fixed_days: float


def cost(noise: Noise, share: float, effect: float) -> Cost:
    """What it takes. Infinite where there is no control, or no noise to go by."""
    if not 0.0 < share < 1.0:
        return Cost(share, effect, math.inf, math.inf, math.inf, math.inf)
    sigma, wanted = noise.sigma(share), math.log1p(effect)
    fixed = ((Z_ALPHA + Z_POWER) * sigma / wanted) ** 2
    # Tightest where it will be read: about twice the slots of the fixed test.
    slots = slots_until(wanted, sigma, tuned(2.0 * fixed), margin=Z_POWER)
    days = slots / noise.slots_per_day
    return Cost(
        share, effect, slots, days, days * noise.baskets_per_day, fixed / noise.slots_per_day
    )


def times_even(share: float) -> float:
    """How many times the baskets of a 50/50 split this one needs.

    >>> round(times_even(0.9), 1)
    2.8
    """
    return 0.25 / (share * (1.0 - share)) if 0.0 < share < 1.0 else math.inf


def smallest_visible(noise: Noise, share: float, days: float) -> float:
    """The minimum detectable effect: the share that is found with 80 % within `days`."""
    if not 0.0 < share < 1.0:
        return math.inf
    slots = np.array(max(1.0, days * noise.slots_per_day))
    sigma = noise.sigma(share)
    half = float(half_width(np.array(sigma), slots, tuned(float(slots))))
    return math.expm1(half + Z_POWER * sigma / math.sqrt(float(slots)))


def slot_minutes(
    washout_min: float,
    baskets_per_min: float,
    basket_cv: float,
    between_slots: float,
    allowed: Sequence[int] = SLOT_MINUTES,
) -> int:
    """The length of a slot that gives the most information a day, in minutes.

    A slot of L minutes has baskets of L - w minutes, so its mean has the relative variance
    c / (L - w) + b, where c is the squared coefficient of variation of one basket by baskets a
    minute and b the variance between slots that nothing explains; a day holds 1/L of them. The
    best L is w + √(c w / b), taken to the nearest of `allowed` that is at least twice the washout.

    >>> slot_minutes(20.0, 1.0, 2.0, 0.02)
    90
    >>> slot_minutes(0.0, 1.0, 2.0, 0.02)
    15
    """
    noise = basket_cv**2 / max(baskets_per_min, 1e-9)
    fit = [each for each in allowed if each >= 2.0 * washout_min] or [allowed[-1]]

    def loss(minutes: int) -> float:
        counted = max(minutes - washout_min, 1e-9)
        return minutes / _MINUTES_A_DAY * (noise / counted + max(between_slots, 0.0))

    return min(fit, key=loss)
