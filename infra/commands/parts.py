"""The processes of the system, one command each: what a container or a supervisor starts.

Servers are named by the environment (SMARTSTORE_KAFKA, SMARTSTORE_TRITON, SMARTSTORE_DATABASE),
the layout by --layout or SMARTSTORE_LAYOUT. A server that is away is waited for, since containers
start in any order; a mistake ends the process with one sentence and code 2. Each command imports
its room when it is called: a process that imported all of them would take seconds more to start.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.runtime import (
    check_database,
    layout_of,
    pace_fetches,
    ready_with,
    run_until_signal,
    settings_of,
)
from infra.commands.waiting import wait_for_broker, wait_for_triton
from infra.errors import UserError
from infra.settings import ContentSettings, ExperimentSettings
from streams.contracts.layout import StoreLayout

if TYPE_CHECKING:
    from infra.report import GatewayStats
    from vision.gateway import GatewayReport
    from vision.ports import FrameSource
    from vision.preview.server import Preview
    from vision.settings import GatewaySettings

LayoutFile = Annotated[
    Path | None, typer.Option("--layout", readable=False, help="The layout of the store.")
]
ReadyFile = Annotated[Path | None, typer.Option(help="A file to make once this process works.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the simulated store.")]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65_535, help="Where Prometheus may ask for figures: /metrics."),
]
StartMs = Annotated[
    int | None, typer.Option(min=0, help="Event time at which the source begins, UTC epoch ms.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (gateway, react, learner, measure, sink, web, till):
        app.command(rich_help_panel="Processes")(command)


def gateway(
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="A video file, rtsp://HOST/PATH or usb:0; CAMERA_ID=ADDRESS where there are more, "
            "once for each. Addresses with a password: SMARTSTORE_CAMERA_URLS."
        ),
    ] = None,
    simulate: Annotated[bool, typer.Option(help="Cameras of the simulated store.")] = False,
    webcam: Annotated[
        str | None,
        typer.Option(help="A camera at this machine: its number (0 is the first) or its device."),
    ] = None,
    layout: LayoutFile = None,
    area: Annotated[str | None, typer.Option(help="The area; else the only one.")] = None,
    seed: Seed = 1,
    start_ms: StartMs = None,
    preview_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Show the pictures, every head blurred, to this machine alone; 0: any free port.",
        ),
    ] = None,
    metrics_port: MetricsPort = None,
    stats: Annotated[Path | None, typer.Option(help="Write figures here at the end.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """The cameras of one area: pictures in, events out. Waits for broker and Triton."""
    import cv2

    from infra.report import write_report
    from streams.metrics import exposed
    from vision.clock import wall_ms
    from vision.detector import TritonDetector
    from vision.figures import GatewayFigures
    from vision.gateway import run_gateway
    from vision.journal import JournaledPublisher, journal_of
    from vision.publisher import KafkaPublisher
    from vision.settings import GatewaySettings
    from vision.shared import owner_of

    store = layout_of(layout)
    area_id = _area(store, area)
    settings = settings_of(GatewaySettings, preview_port=preview_port, metrics_port=metrics_port)
    # OpenCV's workers spin: with two of them a drawn picture costs 2.5 times the processor time.
    cv2.setNumThreads(1)
    sources = _sources(
        store.area(area_id), settings, camera or [], simulate, webcam, seed, start_ms
    )

    async def main(stop: asyncio.Event) -> None:
        if not await wait_for_broker(settings.kafka, stop):
            return
        owner = owner_of(settings.state, area_id)
        async with TritonDetector(settings, owner=owner) as detector:
            if not await wait_for_triton(settings.triton, detector, stop):
                return
            async with KafkaPublisher(settings) as kafka, AsyncExitStack() as opened:
                publisher = JournaledPublisher(kafka, journal_of(settings.state, area_id))
                publisher.recover(wall_ms())
                figures = GatewayFigures(kafka)
                await opened.enter_async_context(exposed(settings, figures))
                preview = _preview(settings, store.area(area_id))
                if preview is not None:
                    await opened.enter_async_context(preview)
                    typer.echo(f"preview  {preview.url}")
                report = await run_gateway(
                    store,
                    area_id,
                    sources,
                    figures.timed(detector),
                    figures.counted(publisher if preview is None else preview.watch(publisher)),
                    settings,
                    stop=stop,
                    ready=ready_with(ready_file),
                    on_view=None if preview is None else preview.take,
                    on_open=figures.watch,
                )
        if stats is not None:
            write_report(_stats(report), stats)

    run_until_signal(main)


def react(
    layout: LayoutFile = None, metrics_port: MetricsPort = None, ready_file: ReadyFile = None
) -> None:
    """Faust worker: attention now to what the screens show. Waits for the broker."""
    from signage.live import FOLLOWED, LivePolicy
    from streams.react.app import Following, create_app
    from streams.settings import ReactSettings
    from streams.worker import run_worker

    store = layout_of(layout)
    pace_fetches()
    settings = settings_of(ReactSettings, metrics_port=metrics_port)
    experiment = settings_of(ExperimentSettings).chosen
    policy = LivePolicy(store, adaptive=settings_of(ContentSettings).adaptive)
    if not run_until_signal(lambda stop: wait_for_broker(settings.kafka, stop)):
        return
    app = create_app(
        settings,
        policy,
        store,
        experiment,
        ready=ready_with(ready_file),
        following=Following(FOLLOWED, policy, policy.plays_since_ms),
    )
    sys.exit(run_worker(app))


def learner(layout: LayoutFile = None, ready_file: ReadyFile = None) -> None:
    """Learns from the log what decisions were worth, and publishes it as snapshots of a policy.
    Waits for the broker."""
    from signage.learner import run_learner
    from signage.settings import LearnerSettings

    store = layout_of(layout)
    pace_fetches()
    settings = settings_of(LearnerSettings, store_id=store.store_id)

    async def main(stop: asyncio.Event) -> None:
        if await wait_for_broker(settings.kafka, stop):
            await run_learner(settings, stop=stop, ready=ready_with(ready_file))

    run_until_signal(main)


def measure(
    layout: LayoutFile = None, metrics_port: MetricsPort = None, ready_file: ReadyFile = None
) -> None:
    """Faust worker: windows of attention and basket metrics. Waits for the broker."""
    from streams.measure.app import create_app
    from streams.settings import MeasureSettings
    from streams.worker import run_worker

    store = layout_of(layout)
    pace_fetches()
    settings = settings_of(MeasureSettings, metrics_port=metrics_port)
    experiment = settings_of(ExperimentSettings).chosen
    if not run_until_signal(lambda stop: wait_for_broker(settings.kafka, stop)):
        return
    app = create_app(settings, store, experiment, ready=ready_with(ready_file))
    sys.exit(run_worker(app))


def sink(metrics_port: MetricsPort = None, ready_file: ReadyFile = None) -> None:
    """Writes the log into the database, each row once. Waits for broker and database, but not for
    one that has no tables or refuses it."""
    from streams.sink.run import run_sink
    from streams.sink.settings import SinkSettings

    pace_fetches()
    settings = settings_of(SinkSettings, metrics_port=metrics_port)
    check_database(settings.database)
    run_until_signal(lambda stop: run_sink(settings, stop=stop, ready=ready_with(ready_file)))


def web(
    layout: LayoutFile = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port of the page.")] = None,
    player_url: Annotated[str | None, typer.Option(help="The player's page to embed.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """The live page for the store's manager, on this machine. Is there while broker and database
    are away, and says so."""
    from infra.web.run import run_web
    from infra.web.settings import WebSettings

    store = layout_of(layout)
    pace_fetches()
    settings = settings_of(WebSettings, web_port=port, player_url=player_url)
    check_database(settings.database)
    run_until_signal(lambda stop: run_web(settings, store, stop=stop, ready=ready_with(ready_file)))


def till(
    layout: LayoutFile = None,
    seed: Seed = 1,
    start_ms: StartMs = None,
    ready_file: ReadyFile = None,
) -> None:
    """Receipts of the simulated store. Waits for the broker."""
    from infra.simulator.baskets import run_till
    from infra.simulator.settings import SimulatorSettings

    store = layout_of(layout)
    settings = settings_of(SimulatorSettings, seed=seed, start_ms=start_ms)

    async def main(stop: asyncio.Event) -> None:
        if await wait_for_broker(settings.kafka, stop):
            await run_till(settings, store, stop=stop, ready=ready_with(ready_file))

    run_until_signal(main)


def _area(store: StoreLayout, named: str | None) -> str:
    areas = [area.area_id for area in store.areas]
    if named is None and len(areas) == 1:
        return areas[0]
    if named not in areas:
        what = f"has no area {named!r}" if named is not None else f"has {len(areas)} areas"
        raise UserError(f"the layout {what}; name one with --area: {', '.join(areas)}")
    return named


def _sources(
    area: StoreLayout,
    settings: "GatewaySettings",
    named: list[str],
    simulate: bool,
    webcam: str | None,
    seed: int,
    start_ms: int | None,
) -> "dict[str, FrameSource]":
    from infra.commands import cameras

    if webcam is not None:
        if simulate or named:
            raise UserError("--webcam was named beside another camera; give one of the two")
        return cameras.webcam_source(area, webcam, settings)
    if simulate == bool(named or cameras.has_secret_addresses(settings)):
        what = "both cameras and the simulated store were" if simulate else "no camera was"
        raise UserError(
            f"{what} named; give one of --camera FILE, --camera CAMERA_ID=ADDRESS, --simulate and "
            "--webcam 0"
        )
    if simulate:
        return cameras.simulated_sources(area, seed, start_ms)
    return cameras.named_sources(area, named, settings, start_ms)


def _preview(settings: "GatewaySettings", area: StoreLayout) -> "Preview | None":
    if settings.preview_port is None:
        return None
    from vision.preview.server import Preview

    return Preview(area, settings.preview_port, mirrored=settings.preview_mirrored)


def _stats(report: "GatewayReport") -> "GatewayStats":
    import msgspec

    from infra.report import CameraReport, Detector, GatewayStats

    return GatewayStats(
        cameras=[msgspec.convert(msgspec.to_builtins(c), CameraReport) for c in report.cameras],
        detector=Detector(name=report.detector.name, sha256=report.detector.weights_sha256),
        frames_failed=report.frames_failed,
        errors=list(report.errors),
    )
