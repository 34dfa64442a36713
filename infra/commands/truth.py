"""`smartstore bench truth`: how wrong are dwell, attention and watchers? Against the simulated
store's truth.
"""

import asyncio
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from infra.commands.runtime import settings_of
from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.bench.truth.bench import TruthPlan
    from infra.bench.truth.report import TruthReport
    from infra.simulator.population import DensityName

#: The aisle for measuring, which comes with the product.
AISLE_LAYOUT = Path(__file__).parents[1] / "simulator" / "aisle.yaml"

#: Minutes of each density: 26 in all, so many that more than 200 shoppers come.
_MINUTES: "dict[DensityName, float]" = {"quiet": 5.0, "normal": 7.0, "busy": 14.0}

#: The same for a quick look: two minutes in all.
_QUICK_MINUTES: "dict[DensityName, float]" = {"quiet": 0.5, "normal": 0.5, "busy": 1.0}


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(truth)


def truth(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    docs: Annotated[
        Path | None,
        typer.Option(help="Write the page of the figures here, its plots into a folder beside it."),
    ] = None,
    layout: Annotated[
        Path,
        typer.Option(
            readable=False,
            show_default="the measuring aisle",
            help="A layout whose cameras have poses.",
        ),
    ] = AISLE_LAYOUT,
    minutes: Annotated[
        float | None, typer.Option(min=0.05, help="Simulated minutes in all, instead of 26.")
    ] = None,
    densities: Annotated[
        str | None, typer.Option(help="Only these of quiet, normal, busy; parted by commas.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the first density; the next ones follow.")
    ] = None,
    fps: Annotated[
        str, typer.Option(help="Pictures a second to be replayed too, parted by commas.")
    ] = "1,2.5",
    recording: Annotated[
        Path | None,
        typer.Option(help="Keep what the detector saw in this file, or take it from there."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Two minutes: shows that it works.")] = False,
) -> None:
    """How wrong are watchers, dwell and attention? Real networks on the simulated store."""
    from infra.bench.truth.bench import measure
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    plan = _plan(layout, minutes, densities, seed, fps, recording, quick)
    settings = settings_of(StackSettings)
    with (
        StateFolder(settings.state) as state,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress,
    ):
        task = progress.add_task("starting", total=None)
        running = measure(
            plan,
            state,
            settings,
            say=lambda line: progress.update(task, description=line),
            tell=lambda done, total: progress.update(task, completed=done, total=total),
        )
        report = asyncio.run(_until_signal(running))
    write_report(report, json)
    _print(console, report)
    console.print(f"report: {json}")
    if docs is not None:
        from infra.bench.truth.page import write_page

        write_page(report, docs)
        console.print(f"page: {docs}")


def _plan(
    layout: Path,
    minutes: float | None,
    densities: str | None,
    seed: int | None,
    fps: str,
    recording: Path | None,
    quick: bool,
) -> "TruthPlan":
    from infra.bench.configuration import CONFIGURATION, SCORED_SEED
    from infra.bench.truth.bench import TruthPlan, spare_cores
    from infra.bench.truth.world import Stretch
    from vision.settings import GatewaySettings

    lengths = dict(_QUICK_MINUTES if quick else _MINUTES)
    wanted = [name.strip() for name in densities.split(",")] if densities else list(lengths)
    unknown = [name for name in wanted if name not in lengths]
    if unknown:
        raise UserError(
            f"there is no density {unknown[0]!r}; name some of {', '.join(lengths)}, "
            "parted by commas"
        )
    names = [name for name in lengths if name in wanted]
    total = sum(lengths[name] for name in names)
    first = SCORED_SEED if seed is None else seed
    stretches = tuple(
        Stretch(
            density=name,
            number=number,
            seed=first + number,
            minutes=lengths[name] * (minutes / total if minutes is not None else 1.0),
        )
        for number, name in enumerate(names)
    )
    rates = {CONFIGURATION.fps, *_rates(fps)}
    return TruthPlan(
        layout=load_layout(layout),
        stretches=stretches,
        rates=tuple(sorted(rates)),
        configuration=CONFIGURATION,
        models_dir=settings_of(PlaceSettings).models,
        weights=None,
        gateway=settings_of(GatewaySettings),
        workers=spare_cores(),
        recording=recording,
    )


def _rates(fps: str) -> list[float]:
    try:
        rates = [float(each) for each in fps.split(",") if each.strip()]
    except ValueError:
        rates = [0.0]
    if any(not 0.5 <= rate <= 60.0 for rate in rates):
        raise UserError(
            f"--fps {fps!r} holds something that is no rate; give pictures a second from 0.5 to "
            "60, parted by commas"
        )
    return rates


async def _until_signal(running: "Awaitable[TruthReport]") -> "TruthReport":
    """A signal ends the run at once: half a measurement is none."""
    task = asyncio.ensure_future(running)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise UserError("Interrupted; everything was stopped and nothing was measured.") from None


def _print(console: Console, report: "TruthReport") -> None:
    table = Table("simulated", "goal", "found", "")
    for goal in report.goals:
        found = "nothing" if goal.found is None else f"{goal.found:.3f}"
        table.add_row(goal.figure, goal.wanted, found, "met" if goal.met else "NOT met")
    console.print(table)
    delay = report.glance_to_event_ms
    console.print(
        f"identity switches an hour {report.identity_switches_per_hour}; glance to event p50 "
        f"{delay.p50} ms, p95 {delay.p95} ms; OTS off by {report.ots_error}; "
        f"{report.shoppers} shoppers, {report.minutes} minutes, {report.detector}"
    )
    if report.scored_on_a_tuning_seed:
        console.print("scored on a seed that numbers were tuned on: no figure to publish")
