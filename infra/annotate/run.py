"""Runs the gateway over one video, with the embedded model server, and draws what it sees."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from infra.annotate.story import Story, Summary
from infra.annotate.video import AnnotatedVideo
from infra.serving import served_model
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from streams.contracts.layout import StoreLayout
from vision.cameras.file import FileSource
from vision.clock import wall_ms
from vision.detector import TritonDetector
from vision.gateway import run_gateway
from vision.pipeline import View
from vision.settings import GatewaySettings

#: Event time of the video's beginning: times are told from there.
_START_MS = 0


async def annotated(
    layout: StoreLayout,
    video: Path,
    out: Path,
    state: StateFolder,
    stack: StackSettings,
    gateway: GatewaySettings,
    models_dir: Path | None,
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> Summary:
    """Writes the annotated video; what happened in it. `layout` has one camera.

    Raises:
        CaptureError: the video cannot be read.
        StackError, ModelError, DetectorError: the model cannot be served.
        UserError: the video cannot be written.
    """
    camera = layout.cameras[0]
    names = {zone.zone_id: zone.name for zone in layout.zones}
    names |= {screen.screen_id: screen.name for screen in layout.screens}
    source = FileSource(video, start_ms=_START_MS, paced=False)
    story = Story(_START_MS)
    last_ms = 0
    async with served_model(state, stack, say, models_dir=models_dir) as address:
        settings = gateway.model_copy(update={"triton": address})
        async with TritonDetector(settings) as detector:
            info = await detector.describe()
            with AnnotatedVideo(out, names, _START_MS) as drawn:

                def on_view(view: View) -> None:
                    nonlocal last_ms
                    last_ms = view.scene.cameras[view.camera_id]
                    for person in view.scene.seen_by(view.camera_id).values():
                        if person.seen_at_ms == last_ms:
                            story.see(person.person_id, last_ms)
                    drawn.take(view, story.labels(last_ms))
                    say(f"{video.name}: {last_ms / 1000:.0f} s")

                report = await run_gateway(
                    layout,
                    camera.area_id,
                    {camera.camera_id: source},
                    detector,
                    story,
                    settings,
                    stop=stop,
                    ready=lambda: None,
                    now_ms=wall_ms,
                    on_view=on_view,
                )
    persons = story.persons()
    return Summary(
        video=video.name,
        detector=info.name,
        seconds=round((last_ms - _START_MS) / 1000, 1),
        frames=drawn.frames,
        people=len(persons),
        dwells=sum(len(person.dwells) for person in persons),
        gazes=sum(len(person.gazes) for person in persons),
        stitched=report.stitched,
        staff_excluded=report.staff_excluded,
        persons=persons,
    )
