"""`smartstore experiment`: planned, started and stopped by a named person, and answered."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console

from infra.commands.runtime import check_database, layout_of, settings_of
from infra.errors import UserError
from infra.settings import PlaceSettings
from streams.contracts.experiment import Outcome, Unit
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    import psycopg

    from infra.experiment.answering import Result
    from streams.contracts.layout import StoreLayout

app = typer.Typer(help="Experiments with a control.", no_args_is_help=True)

_CONNECT_S = 5

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]
Layout = Annotated[Path | None, typer.Option(help="The store's layout; else SMARTSTORE_LAYOUT.")]
Approver = Annotated[
    str | None, typer.Option(help="The person who answers for it, by name; asked for, never empty.")
]


@app.command()
def plan(
    name: Annotated[str, typer.Argument(help="The experiment's id, such as autumn-tea.")],
    layout: Layout = None,
    hypothesis: Annotated[str, typer.Option(help="What is expected, in a sentence.")] = "",
    outcome: Annotated[Outcome, typer.Option(help="The one question.")] = "basket_value",
    unit: Annotated[Unit, typer.Option(help="What is drawn in each slot.")] = "store-slot",
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the slots that react.")
    ] = 0.5,
    effect: Annotated[
        float, typer.Option(min=0.001, max=10.0, help="The smallest effect that would matter.")
    ] = 0.05,
    days: Annotated[float | None, typer.Option(min=0.01, help="End after so many days.")] = None,
    slot_minutes: Annotated[
        float | None, typer.Option(min=0.02, help="Length of a slot; else from the measured lag.")
    ] = None,
    washout_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Of each slot, belongs to no arm.")
    ] = None,
    sku: Annotated[list[str] | None, typer.Option(help="A product that is asked about.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="A category, likewise.")] = None,
    baskets_per_day: Annotated[
        float | None, typer.Option(min=1.0, help="Expected, where the store has no past.")
    ] = None,
    simulated: Annotated[bool, typer.Option(help="Of a simulated store.")] = False,
    write: Annotated[Path, typer.Option(help="The draft, for `experiment start`.")] = Path(
        "experiment.yaml"
    ),
) -> None:
    """Says what it would need and cost, and writes a draft. Nothing starts."""
    from infra.experiment.planning import lines, propose
    from infra.experiment.plans import Draft, write_draft

    store = layout_of(layout)
    draft = Draft(
        experiment_id=name,
        store_id=store.store_id,
        hypothesis=hypothesis,
        outcome=outcome,
        unit=unit,
        adaptive_share=share,
        smallest_effect=effect,
        days=days,
        slot_ms=round(60_000 * (slot_minutes or 120.0)),
        washout_ms=round(60_000 * (0.0 if washout_minutes is None else washout_minutes)),
        skus=tuple(sku or ()),
        categories=tuple(category or ()),
        simulated=simulated,
    )
    console = Console(highlight=False, soft_wrap=True)
    proposal = propose(
        draft,
        _now_ms(),
        _connection(),
        layout=store,
        baskets_per_day=baskets_per_day,
        keep_slots=slot_minutes is not None,
    )
    for line in lines(proposal):
        console.print(line, markup=False)
    write_draft(proposal.draft, write)
    console.print(f'draft: {write}; start it with --approved-by "First Last"', markup=False)


@app.command()
def start(
    draft: Annotated[Path, typer.Argument(help="The draft's file.")],
    approved_by: Approver = None,
    kafka: Kafka = None,
) -> None:
    """Starts the experiment of a draft, with the name of who approves it."""
    from infra.experiment.plans import approved, label, read_draft
    from infra.experiment.topic import newest, tell

    wanted = read_draft(draft)
    # Refused before anything is asked of the broker.
    approved(wanted, approved_by, _now_ms())
    bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
    running = asyncio.run(newest(bootstrap)).get(wanted.store_id)
    begun = approved(wanted, approved_by, _now_ms(), running)
    asyncio.run(tell(bootstrap, begun))
    told = label(begun)
    Console(highlight=False, soft_wrap=True).print(
        f"{begun.experiment_id} starts in {begun.store_id} at {_at(begun.starts_at_ms)}, approved "
        f"by {begun.approved_by}{'' if told is None else f' ({told})'}",
        markup=False,
    )


@app.command()
def stop(
    store: Annotated[str, typer.Argument(help="The store's id.")],
    approved_by: Approver = None,
    kafka: Kafka = None,
) -> None:
    """Ends a store's experiment at once; what was measured stays."""
    from infra.experiment.plans import stopped
    from infra.experiment.topic import newest, tell

    bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
    ended = stopped(asyncio.run(newest(bootstrap)).get(store), store, approved_by, _now_ms())
    asyncio.run(tell(bootstrap, ended))
    Console(highlight=False, soft_wrap=True).print(
        f"{ended.experiment_id} in {store} was stopped by {ended.stopped_by}", markup=False
    )


@app.command()
def show(
    store: Annotated[str | None, typer.Option(help="Of one store alone.")] = None,
    layout: Layout = None,
) -> None:
    """The answers so far, from the database that SMARTSTORE_DATABASE names."""
    from infra.experiment.answering import results

    connection = _connection()
    if connection is None:
        raise UserError(
            "the answers are in the database; set SMARTSTORE_DATABASE to its DSN, such as "
            "postgresql://user@host/name"
        )
    known = settings_of(PlaceSettings).layout
    layouts: dict[str, StoreLayout] = {}
    if layout is not None or known is not None:
        here = layout_of(layout)
        layouts[here.store_id] = here
    console = Console(highlight=False, soft_wrap=True)
    with connection:
        found = results(connection, _now_ms(), store_id=store, layouts=layouts)
    for each in found:
        for line in _told(each):
            console.print(line, markup=False)
    if not found:
        console.print("No experiment was ever started here, so there is no control and no number.")


def _told(result: "Result") -> list[str]:
    """An experiment as lines."""
    plan, analysis = result.plan, result.analysis
    stores = ", ".join(each.store_id for each in result.plans)
    mark = "" if result.label is None else f" ({result.label})"
    lines = [
        f"{plan.experiment_id}{mark}: {stores}, {plan.outcome}, since {_at(plan.starts_at_ms)}, "
        f"approved by {plan.approved_by}",
        f"  {analysis.answer.sentence}",
    ]
    for name, arm in (("control", analysis.control), ("adaptive", analysis.adaptive)):
        mean = "-" if arm.mean is None else f"{arm.mean:,.2f}"
        interval = ""
        if arm.low is not None and arm.high is not None:
            interval = f" ({arm.low:,.2f} to {arm.high:,.2f})"
        lines.append(f"  {name}: {arm.slots} slots, {arm.base:,.0f} counted, mean {mean}{interval}")
    lines += [f"  {each.name}: {each.verdict} ({each.sentence})" for each in analysis.checks]
    return lines


def _connection() -> "psycopg.Connection[Any] | None":
    """The database, where one is named; it is only read. Raises UserError."""
    import psycopg

    from streams.sink.database import cannot_connect

    named = settings_of(PlaceSettings).database
    if not named:
        return None
    dsn = SecretStr(named)
    check_database(dsn)
    try:
        return psycopg.connect(
            named, autocommit=True, connect_timeout=_CONNECT_S, options="-c TimeZone=UTC"
        )
    except psycopg.Error as error:
        raise UserError(cannot_connect(dsn, error)) from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _at(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_ms / 1_000))
