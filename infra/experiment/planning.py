"""What an experiment would need, before it starts: noise and lag of the store's own past, length of
slot and washout, power, minimum detectable effect, and what the split costs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import psycopg

from infra.experiment.answering import WORDS, noise_before
from infra.experiment.plans import Draft, as_plan, label
from infra.experiment.reading import read_experiment
from streams.contracts.experiment import BASKET_OUTCOMES, ExperimentPlan
from streams.contracts.layout import StoreLayout
from streams.uplift.answers import LONGEST_DAYS
from streams.uplift.design import Cost, Noise, cost, slot_minutes, smallest_visible, times_even
from streams.uplift.lag import SUPPOSED_MIN, Lag, lag_of

_MINUTE_MS = 60_000

#: The lag is looked for in so many days before now, at the most.
_LAG_DAYS = 14

#: Coefficients of variation of one basket, and the variance between like slots, that are supposed
#: where the store has no past: those of a real panel (Complete Journey: log-normal value with sigma
#: 1.27, negative binomial units with mean 13.5 and r = 0.64; a correlation within store of 0.03).
SUPPOSED_CV = {"value": 2.0, "units": 1.28}
SUPPOSED_BETWEEN = {"value": 0.07, "units": 0.03}
SUPPOSED_OPEN_HOURS = 14.0

# Gross impressions of all zones by minute; v_audience_by_minute would bring their gazes along.
_PEOPLE = """
    SELECT extract(epoch FROM bucket)::bigint / 60, people FROM (
        SELECT bucket, sum(presences) AS people FROM agg_presence_1m
        WHERE store_id = %s AND target_kind = 'zone' AND bucket >= to_timestamp(%s)
          AND bucket < to_timestamp(%s)
        GROUP BY bucket
    ) AS minutes
"""
_TILL = """
    SELECT extract(epoch FROM bucket)::bigint / 60, sum(transactions) FROM v_baskets_by_minute
    WHERE store_id = %s AND bucket >= to_timestamp(%s) AND bucket < to_timestamp(%s)
    GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A draft with what it needs. `lag` None: not measured, supposed. `measured` False: the noise
    is that of a panel and not of this store.
    """

    draft: Draft
    noise: Noise
    lag: Lag | None
    measured: bool
    chosen: Cost
    even: Cost
    visible: float
    days: float


def propose(
    draft: Draft,
    now_ms: int,
    connection: psycopg.Connection[Any] | None,
    *,
    layout: StoreLayout | None = None,
    baskets_per_day: float | None = None,
    keep_slots: bool = False,
) -> Proposal:
    """What `draft` needs in its store, with slot, washout and horizon set from what was measured.

    Arguments:
        connection: the database with the store's past; None supposes a panel's.
        baskets_per_day: where there is no past, what is expected.
        keep_slots: leave the draft's slot and washout as they are.

    Raises:
        DraftError: the draft contradicts itself.
    """
    _as_if(draft, now_ms)
    lag = None if connection is None else measured_lag(connection, draft.store_id, now_ms)
    if not keep_slots:
        draft = _with_slots(draft, lag, baskets_per_day)
    noise = None
    if connection is not None:
        noise = noise_before(
            read_experiment(
                connection,
                [_as_if(draft, now_ms)],
                now_ms,
                None if layout is None else {draft.store_id: layout},
            )
        )
    measured = noise is not None
    if noise is None:
        noise = supposed(draft, baskets_per_day or 400.0)
    chosen = cost(noise, draft.adaptive_share, draft.smallest_effect)
    days = draft.days or (chosen.days if math.isfinite(chosen.days) else LONGEST_DAYS)
    draft = msgspec.structs.replace(draft, horizon_days=float(np.clip(days, 0.05, 3_650.0)))
    return Proposal(
        draft=draft,
        noise=noise,
        lag=lag,
        measured=measured,
        chosen=chosen,
        even=cost(noise, 0.5, draft.smallest_effect),
        visible=smallest_visible(noise, draft.adaptive_share, days),
        days=days,
    )


def measured_lag(connection: psycopg.Connection[Any], store_id: str, now_ms: int) -> Lag | None:
    """The lag from shelf to till of the last days; None where it cannot be told."""
    until = now_ms // _MINUTE_MS
    since = until - _LAG_DAYS * 1_440
    bounds = (store_id, since * 60, until * 60)
    people, baskets = np.zeros(until - since), np.zeros(until - since)
    for query, counts in ((_PEOPLE, people), (_TILL, baskets)):
        for minute, count in connection.execute(query, bounds):
            counts[int(minute) - since] = float(count or 0)
    seen = np.flatnonzero(people + baskets)
    if seen.size == 0:
        return None
    return lag_of(people[seen[0] :], baskets[seen[0] :])


def supposed(draft: Draft, baskets_per_day: float) -> Noise:
    """The noise of a store without a past, as a panel has it."""
    kind = "value" if draft.outcome.endswith("value") else "units"
    per_day = SUPPOSED_OPEN_HOURS * 60 * _MINUTE_MS / draft.slot_ms
    counted = baskets_per_day * (1 - draft.washout_ms / draft.slot_ms) / per_day
    s = math.sqrt(SUPPOSED_CV[kind] ** 2 / max(counted, 1e-9) + SUPPOSED_BETWEEN[kind])
    return Noise(s, s, per_day, baskets_per_day)


def lines(proposal: Proposal) -> Iterator[str]:
    """What a person reads before they put their name to it."""
    draft, noise = proposal.draft, proposal.noise
    told = label(draft)
    if told is not None:
        yield f"({told})"
    question = f"Question: do {WORDS[draft.outcome]} in {draft.store_id} grow?"
    yield f"{question} {draft.hypothesis}".rstrip()
    minutes, washout = draft.slot_ms / _MINUTE_MS, draft.washout_ms / _MINUTE_MS
    who = "all screens of the store" if draft.unit == "store-slot" else "each screen for itself"
    yield f"Slots of {minutes:g} min, {who}; the first {washout:g} min of each belong to no arm."
    if proposal.lag is not None:
        lag = proposal.lag
        yield (
            f"From shelf to till: {lag.p50_min:g} min for half, {lag.p95_min:g} min for 95 % "
            "(measured from counts a minute)."
        )
    else:
        yield f"From shelf to till: not measured; {SUPPOSED_MIN:g} min supposed."
    source = "this store's own past" if proposal.measured else "a panel's figures, NOT this store's"
    yield (
        f"Noise from {source}: {noise.per_slot:.2f} of a slot's mean, {noise.slots_per_day:.1f} "
        f"slots and {noise.baskets_per_day:,.0f} baskets a day; weekday, hour and past explain "
        f"{noise.explained:.0%} of it."
    )
    yield from _costs(proposal)


def _costs(proposal: Proposal) -> Iterator[str]:
    draft = proposal.draft
    share, effect = draft.adaptive_share, draft.smallest_effect
    if not 0.0 < share < 1.0:
        yield "Without a control there is nothing to compare with: there will be no number."
        return
    split = f"{share:.0%} adaptive"
    yield (
        f"{split}: {_days(proposal.chosen.days)} and {proposal.chosen.baskets:,.0f} baskets to "
        f"find {effect:.0%} with 80 %, looking every day (a single look at a known end: "
        f"{_days(proposal.chosen.fixed_days)})."
    )
    yield (
        f"Beside it 50/50: {_days(proposal.even.days)} and {proposal.even.baskets:,.0f} baskets; "
        f"{split} takes {times_even(share):.1f} times as many (90/10 takes {times_even(0.9):.1f})."
    )
    yield (
        f"Smallest effect that {_days(proposal.days)} would show with 80 %: {proposal.visible:.1%}."
    )
    if proposal.chosen.days > LONGEST_DAYS:
        yield "That is longer than a year: it cannot be known here."


def _with_slots(draft: Draft, lag: Lag | None, baskets_per_day: float | None) -> Draft:
    """The draft with a washout as long as the lag, and the slot that fits it."""
    washout_min = math.ceil(SUPPOSED_MIN if lag is None else lag.p95_min)
    kind = "value" if draft.outcome.endswith("value") else "units"
    per_min = (baskets_per_day or 400.0) / (SUPPOSED_OPEN_HOURS * 60)
    if draft.outcome in BASKET_OUTCOMES:
        minutes = slot_minutes(washout_min, per_min, SUPPOSED_CV[kind], SUPPOSED_BETWEEN[kind])
    else:
        # A product is bought at the shelf, but paid for at the till: the same lag.
        minutes = slot_minutes(washout_min, per_min, 2 * SUPPOSED_CV[kind], SUPPOSED_BETWEEN[kind])
    return msgspec.structs.replace(
        draft, slot_ms=minutes * _MINUTE_MS, washout_ms=washout_min * _MINUTE_MS
    )


def _as_if(draft: Draft, now_ms: int) -> ExperimentPlan:
    """A plan that starts now, to read what was before it; nobody is told of it."""
    begins_ms = now_ms - now_ms % draft.slot_ms
    return as_plan(draft, starts_at_ms=begins_ms, approved_by="nobody yet", at_ms=begins_ms)


def _days(days: float) -> str:
    if not math.isfinite(days):
        return "for ever"
    return f"{max(1, math.ceil(days)):,} days" if days > 1.0 else "1 day"
