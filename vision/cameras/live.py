"""What supervision needs of a live camera: a way to reach it, and pictures until it is lost.

All of it blocks, and is called in one thread of the camera's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vision.cameras.still import Sample
from vision.ports import Image


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture as the camera gave it.

    `pts_ms`: the camera's timestamp from any beginning, None where it has none; `sample`:
    brightness of every eighth pixel or so, (H, W) uint8; `image`: makes the (H, W, 3) uint8 BGR
    picture, which costs, so only of what is looked at; may be called in another thread.
    """

    pts_ms: int | None
    sample: Callable[[], Sample]
    image: Callable[[], Image]


class Stream(Protocol):
    """An open connection to a camera."""

    @property
    def broken(self) -> int:
        """Packets and pictures that could not be decoded so far."""
        ...

    def read(self) -> Shot | None:
        """The next picture; None when there was none just now, so that the caller may look at its
        watch. Raises CaptureError when the camera is lost."""
        ...

    def close(self) -> None:
        """Let go of the camera."""
        ...


class LiveCamera(Protocol):
    """A camera that may be there or not."""

    @property
    def name(self) -> str:
        """What messages call it; never holds a password."""
        ...

    def open(self) -> Stream:
        """Connect, within some seconds. Raises CaptureError."""
        ...
