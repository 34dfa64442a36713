"""Supervision of one live camera: connects again and again, notices a stream that stalls and a
picture that stands still, and hands on the newest picture alone.

Each camera has a thread that reads and decodes, and nothing in common with the others: a dead one
slows none. Whoever asks late gets the newest picture; what was missed is counted; nothing queues.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

from vision.cameras.clock import CameraClock
from vision.cameras.live import LiveCamera, Shot, Stream
from vision.cameras.still import StillWatch
from vision.clock import SteadyClock
from vision.errors import CaptureError
from vision.ports import Frame, FrameSource

State = Literal["connecting", "live", "frozen", "lost", "closed"]

#: Pictures a little before they are due are taken: cameras do not tick evenly.
_EARLY_SHARE = 0.1

#: Whether the picture stands still is looked at twice a second.
_LOOK_MS = 500

#: A camera that stays frozen is connected to again after its limit, then after twice as long ...
_MOST_FROZEN_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Supervision:
    """How a live camera is watched over, all in seconds.

    `stall_s`: no picture for so long, and the connection is given up; `frozen_s`: the same picture
    for so long, and it no longer counts as one (0: never); `first_wait_s`, `longest_wait_s`: before
    connecting again, doubled each time, and each spread by half so that cameras behind one switch
    do not come back in step; `patience_s`: a camera that is away for longer is given up (None:
    never); `remind_s`: how often it is said that a camera is away.
    """

    stall_s: float = 4.0
    frozen_s: float = 30.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 1.0
    patience_s: float | None = None
    remind_s: float = 60.0


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """A live camera's state and counts.

    `reconnects`: connections after the first; `frames_dropped`: pictures that came while nobody
    asked; `frames_broken`: packets or pictures that could not be decoded; `frozen_s`: for how long
    in all the picture stood still; `clock_jumps`: the camera's timestamps jumped or were missing;
    `last_error`: one sentence, empty if there never was one.
    """

    state: State = "connecting"
    reconnects: int = 0
    frames_dropped: int = 0
    frames_broken: int = 0
    frozen_s: float = 0.0
    clock_jumps: int = 0
    last_error: str = ""


class SupervisedSource:
    """The pictures of a live camera, come what may.

    Arguments:
        camera: how to reach it; it is given up only when the rules' patience ends.
        rules: how it is watched over.
        fps: pictures a second at the most; None for all.
        tell: told in one sentence, from the camera's thread, that the camera is away or back.
        now_ms: the gateway's clock; does not go back.
        jitter: spreads the retries.
    """

    def __init__(
        self,
        camera: LiveCamera,
        rules: Supervision = Supervision(),
        *,
        fps: float | None = None,
        tell: Callable[[str], None] = lambda _: None,
        now_ms: Callable[[], int] | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self._camera = camera
        self._rules = rules
        self._period_ms = 0.0 if fps is None else (1 - _EARLY_SHARE) * 1000 / fps
        self._tell = tell
        self._now_ms = now_ms or SteadyClock()
        self._jitter = jitter or random.Random()  # noqa: S311  spreads retries, hides nothing
        self._clock = CameraClock()
        self._still = StillWatch()
        self._looked_ms = 0
        self._frozen_wait_s = rules.frozen_s
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._converter = ThreadPoolExecutor(1, thread_name_prefix="picture")
        # Under the lock: the one slot, why there will be no more, and the health.
        self._lock = threading.Lock()
        self._newest: tuple[Shot, int] | None = None
        self._error: CaptureError | None = None
        self._health = CameraHealth()
        self._news = asyncio.Event()

    @property
    def health(self) -> CameraHealth:
        """The camera's state and counts as of now."""
        with self._lock:
            return self._health

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures. Raises CaptureError only when patience ends."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._supervise, name=f"camera {self._camera.name}", daemon=True
        )
        self._thread.start()
        index = 0
        while not self._closed.is_set():
            with self._lock:
                newest, self._newest, error = self._newest, None, self._error
            if newest is not None:
                shot, at_ms = newest
                image = await self._loop.run_in_executor(self._converter, shot.image)
                yield Frame(image, at_ms, index)
                index += 1
            elif error is not None:
                raise error
            else:
                await self._news.wait()
                self._news.clear()

    async def close(self) -> None:
        """Let go of the camera; waits for a connection that is being made."""
        self._closed.set()
        self._news.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._note(state="closed")
        self._converter.shutdown(wait=False)

    def _supervise(self) -> None:
        """In the camera's thread: until closed, or patience ends."""
        rules = self._rules
        away_since = reminded = time.monotonic()
        wait_s, connections = rules.first_wait_s, 0
        while not self._closed.is_set():
            try:
                stream = self._camera.open()
                self._note(reconnects=connections)
                connections += 1
                with closing(stream):
                    self._read(stream)
            except CaptureError as error:
                now = time.monotonic()
                if self.health.state != "lost":
                    away_since, reminded, wait_s = now, -math.inf, rules.first_wait_s
                self._note(state="lost", last_error=str(error))
                if now - reminded >= rules.remind_s:
                    self._tell(f"{error}; it is tried again and again")
                    reminded = now
                if rules.patience_s is not None and now - away_since >= rules.patience_s:
                    self._give_up(error)
                    return
                self._closed.wait(wait_s * self._jitter.uniform(0.5, 1.0))
                wait_s = min(2 * wait_s, rules.longest_wait_s)

    def _read(self, stream: Stream) -> None:
        """Until closed. Raises CaptureError when the camera is lost, stalls or stays frozen."""
        self._clock.reconnected()
        began_ms = taken_ms = None
        broken = self.health.frames_broken
        last = time.monotonic()
        while not self._closed.is_set():
            shot = stream.read()
            if stream.broken + broken != self.health.frames_broken:
                self._note(frames_broken=stream.broken + broken)
            if shot is None:
                if time.monotonic() - last >= self._rules.stall_s:
                    raise CaptureError(
                        f"the camera {self._camera.name} is connected but has given no picture for "
                        f"{self._rules.stall_s:g} s; see to its power and network"
                    )
                continue
            last = time.monotonic()
            at_ms = self._clock.event_ms(shot.pts_ms, self._now_ms())
            began_ms = at_ms if began_ms is None else began_ms
            if not self._clock.settled or self._is_frozen(shot, at_ms, began_ms):
                continue
            if taken_ms is None or at_ms - taken_ms >= self._period_ms:
                taken_ms = at_ms
                self._hand_on(shot, at_ms)

    def _is_frozen(self, shot: Shot, at_ms: int, began_ms: int) -> bool:
        """Whether this is the same picture for too long. Raises CaptureError when connecting again
        may help."""
        frozen = self.health.state == "frozen"
        if not self._rules.frozen_s or (not frozen and at_ms - self._looked_ms < _LOOK_MS):
            return False
        still_ms = self._still.still_ms(shot.sample(), at_ms)
        passed_ms, self._looked_ms = at_ms - self._looked_ms, at_ms
        if still_ms < 1000 * self._rules.frozen_s:
            self._frozen_wait_s = self._rules.frozen_s
            return False
        if frozen:
            self._note(frozen_s=self.health.frozen_s + passed_ms / 1000)
        error = (
            f"the picture of the camera {self._camera.name} has stood still for "
            f"{still_ms / 1000:.0f} s; restart the camera if that goes on"
        )
        if not frozen and self.health.state != "lost":
            self._tell(error)
        self._note(state="frozen", last_error=error)
        if at_ms - began_ms >= 1000 * self._frozen_wait_s:
            self._frozen_wait_s = min(2 * self._frozen_wait_s, _MOST_FROZEN_WAIT_S)
            raise CaptureError(error)
        return True

    def _hand_on(self, shot: Shot, at_ms: int) -> None:
        """Put the picture into the slot, over what nobody took."""
        if self.health.state != "live":
            if self.health.last_error:
                self._tell(f"the camera {self._camera.name} is back")
            self._note(state="live")
        with self._lock:
            dropped = self._health.frames_dropped + (self._newest is not None)
            self._newest = shot, at_ms
            self._health = replace(
                self._health, frames_dropped=dropped, clock_jumps=self._clock.jumps
            )
        self._wake()

    def _give_up(self, error: CaptureError) -> None:
        with self._lock:
            self._error = CaptureError(
                f"{error}; it did not come back within {self._rules.patience_s:g} s"
            )
        self._wake()

    def _note(self, **changes: Any) -> None:
        with self._lock:
            self._health = replace(self._health, **changes)

    def _wake(self) -> None:
        if self._loop is not None and not self._closed.is_set():
            self._loop.call_soon_threadsafe(self._news.set)


def health_of(source: FrameSource) -> CameraHealth | None:
    """A live camera's health; None for a source that is not supervised."""
    return source.health if isinstance(source, SupervisedSource) else None
