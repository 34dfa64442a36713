"""Frames in: what is accepted, JPEG decoding, and the letterbox that fits a frame to a network."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # (H, W, 3) BGR, OpenCV's order
Floats = NDArray[np.float32]

#: 4K and some: a larger picture is a mistake or an attack, and costs memory by its square.
MAX_SIDE_PX = 4096
#: Smaller than a network's stride nothing can be found.
MIN_SIDE_PX = 16
#: A 4K frame at quality 95 is about 4 MiB.
MAX_JPEG_BYTES = 8 * 1024 * 1024
#: Ultralytics pads with this grey, so its networks know it.
PADDING = 114
#: Both networks halve their input five times.
STRIDE_PX = 32
#: Enlarging a small frame further costs time and adds no information.
MAX_ENLARGEMENT = 2.0


class FrameError(ValueError):
    """The frame cannot be used; the text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a frame lies in a network's input: content of `width` x `height` px at (x, y)."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    frame_width_px: int
    frame_height_px: int

    def to_frame(self, points: Floats) -> Floats:
        """Points (..., 2) in network pixels as points normalised 0..1 to the frame."""
        offset = np.array([self.x_px, self.y_px], np.float32)
        extent = np.array([self.width_px, self.height_px], np.float32)
        return ((points - offset) / extent).astype(np.float32)


def check_frame(frame: NDArray[np.uint8]) -> Frame:
    """The frame itself, if it is uint8 (H, W, 3) of an accepted size.

    Raises:
        FrameError: it is not.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise FrameError(
            f"a frame of shape {tuple(frame.shape)} and type {frame.dtype} was given: "
            "send uint8 (H, W, 3) in BGR order"
        )
    _check_size(frame.shape[1], frame.shape[0])
    return frame


def _check_size(width_px: int, height_px: int) -> None:
    if not (MIN_SIDE_PX <= width_px <= MAX_SIDE_PX and MIN_SIDE_PX <= height_px <= MAX_SIDE_PX):
        raise FrameError(
            f"a frame of {width_px} x {height_px} px was given: "
            f"send one of {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side"
        )


def decode_jpeg(data: bytes) -> Frame:
    """The picture in an encoded JPEG. An orientation tag is not obeyed: a camera's frame is the
    frame as stored, since boxes are told in it.

    Raises:
        FrameError: no JPEG, too large, truncated or corrupt.
    """
    if len(data) > MAX_JPEG_BYTES:
        raise FrameError(
            f"a JPEG of {len(data)} bytes was given: send at most {MAX_JPEG_BYTES} bytes"
        )
    _check_size(*jpeg_size_px(data))
    # A decoder pads a truncated file with grey and says nothing, so its end is looked at first.
    if data.rfind(b"\xff\xd9", -1024) < 0:
        raise FrameError(
            f"the JPEG of {len(data)} bytes has no end: it was truncated, send it whole"
        )
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(f"the JPEG of {len(data)} bytes is corrupt: send it again") from error
    if frame is None:
        raise FrameError(f"the JPEG of {len(data)} bytes is corrupt: send it again")
    return check_frame(np.asarray(frame, np.uint8))


#: Start-of-frame markers (ITU-T T.81, table B.1): C0 to CF without the four tables' markers.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOT_JPEG = "the bytes are no JPEG: send a frame encoded as JPEG"


def jpeg_size_px(data: bytes) -> tuple[int, int]:
    """(width, height) from a JPEG's header, before anything is decoded: a file of a few hundred
    bytes may announce a picture of gigabytes.

    Raises:
        FrameError: no such header.

    Reference: ITU-T T.81, B.1.1.4 and B.2.2.
    """
    if data[:2] != b"\xff\xd8":
        raise FrameError(_NOT_JPEG)
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _START_OF_FRAME:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise FrameError(_NOT_JPEG)


def letterbox(
    frame: Frame, side_px: int, fixed_hw: tuple[int, int] | None = None
) -> tuple[Frame, Letterbox]:
    """Fits `frame` into a network's input with its proportions kept.

    Without `fixed_hw` the longer side becomes `side_px` and the input is the smallest rectangle of
    whole strides around it (for 16:9 that is 60 % of the square's work, with the same people in
    it); with `fixed_hw` the input is (height, width) as given.

    Returns the canvas, (h, w, 3) uint8 BGR, and where the frame lies in it.
    """
    height, width = frame.shape[:2]
    limit_h, limit_w = fixed_hw or (side_px, side_px)
    scale = min(limit_h / height, limit_w / width, MAX_ENLARGEMENT)
    inner_w = min(limit_w, max(1, round(width * scale)))
    inner_h = min(limit_h, max(1, round(height * scale)))
    outer_h, outer_w = fixed_hw or (_whole_strides(inner_h), _whole_strides(inner_w))
    x, y = (outer_w - inner_w) // 2, (outer_h - inner_h) // 2
    # Area averaging finds the same people with the same keypoints (measured from 720p to 320..640
    # px) and takes ten times as long; the networks were trained on this interpolation.
    resized = cv2.resize(frame, (inner_w, inner_h), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((outer_h, outer_w, 3), PADDING, np.uint8)
    canvas[y : y + inner_h, x : x + inner_w] = resized
    return canvas, Letterbox(x, y, inner_w, inner_h, width, height)


def _whole_strides(side_px: int) -> int:
    return -(-side_px // STRIDE_PX) * STRIDE_PX


def to_input(canvases: list[Frame], scale: float) -> Floats:
    """Canvases of one shape as a network's input: (B, 3, h, w) float32 RGB, times `scale`."""
    height, width = canvases[0].shape[:2]
    batch = np.empty((len(canvases), 3, height, width), np.float32)
    # Plane by plane, since numpy takes half as long again with the channels side by side.
    for planes, canvas in zip(batch, canvases, strict=True):
        for plane, channel in zip(planes, reversed(cv2.split(canvas)), strict=True):
            np.multiply(channel, np.float32(scale), out=plane, dtype=np.float32)
    return batch
