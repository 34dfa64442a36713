"""A camera at a USB port of this machine, through OpenCV and Video4Linux.

Live: whoever is slow gets the newest picture, and what was missed is gone; nothing queues up.
"""

import asyncio
import os
import random
import re
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from vision.clock import wall_ms
from vision.errors import CaptureError
from vision.ports import Frame, Image

#: A number, as in /dev/video0, or the device's own path.
Device = int | Path

#: What is asked of the camera; it gives what it can. Wide, because its angle of view is stated for
#: the wide picture, and compressed, because USB 2 does not carry 720p otherwise.
_SIZE_PX = (1280, 720)
_CODEC = "MJPG"

_NUMBERED = re.compile(r"/dev/video(\d+)")

#: A lost camera is looked for again and again, for so long; a loose plug is found by then.
_PATIENCE_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 3.0

#: Pictures a little before they are due are taken: cameras do not tick evenly.
_EARLY_SHARE = 0.1


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def grab(self) -> bool:
        """Take the next picture off the camera; False when it is lost."""
        ...

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the picture that was grabbed, (H, W, 3) uint8 BGR."""
        ...

    def release(self) -> None:
        """Let go of the camera."""
        ...


def open_camera(device: Device) -> Capture:
    """The camera, set up. Blocks for up to some seconds. Raises CaptureError."""
    path = device_path(device)
    if not path.exists():
        raise CaptureError(f"there is no camera {path}; plug one in, or name another device")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CaptureError(
            f"the camera {path} may not be used by this user; "
            "add the user to the group that owns it, mostly `video`"
        )
    number = _NUMBERED.fullmatch(str(path.resolve()))
    # OpenCV opens these by number alone; a name below /dev/v4l is a link to such a path.
    capture = None if number is None else cv2.VideoCapture(int(number[1]), cv2.CAP_V4L2)
    if capture is None or not capture.isOpened():
        raise CaptureError(
            f"{path} gives no pictures; name a camera, and one that no other program uses"
        )
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*_CODEC))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, _SIZE_PX[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, _SIZE_PX[1])
    # The driver's queue is what makes a slow reader see the past.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def device_path(device: Device) -> Path:
    """Where the device is.

    >>> str(device_path(0))
    '/dev/video0'
    """
    return Path(f"/dev/video{device}") if isinstance(device, int) else device


def webcam_present(
    device: Device = 0, open_capture: Callable[[Device], Capture] = open_camera
) -> bool:
    """Whether a picture can be had from the camera now. Blocks for up to some seconds."""
    try:
        capture = open_capture(device)
    except CaptureError:
        return False
    try:
        return capture.grab()
    finally:
        capture.release()


class WebcamSource:
    """A live camera; event time is the wall clock when a picture was taken off it.

    Arguments:
        device: which camera.
        fps: pictures a second that are decoded; None for all.
        open_capture: another way to open it, for tests.
        patience_s: how long a lost camera is looked for.
        jitter: spreads those looks.
    """

    def __init__(
        self,
        device: Device = 0,
        fps: float | None = None,
        *,
        open_capture: Callable[[Device], Capture] = open_camera,
        now_ms: Callable[[], int] = wall_ms,
        patience_s: float = _PATIENCE_S,
        jitter: random.Random | None = None,
    ) -> None:
        self._device = device
        self._period_ms = 0.0 if fps is None else (1 - _EARLY_SHARE) * 1000 / fps
        self._open_capture = open_capture
        self._now_ms = now_ms
        self._patience_s = patience_s
        self._jitter = jitter or random.Random()  # noqa: S311  spreads retries, hides nothing
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # The one slot: the newest picture, or why there will be none.
        self._lock = threading.Lock()
        self._newest: tuple[Image, int] | None = None
        self._error: CaptureError | None = None
        self._news = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures. Raises CaptureError where there is no camera, or it is lost for good."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, name="webcam", daemon=True)
        self._thread.start()
        index = 0
        while True:
            await self._news.wait()
            self._news.clear()
            with self._lock:
                newest, self._newest, error = self._newest, None, self._error
            if newest is not None:
                yield Frame(*newest, index)
                index += 1
            elif error is not None:
                raise error
            elif self._closed.is_set():
                return

    async def close(self) -> None:
        """Let go of the camera."""
        self._closed.set()
        self._news.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _read(self) -> None:
        """In the thread: until closed, or the camera is lost for good."""
        try:
            capture = self._open_capture(self._device)
            last_ms = -1
            while not self._closed.is_set():
                if not capture.grab():
                    capture.release()
                    capture = self._reopen()
                    continue
                # A wall clock may be set back; event time may not.
                at_ms = max(self._now_ms(), last_ms + 1)
                if last_ms >= 0 and at_ms - last_ms < self._period_ms:
                    continue
                found, image = capture.retrieve()
                if found:
                    last_ms = at_ms
                    self._tell((np.asarray(image, dtype=np.uint8), at_ms), None)
            capture.release()
        except CaptureError as error:
            self._tell(None, error)

    def _reopen(self) -> Capture:
        """The camera again. Raises CaptureError when patience ends or the source is closed."""
        waited_s, wait_s = 0.0, _FIRST_WAIT_S
        while waited_s < self._patience_s:
            pause_s = wait_s * self._jitter.uniform(0.5, 1.0)
            if self._closed.wait(pause_s):
                break
            waited_s += pause_s
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            try:
                return self._open_capture(self._device)
            except CaptureError:
                continue
        raise CaptureError(
            f"the camera {device_path(self._device)} was lost and did not come back within "
            f"{self._patience_s:.0f} s; plug it in again"
        )

    def _tell(self, newest: tuple[Image, int] | None, error: CaptureError | None) -> None:
        """Put something into the slot, over what nobody took."""
        with self._lock:
            self._newest, self._error = newest or self._newest, error
        if self._loop is not None and not self._closed.is_set():
            self._loop.call_soon_threadsafe(self._news.set)
