"""Folders of creatives, made as an owner would, with pictures and a short video."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from signage.labels.aigc import Aigc
from signage.labels.pictures import label_picture

DESCRIPTION = """\
creative_id: soup
version: 2
title: Soup
alt_text: A bowl of soup.
language: en
owner: test
"""

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1")

MakeHome = Callable[..., Path]


def noise(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    """A picture with large shapes and fine grain, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 40 + 1, width // 40 + 1, 3), dtype=np.uint8)
    shapes = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(shapes + rng.integers(-25, 26, shapes.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def home(tmp_path: Path) -> MakeHome:
    """Makes a folder with a description (more lines of YAML) and files."""

    def make(more: str = "", **files: str | bytes) -> Path:
        folder = tmp_path / "creatives" / "soup"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "creative.yaml").write_text(DESCRIPTION + more)
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            data = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(data)
        return folder

    return make


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A JPEG of 540 x 960."""
    path = tmp_path_factory.mktemp("pictures") / "plain.jpg"
    Image.fromarray(noise(540, 960)).save(path, quality=90)
    return path.read_bytes()


@pytest.fixture(scope="session")
def labelled(picture: bytes) -> bytes:
    """The same, labelled."""
    return label_picture(picture, "jpeg", LABEL)


def write_video(path: Path, seconds: float, width: int = 360, height: int = 640) -> Path:
    """A short silent H.264 video of still noise at 10 frames a second."""
    with av.open(str(path), "w", format="mp4") as writing:
        stream = writing.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        picture = noise(width, height)
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, number, 1), format="rgb24")
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 of 4 s."""
    return write_video(tmp_path_factory.mktemp("videos") / "plain.mp4", 4.0).read_bytes()


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 of 1.5 s."""
    return write_video(tmp_path_factory.mktemp("videos") / "short.mp4", 1.5).read_bytes()
