"""One camera's loop: capture, detect, track, head direction, state machines, publish."""

from collections.abc import Callable
from dataclasses import dataclass

from streams.contracts.layout import Camera, StoreLayout
from vision.core import scene as scenes
from vision.core.geometry import pinhole
from vision.core.person import Surroundings, Track
from vision.core.scene import PresenceOutput, Scene, SceneOutput
from vision.errors import CaptureError, DetectorError, DetectorRefused
from vision.events import EventWriter, Stamp
from vision.ports import Detections, Detector, EventPublisher, Frame, FrameSource, Image
from vision.settings import GatewaySettings
from vision.tracker import PersonTracker

#: A frame this much before its due time is taken all the same: timestamps are rounded to 1 ms.
_EARLY_SHARE = 0.1


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
        self._scene = Scene()
        self._around: Surroundings | None = None
        self._size = (0, 0)
        self._tracker: PersonTracker | None = None
        self._presences: list[PresenceOutput] = []
        self._due_ms = 0.0
        self._heartbeat_ms = 0
        self._last: Stamp | None = None
        self._inferred_from_ms: int | None = None
        self.frames_captured = 0
        self.frames_inferred = 0
        self.frames_failed = 0
        self.errors: list[str] = []

    @property
    def scene(self) -> Scene:
        """The people as of the last frame, and what was counted."""
        return self._scene

    @property
    def fps(self) -> float:
        """Frames inferred per second of the gateway's clock."""
        if self._inferred_from_ms is None or self._last is None:
            return 0.0
        elapsed_ms = self._last.inferred_at_ms - self._inferred_from_ms
        return 1000 * (self.frames_inferred - 1) / elapsed_ms if elapsed_ms > 0 else 0.0

    async def run(self) -> None:
        """Read the source to its end. What goes wrong is in `errors`."""
        try:
            async for frame in self._source:
                self.frames_captured += 1
                if self._is_due(frame):
                    await self._infer(frame)
        except (CaptureError, DetectorRefused) as error:
            self.errors.append(f"{self.camera.camera_id}: {error}")

    async def close(self) -> None:
        """Let go of the camera."""
        await self._source.close()

    def finish(self) -> None:
        """End all that is open as censored, and say so."""
        if self._around is None or self._last is None:
            return
        self._scene, outputs = scenes.close(self._scene, self._around)
        now_ms = self._context.now_ms()
        stamp = Stamp(self._last.captured_at_ms, self._last.inferred_at_ms, now_ms)
        self._tell(outputs, stamp)
        self._beat(stamp)

    def _is_due(self, frame: Frame) -> bool:
        """Whether the camera's rate leaves this frame to be inferred."""
        if self._last is not None and frame.captured_at_ms <= self._last.captured_at_ms:
            return False
        if self.camera.fps is None:
            return True
        period_ms = 1000 / self.camera.fps
        if frame.captured_at_ms < self._due_ms - _EARLY_SHARE * period_ms:
            return False
        # The next due time keeps the rate, but a pause in the source is not caught up with.
        self._due_ms = max(self._due_ms + period_ms, frame.captured_at_ms + period_ms / 2)
        return True

    async def _infer(self, frame: Frame) -> None:
        context = self._context
        try:
            detections = await context.detector.detect(frame.image)
        except DetectorRefused:
            self.frames_failed += 1
            raise
        except DetectorError as error:
            self.frames_failed += 1
            if len(self.errors) < 10:
                self.errors.append(f"{self.camera.camera_id}: {error}")
            return
        inferred_at_ms = context.now_ms()
        self.frames_inferred += 1
        if self._inferred_from_ms is None:
            self._inferred_from_ms = inferred_at_ms
        around, tracker = self._prepare(frame)
        tracks = tracker.update(detections, frame.captured_at_ms)
        self._scene, outputs = scenes.step(self._scene, tracks, frame.captured_at_ms, around)
        self._last = Stamp(frame.captured_at_ms, inferred_at_ms, context.now_ms())
        self._tell(outputs, self._last)
        if frame.captured_at_ms >= self._heartbeat_ms:
            self._beat(self._last)
        context.on_inferred()
        if context.on_view is not None:
            context.on_view(
                View(
                    self.camera.camera_id,
                    frame.image,
                    detections,
                    tuple(tracks),
                    self._scene,
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
                pinhole(pose, width_px, height_px) if pose is not None else None,
                self._context.settings.scene_rules(),
            )
            tracker = PersonTracker(
                self.camera.min_person_score,
                scenes.memory_ms(around),
                height_px / width_px,
                self._context.new_id,
            )
            self._around, self._tracker = around, tracker
        return self._around, self._tracker

    def _tell(self, outputs: list[SceneOutput], stamp: Stamp) -> None:
        self._presences.extend(o for o in outputs if isinstance(o, PresenceOutput))
        for topic, event in self._context.writer.batches(self.camera, outputs, stamp):
            self._context.publisher.publish(topic, event)

    def _beat(self, stamp: Stamp) -> None:
        if self._around is None:
            return
        at_ms = stamp.captured_at_ms
        topic, event = self._context.writer.audience(
            self.camera,
            len(scenes.people_there(self._scene, at_ms)),
            scenes.audience(self._scene, at_ms, self._around),
            self._presences,
            stamp,
        )
        self._presences = []
        self._heartbeat_ms = at_ms + round(1000 / self._context.settings.audience_per_s)
        self._context.publisher.publish(topic, event)
