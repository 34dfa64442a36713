"""The bench of the uplift analysis: simulated truths, and effects put into a real panel."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from infra.bench.uplift.panel import panel
from infra.bench.uplift.report import EffectReport, PanelReport, UpliftReport
from infra.bench.uplift.trials import Outcome, Run, all_runs, planned, trials
from infra.simulator.shops import Shops

#: The effect that plans are made for, and the sequence is tightest where it is found.
_PLANNED_EFFECT = 0.05

_OUTCOMES: tuple[Outcome, ...] = ("basket_value", "basket_units", "product_units")


async def bench_uplift(
    *,
    experiments: int,
    days: int,
    seed: int,
    cache: Path,
    with_panel: bool,
    say: Callable[[str], None],
) -> UpliftReport:
    """Runs all of it.

    Raises:
        ServerEnvironmentError: the panel's environment cannot be made.
    """
    began = time.monotonic()
    shops = Shops(days=days)
    plans = {outcome: planned(shops, outcome, _PLANNED_EFFECT, seed + 17) for outcome in _OUTCOMES}
    horizon = {outcome: plan.days for outcome, plan in plans.items()}
    two_cores = asyncio.Semaphore(2)

    async def tried(number: int, run: Run) -> list[EffectReport]:
        async with two_cores:
            own = seed + 1_000 * number
            return await asyncio.to_thread(trials, run, shops, experiments, horizon, own, say)

    runs = list(all_runs())
    told = await asyncio.gather(*(tried(number, run) for number, run in enumerate(runs)))
    found: list[EffectReport] = []
    moves: list[EffectReport] = []
    for run, each in zip(runs, told, strict=True):
        (moves if run.effect.product else found).extend(each)
    real: PanelReport | None = None
    if with_panel:
        real = await panel(cache, seed, say)
    return UpliftReport(
        seed=seed,
        seconds=round(time.monotonic() - began, 1),
        stores=shops.stores,
        baskets_per_store_and_day=shops.baskets_per_day,
        slots_per_day=shops.slots_per_day,
        adaptive_share=shops.adaptive_share,
        planned_days=round(plans["basket_value"].days, 1),
        planned_fixed_days=round(plans["basket_value"].fixed_days, 1),
        effects=found,
        product_moves=moves,
        panel=real,
    )
