"""`smartstore bench recall`: how soon a withdrawn creative is off the screens."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(recall)


def recall(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    screens: Annotated[int, typer.Option(min=1, max=50, help="Players, a process each.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Creatives withdrawn, one by one.")] = 5,
) -> None:
    """Withdraws creatives that all screens show; how soon is each off every screen?"""
    from infra.bench.recall import bench_recall
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(
            bench_recall(state, settings, screens=screens, rounds=rounds, say=status.update)
        )
    write_report(report, json)
    found = report.recall_ms
    console.print(
        f"{report.screens} screens, {report.rounds} recalls: off the screen after {found.p50} ms "
        f"(p95 {found.p95}, slowest {report.slowest_ms} ms; goal {report.goal_ms}); shown again "
        f"{report.shown_again + report.obeyed_late} times; withdrawn while the network was away: "
        f"{report.offline_ms.p50} ms after its return (p95 {report.offline_ms.p95}), shown again "
        f"{report.offline_shown_again} times"
    )
    console.print(f"report: {json}")
