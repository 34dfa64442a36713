"""A camera's newest picture, in memory alone, for whoever calibrates it."""

import asyncio
from collections import deque

import cv2
import numpy as np

from streams.contracts.layout import Point
from vision.nudge import landmarks
from vision.ports import FrameSource, Image

#: The page's picture: a phone shows no more, and the loupe enlarges it four times.
_WIDEST_PX = 1_920
_QUALITY = 85

#: Landmarks are what some pictures, this far apart, have in common.
_KEPT, _APART_MS = 5, 700


class Pictures:
    """Follows a source. Nothing is written anywhere."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._kept: deque[tuple[int, Image]] = deque(maxlen=_KEPT)
        self._newest: Image | None = None
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Follow the source to its end; a file's last picture stays."""
        try:
            async for frame in self._source:
                self._newest = frame.image
                if not self._kept or frame.captured_at_ms - self._kept[-1][0] >= _APART_MS:
                    self._kept.append((frame.captured_at_ms, frame.image))
                self._came.set()
        finally:
            await self._source.close()

    async def first(self) -> Image:
        """The newest picture, as soon as there is one."""
        await self._came.wait()
        if self._newest is None:
            raise AssertionError("a picture came and is not there")
        return self._newest

    async def jpeg(self) -> bytes:
        """The newest picture for a browser."""
        return await asyncio.to_thread(_encode, await self.first())

    async def landmarks(self) -> tuple[Point, ...]:
        """Corners of what stands still; positions alone."""
        await self.first()
        return await asyncio.to_thread(landmarks, [image for _, image in self._kept])


def _encode(image: Image) -> bytes:
    height, width = image.shape[:2]
    if width > _WIDEST_PX:
        size = (_WIDEST_PX, round(height * _WIDEST_PX / width))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(encoded)
