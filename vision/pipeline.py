"""One camera's loop: capture, detect, track, head direction, state machines, publish.

Pictures are asked about while earlier ones are still followed; they are followed in their order.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streams.contracts.layout import Camera, StoreLayout
from vision.area import AreaScene
from vision.cameras.supervised import CameraHealth, health_of
from vision.core import scene as scenes
from vision.core.geometry import camera_model
from vision.core.person import Surroundings, Track
from vision.core.rate import Rate, due, seen
from vision.core.scene import Counts, PresenceOutput, Scene, SceneOutput
from vision.errors import CaptureError, DetectorError, DetectorRefused
from vision.events import EventWriter, Stamp
from vision.heartbeat import Heartbeat
from vision.masking import NoMeasure
from vision.nudge import NudgeWatch, suspended
from vision.ports import Detections, Detector, EventPublisher, Frame, FrameSource, Image, is_live
from vision.settings import GatewaySettings
from vision.stirring import Stirring
from vision.tracker import PersonTracker

#: A picture, and its detections to come; None at the source's end.
_Asked = tuple[Frame, "asyncio.Task[Detections]"] | None


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a camera shows and what was made of it; for a person to look at, never stored.

    `detections` are all of the picture's, also those too faint to be tracked.
    """

    camera_id: str
    image: Image
    detections: Detections
    tracks: tuple[Track, ...]
    scene: Scene
    around: Surroundings


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """What a gateway gives to each of its pipelines."""

    layout: StoreLayout
    detector: Detector
    publisher: EventPublisher
    writer: EventWriter
    area: AreaScene
    settings: GatewaySettings
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    on_inferred: Callable[[], None]
    on_view: Callable[[View], None] | None = None


class CameraPipeline:
    """Runs one camera until its source ends or it is cancelled; then call `finish`."""

    def __init__(self, camera: Camera, source: FrameSource, context: PipelineContext) -> None:
        self.camera = camera
        self._source = source
        self._context = context
        self._no_measure = NoMeasure(camera.no_measure)
        self._around: Surroundings | None = None
        self._size = (0, 0)
        self._tracker: PersonTracker | None = None
        self._presences: list[PresenceOutput] = []
        live = is_live(source)
        self._rules = context.settings.rate_rules(camera.fps, live=live)
        self._rate = Rate()
        self._stirring = Stirring()
        self._nudge = NudgeWatch.of(camera, context.settings.nudge_limit_deg)
        # Of a live camera the newest picture is wanted, not one that waited for its turn.
        self._in_flight = 1 if live else context.settings.frames_in_flight
        self._heartbeat = Heartbeat(context.settings.audience_per_s)
        self._last: Stamp | None = None
        self._inferred_from_ms: int | None = None
        self.frames_captured = 0
        self.frames_inferred = 0
        self.frames_failed = 0
        self.errors: list[str] = []

    @property
    def fps(self) -> float:
        """Frames inferred per second of the gateway's clock."""
        if self._inferred_from_ms is None or self._last is None:
            return 0.0
        elapsed_ms = self._last.inferred_at_ms - self._inferred_from_ms
        return 1000 * (self.frames_inferred - 1) / elapsed_ms if elapsed_ms > 0 else 0.0

    @property
    def health(self) -> CameraHealth | None:
        """How a live camera fares; None for a recording."""
        return health_of(self._source)

    @property
    def nudges(self) -> int:
        """How often the camera was found to have been moved."""
        return 0 if self._nudge is None else self._nudge.nudges

    async def run(self) -> None:
        """Read the source to its end. What goes wrong is in `errors`."""
        asked: asyncio.Queue[_Asked] = asyncio.Queue()
        room = asyncio.Semaphore(self._in_flight)
        tasks: set[asyncio.Task[Detections]] = set()
        reader = asyncio.create_task(self._ask(asked, room, tasks), name="reader")
        try:
            while (item := await asked.get()) is not None:
                frame, answer = item
                try:
                    await self._answered(frame, answer)
                finally:
                    room.release()
            await reader
        except (CaptureError, DetectorRefused) as error:
            self.errors.append(f"{self.camera.camera_id}: {error}")
        finally:
            for task in (reader, *tasks):
                task.cancel()
            await asyncio.gather(reader, *tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the camera."""
        await self._source.close()

    def finish(self) -> None:
        """End all that is open as censored, and say so."""
        if self._around is None or self._last is None:
            return
        outputs = self._context.area.lose(self._around)
        now_ms = self._context.now_ms()
        stamp = Stamp(self._last.captured_at_ms, self._last.inferred_at_ms, now_ms)
        self._tell(outputs, stamp)
        self._beat(stamp, last=True)

    async def _ask(
        self,
        asked: "asyncio.Queue[_Asked]",
        room: asyncio.Semaphore,
        tasks: set["asyncio.Task[Detections]"],
    ) -> None:
        """Ask about the pictures that are due, no more at a time than there is room for.

        There must be room before a picture is taken: so a live source waits with its newest.
        """
        try:
            await room.acquire()
            async for frame in self._source:
                self.frames_captured += 1
                if not self._is_due(frame):
                    continue
                image = self._no_measure.blacken(frame.image)
                task = asyncio.create_task(self._context.detector.detect(image))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                asked.put_nowait((frame, task))
                await room.acquire()
        finally:
            asked.put_nowait(None)

    def _is_due(self, frame: Frame) -> bool:
        """Whether the camera's rate leaves this frame to be inferred."""
        at_ms, rules = frame.captured_at_ms, self._rules
        moved = rules.idle_fps is not None and self._stirring.look(frame.image)
        self._rate, taken = due(self._rate, at_ms, moved, rules)
        return taken

    async def _answered(self, frame: Frame, answer: "asyncio.Task[Detections]") -> None:
        """Follow the people of a picture, once it is known who is in it."""
        try:
            detections = await answer
        except DetectorRefused:
            self.frames_failed += 1
            raise
        except DetectorError as error:
            self.frames_failed += 1
            if len(self.errors) < 10:
                self.errors.append(f"{self.camera.camera_id}: {error}")
            return
        if self._nudge is not None and self._nudge.is_due(frame.captured_at_ms):
            image = self._no_measure.blacken(frame.image)
            await asyncio.to_thread(self._nudge.look, image, frame.captured_at_ms)
        self._follow(frame, detections)

    def _follow(self, frame: Frame, detections: Detections) -> None:
        context = self._context
        inferred_at_ms = context.now_ms()
        self.frames_inferred += 1
        if self._inferred_from_ms is None:
            self._inferred_from_ms = inferred_at_ms
        around, tracker = self._prepare(frame)
        detections = self._no_measure.without_hidden(detections)
        tracks = tracker.update(detections, frame.captured_at_ms)
        # A first detection has no track yet, and wakes the camera all the same.
        people = int(np.count_nonzero(detections.scores >= self.camera.min_person_score))
        self._rate = seen(self._rate, frame.captured_at_ms, people, self._rules)
        outputs = context.area.step(tracks, frame.captured_at_ms, around)
        self._last = Stamp(frame.captured_at_ms, inferred_at_ms, context.now_ms())
        self._tell(outputs, self._last)
        self._beat(self._last)
        context.on_inferred()
        if context.on_view is not None:
            context.on_view(
                View(
                    self.camera.camera_id,
                    frame.image,
                    detections,
                    tuple(tracks),
                    context.area.scene,
                    around,
                )
            )

    def _prepare(self, frame: Frame) -> tuple[Surroundings, PersonTracker]:
        """Camera model and tracker for the frame's size, which may change when a camera is set."""
        height_px, width_px = frame.image.shape[:2]
        if self._around is None or self._tracker is None or self._size != (width_px, height_px):
            self._size = (width_px, height_px)
            pose = self.camera.pose
            around = scenes.surroundings(
                self._context.layout,
                self.camera.camera_id,
                camera_model(pose, width_px, height_px) if pose is not None else None,
                self._context.settings.scene_rules(),
            )
            tracker = PersonTracker(
                self.camera.min_person_score,
                scenes.memory_ms(around),
                height_px / width_px,
                self._context.new_id,
            )
            self._around, self._tracker = around, tracker
        return self._now_around(self._around), self._tracker

    def _now_around(self, around: Surroundings) -> Surroundings:
        return suspended(around) if self._is_nudged else around

    @property
    def _is_nudged(self) -> bool:
        return self._nudge is not None and self._nudge.state.nudged

    def _tell(self, outputs: list[SceneOutput], stamp: Stamp) -> None:
        self._presences.extend(o for o in outputs if isinstance(o, PresenceOutput))
        for topic, event in self._context.writer.batches(self.camera, outputs, stamp):
            self._context.publisher.publish(topic, event)

    def _beat(self, stamp: Stamp, *, last: bool = False) -> None:
        """A heartbeat, if one is due; the last one is."""
        at_ms = stamp.captured_at_ms
        if self._around is None or not (last or self._heartbeat.may_be(at_ms)):
            return
        scene, camera_id = self._context.area.scene, self.camera.camera_id
        people = len(scenes.people_there(scene, at_ms, camera_id))
        counts = scenes.audience(scene, at_ms, self._now_around(self._around))
        over, nudged = bool(self._presences), self._is_nudged
        due = self._heartbeat.is_due(at_ms, people, counts, over=over, nudged=nudged)
        if not (due or last):
            return
        topic, event = self._context.writer.audience(
            self.camera,
            people,
            counts,
            self._presences,
            scene.counts.get(camera_id, Counts()),
            stamp,
            nudged=nudged,
        )
        self._presences = []
        self._context.publisher.publish(topic, event)
