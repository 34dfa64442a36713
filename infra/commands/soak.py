"""`smartstore bench soak`: hours of detections at many cameras through the gateway's own core."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from infra.bench.soak import SoakReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(soak)


def soak(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    hours: Annotated[float, typer.Option(min=0.2, help="Simulated hours.")] = 8.0,
    cameras: Annotated[int, typer.Option(min=1, max=500, help="Cameras, a bay each.")] = 20,
    people_per_hour: Annotated[
        float, typer.Option(min=0.1, max=600.0, help="People who would come to each bay, an hour.")
    ] = 60.0,
    fps: Annotated[
        float, typer.Option(min=2.0, max=30.0, help="Detections a second while somebody is there.")
    ] = 5.0,
    idle_fps: Annotated[
        float, typer.Option(min=1.0, max=10.0, help="Detections a second while nobody is.")
    ] = 1.0,
    noise: Annotated[
        bool, typer.Option(help="With a detector's errors; else every count must equal the truth.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated store.")] = 1,
) -> None:
    """Eight simulated hours at 20 cameras, without pictures: counts, and whether memory grows."""
    from infra.bench.soak import run_soak, soak_plans
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    plans = soak_plans(
        cameras=cameras,
        hours=hours,
        people_per_hour=people_per_hour,
        fps=fps,
        idle_fps=idle_fps,
        noisy=noise,
        seed=seed,
    )
    with console.status("simulated: starting") as status:
        report = run_soak(plans, status.update)
    write_report(report, json)
    _print(console, report)
    console.print(f"report: {json}")
    if not report.equal and not noise:
        raise typer.Exit(1)


def _print(console: Console, report: "SoakReport") -> None:
    console.print(
        f"simulated: {report.hours:g} hours at {report.cameras} cameras in {report.seconds:.0f} s, "
        f"{report.times_real_time:.0f} times real time; {report.frames:,} pictures' detections "
        f"({report.fps:g} a second with somebody there, {report.idle_fps:g} without; noise: "
        f"{report.noise}), {report.events:,} events"
    )
    table = Table("simulated", "truth", "measured", "difference")
    for name, true in report.truth.items():
        table.add_row(
            name, f"{true:,}", f"{report.counts[name]:,}", f"{report.counts[name] - true:+,}"
        )
    console.print(table)
    console.print(
        f"memory: {report.rss_mb[-1]:.0f} MB at the end, {report.rss_slope_mb_per_hour:+.2f} MB a "
        f"simulated hour after the warm-up; left out as unclear: {report.left_out:,} visits"
    )
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
