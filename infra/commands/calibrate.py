"""`smartstore calibrate`: a camera in metres, its lens, the planogram, and the walk test."""

import asyncio
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from infra.commands.runtime import run_until_signal, settings_of
from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings

if TYPE_CHECKING:
    from infra.calibrate.clicked import Clicked
    from infra.calibrate.walk import Verdict
    from streams.contracts.layout import Camera, StoreLayout
    from vision.ports import FrameSource

app = typer.Typer(
    help="Put a camera into the store: where it hangs, its lens, the planogram, its own error.",
)

#: What `--source` is for the rendered store.
_SIMULATE = "simulate"

LayoutFile = Annotated[
    Path | None,
    typer.Option("--layout", readable=False, help="The store's layout; else SMARTSTORE_LAYOUT."),
]
CameraId = Annotated[str | None, typer.Option("--camera", help="The camera; else the only one.")]
Source = Annotated[
    str | None,
    typer.Option(help="rtsp://HOST/PATH, usb:0, a video file, or simulate (the rendered store)."),
]
OutFile = Annotated[
    Path | None, typer.Option(help="Write the layout here instead of changing it in place.")
]


@app.callback(invoke_without_command=True)
def calibrate(
    context: typer.Context,
    layout: LayoutFile = None,
    camera: CameraId = None,
    source: Source = None,
    simulate: Annotated[bool, typer.Option(help="Short for --source simulate.")] = False,
    store: Annotated[
        Path | None,
        typer.Option(help="With simulate: a layout that says how the rendered store really is."),
    ] = None,
    points: Annotated[
        Path | None, typer.Option(help="Clicked points in JSON instead of the page.")
    ] = None,
    lens: Annotated[
        Path | None, typer.Option(help="A lens file of `smartstore calibrate lens`.")
    ] = None,
    out: OutFile = None,
    walk_test: Annotated[
        bool, typer.Option("--walk-test", help="Measure this camera's own error in two minutes.")
    ] = False,
    tester_height: Annotated[
        float, typer.Option(min=1.0, max=2.3, help="Height of the tester with shoes, m.")
    ] = 1.70,
    merge: Annotated[
        bool, typer.Option(help="Join zones that the camera cannot tell apart.")
    ] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the walk test's figures here.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address of the page; one of the local network lets a phone in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
) -> None:
    """Opens the page on which a camera is calibrated; --walk-test measures how well it is."""
    if context.invoked_subcommand is not None:
        return
    from infra.calibrate.session import camera_named

    path = layout or settings_of(PlaceSettings).layout
    if path is None:
        raise UserError("no layout was named; give --layout FILE or set SMARTSTORE_LAYOUT")
    plan = load_layout(path)
    chosen = camera_named(plan, camera)
    if simulate and source not in (None, _SIMULATE):
        raise UserError("--simulate was named beside another source; give one of the two")
    named = _SIMULATE if simulate else source
    real = load_layout(store) if store is not None else plan
    if walk_test:
        _walk(path, plan, chosen, named, real, tester_height, merge, json_file, out, host, port)
    elif points is not None:
        _points(path, plan, chosen, named, real, points, lens, out)
    else:
        _page(path, plan, chosen, named, real, lens, out, host, port)


@app.command()
def planogram(
    file: Annotated[Path, typer.Argument(help="CSV: zone_id,name,category,x0_m,z0_m,x1_m,z1_m.")],
    layout: LayoutFile = None,
    out: OutFile = None,
) -> None:
    """Takes the zones of a planogram into the layout."""
    from infra.calibrate.layout_file import Data, change_layout
    from infra.calibrate.planogram import merge_planogram, read_planogram
    from infra.calibrate.session import stamp

    path = layout or settings_of(PlaceSettings).layout
    if path is None:
        raise UserError("no layout was named; give --layout FILE or set SMARTSTORE_LAYOUT")
    rows = read_planogram(file)
    counts: list[tuple[int, int]] = []

    def change(data: Data) -> None:
        counts.append(merge_planogram(data, rows))

    saved = change_layout(path, change, stamp(), out)
    changed, new = counts[0]
    typer.echo(f"{changed} zones changed, {new} new, in {saved.path}; as it was: {saved.backup}.")
    bare = [z.zone_id for z in saved.layout.zones if z.floor is None]
    if bare:
        typer.echo(f"Without a floor, so that all in view count as before it: {', '.join(bare)}.")


@app.command()
def lens(
    source: Annotated[str, typer.Option(help="rtsp://HOST/PATH, usb:0 or a video file.")],
    out: Annotated[Path, typer.Option(help="The lens file to write.")],
    board: Annotated[str, typer.Option(help="Inner corners across and down, as in 9x6.")] = "9x6",
    kind: Annotated[str, typer.Option(help="pinhole, or fisheye.")] = "pinhole",
) -> None:
    """Measures a lens by a checkerboard that is moved before the camera."""
    from infra.calibrate.lens import measure_lens, write_lens
    from streams.contracts.layout import Area, Camera, StoreLayout
    from vision.core.checkerboard import Board

    across, _, down = board.partition("x")
    if not (across.isdecimal() and down.isdecimal() and min(int(across), int(down)) >= 3):
        raise UserError(f"--board {board} is no board; give its inner corners, such as 9x6")
    if kind not in ("pinhole", "fisheye"):
        raise UserError(f"--kind {kind} is no lens; give pinhole or fisheye")
    chosen: Literal["pinhole", "fisheye"] = "fisheye" if kind == "fisheye" else "pinhole"
    lone = Camera(camera_id="camera", area_id="area")
    plan = StoreLayout(store_id="lens", name="lens", areas=(Area(area_id="area"),), cameras=(lone,))
    opened = _source(plan, lone, source, plan)
    fit = run_until_signal(
        lambda stop: measure_lens(opened, Board(int(across), int(down)), chosen, typer.echo, stop)
    )
    write_lens(fit, out)
    typer.echo(
        f"{fit.horizontal_fov_deg:.1f} degrees from left to right, corners met within "
        f"{fit.error_px:.2f} px in {fit.views} views; give {out} to smartstore calibrate --lens."
    )


def _page(
    path: Path,
    plan: "StoreLayout",
    camera: "Camera",
    named: str | None,
    real: "StoreLayout",
    lens_file: Path | None,
    out: Path | None,
    host: str,
    port: int,
) -> None:
    from infra.calibrate.lens import read_lens
    from infra.calibrate.pictures import Pictures
    from infra.calibrate.run import run_page
    from infra.calibrate.session import Session

    lens_of = None if lens_file is None else read_lens(lens_file)
    pictures = Pictures(_source(plan, camera, named, real))
    session = Session(path, plan, camera, pictures, out, lens_of)
    run_until_signal(lambda stop: run_page(session, host, port, stop=stop, opened=_opened))


def _points(
    path: Path,
    plan: "StoreLayout",
    camera: "Camera",
    named: str | None,
    real: "StoreLayout",
    points: Path,
    lens_file: Path | None,
    out: Path | None,
) -> None:
    from infra.calibrate.clicked import read_clicked, solve
    from infra.calibrate.lens import read_lens
    from infra.calibrate.session import save_calibration

    try:
        clicked = read_clicked(points.read_bytes())
    except OSError as error:
        raise UserError(f"the points {points} cannot be read ({error.strerror})") from error
    landmarks: tuple[tuple[float, float], ...] = ()
    size = clicked.picture_px
    if named is not None:
        size, landmarks = asyncio.run(_looked(_source(plan, camera, named, real)))
    if size is None:
        raise UserError(
            "the picture's size is not known; give picture_px in the points, or --source"
        )
    before = camera.pose if lens_file is None else read_lens(lens_file)
    solved = solve(_with_lens(clicked, lens_file, before), size[1] / size[0], before)
    saved, version = save_calibration(path, camera.camera_id, solved, landmarks, out)
    fit = solved.fit
    typer.echo(
        f"{version}: corners met within {fit.error:.2%} of the width, place within "
        f"{fit.place_sigma_m:.2f} m, angles within {fit.angle_sigma_deg:.1f} degrees, field of "
        f"view {fit.pose.horizontal_fov_deg:.1f} degrees"
        f"{'' if fit.fov_measured else ' (mostly the guess)'}, {len(landmarks)} landmarks."
    )
    typer.echo(f"Written into {saved.path}; as it was: {saved.backup}.")


def _with_lens(clicked: "Clicked", lens_file: Path | None, measured: "_HasFov | None") -> "Clicked":
    import msgspec

    if lens_file is None or measured is None:
        return clicked
    return msgspec.structs.replace(
        clicked, horizontal_fov_deg=measured.horizontal_fov_deg, fov_is_measured=True
    )


class _HasFov(Protocol):
    @property
    def horizontal_fov_deg(self) -> float: ...


async def _looked(source: "FrameSource") -> tuple[tuple[int, int], tuple[tuple[float, float], ...]]:
    """The picture's size and the landmarks in it."""
    from infra.calibrate.pictures import Pictures
    from vision.errors import CaptureError

    pictures = Pictures(source)
    follow = asyncio.ensure_future(pictures.run())
    first = asyncio.ensure_future(pictures.first())
    await asyncio.wait((follow, first), return_when=asyncio.FIRST_COMPLETED)
    if not first.done():
        first.cancel()
        follow.result()
        raise CaptureError("the camera gave no picture; see that it is switched on")
    # Some pictures more: landmarks are what they have in common.
    await asyncio.wait((follow,), timeout=4.0)
    follow.cancel()
    await asyncio.gather(follow, return_exceptions=True)
    height, width = (await first).shape[:2]
    return (width, height), await pictures.landmarks()


def _walk(
    path: Path,
    plan: "StoreLayout",
    camera: "Camera",
    named: str | None,
    real: "StoreLayout",
    height_m: float,
    merge: bool,
    json_file: Path | None,
    out: Path | None,
    host: str,
    port: int,
) -> None:
    import cv2

    from infra.calibrate.conclude import told, write
    from infra.calibrate.run import run_walk_page
    from infra.calibrate.serving import triton
    from infra.calibrate.session import WalkSession, camera_named, stamp
    from infra.calibrate.walk import WalkTest, simulate
    from infra.stack.settings import StackSettings
    from vision.detector import TritonDetector
    from vision.errors import CalibrationRefused
    from vision.settings import GatewaySettings

    cv2.setNumThreads(1)
    place = settings_of(PlaceSettings)
    stack = settings_of(StackSettings)
    settings = settings_of(GatewaySettings)
    simulated = named == _SIMULATE
    test = WalkTest(plan, camera, settings, height_m, simulated=simulated)
    source = None if simulated else _source(plan, camera, named, real)
    verdicts: list[Verdict] = []

    def conclude(verdict: "Verdict") -> list[str]:
        now_ms = int(time.time() * 1_000)
        verdicts.append(verdict)
        return [
            *told(verdict),
            *write(path, camera, verdict, now_ms, stamp(), out, merge),
        ]

    async def main(stop: asyncio.Event) -> list[str]:
        async with triton(place.triton, stack, place.models, _say) as address:
            used = settings.model_copy(update={"triton": address})
            async with TritonDetector(used) as detector:
                if source is None:
                    true = camera_named(real, camera.camera_id)
                    await simulate(test, detector, real, true, stop)
                    return conclude(test.verdict())
                session = WalkSession(test, conclude)
                await run_walk_page(
                    session, detector, source, host, port, stop=stop, opened=_opened, say=typer.echo
                )
                return session.told or []

    lines = run_until_signal(main)
    for line in lines:
        typer.echo(line)
    if not verdicts:
        return
    if json_file is not None:
        _write_figures(verdicts[-1], json_file)
    refused = verdicts[-1].refused
    if refused is not None:
        raise CalibrationRefused(f"the camera {camera.camera_id} is not certified: {refused}")


def _write_figures(verdict: "Verdict", path: Path) -> None:
    import msgspec

    figures = {
        "simulated": verdict.simulated,
        "certified": verdict.refused is None,
        "refused": verdict.refused,
        "prompts": verdict.prompts,
        "errors": verdict.errors,
        "findings": verdict.findings,
        "cannot_tell_apart": verdict.confused,
        "looks": [
            {"asked": asked, "named": named, "count": count}
            for (asked, named), count in verdict.table.items()
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")


def _source(
    plan: "StoreLayout", camera: "Camera", named: str | None, real: "StoreLayout"
) -> "FrameSource":
    """The camera's pictures. Raises UserError, CaptureError."""
    from infra.commands.cameras import named_sources
    from vision.settings import GatewaySettings

    if named == _SIMULATE:
        from infra.calibrate.session import camera_named
        from infra.calibrate.tester import EmptyStore

        true = camera_named(real, camera.camera_id)
        if true.pose is None:
            raise UserError(
                "the rendered store's camera has no pose; name a layout that says how it really "
                "is with --store"
            )
        return EmptyStore(true.pose)
    settings = settings_of(GatewaySettings)
    texts = [] if named is None else [f"{camera.camera_id}={named}"]
    sources = named_sources(plan.area(camera.area_id), texts, settings, None)
    if camera.camera_id not in sources:
        raise UserError(
            f"no source of the camera {camera.camera_id!r} was named; give --source "
            "rtsp://HOST/PATH, usb:0, a video file or simulate"
        )
    return sources[camera.camera_id]


def _opened(address: str) -> None:
    """Tells where the page is; a page that others may open also as a code for a phone."""
    typer.echo(f"open  {address}")
    if "#" in address and sys.stdout.isatty():
        import segno

        drawn = io.StringIO()
        segno.make(address, micro=False).terminal(drawn, compact=True)
        typer.echo(drawn.getvalue())


def _say(text: str) -> None:
    typer.echo(text, err=True)
