"""From the slots of an experiment to the answer, with the checks beside it. Pure.

What is given are sums by slot; what comes out is one `Analysis`, which pages and reports show as it
is. The question was fixed before the start; nothing here looks for a better one.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from streams.uplift import checks
from streams.uplift.answers import Answer, Look, Question, answer, no_number
from streams.uplift.checks import Check
from streams.uplift.covariates import HOURS, WEEKDAYS, profile
from streams.uplift.design import Z_POWER
from streams.uplift.estimate import FEWEST_SLOTS, Effects, effects
from streams.uplift.moments import Bools, Floats, Moments, moments, moments_by_day, rows
from streams.uplift.sequence import e_value, half_width, slots_until, tuned

Ints = npt.NDArray[np.int64]

#: A seed of its own for the arms that are drawn anew: the same data give the same check.
_SEED = 20_240_607


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a stretch of time, (slots,) each, in the order of time within a store.

    `store` counts units that are drawn apart (stores, or screens); `day` counts days from the
    beginning; `weekday` (Monday 0) and `hour` are the store's local time; `adaptive` is the arm
    that was drawn (all False before the start); `amount` and `base` as in `moments`; `follows`
    says that the slot before belongs to the experiment too, `before` which arm that was.
    """

    store: Ints
    day: Ints
    weekday: Ints
    hour: Ints
    adaptive: Bools
    amount: Floats
    base: Floats
    follows: Bools
    before: Bools

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.amount.size)

    def only(self, wanted: Bools) -> "Slots":
        """Those of them that are wanted, (slots,)."""
        return Slots(*(getattr(self, field.name)[wanted] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What was seen of one arm: slots, base (transactions or minutes), and the mean with an
    interval that holds at any time (None below the fewest slots).
    """

    slots: int
    base: float
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that is known of an experiment.

    `plain` is the last look without covariates, to see what they are worth; `explained` the share
    of the variance that they take away. `e_value` above 20 is the yes of the sequence.
    """

    answer: Answer
    looks: list[Look]
    control: ArmFigures
    adaptive: ArmFigures
    checks: list[Check]
    plain: Look | None
    explained: float | None
    e_value: float | None
    sigma: float | None


def analyse(
    question: Question,
    during: Slots,
    before: Slots,
    *,
    stores: int,
    days: int,
    slots_per_day: float,
    mismatched: int = 0,
    sigma: float = math.nan,
) -> Analysis:
    """The analysis of `days` days of slots.

    Arguments:
        during, before: the slots of the experiment, and those of the time before.
        stores: how many units are counted by `store`.
        slots_per_day: how many slots a day brings, over all of them.
        mismatched: slots whose decisions were of another arm than was drawn.
        sigma: a slot's noise as planned with, for as long as none is measured.
    """
    z = rows(during.amount, during.base, known_before(during, before, stores))
    by_day = moments_by_day(z, during.adaptive, during.day, days)
    rho2 = tuned(question.horizon_slots, question.alpha)
    found = effects(by_day)
    looks = _looks(found, rho2, question.alpha)
    plain = effects(by_day.without_covariates())
    measured_on, measured_off = (
        int((arm & (during.base > 0.0)).sum()) for arm in (during.adaptive, ~during.adaptive)
    )
    ratio = checks.sample_ratio(measured_on, measured_off, question.share, mismatched)
    now = float(found.per_slot[-1]) if days else math.nan
    noise = now if math.isfinite(now) else sigma
    measured = math.isfinite(now)
    return Analysis(
        answer=_answer(question, during, looks, ratio, noise, slots_per_day, rho2),
        looks=looks,
        control=_arm(by_day, 0, rho2, question.alpha),
        adaptive=_arm(by_day, 1, rho2, question.alpha),
        checks=[ratio, *_checks(question, during, before, z)],
        plain=_looks(plain, rho2, question.alpha)[-1] if days else None,
        explained=1.0 - float((found.variance / plain.variance)[-1]) if measured else None,
        e_value=float(e_value(found.log_ratio, found.per_slot, found.slots, rho2)[-1])
        if measured
        else None,
        sigma=noise if math.isfinite(noise) else None,
    )


def known_before(during: Slots, before: Slots, stores: int) -> Floats | None:
    """What the time before tells of each slot, (slots, 4); None without such a time."""
    if before.size == 0 or before.amount.sum() <= 0.0:
        return None
    grid = np.zeros((3, stores, WEEKDAYS, HOURS))
    cells = (before.store, before.weekday, before.hour)
    for number, values in enumerate((before.amount, before.base, np.ones(before.size))):
        np.add.at(grid[number], cells, values)
    known = profile(*grid)
    return known[during.store, during.weekday, during.hour]


def _looks(found: Effects, rho2: float, alpha: float) -> list[Look]:
    half = half_width(found.per_slot, found.slots, rho2, alpha)
    low, high = np.expm1(found.log_ratio - half), np.expm1(found.log_ratio + half)
    return [
        Look(
            day,
            int(found.slots[day]),
            float(found.change[day]),
            float(low[day]),
            float(high[day]),
        )
        for day in range(found.slots.size)
    ]


def _answer(
    question: Question,
    during: Slots,
    looks: list[Look],
    ratio: Check,
    sigma: float,
    slots_per_day: float,
    rho2: float,
) -> Answer:
    if not 0.0 < question.share < 1.0:
        arm = "adaptive" if question.share >= 1.0 else "control"
        return no_number(f"every slot is {arm}, and without the other arm nothing is compared")
    if ratio.verdict == "failed":
        return no_number(f"the arms are not what was drawn ({ratio.sentence})")
    # Without any noise to go by, say at least when there will be an interval.
    rarer = FEWEST_SLOTS / min(question.share, 1.0 - question.share)
    wanted = math.log1p(question.smallest_effect)
    needed = slots_until(wanted, sigma, rho2, question.alpha, Z_POWER)
    slots = max(needed if math.isfinite(needed) else rarer, rarer) - during.size
    per_day = slots_per_day if slots_per_day > 0.0 else math.nan
    left = max(0.0, slots) / per_day
    return answer(question, looks, left if math.isfinite(left) else math.inf)


def _arm(by_day: Moments, arm: int, rho2: float, alpha: float) -> ArmFigures:
    """The arm's mean with its own sequence: the logarithm of a ratio, as in `estimate`."""
    if by_day.by_arm.shape[0] == 0:
        return ArmFigures(0, 0.0, None, None, None)
    gram = by_day.by_arm[-1, arm]
    n, total, base = float(gram[0, 0]), float(gram[0, 1]), float(gram[0, 2])
    if n < FEWEST_SLOTS or total <= 0.0 or base <= 0.0:
        return ArmFigures(int(n), base, total / base if base > 0.0 else None, None, None)
    mean = total / base
    spread = float(gram[1, 1] - 2.0 * mean * gram[1, 2] + mean**2 * gram[2, 2])
    sigma = math.sqrt(max(spread, 0.0) / n) / (total / n)
    half = float(half_width(np.array(sigma), np.array(n), rho2, alpha))
    return ArmFigures(int(n), base, mean, mean * math.exp(-half), mean * math.exp(half))


def _checks(question: Question, during: Slots, before: Slots, z: Floats) -> list[Check]:
    found: list[Check] = []
    if before.size:
        past = rows(before.amount, before.base)
        found.append(checks.again(past, question.share, _SEED, question.alpha))
    else:
        found.append(Check("A/A", "not looked at", None, "nothing was measured before the start"))
    early = during.day < np.median(during.day) if during.size else np.zeros(0, bool)
    first = effects(moments(z[early], during.adaptive[early]))
    second = effects(moments(z[~early], during.adaptive[~early]))
    found.append(checks.novelty(first, second))
    follows = during.follows
    found.append(checks.carry_over(z[follows], during.before[follows]))
    if during.size and during.adaptive.any() and (~during.adaptive).any():
        cluster = during.store * (int(during.day.max()) + 1) + during.day
        if min(z[during.adaptive, 1].sum(), z[~during.adaptive, 1].sum()) > 0.0:
            found.append(checks.days_alike(z, during.adaptive, cluster))
    return found
