"""A camera is moved and put back: no gaze is told meanwhile, people still are."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from itertools import count

import msgspec
import numpy as np
import pytest
from msgspec import Struct

from streams.contracts.layout import StoreLayout
from streams.contracts.topics import AUDIENCE, DWELL, GAZE, Topic
from streams.contracts.vision import Audience, DwellBatch, GazeBatch
from vision.core.geometry import CameraModel
from vision.gateway import run_gateway
from vision.nudge import NudgeWatch, corners, landmarks
from vision.ports import Detections, DetectorInfo, Frame, Image
from vision.settings import GatewaySettings

#: Event times of the nudge and of its end; it takes some seconds until either is believed.
MOVED_MS, BACK_MS, END_MS, BELIEVED_MS = 10_000, 36_000, 60_000, 16_000


def store(shift_px: int = 0) -> Image:
    """A picture full of corners; a camera with 80 degrees that is turned by 2 sees it 27 px off."""
    blocks = np.random.default_rng(4).integers(0, 255, (18, 40, 3), dtype=np.uint8)
    wide = np.kron(blocks, np.ones((20, 20, 1), dtype=np.uint8))
    return np.ascontiguousarray(wide[:, 80 + shift_px : 720 + shift_px])


class Source:
    """Five pictures a second of a camera that is moved and put back."""

    live = False

    async def __aiter__(self) -> AsyncIterator[Frame]:
        still, moved = store(), store(27)
        for index, at_ms in enumerate(range(0, END_MS, 200)):
            await asyncio.sleep(0)
            yield Frame(moved if MOVED_MS <= at_ms < BACK_MS else still, 1_000_000 + at_ms, index)

    async def close(self) -> None:
        """Nothing is open."""


class Network:
    """Somebody who looks at the shelf for two of every four seconds."""

    def __init__(self, face: np.ndarray) -> None:
        self._face, self._asked = face, count()

    async def detect(self, image: Image) -> Detections:
        face = self._face.copy()
        if next(self._asked) % 20 >= 10:
            face[:, 2] = 0.0
        return Detections(
            scores=np.array([0.9], dtype=np.float32),
            boxes=np.array([[0.2, 0.2, 0.4, 0.95]], dtype=np.float32),
            keypoints=face[None].astype(np.float32),
        )

    async def describe(self) -> DetectorInfo:
        return DetectorInfo("scripted", "0" * 64)


class Outbox:
    """Keeps what was published."""

    dropped = 0

    def __init__(self) -> None:
        self.events: list[tuple[Topic, Struct]] = []

    def publish(self, topic: Topic, event: Struct) -> None:
        self.events.append((topic, event))

    async def flush(self, timeout_s: float) -> bool:
        return True


async def test_a_nudged_camera_tells_no_gaze(
    shelf: StoreLayout,
    camera: CameraModel,
    draw_face: Callable[..., np.ndarray],
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = msgspec.structs.replace(shelf.cameras[0], landmarks=landmarks([store()] * 2))
    layout = msgspec.structs.replace(shelf, cameras=(known,))
    outbox, clock = Outbox(), count(2_000_000)
    with caplog.at_level(logging.WARNING):
        report = await run_gateway(
            layout,
            "main",
            {known.camera_id: Source()},
            Network(draw_face(camera, (0.75, 1.6, 1.55), 0.0, -8.0)),
            outbox,
            GatewaySettings(),
            stop=asyncio.Event(),
            ready=lambda: None,
            now_ms=lambda: next(clock),
        )
    begun = [
        gaze.started_at_ms - 1_000_000
        for _, batch in outbox.events
        if isinstance(batch, GazeBatch)
        for gaze in batch.events
        if gaze.phase == "started"
    ]
    assert min(begun) < MOVED_MS
    assert max(begun) > BACK_MS
    assert not [at for at in begun if MOVED_MS + BELIEVED_MS < at < BACK_MS]
    beats = [event for _, event in outbox.events if isinstance(event, Audience)]
    for beat in beats:
        at_ms = beat.captured_at_ms - 1_000_000
        if at_ms < MOVED_MS or at_ms > BACK_MS + BELIEVED_MS:
            assert not beat.nudged
        if MOVED_MS + BELIEVED_MS < at_ms < BACK_MS:
            assert beat.nudged
            assert [target.measured for target in beat.targets] == [False] * len(beat.targets)
            assert all(target.watchers == 0 for target in beat.targets)
            assert beat.people == 1
    assert any(isinstance(event, DwellBatch) for _, event in outbox.events)
    assert {topic.name for topic, _ in outbox.events} == {AUDIENCE.name, DWELL.name, GAZE.name}
    assert report.cameras[0].nudges == 1
    said = [record.getMessage() for record in caplog.records if "moved" in record.getMessage()]
    assert len(said) == 1
    assert "gaze is suspended" in said[0]


def test_no_watch_without_gaze_or_limit(shelf: StoreLayout) -> None:
    known = shelf.cameras[0]
    assert NudgeWatch.of(known, 0.8) is not None
    assert NudgeWatch.of(known, 0.0) is None
    assert NudgeWatch.of(msgspec.structs.replace(known, pose=None), 0.8) is None


def test_an_empty_picture_has_no_corners() -> None:
    assert corners(np.zeros((360, 640, 3), dtype=np.uint8)).shape == (0, 2)
    assert landmarks([]) == ()
