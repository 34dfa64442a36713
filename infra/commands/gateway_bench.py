"""`smartstore bench gateway`: what does a frame cost over the networks alone?"""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.demo import DEMO_LAYOUT
from infra.commands.runtime import settings_of
from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.bench.gateway.bench import GatewayBench
    from infra.bench.gateway.report import GatewayReport, GpuReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(gateway)


def gateway(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    cameras: Annotated[str, typer.Option(help="Numbers of cameras, parted by commas.")] = "1,4,16",
    fps_total: Annotated[
        float, typer.Option(min=1, max=60, help="Frames a second over all cameras.")
    ] = 8.0,
    seconds: Annotated[float, typer.Option(min=5, help="How long each number is measured.")] = 30.0,
    video: Annotated[
        Path | None, typer.Option(readable=False, help="Pictures of this video, not drawn ones.")
    ] = None,
    gpu: Annotated[
        bool, typer.Option(help="Frames a second of the networks on a CUDA device as well.")
    ] = False,
) -> None:
    """Processor time of gateway and Triton a frame, beside the same networks in a plain loop."""
    from infra.bench.configuration import CONFIGURATION
    from infra.bench.gateway.bench import GatewayBench, GatewayPlan
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    plan = GatewayPlan(
        layout=load_layout(DEMO_LAYOUT),
        configuration=CONFIGURATION,
        models_dir=settings_of(PlaceSettings).models,
        cameras=_numbers(cameras),
        fps_total=fps_total,
        seconds=seconds,
        video=video,
        gpu=gpu,
    )
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(_measured(GatewayBench(plan, state, settings, status.update)))
    write_report(report, json)
    _print(console, report, fps_total)
    console.print(f"report: {json}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(1 <= number <= 64 for number in numbers):
        raise UserError(f"--cameras {text!r} are no numbers from 1 to 64; give some, as in 1,4,16")
    return numbers


async def _measured(bench: "GatewayBench") -> "GatewayReport":
    """A signal ends the bench at once: half a measurement is none."""
    task = asyncio.ensure_future(bench.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise UserError("Interrupted; everything was stopped and nothing was measured.") from None


def _print(console: Console, report: "GatewayReport", fps_total: float) -> None:
    own = report.configuration
    console.print(f"{own.person_network}, heads: {own.head_network or 'none'}; {own.video}")
    table = Table("cameras", "frames/s", "ms a frame", "raw ms", "over ms", "gateway s", "Triton s")
    for run in report.runs:
        used = run.used
        table.add_row(
            str(run.cameras),
            f"{run.fps_total:.1f}",
            f"{run.cpu_ms_per_frame:.1f}",
            f"{run.raw_cpu_ms_per_frame:.1f}",
            f"{run.overhead_ms_per_frame:.1f}",
            f"{used.gateway_s:.1f}",
            f"{used.server_s + used.model_s:.1f}",
        )
    console.print(table)
    behind = any(run.fps_total < 0.9 * fps_total for run in report.runs)
    # Two a second are inferred of an idle camera: fewer, and it did not keep up with its pictures.
    if behind or report.idle.inferred_fps < 1.8:
        console.print(
            f"  ! this machine was too busy for {fps_total:g} frames a second beside the loop, "
            "so that the figures are too high, the idle one too low "
            f"(load {report.load_before:.1f} before the bench); measure again when it is quiet"
        )
    console.print(
        f"ratio to raw {report.cpu_ratio_to_raw:.3f} (the worst run); an idle camera: "
        f"{100 * report.idle_camera_core_share:.2f} % of a core beside decoding "
        f"({100 * report.idle.decode_core_share:.1f} %) and the model "
        f"({100 * report.idle.model_core_share:.1f} %), inferred at {report.idle.inferred_fps:.1f}"
        f" of {report.idle.captured_fps:.0f} pictures a second"
    )
    if report.gpu is not None:
        console.print(_on_gpu(report.gpu))


def _on_gpu(report: "GpuReport") -> str:
    if report.did_not_run is not None:
        return f"GPU: DID NOT RUN: {report.did_not_run}"
    runs = ", ".join(f"{run.fps:.1f} in batches of {run.batch}" for run in report.runs)
    return f"GPU, {report.network}: frames a second, with all before and after the networks: {runs}"
