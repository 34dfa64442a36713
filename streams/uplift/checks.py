"""What would make the number a lie, each looked for by itself. Pure.

- sample ratio: were as many slots measured in each arm as were drawn?
- A/A: on the slots before the start, drawn anew many times, how often would one have said yes?
- novelty: is the effect of the second half of the time another than that of the first?
- carry-over: does the arm of the slot before still show in this one?
- days: are slots of one day alike in what covariates do not explain?
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaln
from scipy.stats import norm

from streams.uplift.estimate import Effects, effects
from streams.uplift.moments import (
    AMOUNT,
    BASE,
    FIRST_COVARIATE,
    ONE,
    Bools,
    Floats,
    Moments,
    moments,
)

Verdict = Literal["passed", "failed", "not looked at"]

#: A check is looked at again and again beside the answer: it cries out only below this.
SIGNIFICANT = 0.01

#: An arm that is not what was drawn voids everything, so this cry must be rare and sure.
SAMPLE_RATIO_ALPHA = 0.001

#: How often the arms before the start are drawn anew.
REDRAWS = 2_000
_AT_ONCE = 100

#: Standard errors by day that exceed those by slot by this say that slots are not apart.
_DAYS_ALIKE = 1.5


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what came out of it, and a figure and a sentence that say so."""

    name: str
    verdict: Verdict
    figure: float | None
    sentence: str


def sample_ratio(adaptive: int, control: int, share: float, mismatched: int = 0) -> Check:
    """Whether the arms were measured as drawn, however often one looks.

    The e-value of a Beta(1, 1) mixture against the drawn share: Lindon and Malek, "Anytime-valid
    inference for multinomial count data" (NeurIPS 2022). `mismatched` slots had decisions of
    another arm than was drawn.
    """
    name = "sample ratio"
    if not 0.0 < share < 1.0 or adaptive + control == 0:
        return Check(name, "not looked at", None, "there are not two arms to compare")
    log_e = betaln(adaptive + 1, control + 1) - (
        adaptive * math.log(share) + control * math.log1p(-share)
    )
    p = math.exp(-max(float(log_e), 0.0))
    told = f"{adaptive} adaptive and {control} control slots, {share:.0%} were to be adaptive"
    if mismatched:
        text = f"in {mismatched} slots the screens followed another arm than the one drawn"
        return Check(name, "failed", p, text)
    verdict: Verdict = "failed" if p < SAMPLE_RATIO_ALPHA else "passed"
    return Check(name, verdict, p, told)


def again(z: Floats, share: float, seed: int, alpha: float = 0.05) -> Check:
    """The A/A check on (slots, d) rows from before the start, when nothing was different."""
    name = "A/A"
    rng = np.random.default_rng(seed)
    outer = z[:, :, None] * z[:, None, :]
    whole = outer.sum(axis=0)
    parts = []
    for _ in range(REDRAWS // _AT_ONCE):
        on = np.tensordot((rng.random((_AT_ONCE, z.shape[0])) < share).astype(float), outer, 1)
        parts.append(np.stack([whole - on, on], axis=1))
    found = effects(Moments(np.concatenate(parts)))
    t = found.log_ratio / np.sqrt(found.variance)
    told = t[np.isfinite(t)]
    if told.size < REDRAWS // 2:
        return Check(name, "not looked at", None, "too few slots before the start to draw anew")
    share_of_yes = float((np.abs(told) > norm.ppf(1 - alpha / 2)).mean())
    limit = alpha + 3.0 * math.sqrt(alpha * (1 - alpha) / told.size)
    verdict: Verdict = "failed" if share_of_yes > limit else "passed"
    return Check(
        name,
        verdict,
        share_of_yes,
        f"with arms drawn anew {told.size} times before the start, a single test at 5 % would have "
        f"said yes in {share_of_yes:.1%}",
    )


def novelty(first: Effects, second: Effects) -> Check:
    """Whether the effect fades or grows: first half of the time against the second."""
    return _apart("novelty", first, second, "the effect was {0:+.1%} at first and {1:+.1%} later")


def carry_over(z: Floats, before: Bools) -> Check:
    """Whether the arm of the slot before shows in (slots, d) rows of slots that follow another."""
    found = effects(moments(z, before))
    p = _two_sided(float(found.log_ratio), float(np.sqrt(found.variance)))
    if p is None:
        return Check("carry-over", "not looked at", None, "too few slots that follow another")
    verdict: Verdict = "failed" if p < SIGNIFICANT else "passed"
    text = f"after an adaptive slot the next one is {float(found.change):+.1%} (p = {p:.2g})"
    return Check("carry-over", verdict, p, text)


def days_alike(z: Floats, adaptive: Bools, cluster: npt.NDArray[np.int64]) -> Check:
    """Standard errors with the days as clusters, beside those with the slots: (slots,) each."""
    psi = influences(z, adaptive)
    _, index = np.unique(cluster, return_inverse=True)
    by_day = np.bincount(index, weights=psi)
    alone = float(np.sqrt((psi**2).sum()))
    if by_day.size < 10 or alone == 0.0:
        return Check("days", "not looked at", None, "fewer than ten days")
    ratio = float(np.sqrt((by_day**2).sum())) / alone
    verdict: Verdict = "failed" if ratio > _DAYS_ALIKE else "passed"
    text = f"standard errors by day are {ratio:.2f} times those by slot"
    return Check("days", verdict, ratio, text)


def influences(z: Floats, adaptive: Bools) -> Floats:
    """Each slot's influence on the adjusted effect, (slots,), from (slots, d) rows."""
    psi, sign = np.zeros(z.shape[0]), np.where(adaptive, 1.0, -1.0)
    weight = np.zeros(z.shape[0])
    for arm in (adaptive, ~adaptive):
        total, base = z[arm, AMOUNT].sum(), z[arm, BASE].sum()
        psi[arm] = (z[arm, AMOUNT] - total / base * z[arm, BASE]) * z.shape[0] / total
        weight[arm] = z.shape[0] / z[arm, ONE].sum()
    psi *= sign
    x = z[:, FIRST_COVARIATE:]
    if x.shape[1]:
        c = (sign * weight)[:, None] * (x - x.mean(axis=0))
        psi = psi - c @ np.linalg.lstsq(c, psi, rcond=1e-10)[0]
    return psi


def _apart(name: str, first: Effects, second: Effects, text: str) -> Check:
    difference = float(second.log_ratio - first.log_ratio)
    p = _two_sided(difference, float(np.sqrt(first.variance + second.variance)))
    if p is None:
        return Check(name, "not looked at", None, "too few slots in one half of the time")
    said = text.format(float(first.change), float(second.change))
    verdict: Verdict = "failed" if p < SIGNIFICANT else "passed"
    return Check(name, verdict, p, f"{said} (p = {p:.2g})")


def _two_sided(value: float, error: float) -> float | None:
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return None
    return float(2.0 * norm.sf(abs(value) / error))
