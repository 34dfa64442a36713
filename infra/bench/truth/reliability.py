"""Whether probabilities are what they say: reliability and its expected error. Pure.

Reference: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Bins of equal width; ten, as in the reference's plots.
BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin: how many, what they said on average, and how many of them were right."""

    count: int
    said: float
    right: float


def reliability(said: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """The bins from 0 to 1 that hold something.

    >>> reliability([0.81, 0.89, 0.31], [True, True, False])
    [Bin(count=1, said=0.31, right=0.0), Bin(count=2, said=0.85, right=1.0)]
    """
    if not said:
        return []
    p, hit = np.asarray(said, dtype=float), np.asarray(right, dtype=float)
    number = np.minimum((p * BINS).astype(int), BINS - 1)
    found = []
    for i in range(BINS):
        inside = number == i
        if inside.any():
            mean = (float(p[inside].mean()), float(hit[inside].mean()))
            found.append(Bin(int(inside.sum()), round(mean[0], 4), round(mean[1], 4)))
    return found


def expected_error(bins: Sequence[Bin]) -> float | None:
    """The expected calibration error: what is said against what is right, weighted by number.

    >>> expected_error([Bin(1, 0.25, 0.0), Bin(3, 0.85, 0.95)])
    0.1375
    """
    total = sum(each.count for each in bins)
    if not total:
        return None
    return round(sum(each.count * abs(each.said - each.right) for each in bins) / total, 4)
