"""Pictures for whoever looks on, and the messages that left: made only when somebody asks.

The gateway's loop is never kept waiting: it leaves the newest view and goes on. Without onlookers
no picture is kept; nothing is ever written to a disk.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import cv2
import msgspec
import numpy as np
from msgspec import Struct

from streams.contracts.codec import encode
from streams.contracts.topics import Topic
from vision.pipeline import View
from vision.ports import EventPublisher
from vision.preview.drawing import annotate
from vision.preview.heads import REMEMBERED_MS, Seen

_LOG = logging.getLogger(__name__)

#: More pictures a second tell an onlooker nothing, and cost.
_PERIOD_S = 0.2

#: A picture is sent again after so long without a new one, so that who has gone is noticed.
_AGAIN_S = 5.0

#: Detections kept for the sake of heads that vanish: at 20 pictures a second all that count.
_KEPT = 20 * REMEMBERED_MS // 1000

_JPEG_QUALITY = 75


class CameraFeed:
    """The pictures of one camera, drawn while somebody looks on; who is slow misses some."""

    def __init__(
        self, names: Mapping[str, str], thread: ThreadPoolExecutor, *, mirrored: bool
    ) -> None:
        self._names = names
        self._thread = thread
        self._mirrored = mirrored
        self._before: deque[Seen] = deque(maxlen=_KEPT)
        self._newest: View | None = None
        self._fresh = asyncio.Event()
        self._drawn = asyncio.Condition()
        self._picture: tuple[int, bytes] = (0, b"")
        self._onlookers = 0
        self.closed = False
        self._task: asyncio.Task[None] | None = None

    def take(self, view: View) -> None:
        """Remember what was seen, and the picture too if somebody looks on. Returns at once."""
        self._before.append(Seen(view.scene.cameras.get(view.camera_id, -1), view.detections))
        if self._onlookers:
            self._newest = view
            self._fresh.set()

    @property
    def number(self) -> int:
        """The newest picture's."""
        return self._picture[0]

    @contextmanager
    def onlooker(self) -> Iterator[None]:
        """Somebody looks on: pictures are drawn until nobody does."""
        self._onlookers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._draw(), name="preview")
        try:
            yield
        finally:
            self._onlookers -= 1
            if not self._onlookers:
                self._rest()

    async def next(self, shown: int) -> tuple[int, bytes] | None:
        """A picture's number and JPEG, as soon as it is another than `shown`; after a while the
        same again (or none, b""). None once the feed is closed. For onlookers alone.
        """
        try:
            async with asyncio.timeout(_AGAIN_S), self._drawn:
                await self._drawn.wait_for(lambda: self.closed or self._picture[0] > shown)
        except TimeoutError:
            pass
        return None if self.closed else self._picture

    async def close(self) -> None:
        """Send all onlookers away."""
        async with self._drawn:
            self.closed = True
            self._drawn.notify_all()
        self._rest()

    def _rest(self) -> None:
        """Stop drawing and forget the pictures."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._newest = None, None
        self._picture = (self._picture[0], b"")
        self._fresh.clear()

    async def _draw(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            view, began_s = self._newest, loop.time()
            if view is None:
                continue
            self._newest = None
            before = tuple(self._before)
            try:
                jpeg = await loop.run_in_executor(self._thread, self._jpeg, view, before)
            except Exception:  # the edge of the loop: no picture is better than a wrong one
                _LOG.exception("a picture of the preview could not be drawn")
                jpeg = b""
            async with self._drawn:
                self._picture = (self._picture[0] + 1, jpeg)
                self._drawn.notify_all()
            await asyncio.sleep(max(0.0, began_s + _PERIOD_S - loop.time()))

    def _jpeg(self, view: View, before: tuple[Seen, ...]) -> bytes:
        image = annotate(view, self._names, before, mirrored=self._mirrored)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        return np.asarray(data).tobytes()


class Watched:
    """A publisher whose newest messages can be looked at, as they went out."""

    def __init__(self, publisher: EventPublisher, kept: int = 50) -> None:
        self._publisher = publisher
        self._newest: deque[tuple[Topic, Struct]] = deque(maxlen=kept)

    def publish(self, topic: Topic, event: Struct) -> None:
        """Hand `event` on, and remember it."""
        self._publisher.publish(topic, event)
        self._newest.append((topic, event))

    async def flush(self, timeout_s: float) -> bool:
        """As of the publisher."""
        return await self._publisher.flush(timeout_s)

    @property
    def dropped(self) -> int:
        """As of the publisher."""
        return self._publisher.dropped

    def messages(self) -> list[dict[str, Any]]:
        """Topic, key and value of the newest messages, newest first; the value is its very JSON."""
        return [
            {"topic": topic.name, "key": topic.key(event), "value": msgspec.Raw(encode(event))}
            for topic, event in reversed(self._newest)
        ]
