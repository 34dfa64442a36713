"""`smartstore db`: the database's schema, its state and its upkeep."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console

from infra.commands.runtime import (
    check_database,
    layout_of,
    ready_with,
    run_until_signal,
    settings_of,
)
from infra.errors import UserError, os_sentence
from infra.settings import PlaceSettings

if TYPE_CHECKING:
    from infra.db.state import DatabaseState
    from infra.db.upkeep import BeforeDelete, UpkeepSettings

app = typer.Typer(help="The database, named by SMARTSTORE_DATABASE (a DSN).", no_args_is_help=True)


@app.command()
def migrate() -> None:
    """Brings the schema up to date; safe to repeat."""
    from infra.db.migrate import migrate as apply

    console = Console()
    done = apply(_dsn(), lambda name: console.print(f"  {name}"))
    console.print(f"{done} migrations applied." if done else "The schema is up to date.")


@app.command()
def status(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all of it here too, as JSON.")
    ] = None,
) -> None:
    """Says what the database has: migrations, sizes, what is compressed, late or due."""
    import msgspec

    from infra.db.migrate import status as read
    from infra.db.state import read_state

    console = Console()
    missing = False
    for migration in read(_dsn()):
        missing |= not migration.applied
        console.print(f"{'applied' if migration.applied else 'missing'}  {migration.name}")
    if missing:
        console.print("Run `smartstore db migrate`; the rest is told then.")
        return
    state = read_state(_dsn())
    for line in _told(state):
        console.print(line, highlight=False)
    if json_file is not None:
        try:
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        except OSError as error:
            raise UserError(os_sentence(error, str(json_file))) from error


def _told(state: "DatabaseState") -> Iterator[str]:
    """The lines for people."""
    kind = f"TimescaleDB {state.timescale}" if state.timescale else "plain PostgreSQL"
    yield f"\n{kind}, {_size(state.size_bytes)} in all"
    for table in state.tables:
        if table.size_bytes < _SMALL_BYTES and table.keep_hours is None:
            continue
        line = f"  {table.name:28} {_size(table.size_bytes):>9}"
        if table.chunks:
            line += f"  {table.compressed_chunks} of {table.chunks} chunks in the column store"
        if table.keep_hours is not None:
            line += f"  single tracks: kept {table.keep_hours:g} h, the oldest row is "
            line += "absent" if table.oldest_hours is None else f"{table.oldest_hours:.1f} h old"
        yield line
    for source in state.aggregates:
        if source.due or source.too_late:
            yield (
                f"  aggregates of {source.source}: {source.due} buckets due, "
                f"{source.too_late} rows came too late"
            )
    if not any(source.due for source in state.aggregates):
        yield "  aggregates: nothing is due"
    for signal in state.demand:
        last = "none told yet" if signal.last_day is None else f"the last told is {signal.last_day}"
        yield (
            f"  demand signal of {signal.store_id}: epsilon {signal.epsilon:g} a day, {last}, the "
            f"next is due {signal.due_at}"
        )
    if not state.demand:
        yield "  demand signal: off; SMARTSTORE_UPKEEP_DEMAND_EPSILON lets the upkeep make it"
    for job in state.jobs:
        yield f"  {job.name} of {job.of}: every {job.every}, last {job.last_run or 'never'}"
    for warning in state.warnings:
        yield f"look: {warning}"


#: Tables below this say nothing of a database's size.
_SMALL_BYTES = 1_000_000


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


@app.command()
def upkeep(
    once: Annotated[bool, typer.Option(help="One round, and end.")] = False,
    ready_file: Annotated[
        Path | None, typer.Option(help="A file to make once this process works.")
    ] = None,
) -> None:
    """Plain PostgreSQL: rolls up what changed, deletes rows of single tracks in time. Runs until it
    is stopped. On TimescaleDB its own policies do that. With SMARTSTORE_UPKEEP_DEMAND_EPSILON it
    makes the demand signal of each day before its rows go, on both.
    """
    import asyncio

    from psycopg import AsyncConnection

    from infra.db.upkeep import UpkeepSettings, delete_old, roll_up, run_upkeep

    settings = settings_of(UpkeepSettings)
    check_database(settings.database)
    before_delete = _demand(settings)
    if not once:
        run_until_signal(
            lambda stop: run_upkeep(
                settings, stop=stop, ready=ready_with(ready_file), before_delete=before_delete
            )
        )
        return

    async def one_round() -> None:
        dsn = settings.database.get_secret_value()
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            rolled = await roll_up(connection)
            may_go = before_delete is None or await before_delete()
            deleted = await delete_old(connection) if may_go else {}
        typer.echo(f"{rolled} buckets rolled up, {sum(deleted.values())} rows deleted.")

    asyncio.run(one_round())


def _demand(settings: "UpkeepSettings") -> "BeforeDelete | None":
    """Who makes the demand signal, where a day may cost something; else it is turned off."""
    from fractions import Fraction

    from infra.exports.keeping import DemandKeeper, NoDemand

    if settings.upkeep_demand_epsilon is not None:
        return DemandKeeper(
            settings.database,
            layout_of(None),
            Fraction(repr(settings.upkeep_demand_epsilon)),
            settings.upkeep_demand_simulated,
        ).round
    if settings_of(PlaceSettings).layout is None:
        return None
    return NoDemand(settings.database, layout_of(None).store_id).round


@app.command()
def keep(
    hours: Annotated[int, typer.Argument(min=2, max=720, help="Hours.")],
) -> None:
    """Sets how long rows of single tracks stay (24 hours by default); aggregates stay for good."""
    from infra.db.continuous import set_keep
    from infra.db.migrate import connected

    with connected(_dsn()) as connection:
        set_keep(connection, hours)
    typer.echo(f"Rows of single tracks are kept for {hours} hours; print the notice anew.")


def _dsn() -> SecretStr:
    dsn = settings_of(PlaceSettings).database
    if not dsn:
        raise UserError(
            "no database was named; set SMARTSTORE_DATABASE to its DSN, such as "
            "postgresql://user@host/name (the password belongs into PGPASSFILE)"
        )
    return SecretStr(dsn)
