"""A camera at this machine: opening it, decoding what is due alone."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from vision.cameras.usb import Device, UsbCamera, check_webcam, open_device, webcam_present
from vision.errors import CaptureError


class Capture:
    """Gives a picture for each True of a script, then is lost."""

    def __init__(self, script: Iterable[bool]) -> None:
        self._script = iter(script)
        self.grabbed = self.decoded = self.released = 0

    def grab(self) -> bool:
        here = next(self._script, False)
        self.grabbed += here
        return here

    def retrieve(self) -> tuple[bool, np.ndarray]:
        self.decoded += 1
        return self.grabbed != 2, np.full((16, 24, 3), self.grabbed, dtype=np.uint8)

    def release(self) -> None:
        self.released += 1


def test_only_what_is_due_is_decoded() -> None:
    # A picture every 50 ms, five a second wanted: one in four.
    capture, ticks = Capture([True] * 40), count(0.0, 0.05)
    stream = UsbCamera(0, 5.0, open_capture=lambda _: capture, elapsed_s=lambda: next(ticks)).open()
    shots = [stream.read() for _ in range(40)]
    assert [i for i, shot in enumerate(shots) if shot is not None] == list(range(0, 40, 4))
    assert capture.decoded == 10


def test_a_picture_keeps_while_the_next_is_taken_and_a_bad_one_is_counted() -> None:
    capture = Capture([True] * 3)
    stream = UsbCamera(open_capture=lambda _: capture).open()
    first, second, third = (stream.read() for _ in range(3))
    assert first is not None
    assert second is None
    assert third is not None
    assert stream.broken == 1
    assert [shot.image()[0, 0, 0] for shot in (first, third)] == [1, 3]
    assert first.sample().shape == (2, 3)
    assert first.pts_ms is None
    with pytest.raises(CaptureError, match="/dev/video0 was lost"):
        stream.read()
    stream.close()
    assert capture.released == 1


@pytest.mark.parametrize("device", [63, Path("/dev/video-that-is-none")])
def test_a_missing_device_for_real(device: Device) -> None:
    with pytest.raises(CaptureError, match="there is no camera /dev/video") as caught:
        open_device(device)
    assert "\n" not in str(caught.value)
    assert not webcam_present(device)
    with pytest.raises(CaptureError, match="there is no camera"):
        UsbCamera(device).open()


def test_a_device_that_is_no_camera(tmp_path: Path) -> None:
    file = tmp_path / "video0"
    file.touch()
    with pytest.raises(CaptureError, match="gives no pictures"):
        open_device(file)


@pytest.mark.parametrize(("script", "present"), [([True], True), ([], False)])
def test_a_camera_is_present_if_it_gives_a_picture(script: list[bool], present: bool) -> None:
    capture = Capture(script)
    assert webcam_present(0, lambda _: capture) is present
    assert capture.released == 1
    if not present:
        with pytest.raises(CaptureError, match="gives no pictures"):
            check_webcam(0, lambda _: capture)
