"""What a gateway tells Prometheus: frames, inference, events, the queue, how its cameras fare.

Counts are kept by those who do the work and read when somebody asks. No label names a person or a
track. Names are those of docs/architecture.md; who serves them is the command line's business.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Protocol

from msgspec import Struct
from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from streams.contracts.topics import Topic
from streams.contracts.vision import DwellBatch, GazeBatch
from vision.cameras.supervised import CameraHealth
from vision.pipeline import CameraPipeline
from vision.ports import Detections, Detector, DetectorInfo, EventPublisher, Image

#: From a small network on a graphics card to a large one on a busy core; in seconds.
_INFERENCE_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 3.0)

#: Each camera's counts: name, meaning, and where it stands.
_OF_PIPELINES: tuple[tuple[str, str, Callable[[CameraPipeline], float]], ...] = (
    ("frames_captured", "Pictures taken", lambda p: p.frames_captured),
    ("frames_inferred", "Pictures that were inferred", lambda p: p.frames_inferred),
    ("frames_failed", "Pictures without an answer", lambda p: p.frames_failed),
    ("camera_nudges", "Times the camera was found moved", lambda p: p.nudges),
)
_OF_HEALTH: tuple[tuple[str, str, Callable[[CameraHealth], float]], ...] = (
    ("camera_reconnects", "Connections after the first", lambda h: h.reconnects),
    ("camera_frames_missed", "Pictures nobody asked for in time", lambda h: h.frames_dropped),
    ("camera_frames_broken", "Pictures that could not be decoded", lambda h: h.frames_broken),
    ("camera_frozen_seconds", "Time in which the picture stood still", lambda h: h.frozen_s),
    ("camera_clock_jumps", "Jumps of the camera's timestamps", lambda h: h.clock_jumps),
)


class Queue(Protocol):
    """What a publisher keeps until the broker has it."""

    @property
    def dropped(self) -> int:
        """Messages given up."""
        ...

    @property
    def unsent(self) -> int:
        """Messages that are not acknowledged."""
        ...


class GatewayFigures:
    """A collector over one gateway. Wrap the detector and the publisher; give it the pipelines."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._pipelines: Sequence[CameraPipeline] = ()
        self._inference_s = Histogram(
            "smartstore_inference_seconds",
            "From a picture handed to the detector to its answer",
            buckets=_INFERENCE_S,
            registry=None,
        )
        self.events: Counter[str] = Counter()

    def watch(self, pipelines: Sequence[CameraPipeline]) -> None:
        """These are the cameras."""
        self._pipelines = pipelines

    def timed(self, detector: Detector) -> Detector:
        """The detector, with its time looked at."""
        return _Timed(detector, self._inference_s)

    def counted(self, publisher: EventPublisher) -> EventPublisher:
        """The publisher, with its events counted."""
        return _Counted(publisher, self.events)

    def collect(self) -> Iterable[Metric]:
        """See Prometheus' `Collector`."""
        yield from self._inference_s.collect()
        events = CounterMetricFamily("smartstore_events", "Events told", labels=("topic",))
        for topic, count in self.events.items():
            events.add_metric((topic,), count)
        yield events
        yield GaugeMetricFamily(
            "smartstore_queue_messages", "Not acknowledged yet", value=self._queue.unsent
        )
        yield CounterMetricFamily(
            "smartstore_queue_dropped", "Messages given up", value=self._queue.dropped
        )
        yield from self._cameras()

    def _cameras(self) -> Iterable[Metric]:
        pipelines = {each.camera.camera_id: each for each in self._pipelines}
        for name, what, of_pipeline in _OF_PIPELINES:
            counter = CounterMetricFamily(f"smartstore_{name}", what, labels=("camera",))
            for camera, pipeline in pipelines.items():
                counter.add_metric((camera,), of_pipeline(pipeline))
            yield counter
        live = {camera: each.health for camera, each in pipelines.items()}
        health = {camera: each for camera, each in live.items() if each is not None}
        up = GaugeMetricFamily("smartstore_camera_up", "1: pictures come", labels=("camera",))
        for camera, each in health.items():
            up.add_metric((camera,), float(each.state == "live"))
        yield up
        for name, what, of_health in _OF_HEALTH:
            counter = CounterMetricFamily(f"smartstore_{name}", what, labels=("camera",))
            for camera, each in health.items():
                counter.add_metric((camera,), of_health(each))
            yield counter


class _Timed:
    def __init__(self, detector: Detector, times: Histogram) -> None:
        self._detector = detector
        self._times = times

    async def detect(self, image: Image) -> Detections:
        """See `Detector`."""
        began_s = perf_counter()
        found = await self._detector.detect(image)
        self._times.observe(perf_counter() - began_s)
        return found

    async def describe(self) -> DetectorInfo:
        """See `Detector`."""
        return await self._detector.describe()


class _Counted:
    def __init__(self, publisher: EventPublisher, events: Counter[str]) -> None:
        self._publisher = publisher
        self._events = events

    def publish(self, topic: Topic, event: Struct) -> None:
        """See `EventPublisher`."""
        count = len(event.events) if isinstance(event, GazeBatch | DwellBatch) else 1
        self._events[topic.name] += count
        self._publisher.publish(topic, event)

    async def flush(self, timeout_s: float) -> bool:
        """See `EventPublisher`."""
        return await self._publisher.flush(timeout_s)

    @property
    def dropped(self) -> int:
        """See `EventPublisher`."""
        return self._publisher.dropped
