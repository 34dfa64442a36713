"""A camera at a USB port of this machine, through OpenCV and Video4Linux."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from vision.cameras.live import Shot
from vision.cameras.still import STEP
from vision.errors import CaptureError
from vision.ports import Image

#: A number, as in /dev/video0, or the device's own path.
Device = int | Path

#: What is asked of the camera; it gives what it can. Wide, because its angle of view is stated for
#: the wide picture, and compressed, because USB 2 does not carry 720p otherwise.
_SIZE_PX = (1280, 720)
_CODEC = "MJPG"

_NUMBERED = re.compile(r"/dev/video(\d+)")

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


def open_device(device: Device) -> Capture:
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
    device: Device = 0, open_capture: Callable[[Device], Capture] = open_device
) -> bool:
    """Whether a picture can be had from the camera now. Blocks for up to some seconds."""
    try:
        check_webcam(device, open_capture)
    except CaptureError:
        return False
    return True


def check_webcam(
    device: Device = 0, open_capture: Callable[[Device], Capture] = open_device
) -> None:
    """Raises CaptureError where no picture can be had from the camera now."""
    capture = open_capture(device)
    try:
        if not capture.grab():
            raise CaptureError(f"the camera {device_path(device)} gives no pictures; plug it again")
    finally:
        capture.release()


class UsbCamera:
    """A camera at this machine. It has no timestamps: event time is when a picture was taken off.

    Arguments:
        device: which camera.
        fps: pictures a second that are decoded; None for all.
        open_capture: another way to open it, for tests.
        elapsed_s: the clock of `fps`.
    """

    def __init__(
        self,
        device: Device = 0,
        fps: float | None = None,
        *,
        open_capture: Callable[[Device], Capture] = open_device,
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._period_s = 0.0 if fps is None else (1 - _EARLY_SHARE) / fps
        self._open_capture = open_capture
        self._elapsed_s = elapsed_s
        self.name = str(device_path(device))

    def open(self) -> "UsbStream":
        """Take hold of the camera. Raises CaptureError."""
        capture = self._open_capture(self._device)
        return UsbStream(self.name, capture, self._period_s, self._elapsed_s)


class UsbStream:
    """A camera that is held."""

    def __init__(
        self, name: str, capture: Capture, period_s: float, elapsed_s: Callable[[], float]
    ) -> None:
        self._name = name
        self._capture = capture
        self._period_s = period_s
        self._elapsed_s = elapsed_s
        self._taken_s: float | None = None
        self.broken = 0

    def read(self) -> Shot | None:
        """The next picture; None when it was not due or cannot be decoded. Raises CaptureError."""
        if not self._capture.grab():
            raise CaptureError(f"the camera {self._name} was lost; plug it in again")
        at_s = self._elapsed_s()
        if self._taken_s is not None and at_s - self._taken_s < self._period_s:
            return None
        found, picture = self._capture.retrieve()
        if not found:
            self.broken += 1
            return None
        self._taken_s = at_s
        # At once: the next grab takes the place of this picture.
        image: Image = np.asarray(picture, dtype=np.uint8)
        return Shot(None, lambda: image[::STEP, ::STEP, 1], lambda: image)

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()
