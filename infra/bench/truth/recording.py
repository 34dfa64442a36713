"""What the detector saw in every picture of the simulated cameras: drawn in processes of their own,
inferred by the real model on the real server, kept without the pictures.

A replay of it through the gateway is exactly what the gateway would have done live, at any rate
that divides the recorded one, since a detection depends on its picture alone. Pictures that are
the same to the last pixel (an empty aisle) are inferred once.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import Queue

import cv2

from infra.bench.truth.world import Stretch
from infra.simulator.camera import ShelfCamera
from streams.contracts.layout import Camera, StoreLayout
from vision.errors import CaptureError
from vision.ports import Detections, Detector, Image

#: Pictures that wait to be inferred, for each process that draws: enough to even out their costs.
_WAITING = 4

#: A process that draws gives its first picture within this (it starts Python and warms its caches).
_PATIENCE_S = 120.0

Picture = tuple[int, bytes, Image | None]
Done = Callable[[], None]


@dataclass(frozen=True, slots=True)
class View:
    """One camera's pictures of one stretch: when they are taken."""

    stretch: Stretch
    camera: Camera
    fps: float

    @property
    def times_ms(self) -> list[int]:
        """Event times of the pictures."""
        during = self.stretch.during
        count = int(during.length_ms * self.fps / 1000)
        return [during.from_ms + round(1000 * n / self.fps) for n in range(count)]


@dataclass(slots=True)
class Recording:
    """What the detector saw in the pictures of one view, and how long each inference took."""

    view: View
    times_ms: list[int] = field(default_factory=list)
    detections: list[Detections] = field(default_factory=list)
    inference_ms: list[float] = field(default_factory=list)
    repeated: int = 0


async def record(
    view: View,
    layout: StoreLayout,
    size_px: tuple[int, int],
    detector: Detector,
    workers: int,
    done: Done,
) -> Recording:
    """Draws and infers all pictures of a view; `done` is called after each."""
    recording = Recording(view)
    known: dict[bytes, tuple[Detections, float]] = {}
    with _drawn(view, layout, size_px, workers) as queues:
        for number, at_ms in enumerate(view.times_ms):
            drawn_ms, digest, image = await asyncio.to_thread(_next, queues[number % workers])
            if drawn_ms != at_ms:
                raise AssertionError("the pictures came in another order than they were asked for")
            if image is not None and digest not in known:
                began_s = time.perf_counter()
                detections = await detector.detect(image)
                known[digest] = detections, 1000 * (time.perf_counter() - began_s)
            else:
                recording.repeated += 1
            detections, took_ms = known[digest]
            recording.times_ms.append(at_ms)
            recording.detections.append(detections)
            recording.inference_ms.append(took_ms)
            done()
    return recording


def _next(queue: "Queue[Picture]") -> Picture:
    return queue.get(timeout=_PATIENCE_S)


@contextmanager
def _drawn(
    view: View, layout: StoreLayout, size_px: tuple[int, int], workers: int
) -> Iterator[list["Queue[Picture]"]]:
    """Processes that draw every n-th picture each, and the queues that they come by."""
    context = get_context("spawn")
    queues: list[Queue[Picture]] = [context.Queue(_WAITING) for _ in range(workers)]
    times = view.times_ms
    processes = [
        context.Process(
            target=draw,
            args=(queue, view.stretch, view.camera, layout, size_px, times[first::workers]),
            daemon=True,
        )
        for first, queue in enumerate(queues)
    ]
    for process in processes:
        process.start()
    try:
        yield queues
    finally:
        for process in processes:
            process.kill()
            process.join()
        for queue in queues:
            queue.close()
            queue.cancel_join_thread()


def draw(
    queue: "Queue[Picture]",
    stretch: Stretch,
    camera: Camera,
    layout: StoreLayout,
    size_px: tuple[int, int],
    times_ms: Sequence[int],
) -> None:
    """A process that draws: event time, digest and picture, each picture once."""
    cv2.setNumThreads(1)
    if camera.pose is None:
        raise CaptureError(f"the camera {camera.camera_id!r} has no pose; give it one")
    shelf = ShelfCamera(camera.pose, *size_px)
    crowd = stretch.crowd(layout, camera.area_id)
    sent: set[bytes] = set()
    for at_ms in times_ms:
        image = shelf.render(crowd.people(at_ms))
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        queue.put((at_ms, digest, None if digest in sent else image))
        sent.add(digest)
