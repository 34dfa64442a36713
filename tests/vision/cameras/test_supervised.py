"""Supervision: the newest picture, a camera that goes, comes back, stalls, hangs or never comes."""

import asyncio
import random
import threading
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pytest

from vision.cameras.live import Shot
from vision.cameras.supervised import SupervisedSource, Supervision
from vision.errors import CaptureError
from vision.ports import Frame

#: Retries at once: no test waits for the clock.
QUICK = Supervision(first_wait_s=0.0, longest_wait_s=0.0, patience_s=0.0, frozen_s=0.0)


def shot(pts_ms: int | None, level: int = 0) -> Shot:
    image = np.full((16, 16, 3), level, dtype=np.uint8)
    return Shot(pts_ms, lambda: image[::8, ::8, 1], lambda: image)


def shots(start_ms: int, n: int, level: int | None = None) -> list[Shot | None]:
    return [shot(start_ms + 100 * i, i if level is None else level) for i in range(n)]


class Stream:
    """Gives what the script holds; then is lost."""

    def __init__(self, script: Iterable[Shot | None], broken: int = 0) -> None:
        self._script: Iterator[Shot | None] = iter(script)
        self.broken = broken
        self.closed = 0
        self.paused = threading.Event()
        self.go_on = threading.Event()

    def read(self) -> Shot | None:
        for step in self._script:
            if step is None:
                self.paused.set()
                self.go_on.wait(20)
            return step
        raise CaptureError("the camera was lost")

    def close(self) -> None:
        self.closed += 1


class Camera:
    """Opens one stream after the other, or fails to; then there is no camera."""

    name = "rtsp://shop/1"

    def __init__(self, *streams: Stream | CaptureError) -> None:
        self._streams = list(streams)

    def open(self) -> Stream:
        found = self._streams.pop(0) if self._streams else CaptureError("there is no camera")
        if isinstance(found, CaptureError):
            raise found
        return found


class Arrivals:
    """A clock that goes on by 100 ms at each picture."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        self.now_ms += 100
        return self.now_ms


def source_of(camera: Camera, rules: Supervision = QUICK, **others: object) -> SupervisedSource:
    return SupervisedSource(
        camera,
        rules,
        now_ms=Arrivals(),
        jitter=random.Random(1),  # noqa: S311
        **others,  # type: ignore[arg-type]
    )


async def frames_of(source: SupervisedSource) -> tuple[list[Frame], str]:
    """The frames that this reader was quick enough for, up to the error, and its text."""
    frames: list[Frame] = []
    try:
        async for frame in source:
            frames.append(frame)
    except CaptureError as error:
        return frames, str(error)
    finally:
        await source.close()
    return frames, ""


async def test_a_slow_reader_gets_the_newest_nothing_queues_and_it_is_counted() -> None:
    stream = Stream([*shots(0, 3), None, *shots(300, 20), None])
    source = source_of(Camera(stream))
    frames: list[Frame] = []
    async for frame in source:
        frames.append(frame)
        if len(frames) == 2:
            break
        await asyncio.to_thread(stream.paused.wait, 20)
        stream.paused.clear()
        stream.go_on.set()
        await asyncio.to_thread(stream.paused.wait, 20)
    await source.close()
    assert frames[1].image[0, 0, 0] == 19
    # The first picture of a connection waited for it, and is not handed on.
    assert frames[1].captured_at_ms == 1_000_000 + 100 * 23
    assert [frame.index for frame in frames] == [0, 1]
    assert source.health.frames_dropped in (19, 20)
    assert source.health.state == "closed"
    assert stream.closed == 1


async def test_a_camera_that_comes_back_goes_on_and_both_is_said() -> None:
    told: list[str] = []
    first, second = Stream(shots(0, 3), broken=2), Stream(shots(50_000, 3), broken=3)
    camera = Camera(first, CaptureError("not yet"), CaptureError("not yet"), second)
    rules = Supervision(first_wait_s=0.0, longest_wait_s=0.0, patience_s=0.2)
    source = source_of(camera, rules, tell=told.append)
    frames, error = await frames_of(source)
    assert frames
    assert first.closed == second.closed == 1
    assert source.health.reconnects == 1
    assert source.health.frames_broken == 5
    assert source.health.clock_jumps == 0
    assert error.endswith("did not come back within 0.2 s")
    assert "is back" in told[1]
    # Each absence is said once: the retries between are not.
    assert [t.split(";")[0] for t in (told[0], *told[2:])] == ["the camera was lost"] * 2


async def test_no_camera_is_one_sentence_when_patience_ends() -> None:
    frames, error = await frames_of(source_of(Camera()))
    assert frames == []
    assert error == "there is no camera; it did not come back within 0 s"


async def test_a_camera_that_never_comes_is_told_again_and_again() -> None:
    told: list[str] = []
    often = threading.Event()

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 3:
            often.set()

    rules = Supervision(first_wait_s=0.0, longest_wait_s=0.0, remind_s=0.0)
    source = source_of(Camera(), rules, tell=tell)
    reader = asyncio.create_task(frames_of(source))
    assert await asyncio.to_thread(often.wait, 20)
    await source.close()
    assert await reader == ([], "")
    assert source.health.last_error == "there is no camera"


async def test_a_stream_without_pictures_is_given_up() -> None:
    stream = Stream([*shots(0, 3), None])
    stream.go_on.set()
    rules = Supervision(stall_s=0.0, patience_s=0.0)
    source = source_of(Camera(stream), rules)
    _, error = await frames_of(source)
    assert "is connected but has given no picture for 0 s" in error
    assert stream.closed == 1


async def test_a_picture_that_stands_still_is_withheld_and_the_camera_connected_again() -> None:
    still = [shot(100 * i, 80) for i in range(40)]
    again = [shot(100 * i, 80) for i in range(20)] + [shot(2_000 + 100 * i, 120) for i in range(5)]
    told: list[str] = []
    rules = Supervision(frozen_s=2.0, first_wait_s=0.0, longest_wait_s=0.0, patience_s=9.0)
    camera = Camera(Stream(still), Stream(again))
    source = source_of(camera, rules, tell=told.append)
    seen: list[int] = []
    async for frame in source:
        seen.append(int(frame.image[0, 0, 0]))
        if seen[-1] == 120:
            break
    await source.close()
    assert source.health.reconnects == 1
    assert source.health.frozen_s == pytest.approx(2.0, abs=0.6)
    assert "has stood still for 2 s" in told[0]
    assert any("is back" in sentence for sentence in told)


@pytest.mark.parametrize("noise", [3, 40])
async def test_a_noisy_picture_does_not_stand_still(noise: int) -> None:
    rng = np.random.default_rng(7)
    samples = rng.integers(0, noise + 1, (200, 40, 40), dtype=np.uint8)
    noisy = [Shot(100 * i, partial(samples.__getitem__, i), shot(0).image) for i in range(200)]
    rules = Supervision(frozen_s=2.0, patience_s=0.0)
    source = source_of(Camera(Stream(noisy)), rules)
    await frames_of(source)
    assert source.health.frozen_s == 0.0


async def test_no_more_pictures_a_second_than_wanted() -> None:
    stream = Stream([step for i in range(21) for step in (shot(50 * i, i), None)])
    stream.go_on.set()
    arrivals = iter(range(1_000_000, 2_000_000, 50))
    source = SupervisedSource(
        Camera(stream), Supervision(patience_s=0.0), fps=5.0, now_ms=lambda: next(arrivals)
    )
    frames, _ = await frames_of(source)
    assert len(frames) + source.health.frames_dropped == 5


async def test_closing_ends_the_pictures() -> None:
    stream = Stream([step for i in range(9) for step in (shot(None, i), None)])
    source = source_of(Camera(stream))
    async with asyncio.timeout(20):
        async for frame in source:
            assert frame.index == 0
            stream.go_on.set()
            await source.close()
    await source.close()
    assert stream.closed == 1


async def test_closing_before_reading() -> None:
    source = source_of(Camera())
    await source.close()
    await source.close()
