"""The camera gateway of one area: all its cameras, one detector, one publisher.

Pictures end here; what leaves are events. Open stays and gazes are ended as censored when it stops.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from streams.contracts.layout import StoreLayout
from vision.area import AreaScene
from vision.cameras.supervised import CameraHealth
from vision.clock import wall_ms
from vision.core.scene import Scene
from vision.errors import CaptureError, VisionError
from vision.events import EventWriter
from vision.pipeline import CameraPipeline, PipelineContext, View
from vision.ports import Detector, DetectorInfo, EventPublisher, FrameSource
from vision.settings import GatewaySettings
from vision.tracker import random_track_id


@dataclass(frozen=True, slots=True)
class CameraReport:
    """One camera's figures. `fps`: frames inferred per second of the gateway's clock; `health`:
    how a live camera fared, None for a recording; `nudges`: how often it was found moved.
    """

    id: str
    frames_captured: int
    frames_inferred: int
    fps: float
    health: CameraHealth | None = None
    nudges: int = 0


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What a run of the gateway did. `stitched`: lost tracks that went on under a new one;
    `staff_excluded`: people taken for staff; `messages_dropped`: given up by the publisher;
    `errors`: what went wrong, one sentence each.
    """

    gateway_id: str
    cameras: tuple[CameraReport, ...]
    frames_failed: int
    detector: DetectorInfo
    stitched: int
    staff_excluded: int
    messages_dropped: int
    errors: tuple[str, ...]


async def run_gateway(
    layout: StoreLayout,
    area_id: str,
    sources: Mapping[str, FrameSource],
    detector: Detector,
    publisher: EventPublisher,
    settings: GatewaySettings,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
    gateway_id: str | None = None,
    now_ms: Callable[[], int] = wall_ms,
    new_id: Callable[[], str] = random_track_id,
    on_view: Callable[[View], None] | None = None,
    on_open: Callable[[Sequence[CameraPipeline]], None] | None = None,
) -> GatewayReport:
    """Run until `stop` is set or all sources have ended.

    Arguments:
        sources: by camera id; each must be a camera of `area_id` in the layout. They are closed.
        detector, publisher: already open; whoever opened them closes them.
        ready: called once, when the first frame was inferred and its events were queued.
        now_ms: the clock of `inferred_at_ms` and `sent_at_ms`.
        new_id: makes track ids.
        on_view: is shown every inferred frame; must return at once.
        on_open: is told once of the cameras' pipelines, whose figures it may read.

    Raises:
        CaptureError: no camera gave a picture.
        DetectorError: the detector does not answer at all.
        VisionError: a source names no camera of this area.
    """
    run_id = gateway_id or uuid4().hex
    cameras = {c.camera_id: c for c in layout.cameras if c.area_id == area_id}
    unknown = sorted(set(sources) - set(cameras))
    if unknown:
        raise VisionError(
            f"the layout has no camera {unknown[0]!r} in area {area_id!r}; "
            f"it has {', '.join(sorted(cameras)) or 'none'}"
        )
    info = await detector.describe()
    area = AreaScene()
    context = PipelineContext(
        layout=layout,
        detector=detector,
        publisher=publisher,
        writer=EventWriter(layout.store_id, area_id, run_id, layout.cameras),
        area=area,
        settings=settings,
        now_ms=now_ms,
        new_id=new_id,
        on_inferred=_once(ready),
        on_view=on_view,
    )
    pipelines = [CameraPipeline(cameras[name], sources[name], context) for name in sources]
    if on_open is not None:
        on_open(pipelines)
    try:
        await _run_until(stop, pipelines)
    finally:
        for pipeline in pipelines:
            await pipeline.close()
    for pipeline in pipelines:
        pipeline.finish()
    flushed = await publisher.flush(settings.flush_timeout_ms / 1000)
    return _report(run_id, pipelines, area.scene, info, publisher.dropped, flushed=flushed)


async def _run_until(stop: asyncio.Event, pipelines: list[CameraPipeline]) -> None:
    """Run all cameras; a stop cancels those that still run. A bug in one ends them all."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(pipeline.run(), name=f"camera {pipeline.camera.camera_id}")
            for pipeline in pipelines
        ]
        watch = group.create_task(_cancel_at(stop, tasks), name="stop")
        await asyncio.gather(*tasks, return_exceptions=True)
        watch.cancel()
    if not stop.is_set() and pipelines and not any(p.frames_captured for p in pipelines):
        errors = [error for pipeline in pipelines for error in pipeline.errors]
        raise CaptureError(errors[0] if errors else "the cameras gave no picture")


async def _cancel_at(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()


def _once(ready: Callable[[], None]) -> Callable[[], None]:
    """`ready`, however often it is called."""
    called = False

    def call() -> None:
        nonlocal called
        if not called:
            called = True
            ready()

    return call


def _report(
    run_id: str,
    pipelines: list[CameraPipeline],
    scene: Scene,
    info: DetectorInfo,
    dropped: int,
    *,
    flushed: bool,
) -> GatewayReport:
    errors = [error for pipeline in pipelines for error in pipeline.errors]
    if not flushed:
        errors.append("the broker did not acknowledge all events before the gateway had to end")
    if dropped:
        errors.append(f"{dropped} messages were given up because the broker was away too long")
    return GatewayReport(
        gateway_id=run_id,
        cameras=tuple(
            CameraReport(
                id=pipeline.camera.camera_id,
                frames_captured=pipeline.frames_captured,
                frames_inferred=pipeline.frames_inferred,
                fps=round(pipeline.fps, 2),
                health=pipeline.health,
                nudges=pipeline.nudges,
            )
            for pipeline in pipelines
        ),
        frames_failed=sum(pipeline.frames_failed for pipeline in pipelines),
        detector=info,
        stitched=scene.stitched,
        staff_excluded=scene.staff_excluded,
        messages_dropped=dropped,
        errors=tuple(errors),
    )
