"""Video files as cameras."""

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.cameras.file import FileSource, check_video
from vision.errors import CaptureError
from vision.ports import Frame


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten grey pictures, each brighter, at 20 a second."""
    path = tmp_path / "tiny.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for i in range(10):
        writer.write(np.full((48, 64, 3), 20 * i, dtype=np.uint8))
    writer.release()
    return path


async def frames_of(source: FileSource) -> list[Frame]:
    try:
        return [frame async for frame in source]
    finally:
        await source.close()


async def test_every_frame_with_its_event_time(video: Path) -> None:
    frames = await frames_of(FileSource(video, start_ms=1_000, paced=False))
    assert [f.captured_at_ms for f in frames] == [1_000 + 50 * i for i in range(10)]
    assert [f.index for f in frames] == list(range(10))
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    means = [float(f.image.mean()) for f in frames]
    assert means == sorted(means)
    assert means[-1] == pytest.approx(180, abs=5)


async def test_a_slow_reader_loses_nothing(video: Path) -> None:
    source = FileSource(video, start_ms=0)
    times = []
    async for frame in source:
        times.append(frame.captured_at_ms)
        if frame.index == 0:
            await asyncio.sleep(0.3)
    await source.close()
    assert times == [50 * i for i in range(10)]


async def test_paced_frames_wait_for_their_time(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        waits.append(seconds)

    monkeypatch.setattr("vision.cameras.file.time.monotonic", lambda: now)
    monkeypatch.setattr("vision.cameras.file.asyncio.sleep", sleep)
    await frames_of(FileSource(video, start_ms=0))
    assert waits == pytest.approx([0.0] + [0.05] * 9)


async def test_without_a_start_the_first_frame_is_now(video: Path) -> None:
    frames = await frames_of(FileSource(video, paced=False, now_ms=lambda: 5_000))
    assert frames[0].captured_at_ms == 5_000


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "there is no video"),
        ("text.mp4", b"This is no video.\n" * 200, "not a video"),
        ("text.txt", b"This is no video.\n" * 200, "not a video"),
        ("empty.mp4", b"", "an empty file"),
    ],
)
async def test_what_is_no_video_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptureError, match=says) as caught:
        await frames_of(FileSource(path, start_ms=0, paced=False))
    with pytest.raises(CaptureError, match=says):
        check_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_video_passes_the_check(video: Path) -> None:
    check_video(video)


async def test_closing_twice_and_before_reading(video: Path) -> None:
    source = FileSource(video, start_ms=0)
    await source.close()
    await source.close()
