"""`smartstore bench sink`, `stream` and `chaos`: measurements of the streams by themselves."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

Json = Annotated[Path, typer.Option(help="Write the figures to this JSON file.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the data.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `smartstore bench`."""
    app.command()(sink)


def sink(
    json: Json,
    rows: Annotated[int, typer.Option(min=5_000, help="Rows of each run.")] = 100_000,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each side, taking turns.")] = 5,
    seed: Seed = 1,
) -> None:
    """How fast rows are stored exactly once, beside a bare binary COPY into the same table."""
    from infra.bench.sink import bench_sink
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting PostgreSQL") as status:
        report = asyncio.run(
            bench_sink(state, settings, rows=rows, runs=runs, seed=seed, say=status.update)
        )
    write_report(report, json)
    console.print(
        f"{report.rows_per_s:,.0f} rows/s exactly once, bare COPY {report.copy_rows_per_s:,.0f}: "
        f"ratio {report.ratio_to_copy:.2f} (goal 0.6), with {report.duplicates_share:.0%} "
        f"duplicates {report.ratio_with_duplicates:.2f}"
    )
    console.print(f"report: {json}")
