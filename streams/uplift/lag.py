"""How long it takes from the shelf to the till: the measured lag, from counts alone. Pure.

Nobody is followed: people before the shelf and baskets at the till are counts a minute. Baskets are
people some minutes earlier, `baskets[t] = Σ h[k] people[t - k]`; h, which is never negative, is
found by least squares (Lawson and Hanson) on counts from which the slow course of the day has been
taken. A model that does not foretell the second half of the data is no measurement.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from streams.uplift.moments import Floats

#: A shopper who saw the shelf is at the till within this, or did not go there.
LONGEST_MIN = 90

#: What a slot is given for, where the lag cannot be measured: a plain supposition, said so.
SUPPOSED_MIN = 20.0

#: h is held constant over so many minutes; shorter steps only fit noise.
_STEP_MIN = 3

#: The course of the day is the mean over so long; longer than the longest lag.
_COURSE_MIN = 2 * LONGEST_MIN + 1

#: The first half must foretell the second by this correlation in standard errors.
_TRUSTED_Z = 4.0

#: Fewer baskets tell nothing.
_FEWEST_BASKETS = 200


@dataclass(frozen=True, slots=True)
class Lag:
    """Minutes from shelf to till: the median, and what 95 % do not exceed."""

    p50_min: float
    p95_min: float


def lag_of(people: Floats, baskets: Floats) -> Lag | None:
    """The lag, from counts of the same minutes, (minutes,) each; None where it cannot be told.

    Reference: C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.
    """
    if people.size < 4 * _COURSE_MIN or baskets.sum() < _FEWEST_BASKETS or people.sum() <= 0:
        return None
    steps = LONGEST_MIN // _STEP_MIN
    causes = np.stack([_delayed(people, k * _STEP_MIN) for k in range(steps)], axis=1)
    causes = np.apply_along_axis(_without_course, 0, causes)[LONGEST_MIN:]
    told = _without_course(baskets)[LONGEST_MIN:]
    half = told.size // 2
    weights, _ = nnls(causes[:half], told[:half])
    if not weights.any() or not _foretells(causes[half:] @ weights, told[half:]):
        return None
    weights, _ = nnls(causes, told)
    share = np.cumsum(weights) / weights.sum()
    return Lag(_quantile(share, 0.5), _quantile(share, 0.95))


def _delayed(people: Floats, minutes: int) -> Floats:
    """The mean of `people` over the step that begins `minutes` ago."""
    total = np.zeros(people.size)
    for extra in range(_STEP_MIN):
        by = minutes + extra
        total[by:] += people[: people.size - by]
    return total / _STEP_MIN


def _without_course(counts: Floats) -> Floats:
    kernel = np.ones(_COURSE_MIN)
    near = np.convolve(np.ones(counts.size), kernel, mode="same")
    course: Floats = counts - np.convolve(counts, kernel, mode="same") / near
    return course


def _foretells(told: Floats, seen: Floats) -> bool:
    if told.std() == 0.0 or seen.std() == 0.0:
        return False
    correlation = float(np.corrcoef(told, seen)[0, 1])
    return correlation * math.sqrt(told.size) > _TRUSTED_Z


def _quantile(share: Floats, part: float) -> float:
    """Where the cumulated share reaches a part, between the borders of steps."""
    after = int(np.searchsorted(share, part))
    before = float(share[after - 1]) if after else 0.0
    within = (part - before) / max(float(share[after]) - before, 1e-12)
    return round(_STEP_MIN * (after + within), 1)
