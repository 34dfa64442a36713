"""`smartstore demo` and `smartstore run`: the whole chain on this machine.

The chain is imported when it is run: the other commands start without its weight.
"""

import asyncio
import signal
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.status import Status

from infra.commands.preflight import check, finite
from infra.commands.runtime import settings_of
from infra.errors import Interrupted, UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from infra.stack.part import PartEvent
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

if TYPE_CHECKING:
    from infra.chain import Chain, Plan
    from infra.report import Report

#: The demo's store, which comes with the product.
DEMO_LAYOUT = Path(__file__).parents[1] / "simulator" / "store.yaml"

#: One's own desk as a store, for a webcam.
WEBCAM_LAYOUT = DEMO_LAYOUT.with_name("webcam.yaml")
WEBCAM = 0

#: A slot of the demo is short, so that a visitor of a minute sees both arms.
DEMO_SLOT_MS = 20_000
DEMO_ADAPTIVE_SHARE = 0.75

_LOUD = {"died", "failed", "restarting", "note"}

Seconds = Annotated[
    float | None,
    typer.Option(
        min=1, callback=finite, help="How long to run; else until Ctrl-C or the file's end."
    ),
]
Headless = Annotated[bool, typer.Option(help="Open no window; a program reads the screens' pages.")]
ReportFile = Annotated[
    Path | None, typer.Option(readable=False, help="Write what happened to this JSON file.")
]
Weights = Annotated[Path | None, typer.Option(readable=False, help="A .pt or .onnx pose network.")]
InputSize = Annotated[
    int | None,
    typer.Option(min=128, max=1920, help="The longer side of what the network sees, in pixels."),
]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the live page.")]
Share = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        callback=finite,
        help="Share of the slots that react; the rest: control.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the two commands to the command line."""
    app.command()(demo)
    app.command()(run)


def demo(
    seconds: Seconds = None,
    headless: Headless = False,
    report: ReportFile = None,
    layout: Annotated[
        Path | None, typer.Option(readable=False, help="Another layout than the demo's.")
    ] = None,
    weights: Weights = None,
    input_size: InputSize = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated store.")] = 1,
    adaptive_share: Share = DEMO_ADAPTIVE_SHARE,
    port: Port = None,
    past_days: Annotated[
        int,
        typer.Option(
            min=0,
            max=366,
            help="Simulated days before today, so that the pages of days and weeks have something "
            "to show; 28 take half a minute.",
        ),
    ] = 0,
    true_effect: Annotated[
        float,
        typer.Option(
            min=-0.2,
            max=0.8,
            callback=finite,
            help="What adaptive slots truly add to the simulated store's mean basket, as a share.",
        ),
    ] = 0.0,
    product_effect: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=2.0,
            callback=finite,
            help="What they truly add to its sales of tea, the basket unmoved.",
        ),
    ] = 0.0,
    webcam: Annotated[
        bool, typer.Option(help="Your own camera: look left or right, and the screen follows.")
    ] = False,
) -> None:
    """Shows the whole chain with a simulated store, or with your webcam. Ctrl-C ends it."""
    from infra.chain import Plan
    from infra.simulator.effects import TrueEffect

    device = _webcam() if webcam else None
    path = layout or (DEMO_LAYOUT if device is None else WEBCAM_LAYOUT)
    _run(
        Plan(
            layout_path=path,
            layout=load_layout(path),
            camera_file=None,
            webcam=device,
            seconds=seconds,
            headless=headless,
            weights=weights,
            models_dir=settings_of(PlaceSettings).models,
            input_size_px=input_size,
            seed=seed,
            adaptive_share=adaptive_share,
            slot_ms=DEMO_SLOT_MS,
            web_port=port,
            past_days=past_days,
            true_effect=TrueEffect(basket=true_effect, product=product_effect),
        ),
        report,
    )


def run(
    camera: Annotated[Path, typer.Option(readable=False, help="A video file.")],
    layout: Annotated[Path, typer.Option(readable=False, help="The layout of the store, YAML.")],
    seconds: Seconds = None,
    headless: Headless = False,
    report: ReportFile = None,
    weights: Weights = None,
    input_size: InputSize = None,
    adaptive_share: Share = 1.0,
    port: Port = None,
) -> None:
    """Runs the whole chain on a video file, to its end."""
    from infra.chain import Plan
    from vision.cameras.file import check_video

    store = load_layout(layout)
    if len(store.cameras) != 1:
        raise UserError(
            f"the layout {layout} has {len(store.cameras)} cameras, but --camera names one video; "
            "use a layout with one camera"
        )
    check_video(camera)
    _run(
        Plan(
            layout_path=layout,
            layout=store,
            camera_file=camera,
            webcam=None,
            seconds=seconds,
            headless=headless,
            weights=weights,
            models_dir=settings_of(PlaceSettings).models,
            input_size_px=input_size,
            seed=0,
            adaptive_share=adaptive_share,
            slot_ms=DEMO_SLOT_MS,
            web_port=port,
        ),
        report,
    )


def _webcam() -> int | None:
    """The webcam's number; None, and a line that says so, where there is none."""
    from vision.cameras.usb import webcam_present

    if webcam_present(WEBCAM):
        return WEBCAM
    Console(soft_wrap=True).print("There is no webcam here: showing the simulated store instead.")
    return None


def _run(plan: "Plan", report_file: Path | None) -> None:
    from infra.chain import Chain
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    check(plan, settings, report_file)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        progress = _Progress(console, status)
        chain = Chain(plan, state, settings, progress.say, progress.listen)
        progress.chain = chain
        report = asyncio.run(_until_signal(chain, progress))
        kept = state.run / "report.json"
        write_report(report, kept)
    _print(console, report)
    if report_file is not None:
        write_report(report, report_file, kept)
        console.print(f"report: {report_file}")


async def _until_signal(chain: "Chain", progress: "_Progress") -> "Report":
    """The first signal ends a run that is up in good order, and a start at once."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(chain.run(stop))

    def interrupt() -> None:
        if stop.is_set() or not chain.up:
            progress.interrupted = True
            task.cancel()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        raise Interrupted(
            "interrupted; everything was stopped and no report was made, start it again when you "
            "like"
        ) from None


class _Progress:
    """Tells on the terminal what the chain is doing."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._starting: set[str] = set()
        self.chain: Chain | None = None
        self.interrupted = False

    def say(self, line: str) -> None:
        if self.interrupted and threading.current_thread() is not threading.main_thread():
            # A thread cannot be cancelled, and an export would be waited for: this ends it.
            raise Interrupted("interrupted; start it again when you like")
        if line == "up" and self.chain is not None:
            self._up(self.chain)
        else:
            self._status.update(line)

    def listen(self, event: PartEvent) -> None:
        """A part's event: what starts is shown in the status line, what dies stays readable."""
        if event.phase in _LOUD:
            self._console.print(f"{event.part} {event.phase}: {event.detail}", markup=False)
        elif event.phase in ("starting", "preparing"):
            self._starting.add(event.part)
            detail = event.detail or ", ".join(sorted(self._starting))
            self._status.update(f"starting {detail}")
        elif event.phase == "ready":
            self._starting.discard(event.part)
            if self._starting:
                self._status.update("starting " + ", ".join(sorted(self._starting)))

    def _up(self, chain: "Chain") -> None:
        self._console.print(f"live page  {chain.web_url}")
        for screen, url in chain.player_urls.items():
            self._console.print(f"screen     {url}  ({screen})")
        # For `smartstore creative`, `price`, `stock` and others, in another terminal.
        self._console.print(
            f"commands   SMARTSTORE_KAFKA={chain.stack.broker.bootstrap} "
            f"SMARTSTORE_STATE={chain.state.run} SMARTSTORE_LAYOUT={chain.plan.layout_path}",
            markup=False,
        )
        self._console.print(f"policy     the rule, approved by {chain.approved_by}")
        until = f"for {chain.plan.seconds:.0f} s" if chain.plan.seconds else "until Ctrl-C"
        if chain.plan.camera_file is not None and not chain.plan.seconds:
            until = "to the video's end"
        self._status.update(f"running {until}")
        if not chain.plan.headless:
            webbrowser.open(chain.web_url)


def _print(console: Console, report: "Report") -> None:
    events, rows = report.events, report.database
    effect = report.true_effect_on_baskets
    label = "" if effect is None else f" (simulated, true effect on baskets {effect:.0%})"
    console.print(f"run {report.run_id}, {report.seconds:.0f} s{label}")
    if report.seconds_to_first_content_change is not None:
        console.print(
            f"  from the command to the first content change: "
            f"{report.seconds_to_first_content_change:.0f} s"
        )
    for camera in report.cameras:
        console.print(f"  camera {camera.id}: {camera.frames_inferred} frames inferred")
    console.print(f"  gaze {events.gaze} (rows {rows.gaze}), dwell {events.dwell} ({rows.dwell})")
    console.print(
        f"  decisions {report.decisions} ({rows.decisions}), content changes "
        f"{report.content_changes}, plays {report.plays} ({rows.plays})"
    )
    console.print(f"  baskets {events.baskets} ({rows.baskets}), effect on baskets: not known yet")
    latency = report.latency_ms.capture_to_render
    if latency.n:
        console.print(
            f"  capture to render: p50 {latency.p50:.0f} ms, p95 {latency.p95:.0f} ms"
            f" over {latency.n} reactions"
        )
    if report.dead_letters or report.restarts:
        console.print(f"  dead letters {report.dead_letters}, restarts {report.restarts}")
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
