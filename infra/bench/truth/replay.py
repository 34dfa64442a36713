"""Runs the gateway itself over recorded detections and collects what it tells: the same pipelines,
state machines and events as in a store, as fast as they go, with the recording's event times.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec
import numpy as np
from msgspec import Struct

from infra.bench.truth.facts import Span, Told, ToldGaze
from infra.bench.truth.recording import Recording
from streams.contracts.layout import StoreLayout
from streams.contracts.topics import Topic
from streams.contracts.vision import Audience, DwellBatch, GazeBatch
from vision.gateway import GatewayReport, run_gateway
from vision.pipeline import View
from vision.ports import Detections, DetectorInfo, Frame, Image
from vision.settings import GatewaySettings


@dataclass(slots=True)
class Clock:
    """Event time of the newest picture plus its inference, as the gateway's wall clock."""

    now_ms: int = 0

    def read(self) -> int:
        """Now."""
        return self.now_ms


class Turns:
    """Lets several sources go on in the order of event time, one picture after the other: at the
    same time the first named goes first, and nobody goes on before its picture is done with (its
    reader asks for the next one only then). So every run is the same.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._next = {name: (-1, rank) for rank, name in enumerate(names)}
        self._changed = asyncio.Condition()

    async def wait(self, name: str, at_ms: int) -> None:
        """Until it is the turn of this one's picture."""
        async with self._changed:
            mine = self._next[name] = (at_ms, self._next[name][1])
            self._changed.notify_all()
            await self._changed.wait_for(lambda: mine == min(self._next.values()))

    async def leave(self, name: str) -> None:
        """This one has no more pictures."""
        async with self._changed:
            self._next.pop(name, None)
            self._changed.notify_all()


class ReplaySource:
    """A camera whose pictures are black, but for the number that finds their detections."""

    #: A recording: every picture counts.
    live = False

    def __init__(self, recording: Recording, first: int, size_px: tuple[int, int], turns: Turns):
        self._recording, self._first = recording, first
        self._size_px, self._turns = size_px, turns
        self._name = recording.view.camera.camera_id

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures, as fast as they are taken."""
        width_px, height_px = self._size_px
        for index, at_ms in enumerate(self._recording.times_ms):
            await self._turns.wait(self._name, at_ms)
            image: Image = np.zeros((height_px, width_px, 3), np.uint8)
            image[0, 0] = _digits(self._first + index)
            yield Frame(image, at_ms, index)
        await self._turns.leave(self._name)

    async def close(self) -> None:
        """Nothing to let go of."""


class ReplayDetector:
    """Answers with what was recorded, and sets the clock to when the answer would have come."""

    def __init__(self, recordings: Sequence[Recording], info: DetectorInfo, clock: Clock) -> None:
        self._known = [
            (at_ms, took_ms, detections)
            for r in recordings
            for at_ms, took_ms, detections in zip(
                r.times_ms, r.inference_ms, r.detections, strict=True
            )
        ]
        self._info, self._clock = info, clock

    async def detect(self, image: Image) -> Detections:
        """What was recorded for this picture."""
        at_ms, took_ms, detections = self._known[_number(image)]
        self._clock.now_ms = at_ms + round(took_ms)
        return detections

    async def describe(self) -> DetectorInfo:
        """The recorded network."""
        return self._info


def _digits(number: int) -> tuple[int, int, int]:
    return number >> 16 & 255, number >> 8 & 255, number & 255


def _number(image: Image) -> int:
    first, second, third = (int(part) for part in image[0, 0])
    return first << 16 | second << 8 | third


class MemoryPublisher:
    """Puts what it is given together, by track."""

    def __init__(self) -> None:
        self.tracks: dict[str, Told] = {}
        self.dropped = 0

    def publish(self, topic: Topic, event: Struct) -> None:
        """Note what is told of whom."""
        if isinstance(event, GazeBatch):
            for gaze in event.events:
                told = self._of(gaze.track_id)
                known = told.gazes.get(gaze.gaze_id)
                told.gazes[gaze.gaze_id] = ToldGaze(
                    gaze.target_id,
                    gaze.started_at_ms,
                    gaze.trace.sent_at_ms if known is None else known.told_at_ms,
                    gaze.attention_ms,
                )
        elif isinstance(event, DwellBatch):
            for dwell in event.events:
                if dwell.left_at_ms is not None:
                    span = Span(dwell.entered_at_ms, dwell.left_at_ms)
                    self._of(dwell.track_id).dwells[dwell.dwell_id] = dwell.zone_id, span
        elif isinstance(event, Audience):
            for presence in event.presences:
                if presence.opportunity_ms:
                    self._of(presence.track_id).opportunities.add(presence.target_id)

    async def flush(self, timeout_s: float) -> bool:
        """All is there at once."""
        return True

    def _of(self, track_id: str) -> Told:
        return self.tracks.setdefault(track_id, Told(track_id))


@dataclass(slots=True)
class Replayed:
    """What a run of the gateway told, by track."""

    tracks: dict[str, Told] = field(default_factory=dict)
    stitched: int = 0
    staff_excluded: int = 0


async def replay(
    recordings: Sequence[Recording],
    layout: StoreLayout,
    size_px: tuple[int, int],
    info: DetectorInfo,
    settings: GatewaySettings,
    on_view: Callable[[View], None],
) -> Replayed:
    """One stretch, all cameras of an area, through the gateway, at the rates of the layout."""
    area_id = recordings[0].view.camera.area_id
    clock, publisher = Clock(), MemoryPublisher()
    turns = Turns([r.view.camera.camera_id for r in recordings])
    sources: dict[str, ReplaySource] = {}
    first = 0
    for recording in recordings:
        name = recording.view.camera.camera_id
        sources[name] = ReplaySource(recording, first, size_px, turns)
        first += len(recording.times_ms)
    numbers = count(1)
    report: GatewayReport = await run_gateway(
        layout,
        area_id,
        sources,
        ReplayDetector(recordings, info, clock),
        publisher,
        # One at a time, so that the clock is that of the picture that is followed.
        settings.model_copy(update={"frames_in_flight": 1}),
        stop=asyncio.Event(),
        ready=lambda: None,
        gateway_id="replay",
        now_ms=clock.read,
        # Random in a store; here the same in every run.
        new_id=lambda: f"track-{next(numbers)}",
        on_view=on_view,
    )
    if report.errors:
        raise AssertionError(f"the gateway told of errors over a recording: {report.errors[0]}")
    return Replayed(publisher.tracks, report.stitched, report.staff_excluded)


def at_rate(layout: StoreLayout, fps: float) -> StoreLayout:
    """The layout with all cameras at this rate."""
    cameras = tuple(msgspec.structs.replace(camera, fps=fps) for camera in layout.cameras)
    return msgspec.structs.replace(layout, cameras=cameras)
