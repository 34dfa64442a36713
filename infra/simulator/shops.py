"""Many experiments in simulated shops at once, as sums by slot: for benches, fast and vectorised.

Each basket of the outcome `value` is drawn by itself; units are sums of negative binomials, which
are negative binomial again. Sizes are a real panel's (see `receipts`), and so is what baskets have
in common, as shares of the variance of one basket's value (Complete Journey, 155,848 baskets of
457 stores, one-way analysis of variance): store 0.028, weekday and hour 0.011, day 0.0045. What
stores have in common and what they do not is drawn anew for each experiment. Pure.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.simulator.effects import ATTENTIVE, TrueEffect
from infra.simulator.receipts import (
    CATEGORIES,
    UNITS_DISPERSION,
    UNITS_MEAN,
    VALUE_LOG_MEAN,
    VALUE_LOG_SIGMA,
)

Floats = npt.NDArray[np.float64]

#: Correlations (shares of the variance of one basket). The store's is the panel's, rounded.
STORE_CORRELATION = 0.03
WEEK_CORRELATION = 0.011
DAY_CORRELATION = 0.0045

#: Of what weekday and hour do, three quarters are alike in all stores. Ours: the panel has too few
#: baskets a store and hour to tell.
_WEEK_IN_COMMON = 0.75

#: Shares of a day's baskets in its slots of two hours, from 8 to 22 h, as in the panel.
_DAY = (0.06, 0.10, 0.13, 0.15, 0.19, 0.22, 0.15)

#: Units of a basket in one category, negative binomial. Baskets hold few categories, so its
#: dispersion is small: matched to the variance of `receipts`.
_CATEGORY_DISPERSION = 0.12

_BITS = 256  # who looks is drawn in 256ths


@dataclass(frozen=True, slots=True)
class Shops:
    """A chain whose stores take part in one experiment together.

    `baskets_per_day` of one store; `washout_share` of each slot belongs to no arm. The outcome's
    days begin after `pre_days` in which nothing is different.
    """

    stores: int = 8
    baskets_per_day: float = 500.0
    washout_share: float = 0.25
    pre_days: int = 28
    days: int = 90
    adaptive_share: float = 0.5

    @property
    def slots_per_day(self) -> int:
        """Of all stores."""
        return self.stores * len(_DAY)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by slot: (experiments, stores, days, slots a day) each, the pre-period first."""

    baskets: Floats
    value: Floats
    units: Floats
    product_units: Floats
    adaptive: npt.NDArray[np.bool_]


def simulate(shops: Shops, effect: TrueEffect, experiments: int, seed: int) -> Sums:
    """`experiments` of them, each with stores, weeks and days of its own."""
    rng = np.random.default_rng([seed, 7])
    shape = (experiments, shops.stores, shops.pre_days + shops.days, len(_DAY))
    adaptive = rng.random(shape) < shops.adaptive_share
    adaptive[:, :, : shops.pre_days] = False
    mean = shops.baskets_per_day * (1.0 - shops.washout_share) * np.array(_DAY) / sum(_DAY)
    baskets = rng.poisson(mean, shape)
    value_cv2 = math.expm1(VALUE_LOG_SIGMA**2)
    units_cv2 = 1.0 / UNITS_MEAN + 1.0 / UNITS_DISPERSION
    level, between = _level(shops, shape, value_cv2, rng)
    value = _values(baskets, adaptive, effect, VALUE_LOG_SIGMA**2 - between, rng)
    value *= np.exp(VALUE_LOG_MEAN + level)
    level, between = _level(shops, shape, units_cv2, rng)
    factor = np.exp(level - between / 2.0)
    units = _units(baskets, adaptive, effect, factor, units_cv2, between, rng)
    share = dict(CATEGORIES)[effect.category]
    each = share * UNITS_MEAN * factor * np.where(adaptive, 1.0 + effect.product, 1.0)
    grown = each * np.where(adaptive, 1.0 + effect.basket, 1.0)
    product = rng.poisson(
        rng.standard_gamma(np.maximum(baskets * _CATEGORY_DISPERSION, 1e-9))
        * (grown / _CATEGORY_DISPERSION)
    )
    return Sums(baskets.astype(float), value, units, product.astype(float), adaptive)


def _level(
    shops: Shops, shape: tuple[int, ...], cv2: float, rng: np.random.Generator
) -> tuple[Floats, float]:
    """What the baskets of a slot have in common, on the logarithm, and its variance in all."""
    experiments, stores, days, slots = shape
    store, week, day = (
        math.log1p(correlation * cv2)
        for correlation in (STORE_CORRELATION, WEEK_CORRELATION, DAY_CORRELATION)
    )
    weeks = rng.normal(0.0, math.sqrt(_WEEK_IN_COMMON * week), (experiments, 1, 7, slots))
    own = rng.normal(0.0, math.sqrt((1 - _WEEK_IN_COMMON) * week), (experiments, stores, 7, slots))
    level = np.tile(weeks + own, (1, 1, -(-days // 7), 1))[:, :, :days]
    level += rng.normal(0.0, math.sqrt(store), (experiments, stores, 1, 1))
    level += rng.normal(0.0, math.sqrt(day), (experiments, stores, days, 1))
    return level, store + week + day


def _values(
    baskets: npt.NDArray[np.int64],
    adaptive: npt.NDArray[np.bool_],
    effect: TrueEffect,
    variance: float,
    rng: np.random.Generator,
) -> Floats:
    """Sums of log-normal values with a median of 1, basket by basket; those who look buy more."""
    found = np.empty(baskets.shape)
    threshold = round(ATTENTIVE * _BITS)
    more = effect.basket / (threshold / _BITS)
    for number in range(baskets.shape[0]):
        counts = baskets[number].ravel()
        drawn = rng.standard_normal(int(counts.sum()) + 1, dtype=np.float32)
        drawn *= np.float32(math.sqrt(variance))
        np.exp(drawn, out=drawn)
        drawn[-1] = 0.0  # so that the last slot may be empty
        if more:
            looks = rng.integers(0, _BITS, drawn.size, dtype=np.uint8) < threshold
            on = np.repeat(np.append(adaptive[number].ravel(), False), np.append(counts, 1))
            drawn[looks & on] *= np.float32(1.0 + more)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        sums = np.add.reduceat(drawn, starts, dtype=np.float64)
        found[number] = np.where(counts > 0, sums, 0.0).reshape(baskets.shape[1:])
    return found


def _units(
    baskets: npt.NDArray[np.int64],
    adaptive: npt.NDArray[np.bool_],
    effect: TrueEffect,
    factor: Floats,
    cv2: float,
    between: float,
    rng: np.random.Generator,
) -> Floats:
    """Sums of units, those who look apart from the others; a basket of none has one."""
    # What baskets have in common is part of the panel's variance: the rest is theirs.
    own = (1.0 + cv2) / math.exp(between) - 1.0 - 1.0 / UNITS_MEAN
    dispersion = 1.0 / own
    looking = rng.binomial(baskets, ATTENTIVE)
    found = np.zeros(baskets.shape)
    for count, looks in ((looking, True), (baskets - looking, False)):
        mean = UNITS_MEAN * factor
        rate = rng.standard_gamma(np.maximum(count * dispersion, 1e-9)) * mean / dispersion
        none = (dispersion / (dispersion + mean)) ** dispersion
        units = rng.poisson(np.where(count > 0, rate, 0.0)) + rng.binomial(count, none)
        if looks and effect.basket:
            units = units + rng.binomial(units, effect.basket / ATTENTIVE) * adaptive
        found += units
    return found
