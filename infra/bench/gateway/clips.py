"""The pictures that are measured with: the simulated store as videos, one rate each."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

from infra.simulator.camera import ShelfCamera
from infra.simulator.scenario import Scenario
from streams.contracts.layout import StoreLayout
from vision.ports import Image

#: Pictures that are drawn; a video goes through them to and fro, so that it never jumps.
_DRAWN = 60
_DRAWN_FPS = 10.0
#: When the drawn stretch begins: by then the first shopper stands before the shelf.
_FROM_MS = 6_000


def drawn(layout: StoreLayout, picture_px: tuple[int, int], seed: int) -> list[Image]:
    """A stretch of the store with a shopper in it, as its first posed camera sees it."""
    camera = next(camera for camera in layout.cameras if camera.pose is not None)
    if camera.pose is None:
        raise AssertionError("chosen for its pose")
    view = ShelfCamera(camera.pose, *picture_px)
    scenario = Scenario(layout, seed, 0, area_id=camera.area_id, restless=True)
    times = (_FROM_MS + round(1000 * number / _DRAWN_FPS) for number in range(_DRAWN))
    return [view.render(scenario.people(at_ms)) for at_ms in times]


def empty(layout: StoreLayout, picture_px: tuple[int, int]) -> list[Image]:
    """The same with nobody there."""
    camera = next(camera for camera in layout.cameras if camera.pose is not None)
    if camera.pose is None:
        raise AssertionError("chosen for its pose")
    return [ShelfCamera(camera.pose, *picture_px).render([])]


def write(pictures: Sequence[Image], fps: float, seconds: float, path: Path) -> Path:
    """An H.264 video of the pictures to and fro, of that length."""
    height_px, width_px = pictures[0].shape[:2]
    rate = Fraction(fps).limit_denominator(1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        # As a camera's encoder has it: a whole picture every second or two, no look-ahead.
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "20"}
        for picture in islice(_to_and_fro(pictures), max(2, round(fps * seconds))):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def pictures_of(video: Path) -> list[Image]:
    """The first pictures of a video of one's own, instead of drawn ones."""
    with av.open(str(video)) as container:
        frames = islice(container.decode(video=0), _DRAWN)
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames]


def _to_and_fro(pictures: Sequence[Image]) -> Iterator[Image]:
    return cycle([*pictures, *reversed(pictures[1:-1])])
