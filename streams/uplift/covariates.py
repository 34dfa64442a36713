"""What is known before a slot is drawn: how such slots went in the time before the start. Pure.

The profile of the pre-period, by store, weekday and hour, as four covariates of a slot, each a
deviation of the ratio (amount by base) times the base that such a slot usually has, which is the
slot's expected part in the arm's ratio:

    store     this store against all
    week      this weekday and hour against the others, all stores together
    hour      this hour against the others
    cell      this weekday and hour in this store against what the first two say

The regression finds what each is worth; a profile of few weeks is noisy and gets a small slope.
"""

import numpy as np

from streams.uplift.moments import Floats

#: Covariates of a profile.
COVARIATES = 4

#: A week's grid: weekday (Monday first) by hour, in the store's local time.
WEEKDAYS, HOURS = 7, 24


def profile(amount: Floats, base: Floats, slots: Floats) -> Floats:
    """The covariates of each cell of the week, (..., stores, 7, hours, 4).

    Arguments:
        amount, base: (..., stores, 7, hours) sums over the pre-period.
        slots: the same shape, how many slots there were.

    Cells without anything in the pre-period get zeros: nothing is known of them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = _ratio(amount, base, (-3, -2, -1))
        by_store = _ratio(amount, base, (-2, -1)) / overall
        usual = base * np.nan_to_num(by_store, nan=1.0)
        by_week = _ratio(amount, usual, (-3,)) / overall
        by_hour = _ratio(amount, usual, (-3, -2)) / overall
        cell = amount / (usual * overall) - by_week
        deviations = np.stack(
            np.broadcast_arrays(by_store - 1.0, by_week - 1.0, by_hour - 1.0, cell), axis=-1
        )
        usual_base = base / slots
    known: Floats = np.nan_to_num(deviations * usual_base[..., None], posinf=0.0, neginf=0.0)
    return known


def _ratio(amount: Floats, base: Floats, axes: tuple[int, ...]) -> Floats:
    ratio: Floats = amount.sum(axis=axes, keepdims=True) / base.sum(axis=axes, keepdims=True)
    return ratio
