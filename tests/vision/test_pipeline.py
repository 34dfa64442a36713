"""A camera's pictures to its events, with a detector and a publisher of our own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count

import msgspec
import numpy as np
import pytest
from msgspec import Struct

from streams.contracts import codec
from streams.contracts.layout import StoreLayout
from streams.contracts.topics import AUDIENCE, DWELL, GAZE, Topic
from streams.contracts.vision import Audience, DwellBatch, GazeBatch
from vision.core.geometry import CameraModel
from vision.errors import CaptureError, DetectorError, DetectorRefused, VisionError
from vision.gateway import GatewayReport, run_gateway
from vision.ports import Detections, DetectorInfo, Frame, Image
from vision.settings import GatewaySettings

PICTURE = np.zeros((72, 128, 3), dtype=np.uint8)
START_MS = 1_700_000_000_000


class Source:
    """Pictures at the given times; then an error, an end, or nothing more for ever."""

    def __init__(
        self, times_ms: list[int], *, error: Exception | None = None, endless: bool = False
    ) -> None:
        self.times_ms, self.error, self.endless = times_ms, error, endless
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[Frame]:
        for index, at_ms in enumerate(self.times_ms):
            await asyncio.sleep(0)
            yield Frame(PICTURE, START_MS + at_ms, index)
        if self.error is not None:
            raise self.error
        if self.endless:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1


class Network:
    """Answers from a script; an exception in it is raised."""

    def __init__(self, answers: Callable[[int], Detections | Exception]) -> None:
        self.answers = answers
        self.asked = 0

    async def detect(self, image: Image) -> Detections:
        self.asked += 1
        answer = self.answers(self.asked - 1)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def describe(self) -> DetectorInfo:
        return DetectorInfo("scripted", "0" * 64)


class Outbox:
    """Keeps what was published, after a trip through the codec."""

    dropped = 0

    def __init__(self) -> None:
        self.events: list[tuple[str, Struct]] = []

    def publish(self, topic: Topic, event: Struct) -> None:
        message = codec.record(topic, event, "gateway/test")
        self.events.append((topic.name, codec.decode(topic.name, message["value"])))

    async def flush(self, timeout_s: float) -> bool:
        return True

    def of(self, topic: Topic) -> list[Struct]:
        return [event for name, event in self.events if name == topic.name]


def person(keypoints: np.ndarray | None = None) -> Detections:
    points = np.zeros((17, 3)) if keypoints is None else keypoints
    return Detections(
        scores=np.array([0.9], dtype=np.float32),
        boxes=np.array([[0.2, 0.2, 0.4, 0.95]], dtype=np.float32),
        keypoints=points[None].astype(np.float32),
    )


NOBODY = Detections(
    np.zeros(0, dtype=np.float32),
    np.zeros((0, 4), dtype=np.float32),
    np.zeros((0, 17, 3), dtype=np.float32),
)


async def run(
    layout: StoreLayout,
    source: Source,
    network: Network,
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] = lambda: None,
) -> tuple[GatewayReport, Outbox]:
    outbox = Outbox()
    names, clock = count(1), count(START_MS + 60_000)
    report = await run_gateway(
        layout,
        "main",
        {"cam": source},
        network,
        outbox,
        GatewaySettings(),
        stop=stop or asyncio.Event(),
        ready=ready,
        gateway_id="gw",
        now_ms=lambda: next(clock),
        new_id=lambda: f"track-{next(names)}",
    )
    return report, outbox


def times(until_ms: int, step_ms: int = 200) -> list[int]:
    return list(range(0, until_ms + 1, step_ms))


async def test_a_shopper_from_pictures_to_events(
    shelf: StoreLayout, camera: CameraModel, draw_face: Callable[..., np.ndarray]
) -> None:
    face = draw_face(camera, (0.75, 1.6, 1.55), 0.0, -8.0)
    network = Network(lambda i: person(face) if 2 <= i < 20 else NOBODY)
    ready: list[bool] = []
    report, outbox = await run(
        shelf, Recording(times(8000)), network, ready=lambda: ready.append(True)
    )
    assert ready == [True]
    assert report.cameras[0].frames_captured == report.cameras[0].frames_inferred == 41
    assert (report.frames_failed, report.errors) == (0, ())
    assert report.detector.name == "scripted"

    gazes = [e for b in outbox.of(GAZE) if isinstance(b, GazeBatch) for e in b.events]
    assert [(g.phase, g.target_id) for g in gazes] == [("started", "tea"), ("ended", "tea")]
    started, over = gazes
    assert started.gaze_id == over.gaze_id
    assert started.trace.captured_at_ms == START_MS + 1000  # faced at 600, 800 and 1000
    assert started.trace.captured_at_ms < started.trace.inferred_at_ms < started.trace.sent_at_ms
    assert over.ended_at_ms == START_MS + 3800
    assert 0 < over.attention_ms <= over.ended_at_ms - over.started_at_ms

    dwells = [e for b in outbox.of(DWELL) if isinstance(b, DwellBatch) for e in b.events]
    assert [d.phase for d in dwells] == ["started", "ended"]
    assert dwells[1].entered_at_ms == START_MS + 400  # the first detection, before the track
    assert dwells[1].left_at_ms == START_MS + 3800
    assert not dwells[1].censored

    beats = [b for b in outbox.of(AUDIENCE) if isinstance(b, Audience)]
    assert [b.seq for b in beats] == list(range(len(beats)))
    presences = {p.target_id: p for b in beats for p in b.presences}
    assert set(presences) == {"tea", "top"}
    assert max(t.watchers for b in beats for t in b.targets) == 1
    assert over.attention_ms <= dwells[1].left_at_ms - dwells[1].entered_at_ms
    assert dwells[1].entered_at_ms == presences["tea"].entered_at_ms
    assert dwells[1].left_at_ms == presences["tea"].left_at_ms


async def test_the_same_pictures_tell_the_same_events(
    shelf: StoreLayout, camera: CameraModel, draw_face: Callable[..., np.ndarray]
) -> None:
    face = draw_face(camera, (0.75, 1.6, 1.55), 0.0, -8.0)

    def script(i: int) -> Detections:
        return person(face) if i % 9 else NOBODY

    runs = [await run(shelf, Source(times(9000)), Network(script)) for _ in range(2)]
    first, second = (
        [msgspec.json.encode(event) for _, event in outbox.events] for _, outbox in runs
    )
    assert first == second
    assert len(first) > 10


async def test_the_end_of_the_file_ends_what_is_open_as_censored(aisle: StoreLayout) -> None:
    _, outbox = await run(aisle, Source(times(3000)), Network(lambda i: person()))
    dwells = [e for b in outbox.of(DWELL) if isinstance(b, DwellBatch) for e in b.events]
    assert [(d.phase, d.censored) for d in dwells] == [("started", False), ("ended", True)]
    last = outbox.of(AUDIENCE)[-1]
    assert isinstance(last, Audience)
    assert [p.left_at_ms for p in last.presences] == [START_MS + 3000]


async def test_a_stop_ends_it_all_and_closes_the_camera(aisle: StoreLayout) -> None:
    stop = asyncio.Event()
    source = Source(times(3000), endless=True)

    def script(i: int) -> Detections:
        if i == 15:
            stop.set()
        return person()

    report, outbox = await run(aisle, source, Network(script), stop)
    assert source.closed == 1
    dwells = [e for b in outbox.of(DWELL) if isinstance(b, DwellBatch) for e in b.events]
    assert [(d.phase, d.censored) for d in dwells] == [("started", False), ("ended", True)]
    assert report.errors == ()


async def test_a_detector_that_is_away_costs_frames_not_the_gateway(aisle: StoreLayout) -> None:
    away = DetectorError("no answer")
    network = Network(lambda i: away if 3 <= i < 6 else person())
    report, outbox = await run(aisle, Source(times(3000)), network)
    assert report.frames_failed == 3
    assert report.cameras[0].frames_inferred == 13
    assert "no answer" in report.errors[0]
    assert len(outbox.of(DWELL)) == 2


async def test_a_refusing_detector_ends_the_camera(aisle: StoreLayout) -> None:
    network = Network(lambda i: DetectorRefused("wrong model"))
    report, _ = await run(aisle, Source(times(3000)), network)
    assert network.asked == 1
    assert report.errors == ("cam: wrong model",)


async def test_a_camera_without_pictures_is_an_error(aisle: StoreLayout) -> None:
    with pytest.raises(CaptureError, match="no such video"):
        await run(aisle, Source([], error=CaptureError("no such video")), Network(lambda i: NOBODY))


async def test_a_camera_that_breaks_later_is_reported(aisle: StoreLayout) -> None:
    source = Source(times(1000), error=CaptureError("the camera is gone"))
    report, _ = await run(aisle, source, Network(lambda i: NOBODY))
    assert report.errors == ("cam: the camera is gone",)
    assert source.closed == 1


async def test_a_source_must_be_a_camera_of_the_area(aisle: StoreLayout) -> None:
    elsewhere = msgspec.structs.replace(aisle, cameras=())
    with pytest.raises(VisionError, match="no camera 'cam'"):
        await run(elsewhere, Source([0]), Network(lambda i: NOBODY))


@pytest.mark.parametrize(
    ("fps", "step_ms", "inferred"),
    [(None, 100, 31), (5.0, 100, 16), (5.0, 200, 16), (5.0, 199, 16), (4.0, 100, 13)],
)
async def test_a_cameras_rate_is_kept_by_timestamps(
    aisle: StoreLayout, fps: float | None, step_ms: int, inferred: int
) -> None:
    slow = msgspec.structs.replace(aisle.cameras[0], fps=fps)
    layout = msgspec.structs.replace(aisle, cameras=(slow,))
    source = Source(times(3000, step_ms))
    report, _ = await run(layout, source, Network(lambda i: NOBODY))
    assert report.cameras[0].frames_captured == len(source.times_ms)
    assert report.cameras[0].frames_inferred == pytest.approx(inferred, abs=1)


async def test_frames_out_of_order_are_not_inferred(aisle: StoreLayout) -> None:
    report, _ = await run(aisle, Source([0, 200, 200, 100, 400]), Network(lambda i: person()))
    assert report.cameras[0].frames_inferred == 3


class Recording(Source):
    """Every picture of it counts."""

    live = False


class Slow(Network):
    """Answers when it is told to, and keeps how many wait."""

    def __init__(self, answers: Callable[[int], Detections | Exception]) -> None:
        super().__init__(answers)
        self.waiting = self.most = 0

    async def detect(self, image: Image) -> Detections:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        number = self.asked
        # The first of two is answered last.
        for _ in range(20 if number % 2 == 0 else 5):
            await asyncio.sleep(0)
        self.waiting -= 1
        return await super().detect(image)


async def test_pictures_of_a_recording_overlap_and_keep_their_order(aisle: StoreLayout) -> None:
    network = Slow(lambda i: person() if i >= 4 else NOBODY)
    report, outbox = await run(aisle, Recording(times(6000)), network)
    assert network.most == 2
    assert report.cameras[0].frames_inferred == 31
    beats = [b.captured_at_ms for b in outbox.of(AUDIENCE) if isinstance(b, Audience)]
    assert beats == sorted(beats)
    dwells = [e for b in outbox.of(DWELL) if isinstance(b, DwellBatch) for e in b.events]
    assert [d.phase for d in dwells] == ["started", "ended"]


async def test_of_a_live_camera_one_picture_is_asked_about_at_a_time(aisle: StoreLayout) -> None:
    network = Slow(lambda i: person())
    await run(aisle, Source(times(3000)), network)
    assert network.most == 1


async def test_an_empty_aisle_is_looked_at_less_often(aisle: StoreLayout) -> None:
    pictures = times(10_000, 100)
    live, _ = await run(aisle, Source(pictures), Network(lambda i: NOBODY))
    recorded, _ = await run(aisle, Recording(pictures), Network(lambda i: NOBODY))
    assert live.cameras[0].frames_captured == recorded.cameras[0].frames_inferred == 101
    # Three seconds at the full rate, seven at two a second.
    assert live.cameras[0].frames_inferred == pytest.approx(31 + 14, abs=1)
