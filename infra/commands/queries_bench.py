"""`smartstore bench queries`: the pages' queries over millions of rows."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.bench.queries.bench import QueriesReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(queries)


def queries(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    rows: Annotated[int, typer.Option(min=1_000, help="Rows in all.")] = 5_000_000,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days that they span.")] = 28,
    runs: Annotated[int, typer.Option(min=1, help="Times that each page is built.")] = 20,
    named: Annotated[
        bool,
        typer.Option(
            help="On the server of SMARTSTORE_DATABASE (a TimescaleDB), in a database of its own."
        ),
    ] = False,
) -> None:
    """The queries behind each page over 5 million simulated rows, and what they take on disk."""
    from infra.bench.queries.bench import bench_queries
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting PostgreSQL") as status:

        async def measured() -> "QueriesReport":
            from infra.stack.stack import EmbeddedStack, PartName

            parts: tuple[PartName, ...] = ("postgres",)
            database = settings_of(PlaceSettings).database

            def bench(dsn: str) -> "QueriesReport":
                return bench_queries(
                    SecretStr(dsn), state.run_id, rows=rows, days=days, runs=runs, say=status.update
                )

            if named and database:
                return await asyncio.to_thread(bench, database)
            async with EmbeddedStack(state, settings, parts=parts) as stack:
                return await asyncio.to_thread(bench, stack.postgres.dsn)

        report = asyncio.run(measured())
    write_report(report, json)
    for page, took in report.queries_ms.items():
        console.print(f"{page:12} p50 {took.p50:7.1f} ms  p95 {took.p95:7.1f} ms (goal 200)")
    if report.disk_bytes is not None:
        before, after = report.disk_bytes.before, report.disk_bytes.after
        console.print(f"column store: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")
    console.print(f"{report.rows:,} rows on {report.server}; report: {json}")
