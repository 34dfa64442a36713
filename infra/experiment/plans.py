"""Drafts, and the plans that they become once a named person approves them. Pure.

A draft has no name on it and no topic takes it: only `approved` makes what can be told, so that
nothing starts without somebody who answers for it.
"""

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from infra.experiment.errors import DraftError, NotApprovedError, RunningError
from streams.contracts.base import DurationMs, Id, Probability, Sentence, TimeMs
from streams.contracts.experiment import ExperimentPlan, Outcome, SlotMs, Unit

DAY_MS = 86_400_000

#: A name is letters somewhere; an account number or a blank is none.
_NAME = re.compile(r"[^\W\d_]")


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan that nobody has approved; the fields are those of `ExperimentPlan`.

    Without `starts_at_ms` it starts with the first slot after its approval; `days` is how long it
    then runs (None: until it is stopped).
    """

    experiment_id: Id
    store_id: Id
    hypothesis: Sentence
    outcome: Outcome = "basket_value"
    unit: Unit = "store-slot"
    salt: Id | None = None
    slot_ms: SlotMs = 7_200_000
    washout_ms: DurationMs = 1_800_000
    adaptive_share: Probability = 0.5
    smallest_effect: Annotated[float, Meta(gt=0.0, le=10.0)] = 0.05
    horizon_days: Annotated[float, Meta(gt=0.0, le=3_660.0)] = 28.0
    pre_days: Annotated[float, Meta(ge=0.0, le=366.0)] = 28.0
    days: Annotated[float, Meta(gt=0.0, le=3_660.0)] | None = None
    starts_at_ms: TimeMs | None = None
    skus: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    categories: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    simulated: bool = False
    true_effect: float | None = None


def approved(
    draft: Draft, by: str | None, at_ms: int, running: ExperimentPlan | None = None
) -> ExperimentPlan:
    """The plan that `by` lets start; `running` is the store's newest plan, if it has one.

    Raises:
        NotApprovedError: nobody is named.
        RunningError: the store's experiment has not ended.
        DraftError: the draft contradicts itself.
    """
    name = _name(by, "started")
    if running is not None and not _over(running, at_ms):
        raise RunningError(
            f"{draft.store_id} runs the experiment {running.experiment_id} already; end it first "
            f"with `smartstore experiment stop {draft.store_id}`"
        )
    starts_at_ms = at_ms if draft.starts_at_ms is None else draft.starts_at_ms
    if starts_at_ms < at_ms - draft.slot_ms:
        raise DraftError(
            "the draft starts in the past, where nothing was drawn; leave starts_at_ms out of it"
        )
    starts_at_ms += -starts_at_ms % draft.slot_ms
    return as_plan(draft, starts_at_ms=starts_at_ms, approved_by=name, at_ms=at_ms)


def as_plan(draft: Draft, *, starts_at_ms: int, approved_by: str, at_ms: int) -> ExperimentPlan:
    """The plan that a draft would be. Raises DraftError where it contradicts itself."""
    try:
        return ExperimentPlan(
            experiment_id=draft.experiment_id,
            store_id=draft.store_id,
            unit=draft.unit,
            # The salt is of the approval: nobody knows the arms before it.
            salt=draft.salt or f"{draft.experiment_id}-{at_ms}",
            slot_ms=draft.slot_ms,
            washout_ms=draft.washout_ms,
            adaptive_share=draft.adaptive_share,
            outcome=draft.outcome,
            starts_at_ms=starts_at_ms,
            ends_at_ms=None if draft.days is None else starts_at_ms + round(draft.days * DAY_MS),
            approved_by=approved_by,
            approved_at_ms=at_ms,
            hypothesis=draft.hypothesis,
            skus=draft.skus,
            categories=draft.categories,
            smallest_effect=draft.smallest_effect,
            horizon_ms=max(1_000, round(draft.horizon_days * DAY_MS)),
            pre_ms=round(draft.pre_days * DAY_MS),
            simulated=draft.simulated,
            true_effect=draft.true_effect,
        )
    except ValueError as error:
        raise DraftError(f"the draft contradicts itself ({error}); change one of the two") from None


def stopped(
    plan: ExperimentPlan | None, store_id: str, by: str | None, at_ms: int
) -> ExperimentPlan:
    """The plan, ended by `by`.

    Raises:
        NotApprovedError: nobody is named.
        RunningError: there is nothing to end.
    """
    name = _name(by, "stopped")
    if plan is None or _over(plan, at_ms):
        raise RunningError(
            f"{store_id} runs no experiment; `smartstore experiment show` lists them"
        )
    return msgspec.structs.replace(plan, stopped_at_ms=at_ms, stopped_by=name)


def read_draft(path: Path) -> Draft:
    """The draft in a YAML or JSON file. Raises DraftError."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Draft)
    except OSError as error:
        raise DraftError(f"{path} cannot be read ({error.strerror}); name another file") from error
    except msgspec.DecodeError as error:
        raise DraftError(
            f"{path} is no draft ({error}); `smartstore experiment plan --write FILE` makes one"
        ) from None


def write_draft(draft: Draft, path: Path) -> None:
    """Writes the draft as YAML. Raises DraftError."""
    try:
        path.write_bytes(msgspec.yaml.encode(draft))
    except OSError as error:
        raise DraftError(f"{path} cannot be written ({error.strerror}); name another") from error


def label(plan: ExperimentPlan | Draft) -> str | None:
    """What is said wherever something of a simulated store is shown; None for a real one.

    >>> draft = Draft(experiment_id="e", store_id="s", hypothesis="")
    >>> label(msgspec.structs.replace(draft, simulated=True, true_effect=0.05))
    'simulated, true effect +5 %'
    """
    if not plan.simulated:
        return None
    if plan.true_effect is None:
        return "simulated"
    return f"simulated, true effect {100 * plan.true_effect:+.3g} %"


def _over(plan: ExperimentPlan, at_ms: int) -> bool:
    closed = plan.closed_at_ms
    return closed is not None and closed <= at_ms


def _name(by: str | None, what: str) -> str:
    name = " ".join((by or "").split())
    if not _NAME.search(name):
        raise NotApprovedError(what)
    return name[:100]
