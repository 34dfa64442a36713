"""Labels a video: draws the explicit label on its beginning, writes the implicit one, and measures
how long a labelled video shows it.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from signage.errors import LabelError
from signage.labels import measuring
from signage.labels.aigc import PROPERTY, Aigc, to_json
from signage.labels.drawing import TEXT, capitals_px, corner, plate
from signage.labels.measuring import Explicit

#: The label is drawn for longer than must be: a player that drops frames still shows it.
DRAWN_SECONDS = 3.0
#: Constant quality of x264: visually lossless, since the video was encoded once already.
_CRF = "18"
#: No more is decoded to see how long the label lasts.
_LOOKED_AT_SECONDS = 4.0

#: The first that this machine's build of the library has.
_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": _CRF, "preset": "medium"}),
    ("libopenh264", {}),
    ("mpeg4", {}),
)


def label_video(source: Path, target: Path, label: Aigc) -> None:
    """Writes the video with both labels to `target`, an MP4. Sound is copied.

    Raises:
        LabelError: it cannot be decoded or encoded.
    """
    try:
        with av.open(str(source)) as reading:
            options = {"movflags": "use_metadata_tags+faststart"}
            with av.open(str(target), "w", format="mp4", options=options) as writing:
                _copy(reading, writing, label)
    except (FFmpegError, OSError, ValueError) as error:
        raise LabelError(f"the video cannot be labelled ({error}); encode it anew") from error


def _copy(
    reading: av.container.InputContainer, writing: av.container.OutputContainer, label: Aigc
) -> None:
    pictures = reading.streams.video[0]
    rate = pictures.average_rate or Fraction(25)
    encoder = _encoder(writing, rate)
    encoder.width, encoder.height = pictures.codec_context.width, pictures.codec_context.height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = pictures.time_base or 1 / rate
    sounds = {each.index: writing.add_stream_from_template(each) for each in reading.streams.audio}
    writing.metadata[PROPERTY] = to_json(label)
    size = (encoder.width, encoder.height)
    mark = plate(TEXT, capitals_px(*size))
    drawn = np.asarray(mark)
    place = corner(size, mark.size)
    first: float | None = None
    for packet in reading.demux([pictures, *reading.streams.audio]):
        if packet.stream.index in sounds:
            if packet.dts is not None:
                packet.stream = sounds[packet.stream.index]
                writing.mux(packet)
            continue
        for frame in packet.decode():
            if not isinstance(frame, av.VideoFrame):
                continue
            at = float(frame.time or 0.0)
            first = at if first is None else first
            if at - first < DRAWN_SECONDS:
                frame = _with_mark(frame, drawn, place)
            frame.pict_type = av.video.frame.PictureType.NONE
            writing.mux(encoder.encode(frame))
    if first is None:
        raise LabelError("the video holds no pictures; name another")
    writing.mux(encoder.encode(None))


def _encoder(writing: av.container.OutputContainer, rate: Fraction) -> Any:
    for name, options in _ENCODERS:
        if name in av.codecs_available:
            try:
                return writing.add_stream(name, rate=rate, options=options)
            except (FFmpegError, ValueError):
                continue
    raise LabelError("no encoder for MP4 is built into PyAV here; label the video elsewhere")


def _with_mark(
    frame: av.VideoFrame, mark: NDArray[np.uint8], place: tuple[int, int]
) -> av.VideoFrame:
    rgb = frame.to_ndarray(format="rgb24")
    x, y = place
    rgb[y : y + mark.shape[0], x : x + mark.shape[1]] = mark
    drawn = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    drawn.pts, drawn.time_base = frame.pts, frame.time_base
    return drawn


def measure_video(path: Path) -> tuple[Explicit, float] | None:
    """The explicit label of the first frame, and for how many seconds from the beginning it stays;
    None where the first frame has none.

    Raises:
        LabelError: it cannot be decoded.
    """
    try:
        with av.open(str(path)) as reading:
            frames = reading.decode(reading.streams.video[0])
            first = next(frames, None)
            if first is None:
                return None
            label = measuring.find(_rgb(first))
            if label is None:
                return None
            return label, _lasts(chain([first], frames), label)
    except (FFmpegError, IndexError) as error:
        raise LabelError(f"the video cannot be decoded ({error}); encode it anew") from error


def _lasts(frames: Iterator[av.VideoFrame], label: Explicit) -> float:
    start = end = None
    step = 0.0
    for frame in frames:
        at = float(frame.time or 0.0)
        start = at if start is None else start
        if end is not None:
            step = at - end
        if not measuring.is_at(_rgb(frame), label):
            return at - start
        end = at
        if at - start > _LOOKED_AT_SECONDS:
            break
    return 0.0 if start is None or end is None else end + step - start


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
