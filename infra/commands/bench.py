"""`smartstore bench`: measurements of the whole chain on this machine."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from infra.commands import (
    gateway_bench,
    latency_bench,
    policy_bench,
    queries_bench,
    recall_bench,
    soak,
    stream_benches,
    truth,
    uplift_bench,
)
from infra.commands.demo import DEMO_LAYOUT, DEMO_SLOT_MS
from infra.commands.runtime import settings_of
from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from infra.stack.part import PartEvent
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.bench.kill import KillBench
    from infra.bench.report import Kill, KillReport
    from infra.chain import Chain

app = typer.Typer(help="Measure the whole chain on this machine.", no_args_is_help=True)
truth.add_to(app)
soak.add_to(app)
gateway_bench.add_to(app)
latency_bench.add_to(app)
policy_bench.add_to(app)
recall_bench.add_to(app)
queries_bench.add_to(app)
stream_benches.add_to(app)
uplift_bench.add_to(app)


@app.callback()
def _group() -> None:
    """Measure the whole chain on this machine."""


@app.command()
def kill(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    kills: Annotated[int, typer.Option(min=1, help="How often each part is killed.")] = 3,
    parts: Annotated[
        str | None, typer.Option(help="Kill only these, parted by commas; else every part.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated store and of the kills.")] = 1,
) -> None:
    """Kills every part of the chain in turn with SIGKILL; how soon is it whole again?"""
    from infra.bench.kill import KillBench
    from infra.bench.victims import chosen
    from infra.chain import Chain, Plan
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    names = [name.strip() for name in parts.split(",")] if parts is not None else None
    plan = Plan(
        layout_path=DEMO_LAYOUT,
        layout=load_layout(DEMO_LAYOUT),
        camera_file=None,
        webcam=None,
        seconds=None,
        headless=True,
        weights=None,
        models_dir=settings_of(PlaceSettings).models,
        input_size_px=None,
        seed=seed,
        adaptive_share=1.0,
        slot_ms=DEMO_SLOT_MS,
        restless=True,
    )
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        progress = _Progress(console, status)
        companion = KillBench(chosen(names), kills, seed, progress.say, progress.tell)
        chain = Chain(plan, state, settings, progress.say, progress.listen, companion)
        report = asyncio.run(_measured(chain, companion))
    write_report(report, json)
    _print(console, report)
    console.print(f"report: {json}")


async def _measured(chain: "Chain", companion: "KillBench") -> "KillReport":
    """A signal ends the run at once: half a measurement is none."""
    task = asyncio.ensure_future(chain.run(asyncio.Event()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return companion.report(chain, await task)
    except asyncio.CancelledError:
        raise UserError("Interrupted; everything was stopped and nothing was measured.") from None


class _Progress:
    """Tells on the terminal what the bench is doing."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def say(self, line: str) -> None:
        self._status.update(line)

    def listen(self, event: PartEvent) -> None:
        """A part that fails to come back is worth a line; that it died is what we are here for."""
        if event.phase == "failed":
            self._console.print(f"{event.part} failed {event.detail}", markup=False)

    def tell(self, kill: "Kill") -> None:
        """The figures of one kill."""
        self._console.print(
            f"{kill.at_s:6.0f} s  {kill.part:<12} whole after {_figure(kill.recovered_s)} s "
            f"(glance begun {_figure(kill.glance_begun_s)} s, rendered {_figure(kill.rendered_s)} s"
            f" after the kill); after 15 s: {'whole' if kill.whole_after_15_s else 'NOT whole'}"
        )


def _print(console: Console, report: "KillReport") -> None:
    table = Table("part", "kills", "recovered (s)", "after 15 s", "lost by the broker")
    for part in report.parts:
        table.add_row(
            part.part,
            str(part.kills),
            " ".join(_figure(each) for each in part.recovered_s),
            "whole" if part.whole_after_15_s else "not whole",
            str(part.lost_by_broker),
        )
    console.print(table)
    equal = "equal" if report.rows_equal_events else "do NOT equal"
    console.print(
        f"rows {equal} events: {report.missing_rows} missing, {report.extra_rows} of records that "
        f"the broker forgot; dark: {report.dark_seconds:.1f} s"
    )
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)


def _figure(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"
