"""`smartstore bench latency`: how long from a glance to the light?"""

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.demo import DEMO_LAYOUT
from infra.commands.runtime import settings_of
from infra.errors import UserError, os_sentence
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.bench.latency.bench import LatencyBench
    from infra.bench.latency.report import LatencyReport
    from infra.chain import Chain

#: Shorter than any run: every slot of the bench reacts.
_SLOT_MS = 3_600_000

#: How much film is drawn: for starting and warming up, and for each glance (four screens answer one
#: every 6 s or so); no more than what is drawn in some minutes.
_BEFORE_MS, _PER_GLANCE_MS, _LONGEST_FILM_MS = 45_000, 1_600, 600_000


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(latency)


def latency(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    glances: Annotated[int, typer.Option(min=1, help="How many reactions to measure.")] = 300,
    limit_s: Annotated[
        float, typer.Option(min=10.0, help="Stop after so long (s), with what there is.")
    ] = 900.0,
    whole: Annotated[
        bool,
        typer.Option(help="Run measuring, learning, database, page and till on this machine too."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated store.")] = 1001,
) -> None:
    """From a glance to the light: four cameras at 3 pictures a second, four screens, one of them a
    real browser. Which step takes how long, and what does it wait for? Draws the cameras' pictures
    first, for a minute or two."""
    from infra.bench.configuration import CONFIGURATION
    from infra.bench.latency.bench import LatencyBench, chromium, plan_path
    from infra.bench.latency.filming import film_all
    from infra.bench.latency.scene import scenes_of
    from infra.bench.latency.store import bays_of
    from infra.chain import Chain, Plan
    from infra.report import write_report

    chromium()
    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        try:
            bays = bays_of(load_layout(DEMO_LAYOUT), plan_path(state.run))
        except OSError as error:
            raise UserError(os_sentence(error, str(state.run))) from error
        # Most is measured in the first round of the film; a longer run sees it again.
        lasts_ms = min(_LONGEST_FILM_MS, _BEFORE_MS + _PER_GLANCE_MS * glances)
        scenes = scenes_of(bays.layout, seed, lasts_ms)
        film = state.run / "film"
        film_all(scenes, CONFIGURATION.picture_px, film, os.cpu_count() or 1, status.update)
        plan = Plan(
            layout_path=bays.path,
            layout=bays.layout,
            camera_file=None,
            webcam=None,
            seconds=None,
            headless=True,
            weights=None,
            models_dir=settings_of(PlaceSettings).models,
            input_size_px=CONFIGURATION.input_size_px,
            seed=seed,
            adaptive_share=1.0,
            slot_ms=_SLOT_MS,
            on_glass=frozenset({bays.glass}),
            picture_px=CONFIGURATION.picture_px,
            reaction_only=not whole,
            film=film,
        )
        companion = LatencyBench(bays, scenes, glances, limit_s, status.update)
        chain = Chain(plan, state, settings, status.update, lambda _: None, companion)
        try:
            report = asyncio.run(_measured(chain, companion))
        finally:
            shutil.rmtree(film, ignore_errors=True)  # half a gigabyte
    write_report(report, json)
    _print(console, report)
    console.print(f"report: {json}")


async def _measured(chain: "Chain", companion: "LatencyBench") -> "LatencyReport":
    """A signal ends the run at once: half a measurement is none."""
    task = asyncio.ensure_future(chain.run(asyncio.Event()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return companion.report(chain, await task)
    except asyncio.CancelledError:
        raise UserError("interrupted; everything was stopped and nothing was measured") from None


def _print(console: Console, report: "LatencyReport") -> None:
    table = Table(
        "simulated shoppers, ms", "p50", "p95", "p99", "n", "free: p50", "p95", "p99", "n"
    )
    every, free = report.steps_ms, report.free
    rows = {
        "capture to inference": (every.capture_to_infer, free.steps_ms.capture_to_infer),
        "inference to event": (every.infer_to_event, free.steps_ms.infer_to_event),
        "event to decision": (every.event_to_decision, free.steps_ms.event_to_decision),
        "decision to render": (every.decision_to_render, free.steps_ms.decision_to_render),
        "  in Chromium": (
            report.decision_to_render_ms.chromium,
            free.decision_to_render_ms.chromium,
        ),
        "  by programs": (
            report.decision_to_render_ms.programs,
            free.decision_to_render_ms.programs,
        ),
        "capture to render": (report.capture_to_render_ms, free.capture_to_render_ms),
        "glance to render": (report.glance_to_render_ms, free.glance_to_render_ms),
        "beside the model": (report.beside_model_ms, free.beside_model_ms),
    }
    for name, (found, let_go) in rows.items():
        cells = (found.p50, found.p95, found.p99, found.n)
        more = (let_go.p50, let_go.p95, let_go.p99, let_go.n)
        table.add_row(name, *(str(cell) for cell in (*cells, *more)))
    console.print(table)
    least, above = report.floor_ms, free.above_floor_ms
    console.print(
        f"{report.fps:g} pictures a second, the fixation and the model alone take {least.p50}, "
        f"{least.p95}, {least.p99} ms from the glance on; above that, free: {above.p50}, "
        f"{above.p95}, {above.p99} ms (below 0: the turn of the head faced the zone already)"
    )
    for goal in report.goals:
        met = "not measured" if goal.met is None else ("met" if goal.met else "NOT met")
        console.print(f"{goal.figure} {goal.wanted}: {goal.found} {met}")
    console.print(
        f"{report.cores} cores, load {report.load_average}, used by "
        + ", ".join(f"{name} {share:.2f}" for name, share in report.cores_used.items() if share)
    )
    console.print(
        f"the model computes {report.model.compute_ms} ms and is waited for "
        f"{report.model.queue_ms} ms a picture; held back by the policy {report.held.reactions} "
        f"for {report.held.waited_ms.p50} ms (p50), not answered {report.held.never}, "
        f"without truth {report.without_truth}"
    )
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
