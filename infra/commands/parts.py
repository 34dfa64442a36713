"""The processes of the system, one command each: what a container or a supervisor starts.

Servers are named by the environment (SMARTSTORE_KAFKA, SMARTSTORE_TRITON, SMARTSTORE_DATABASE),
the layout by --layout or SMARTSTORE_LAYOUT. Each command imports its room when it is called: a
process that imported all of them would take seconds more to start.
"""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.runtime import layout_of, ready_with, run_until_signal, settings_of
from infra.errors import UserError
from infra.settings import ExperimentSettings
from streams.contracts.layout import StoreLayout

if TYPE_CHECKING:
    from infra.report import GatewayStats
    from vision.gateway import GatewayReport
    from vision.ports import FrameSource

LayoutFile = Annotated[Path | None, typer.Option("--layout", help="The layout of the store.")]
ReadyFile = Annotated[Path | None, typer.Option(help="A file to make once this process works.")]
Seed = Annotated[int, typer.Option(help="Seed of the simulated store.")]
StartMs = Annotated[
    int | None, typer.Option(min=0, help="Event time at which the source begins, UTC epoch ms.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (gateway, react, measure, sink, player, web, till):
        app.command(rich_help_panel="Processes")(command)


def gateway(
    camera: Annotated[
        list[str] | None, typer.Option(help="A video file, or CAMERA_ID=FILE where there are more.")
    ] = None,
    simulate: Annotated[bool, typer.Option(help="Cameras of the simulated store.")] = False,
    layout: LayoutFile = None,
    area: Annotated[str | None, typer.Option(help="The area; else the only one.")] = None,
    seed: Seed = 1,
    start_ms: StartMs = None,
    stats: Annotated[Path | None, typer.Option(help="Write figures here at the end.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """The cameras of one area: pictures in, events out."""
    from infra.report import write_report
    from vision.detector import TritonDetector
    from vision.gateway import run_gateway
    from vision.publisher import KafkaPublisher
    from vision.settings import GatewaySettings

    store = layout_of(layout)
    area_id = _area(store, area)
    settings = settings_of(GatewaySettings)
    sources = _sources(store.area(area_id), camera or [], simulate, seed, start_ms)

    async def main(stop: asyncio.Event) -> None:
        async with TritonDetector(settings) as detector, KafkaPublisher(settings) as publisher:
            report = await run_gateway(
                store,
                area_id,
                sources,
                detector,
                publisher,
                settings,
                stop=stop,
                ready=ready_with(ready_file),
            )
        if stats is not None:
            write_report(_stats(report), stats)

    run_until_signal(main)


def react(layout: LayoutFile = None, ready_file: ReadyFile = None) -> None:
    """Faust worker: attention now to what the screens show."""
    from signage.catalogue import load_catalogue
    from signage.core.policy import RulePolicy
    from streams.react.app import create_app
    from streams.settings import ReactSettings
    from streams.worker import run_worker

    store = layout_of(layout)
    app = create_app(
        settings_of(ReactSettings),
        RulePolicy(load_catalogue().creatives, store.zones),
        store,
        settings_of(ExperimentSettings).experiment(),
        ready=ready_with(ready_file),
    )
    sys.exit(run_worker(app))


def measure(layout: LayoutFile = None, ready_file: ReadyFile = None) -> None:
    """Faust worker: windows of attention and basket metrics."""
    from streams.measure.app import create_app
    from streams.settings import MeasureSettings
    from streams.worker import run_worker

    app = create_app(
        settings_of(MeasureSettings),
        layout_of(layout),
        settings_of(ExperimentSettings).experiment(),
        ready=ready_with(ready_file),
    )
    sys.exit(run_worker(app))


def sink(ready_file: ReadyFile = None) -> None:
    """Writes the log into the database, each row once."""
    from streams.sink.run import run_sink
    from streams.sink.settings import SinkSettings

    settings = settings_of(SinkSettings)
    run_until_signal(lambda stop: run_sink(settings, stop=stop, ready=ready_with(ready_file)))


def player(
    screen: Annotated[str, typer.Option(help="The screen, as in the layout.")],
    layout: LayoutFile = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port of the page.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """One screen: follows its content and serves its full-screen page on this machine."""
    from signage.catalogue import load_catalogue
    from signage.player.service import run_player
    from signage.settings import PlayerSettings

    store = layout_of(layout)
    found = [s for s in store.screens if s.screen_id == screen]
    if not found:
        known = ", ".join(s.screen_id for s in store.screens) or "none"
        raise UserError(f"The layout has no screen {screen!r}; it has: {known}.")
    settings = settings_of(
        PlayerSettings,
        store_id=store.store_id,
        area_id=found[0].area_id,
        screen_id=screen,
        player_port=port,
    )
    catalogue = load_catalogue()
    run_until_signal(
        lambda stop: run_player(settings, catalogue, stop=stop, ready=ready_with(ready_file))
    )


def web(
    layout: LayoutFile = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port of the page.")] = None,
    player_url: Annotated[str | None, typer.Option(help="The player's page to embed.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """The live page for the store's manager, on this machine."""
    from infra.web.run import run_web
    from infra.web.settings import WebSettings

    store = layout_of(layout)
    settings = settings_of(WebSettings, web_port=port, player_url=player_url)
    run_until_signal(lambda stop: run_web(settings, store, stop=stop, ready=ready_with(ready_file)))


def till(
    layout: LayoutFile = None,
    seed: Seed = 1,
    start_ms: StartMs = None,
    ready_file: ReadyFile = None,
) -> None:
    """Receipts of the simulated store."""
    from infra.simulator.baskets import run_till
    from infra.simulator.settings import SimulatorSettings

    store = layout_of(layout)
    settings = settings_of(SimulatorSettings, seed=seed, start_ms=start_ms)
    run_until_signal(
        lambda stop: run_till(settings, store, stop=stop, ready=ready_with(ready_file))
    )


def _area(store: StoreLayout, named: str | None) -> str:
    areas = [area.area_id for area in store.areas]
    if named is None and len(areas) == 1:
        return areas[0]
    if named not in areas:
        raise UserError(f"Name one of the layout's areas with --area: {', '.join(areas)}.")
    return named


def _sources(
    store: StoreLayout, named: list[str], simulate: bool, seed: int, start_ms: int | None
) -> "dict[str, FrameSource]":
    if simulate == bool(named):
        raise UserError("Name the cameras' videos with --camera, or --simulate, and not both.")
    if simulate:
        from infra.simulator.settings import SimulatorSettings
        from infra.simulator.source import SimulatedSource

        settings = settings_of(SimulatorSettings, seed=seed, start_ms=start_ms)
        return {
            camera.camera_id: SimulatedSource(settings, store, camera) for camera in store.cameras
        }
    from vision.capture import FileSource

    sources: dict[str, FrameSource] = {}
    for name in named:
        camera_id, separator, path = name.partition("=")
        if not separator and len(store.cameras) == 1:
            camera_id, path = store.cameras[0].camera_id, name
        elif not separator:
            raise UserError(
                f"The area has {len(store.cameras)} cameras; say which one {name} is: "
                "--camera CAMERA_ID=FILE."
            )
        sources[camera_id] = FileSource(Path(path), start_ms)
    return sources


def _stats(report: "GatewayReport") -> "GatewayStats":
    import msgspec

    from infra.report import CameraReport, Detector, GatewayStats

    return GatewayStats(
        cameras=[msgspec.convert(msgspec.to_builtins(c), CameraReport) for c in report.cameras],
        detector=Detector(name=report.detector.name, sha256=report.detector.weights_sha256),
        frames_failed=report.frames_failed,
        errors=list(report.errors),
    )
