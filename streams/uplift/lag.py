"""How long it takes from the shelf to the till: the measured lag, from counts alone. Pure.

Nobody is followed: people before the shelf and baskets at the till are counts a minute. Baskets are
people some minutes earlier, `baskets[t] = a Σ h[k] people[t - k]`, with h a gamma distribution over
minutes. Its mean and shape are those that explain most, by least squares on counts from which the
slow course of the day has been taken. A lag that does not foretell the second half of the data is
no measurement.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import gamma

from streams.uplift.moments import Floats

#: A shopper who saw the shelf is at the till within this, or did not go there.
LONGEST_MIN = 120

#: What a slot is given for, where the lag cannot be measured: a plain supposition, said so.
SUPPOSED_MIN = 20.0

#: Means (minutes) and shapes that are tried; a shape of 1 falls from the beginning, 8 is narrow.
_MEANS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 40, 45, 50)
_SHAPES = (1, 2, 4, 8)

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
    """The lag, from counts of the same minutes, (minutes,) each; None where it cannot be told."""
    if people.size < 4 * _COURSE_MIN or baskets.sum() < _FEWEST_BASKETS or people.sum() <= 0:
        return None
    seen = _without_course(baskets)[LONGEST_MIN:]
    half = seen.size // 2
    causes = {
        (mean, shape): _delayed(people, mean, shape)[LONGEST_MIN:]
        for mean in _MEANS
        for shape in _SHAPES
    }
    early = max(causes, key=lambda each: _explained(causes[each][:half], seen[:half]))
    if not _foretells(causes[early][half:], seen[half:]):
        return None
    mean, shape = max(causes, key=lambda each: _explained(causes[each], seen))
    p50, p95 = gamma.ppf([0.5, 0.95], shape, scale=mean / shape)
    return Lag(round(float(p50), 1), round(float(p95), 1))


def _delayed(people: Floats, mean: float, shape: float) -> Floats:
    """The people of each minute as they come to the till, the course of the day taken off."""
    borders = gamma.cdf(np.arange(LONGEST_MIN + 1), shape, scale=mean / shape)
    return _without_course(np.convolve(people, np.diff(borders))[: people.size])


def _without_course(counts: Floats) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(counts)])
    middle = np.arange(counts.size)
    begin = np.maximum(middle - _COURSE_MIN // 2, 0)
    end = np.minimum(middle + _COURSE_MIN // 2 + 1, counts.size)
    course: Floats = counts - (total[end] - total[begin]) / (end - begin)
    return course


def _explained(cause: Floats, seen: Floats) -> float:
    """The sum of squares that a cause explains; nothing where more people mean fewer baskets."""
    together = float(cause @ seen)
    return together**2 / float(cause @ cause) if together > 0.0 else 0.0


def _foretells(told: Floats, seen: Floats) -> bool:
    if told.std() == 0.0 or seen.std() == 0.0:
        return False
    correlation = float(np.corrcoef(told, seen)[0, 1])
    return correlation * math.sqrt(told.size) > _TRUSTED_Z
