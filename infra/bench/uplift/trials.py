"""Many simulated experiments through the analysis, and what came of them. Pure but for the seed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from infra.bench.uplift.report import Days, EffectReport
from infra.simulator.effects import NO_EFFECT, TrueEffect
from infra.simulator.shops import Shops, Sums, simulate
from streams.uplift.covariates import COVARIATES, profile
from streams.uplift.design import Cost, Noise, cost, noise_of
from streams.uplift.estimate import Effects, effects
from streams.uplift.moments import Floats, Moments, moments, rows
from streams.uplift.sequence import half_width, tuned

Outcome = Literal["basket_value", "basket_units", "product_units"]

#: Experiments at a time: their baskets and moments then take less than 300 MB.
_CHUNK = 50

#: The promise, and the level of the tests beside it.
_ALPHA, _Z = 0.05, 1.959964
_POWER = 0.8

#: Whoever looks at a t-test daily begins after a week.
_NAIVE_FROM = 7

#: In at most so many times the days of the test that knows the effect.
_TIMES_ORACLE = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """One simulated truth: its name, the truth, and which outcomes are asked."""

    store: str
    effect: TrueEffect
    outcomes: tuple[Outcome, ...]

    def truth(self, outcome: Outcome) -> float:
        """The true effect on an outcome."""
        product = self.effect.product if outcome == "product_units" else 0.0
        return (1.0 + self.effect.basket) * (1.0 + product) - 1.0


@dataclass(frozen=True, slots=True)
class _Paths:
    """(experiments, days) of one outcome: the estimates with all covariates, the store alone, and
    none.
    """

    adjusted: Effects
    stratified: Effects
    plain: Effects


def trials(
    run: Run,
    shops: Shops,
    experiments: int,
    horizon_days: dict[Outcome, float],
    seed: int,
    say: Callable[[str], None],
) -> list[EffectReport]:
    """What came of so many experiments with this truth, by outcome."""
    gathered: dict[Outcome, list[_Paths]] = {outcome: [] for outcome in run.outcomes}
    for begin in range(0, experiments, _CHUNK):
        say(f"{run.store}: {begin} of {experiments} experiments")
        count = min(_CHUNK, experiments - begin)
        sums = simulate(shops, run.effect, count, seed + 1_000_003 * (begin + 1))
        for outcome, paths in gathered.items():
            paths.append(_paths(sums, shops, outcome))
    return [
        _reported(run, outcome, _joined(paths), shops, horizon_days[outcome])
        for outcome, paths in gathered.items()
    ]


def planned(shops: Shops, outcome: Outcome, effect: float, seed: int) -> Cost:
    """What the plan foretells from the time before the start: the median of some shops."""
    found = []
    sums = simulate(replace(shops, days=0), NO_EFFECT, 20, seed)
    for number in range(20):
        noise = _noise(sums, shops, outcome, number)
        found.append(cost(noise, shops.adaptive_share, effect))
    return sorted(found, key=lambda each: each.days)[len(found) // 2]


def _noise(sums: Sums, shops: Shops, outcome: Outcome, number: int) -> Noise:
    """The noise of one shop: the profile of the first half, tried on the second."""
    amount, base = (each[number] for each in _amount_base(sums, outcome))
    half = shops.pre_days // 14 * 7
    known = _profile(amount[:, :half], base[:, :half])
    late = shops.pre_days - half
    covariates = np.tile(known, (1, -(-late // 7), 1, 1))[:, :late]
    return noise_of(
        amount[:, half:].ravel(),
        base[:, half:].ravel(),
        covariates.reshape(-1, COVARIATES),
        float(sums.baskets[number, :, half:].sum()),
        late,
    )


def _amount_base(sums: Sums, outcome: Outcome) -> tuple[Floats, Floats]:
    if outcome == "product_units":
        return sums.product_units, np.ones_like(sums.baskets)
    return (sums.value if outcome == "basket_value" else sums.units), sums.baskets


def _profile(amount: Floats, base: Floats) -> Floats:
    """The covariates by weekday and slot, (..., stores, 7, slots, 4), of whole weeks."""
    *lead, days, slots = amount.shape
    weeks = (*lead, days // 7, 7, slots)
    counts = np.full((*lead, 7, slots), float(days // 7))
    return profile(amount.reshape(weeks).sum(-3), base.reshape(weeks).sum(-3), counts)


def _paths(sums: Sums, shops: Shops, outcome: Outcome) -> _Paths:
    amount, base = _amount_base(sums, outcome)
    pre, days = shops.pre_days, shops.days
    known = _profile(amount[:, :, :pre], base[:, :, :pre])
    covariates = np.tile(known, (1, 1, -(-days // 7), 1, 1))[:, :, :days]
    z = rows(amount[:, :, pre:], base[:, :, pre:], covariates)
    by_day = (0, 2, 1, 3)
    shape = (z.shape[0], days, -1)
    z = z.transpose(*by_day, 4).reshape(*shape, z.shape[-1])
    adaptive = sums.adaptive[:, :, pre:].transpose(by_day).reshape(shape)
    found = Moments(np.cumsum(moments(z, adaptive).by_arm, axis=1))
    # The first covariate is the store: what it is worth is to compare each store with itself.
    return _Paths(
        effects(found), effects(found.with_covariates(1)), effects(found.without_covariates())
    )


def _joined(paths: list[_Paths]) -> _Paths:
    def all_of(read: Callable[[_Paths], Effects]) -> Effects:
        parts = [read(each) for each in paths]
        return Effects(
            np.concatenate([each.log_ratio for each in parts]),
            np.concatenate([each.variance for each in parts]),
            np.concatenate([each.slots for each in parts]),
        )

    return _Paths(
        all_of(lambda p: p.adjusted), all_of(lambda p: p.stratified), all_of(lambda p: p.plain)
    )


def _reported(
    run: Run, outcome: Outcome, paths: _Paths, shops: Shops, horizon_days: float
) -> EffectReport:
    truth = math.log1p(run.truth(outcome))
    rho2 = tuned(horizon_days * shops.slots_per_day)
    ours, n = paths.adjusted, paths.adjusted.log_ratio.shape[0]
    half = half_width(ours.per_slot, ours.slots, rho2)
    known = np.isfinite(half)
    covered = np.where(known, np.abs(ours.log_ratio - truth) <= half, True).all(axis=1)
    found = _ever(ours, half)
    store = paths.stratified
    sequence = _ever(store, half_width(store.per_slot, store.slots, rho2))
    oracle = _first_day(_rejects(store).mean(axis=0)) if truth else None
    last = shops.days if oracle is None else min(shops.days, int(_TIMES_ORACLE * oracle))
    days_80 = _first_day(found.mean(axis=0))
    days = np.where(found.any(axis=1), found.argmax(axis=1) + 1, 0)
    naive = _rejects(paths.plain)[:, _NAIVE_FROM - 1 :].any(axis=1)
    return EffectReport(
        store=run.store,
        outcome=outcome,
        true_effect=round(run.truth(outcome), 6),
        experiments=n,
        looked_at_days=shops.days,
        coverage=float(covered.mean()),
        coverage_floor=round(1 - _ALPHA - 2 * math.sqrt(_ALPHA * (1 - _ALPHA) / n), 4),
        discoveries=float(found[:, -1].mean()),
        power=float(found[:, last - 1].mean()),
        days=Days(p50=float(np.median(days[days > 0])) if days.any() else None, p80_of_all=days_80),
        oracle_days=oracle,
        oracle_plain_days=_first_day(_rejects(paths.plain).mean(axis=0)) if truth else None,
        oracle_adjusted_days=_first_day(_rejects(ours).mean(axis=0)) if truth else None,
        plain_sequence_days=_first_day(sequence.mean(axis=0)) if truth else None,
        days_by_oracle_days=None if not (oracle and days_80) else round(days_80 / oracle, 2),
        naive_daily_t_discoveries=float(naive.mean()),
        median_estimate=round(float(np.median(np.expm1(ours.log_ratio[:, -1]))), 5),
    )


def _ever(of: Effects, half: Floats) -> npt.NDArray[np.bool_]:
    """(experiments, days): no effect was excluded on this day or before."""
    outside = np.nan_to_num(np.abs(of.log_ratio), nan=-1.0) > np.nan_to_num(half, nan=np.inf)
    return np.logical_or.accumulate(outside, axis=1)


def _rejects(of: Effects) -> npt.NDArray[np.bool_]:
    """A t-test at 5 %, each day for itself. There are so many slots that t is normal."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.abs(of.log_ratio) / np.sqrt(of.variance)) > _Z


def _first_day(share: Floats) -> int | None:
    reached = np.flatnonzero(share >= _POWER)
    return int(reached[0]) + 1 if reached.size else None


def all_runs() -> Iterator[Run]:
    """The truths of the bench: none, +1 %, +5 %, +28 %, and a product that moves alone."""
    baskets: tuple[Outcome, ...] = ("basket_value", "basket_units")
    for name, share in (("none", 0.0), ("+1 %", 0.01), ("+5 %", 0.05), ("+28 %", 0.28)):
        yield Run(name, TrueEffect(basket=share), baskets)
    yield Run(
        "product moves, basket does not", TrueEffect(product=0.44), ("product_units", *baskets)
    )
