"""The answer of an experiment from the database, as it stands at a moment.

Nothing is stored: whoever asks gets the newest receipts, and the interval holds however often they
ask.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from msgspec.structs import replace

from infra.experiment.plans import label
from infra.experiment.reading import DAY_MS, Read, plans_in, read_experiment
from streams.contracts.experiment import ExperimentPlan, Outcome
from streams.contracts.layout import StoreLayout
from streams.uplift.analysis import Analysis, analyse, known_before
from streams.uplift.answers import LONGEST_DAYS, Question
from streams.uplift.design import Noise, noise_of
from streams.uplift.errors import TooLittleError

#: The outcomes as people say them, in the plural.
WORDS: Mapping[Outcome, str] = {
    "basket_value": "baskets (value)",
    "basket_units": "baskets (units)",
    "product_value": "sales of the product (value)",
    "product_units": "sales of the product (units)",
}


@dataclass(frozen=True, slots=True)
class Result:
    """An experiment and what is known of it. `label` is shown beside every number of it: it says
    that the store is simulated, and its true effect; None for a real one.
    """

    plans: tuple[ExperimentPlan, ...]
    analysis: Analysis
    label: str | None
    currency: str | None
    days: int
    slots: int
    unit_names: tuple[str, ...]

    @property
    def plan(self) -> ExperimentPlan:
        """The plan of the first store; all of an experiment ask the same."""
        return self.plans[0]


def results(
    connection: psycopg.Connection[Any],
    now_ms: int,
    *,
    store_id: str | None = None,
    layouts: Mapping[str, StoreLayout] | None = None,
) -> list[Result]:
    """Every experiment that the database knows, or those with a store, the newest first."""
    by_id: dict[str, list[ExperimentPlan]] = {}
    for plan in plans_in(connection):
        by_id.setdefault(plan.experiment_id, []).append(plan)
    wanted = (
        plans
        for plans in by_id.values()
        if store_id is None or any(plan.store_id == store_id for plan in plans)
    )
    return [result(connection, plans, now_ms, layouts=layouts) for plans in wanted]


def result(
    connection: psycopg.Connection[Any],
    plans: Sequence[ExperimentPlan],
    now_ms: int,
    *,
    outcome: Outcome | None = None,
    layouts: Mapping[str, StoreLayout] | None = None,
) -> Result:
    """What is known of one experiment: `plans` are those of its stores.

    `outcome` asks a second question than the plan's (the product beside the basket); it is shown
    for itself, never merged with the first.
    """
    if outcome is not None:
        plans = [_asking(plan, outcome) for plan in plans]
    first = plans[0]
    read = read_experiment(connection, plans, now_ms, layouts)
    question = Question(
        what=WORDS[first.outcome],
        share=first.adaptive_share,
        smallest_effect=first.smallest_effect,
        horizon_slots=max(1.0, read.per_day * first.horizon_ms / DAY_MS),
        longest_days=_longest(first, now_ms),
    )
    noise = noise_before(read)
    analysis = analyse(
        question,
        read.during,
        read.before,
        stores=len(read.units),
        days=read.days,
        slots_per_day=read.per_day,
        mismatched=read.mismatched,
        sigma=noise.sigma(first.adaptive_share)
        if noise is not None and 0.0 < first.adaptive_share < 1.0
        else math.nan,
    )
    return Result(
        tuple(plans),
        analysis,
        label(first),
        read.currency if first.outcome.endswith("value") else None,
        read.days,
        read.during.size,
        read.units,
    )


def noise_before(read: Read) -> Noise | None:
    """What the slots before the start were like; None where there were too few.

    The profile is taken from their first half and tried on the second, so that it explains what it
    will explain later, and not what it was made from.
    """
    slots = read.before
    if slots.size == 0:
        return None
    early = slots.day <= np.median(slots.day)
    covariates = known_before(slots.only(~early), slots.only(early), len(read.units))
    days = float(np.unique(slots.day).size)
    try:
        late = noise_of(
            slots.amount[~early],
            slots.base[~early],
            covariates if covariates is not None else np.zeros((int((~early).sum()), 0)),
            read.baskets_before,
            days,
        )
    except TooLittleError:
        return None
    return Noise(late.per_slot, late.plain, read.per_day, read.baskets_before / max(1.0, days))


def _asking(plan: ExperimentPlan, outcome: Outcome) -> ExperimentPlan:
    return replace(plan, outcome=outcome)


def _longest(plan: ExperimentPlan, now_ms: int) -> float:
    """How many more days one is prepared to wait: none where it has ended."""
    closed = plan.closed_at_ms
    return LONGEST_DAYS if closed is None else max(0.0, (closed - now_ms) / DAY_MS)
