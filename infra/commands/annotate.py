"""`smartstore annotate`: a video for a person to check by eye, with every head blurred."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.parts import LayoutFile
from infra.commands.runtime import layout_of, run_until_signal, settings_of
from infra.errors import UserError, os_sentence
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from streams.contracts.layout import StoreLayout


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(annotate)


def annotate(
    camera: Annotated[Path, typer.Option(readable=False, help="A video file.")],
    out: Annotated[Path, typer.Option(help="The annotated video (mp4).")],
    layout: LayoutFile = None,
    summary: Annotated[
        Path | None, typer.Option(help="What happened, person by person: a .html or .json file.")
    ] = None,
    camera_id: Annotated[
        str | None, typer.Option(help="Which camera of the layout it is; else the only one.")
    ] = None,
) -> None:
    """A video in, an annotated one out: heads blurred, zones, people, stays and gazes."""
    from infra.annotate.page import page_of
    from infra.annotate.run import annotated
    from infra.annotate.story import write_json
    from vision.settings import GatewaySettings

    if summary is not None and summary.suffix not in (".html", ".json"):
        raise UserError(f"the summary {summary} is neither .html nor .json; name it so")
    store = _with_camera(layout_of(layout), camera_id)
    settings = settings_of(StackSettings)
    console = Console(highlight=False, soft_wrap=True)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = run_until_signal(
            lambda stop: annotated(
                store,
                camera,
                out,
                state,
                settings,
                settings_of(GatewaySettings),
                settings_of(PlaceSettings).models,
                status.update,
                stop,
            )
        )
    console.print(
        f"{report.people} people, {report.dwells} dwells, {report.gazes} gazes in "
        f"{report.seconds:.1f} s; video: {out}"
    )
    if summary is not None:
        names = {z.zone_id: z.name for z in store.zones} | {
            s.screen_id: s.name for s in store.screens
        }
        try:
            if summary.suffix == ".html":
                summary.write_text(page_of(report, names))
            else:
                summary.write_bytes(write_json(report))
        except OSError as error:
            raise UserError(os_sentence(error, str(summary))) from error
        console.print(f"summary: {summary}")


def _with_camera(store: StoreLayout, camera_id: str | None) -> StoreLayout:
    """The layout with that one camera alone, and its area."""
    import msgspec

    known = ", ".join(c.camera_id for c in store.cameras) or "none"
    if camera_id is None and len(store.cameras) != 1:
        raise UserError(f"the layout has the cameras {known}; name one with --camera-id")
    found = [c for c in store.cameras if camera_id in (None, c.camera_id)]
    if not found:
        raise UserError(f"the layout has no camera {camera_id!r}; name one of {known}")
    return msgspec.structs.replace(store.area(found[0].area_id), cameras=(found[0],))
