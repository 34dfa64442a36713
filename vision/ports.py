"""What the gateway needs from outside: pictures, detections, and somebody who takes its events.

The protocols and the values that cross them; adapters implement them, `vision.core` never imports
this module.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from streams.contracts.topics import Topic

#: (H, W, 3) uint8, blue green red, as OpenCV has it.
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera.

    `image`: (H, W, 3) uint8 BGR; `captured_at_ms`: event time, UTC epoch ms, strictly increasing
    within a source; `index`: 0, 1, 2 ... within the source.
    """

    image: Image
    captured_at_ms: int
    index: int


class FrameSource(Protocol):
    """Pictures in the order of their event time; ends when the source ends.

    A live one hands out the newest it has, and what nobody asked for in time is gone. A recording
    hands out every picture and says so by an attribute `live` that is False (see `is_live`).

    Raises CaptureError, while iterating, where there are none to be had.
    """

    def __aiter__(self) -> AsyncIterator[Frame]:
        """The frames, paced by the source itself."""
        ...

    async def close(self) -> None:
        """Let go of the camera or file; may be called more than once."""
        ...


def is_live(source: FrameSource) -> bool:
    """Whether the newest picture counts and not every one."""
    return bool(getattr(source, "live", True))


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The people in one picture, N of them, best score first.

    `scores`: (N,) float32, 0 to 1; `boxes`: (N, 4) float32 xyxy, normalised 0 to 1;
    `keypoints`: (N, 17, 3) float32 (x, y normalised, confidence 0 to 1), COCO order; `heads`:
    (N, 6) float32, what a head-pose network says of each (`vision.core.head.HeadReading`, field by
    field; a size of 0 where it did not look), None where the model has no such network.
    """

    scores: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    keypoints: npt.NDArray[np.float32]
    heads: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """Which network answers: its name, and the SHA-256 of its weights as the model states it."""

    name: str
    weights_sha256: str


class Detector(Protocol):
    """Finds people in pictures."""

    async def detect(self, image: Image) -> Detections:
        """The people in `image`, (H, W, 3) uint8 BGR.

        Raises DetectorError when there is no answer before the detector's deadline.
        """
        ...

    async def describe(self) -> DetectorInfo:
        """Which network answers. Raises DetectorError."""
        ...


class EventPublisher(Protocol):
    """Takes events; never makes the caller wait for the broker."""

    def publish(self, topic: Topic, event: Struct) -> None:
        """Queue `event`; what cannot be kept is counted, never silently lost."""
        ...

    async def flush(self, timeout_s: float) -> bool:
        """Wait until all that was queued is acknowledged; False when `timeout_s` passed first."""
        ...

    @property
    def dropped(self) -> int:
        """Messages that were given up."""
        ...
