"""A live camera: the newest picture, event time at the grab, a camera that goes and comes back."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from vision.errors import CaptureError
from vision.ports import Frame
from vision.webcam import Device, WebcamSource, open_camera, webcam_present


class Camera:
    """Gives a picture for each True of a script, waits for `go` before each; then is lost."""

    def __init__(self, script: Iterable[bool], go: threading.Semaphore | None = None) -> None:
        self._script: Iterator[bool] = iter(script)
        self._go = go
        self.grabbed = self.decoded = self.released = 0
        #: Set when 30 pictures were taken and handed over, and the next one is waited for.
        self.waits = threading.Event()

    def grab(self) -> bool:
        if self.grabbed == 30:
            self.waits.set()
        if self._go is not None:
            self._go.acquire()
        here = next(self._script, False)
        self.grabbed += here
        return here

    def retrieve(self) -> tuple[bool, np.ndarray]:
        self.decoded += 1
        return True, np.full((2, 3, 3), self.grabbed % 256, dtype=np.uint8)

    def release(self) -> None:
        self.released += 1


def opens(*cameras: Camera | CaptureError) -> Callable[[Device], Camera]:
    """One after the other."""
    waiting = list(cameras)

    def open_capture(device: Device) -> Camera:
        found = waiting.pop(0) if waiting else CaptureError("gone")
        if isinstance(found, CaptureError):
            raise found
        return found

    return open_capture


def source_of(*cameras: Camera | CaptureError, fps: float | None = None) -> WebcamSource:
    clock = count(1000, 50)
    return WebcamSource(
        fps=fps,
        open_capture=opens(*cameras),
        now_ms=lambda: next(clock),
        patience_s=0.05,
        jitter=random.Random(1),  # noqa: S311
    )


async def frames_of(source: WebcamSource) -> tuple[list[Frame], str]:
    """The frames up to the error, and its text."""
    frames: list[Frame] = []
    try:
        async for frame in source:
            frames.append(frame)
    except CaptureError as error:
        return frames, str(error)
    finally:
        await source.close()
    return frames, ""


async def test_a_slow_reader_gets_the_newest_and_nothing_queues() -> None:
    go = threading.Semaphore(10)
    camera = Camera([True] * 40, go)
    source = source_of(camera)
    frames: list[Frame] = []
    async for frame in source:
        frames.append(frame)
        if len(frames) == 2:
            break
        # While this reader sleeps, 20 more pictures pass by.
        go.release(20)
        await asyncio.to_thread(camera.waits.wait, 20)
    go.release(20)
    await source.close()
    assert frames[1].image[0, 0, 0] == 30
    # The clock says 1000 at the first grab and 50 ms more at each one after.
    assert frames[1].captured_at_ms == 1000 + 50 * 29
    assert [frame.index for frame in frames] == [0, 1]
    assert camera.released == 1


async def test_event_time_only_grows_when_the_clock_is_set_back() -> None:
    steps = iter([5000, 4000, 4001, 6000, 6001])
    go = threading.Semaphore(0)
    source = WebcamSource(
        open_capture=opens(Camera([True] * 4, go)), now_ms=lambda: next(steps), patience_s=0.05
    )
    times: list[int] = []
    go.release()
    with suppress(CaptureError):
        async for frame in source:
            times.append(frame.captured_at_ms)
            go.release()
    await source.close()
    assert times == [5000, 5001, 5002, 6000]


async def test_only_what_is_due_is_decoded() -> None:
    # A picture every 50 ms, five a second wanted: one in four.
    camera = Camera([True] * 41)
    await frames_of(source_of(camera, fps=5.0))
    assert camera.decoded == 11


async def test_a_camera_that_comes_back_goes_on() -> None:
    first, second = Camera([True, True]), Camera([True, True, True])
    source = WebcamSource(
        open_capture=opens(first, CaptureError("not yet"), second, CaptureError("gone")),
        patience_s=1.0,
        jitter=random.Random(1),  # noqa: S311
    )
    frames, error = await frames_of(source)
    assert first.released == 1
    assert second.grabbed == 3
    assert frames
    assert "was lost and did not come back" in error
    assert "\n" not in error


async def test_no_camera_is_one_sentence() -> None:
    frames, error = await frames_of(source_of(CaptureError("there is no camera")))
    assert frames == []
    assert error == "there is no camera"


@pytest.mark.parametrize("device", [63, Path("/dev/video-that-is-none")])
async def test_a_missing_device_for_real(device: Device) -> None:
    with pytest.raises(CaptureError, match="there is no camera /dev/video") as caught:
        open_camera(device)
    assert "\n" not in str(caught.value)
    _, error = await frames_of(WebcamSource(device))
    assert error == str(caught.value)
    assert not webcam_present(device)


def test_a_device_that_is_no_camera(tmp_path: Path) -> None:
    file = tmp_path / "video0"
    file.touch()
    with pytest.raises(CaptureError, match="gives no pictures"):
        open_camera(file)


@pytest.mark.parametrize(("script", "present"), [([True], True), ([], False)])
def test_a_camera_is_present_if_it_gives_a_picture(script: list[bool], present: bool) -> None:
    camera = Camera(script)
    assert webcam_present(0, opens(camera)) is present
    assert camera.released == 1


async def test_closing_ends_the_pictures() -> None:
    camera = Camera(iter(lambda: True, False))
    source = source_of(camera)
    async with asyncio.timeout(20):
        async for frame in source:
            if frame.index == 2:
                await source.close()
    await source.close()
    assert camera.released == 1


async def test_closing_before_reading() -> None:
    source = source_of()
    await source.close()
    await source.close()
