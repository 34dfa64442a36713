"""What comes of an open stream: pictures, their timestamps and brightness, and what is broken."""

from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import SecretStr

from vision.cameras.rtsp import RtspCamera, RtspStream
from vision.errors import CaptureError

PICTURES = 30


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Ten pictures a second that grow brighter, with noise; a key picture a second."""
    path = tmp_path / "stream.ts"
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"g": "10", "tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i in range(PICTURES):
            image = rng.integers(0, 40, (48, 64, 3), dtype=np.uint8) + np.uint8(5 * i)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(video.encode())
    return path


def stream_of(path: Path) -> RtspStream:
    return RtspStream("left", av.open(str(path)))


def read_all(stream: RtspStream) -> tuple[list[int], list[tuple[float, float]], str]:
    """Timestamps, mean brightness by sample and by picture, and how it ended."""
    times, levels = [], []
    try:
        while True:
            shot = stream.read()
            if shot is None:
                continue
            assert shot.pts_ms is not None
            times.append(shot.pts_ms)
            assert shot.sample().shape == (6, 8)
            assert shot.image().shape == (48, 64, 3)
            levels.append((float(shot.sample().mean()), float(shot.image().mean())))
    except CaptureError as error:
        return times, levels, str(error)
    finally:
        stream.close()


def test_pictures_timestamps_and_the_end(recorded: Path) -> None:
    stream = stream_of(recorded)
    times, levels, end = read_all(stream)
    assert len(times) == PICTURES
    assert (np.diff(times) == 100).all()
    sampled, whole = np.array(levels).T
    assert np.corrcoef(sampled, whole)[0, 1] > 0.99
    assert stream.broken == 0
    assert end == "the camera left ended its stream"


def test_what_is_broken_is_counted_and_the_stream_goes_on(recorded: Path) -> None:
    data = bytearray(recorded.read_bytes())
    rng = np.random.default_rng(5)
    for at in rng.integers(len(data) // 4, len(data) // 2, 200):
        data[at] ^= 0x5A
    recorded.write_bytes(bytes(data))
    stream = stream_of(recorded)
    times, _, _ = read_all(stream)
    assert stream.broken > 0
    assert PICTURES // 2 < len(times) < PICTURES


def test_an_address_where_nobody_is() -> None:
    camera = RtspCamera(SecretStr("rtsp://keeper:geheim@127.0.0.1:1/stream"))
    assert camera.name == "rtsp://127.0.0.1:1/stream"
    with pytest.raises(CaptureError, match="cannot be reached \\(connection refused\\)") as caught:
        camera.open()
    assert "geheim" not in str(caught.value)
