"""The sums of which every estimate is made: second moments of the slots, by arm. Pure.

A slot is one row z = (1, amount, base, covariates...): `amount` the outcome summed over the slot
(value or units), `base` what it is divided by (transactions for a basket outcome, minutes for a
product's sales), covariates known before the slot was drawn. The matrices sum z zᵀ, so they add up
over slots, days and stores, and nothing of a single basket is kept.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Places of the row's first entries.
ONE, AMOUNT, BASE, FIRST_COVARIATE = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Moments:
    """`by_arm`: (..., 2, d, d) float64, the sums of z zᵀ of control [0] and adaptive [1] slots."""

    by_arm: Floats

    @property
    def covariates(self) -> int:
        """How many covariates a row has."""
        return int(self.by_arm.shape[-1]) - FIRST_COVARIATE

    @property
    def slots(self) -> Floats:
        """(..., 2) slots of each arm."""
        counts: Floats = self.by_arm[..., ONE, ONE]
        return counts

    @property
    def bases(self) -> Floats:
        """(..., 2) the base of each arm: its transactions or minutes."""
        bases: Floats = self.by_arm[..., ONE, BASE]
        return bases

    @property
    def ratios(self) -> Floats:
        """(..., 2) amount by base of each arm: the arithmetic mean a basket, or sales a minute."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios: Floats = self.by_arm[..., ONE, AMOUNT] / self.bases
        return ratios

    def without_covariates(self) -> "Moments":
        """The same slots, for an estimate that adjusts for nothing."""
        return Moments(self.by_arm[..., :FIRST_COVARIATE, :FIRST_COVARIATE])

    def with_covariates(self, count: int) -> "Moments":
        """The same slots with the first `count` covariates alone."""
        end = FIRST_COVARIATE + count
        return Moments(self.by_arm[..., :end, :end])

    def last(self) -> Self:
        """The last of the first axis: of a path by day, all of it."""
        return type(self)(self.by_arm[-1])


def rows(amount: Floats, base: Floats, covariates: Floats | None = None) -> Floats:
    """Rows z, (..., d), from (...) amounts and bases and (..., k) covariates.

    >>> rows(np.array([10.0]), np.array([2.0])).tolist()
    [[1.0, 10.0, 2.0]]
    """
    parts = [np.ones_like(amount)[..., None], amount[..., None], base[..., None]]
    if covariates is not None:
        parts.append(covariates)
    return np.concatenate(parts, axis=-1)


def moments(z: Floats, adaptive: Bools) -> Moments:
    """The moments of (..., slots, d) rows whose arms are (..., slots).

    >>> z = rows(np.array([10.0, 4.0]), np.array([2.0, 1.0]))
    >>> moments(z, np.array([True, False])).ratios.tolist()
    [4.0, 5.0]
    """
    on, off = z * adaptive[..., None], z * ~adaptive[..., None]
    return Moments(np.stack([_gram(off), _gram(on)], axis=-3))


def moments_by_day(z: Floats, adaptive: Bools, day: npt.NDArray[np.int64], days: int) -> Moments:
    """Cumulative moments at the end of each day, (days, 2, d, d): all that a daily look needs.

    Arguments:
        z, adaptive: (slots, d) and (slots,), in any order.
        day: (slots,) number of the slot's day, 0 .. days - 1.
    """
    total = np.zeros((days, 2, z.shape[-1], z.shape[-1]))
    for number in np.unique(day):
        here = day == number
        total[number] = moments(z[here], adaptive[here]).by_arm
    return Moments(np.cumsum(total, axis=0))


def _gram(z: Floats) -> Floats:
    gram: Floats = np.swapaxes(z, -1, -2) @ z
    return gram
