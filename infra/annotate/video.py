"""A video in, an annotated video out: every head blurred before anything is written.

A picture is written a while after it was seen, so that a head which is found in the next ones only
is blurred where it will be, as one that was found before is blurred where it was.
"""

import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from infra.errors import UserError
from vision.pipeline import View
from vision.ports import Image
from vision.preview.drawing import annotate
from vision.preview.heads import REMEMBERED_MS, Seen

#: What stands at the foot of every picture.
NOTICE = "heads blurred; numbers die with this video"

#: Timestamps are those of the source, in ms.
_TIME_BASE = Fraction(1, 1000)

#: Encoders, the first that this build of FFmpeg has: every browser plays the first one.
_ENCODERS = ("libx264", "libopenh264", "mpeg4")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    view: View
    at_ms: int
    labels: Mapping[str, str]


class AnnotatedVideo:
    """Writes what a pipeline shows; a context manager.

    Raises UserError where the file cannot be written.
    """

    def __init__(self, path: Path, names: Mapping[str, str], start_ms: int) -> None:
        self._path, self._names, self._start_ms = path, names, start_ms
        self._seen: deque[Seen] = deque()
        self._waiting: deque[_Waiting] = deque()
        self._container: Any = None
        self._stream: Any = None
        self.frames = 0

    def __enter__(self) -> Self:
        try:
            self._container = av.open(str(self._path), "w", format="mp4")
        except (OSError, av.FFmpegError) as error:
            raise UserError(
                f"the video {self._path} cannot be written ({error.strerror or error}); name "
                "another file with --out"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._write_until(None)
                self._encode(None)
        finally:
            self._container.close()
        if kind is not None:
            # Half a video is none.
            with contextlib.suppress(OSError):
                self._path.unlink()

    def take(self, view: View, labels: Mapping[str, str]) -> None:
        """The next picture; `labels` of the people in it, by their id."""
        at_ms = view.scene.cameras[view.camera_id]
        # The source may use its picture's memory again.
        view = replace(view, image=view.image.copy())
        self._waiting.append(_Waiting(view, at_ms, dict(labels)))
        self._seen.append(Seen(at_ms, view.detections))
        self._write_until(at_ms - REMEMBERED_MS)
        oldest = self._waiting[0].at_ms if self._waiting else at_ms
        while self._seen and self._seen[0].at_ms < oldest - REMEMBERED_MS:
            self._seen.popleft()

    def _write_until(self, at_ms: int | None) -> None:
        while self._waiting and (at_ms is None or self._waiting[0].at_ms <= at_ms):
            self._write(self._waiting.popleft())

    def _write(self, waiting: _Waiting) -> None:
        image = annotate(
            waiting.view,
            self._names,
            _around(self._seen, waiting.at_ms),
            labels=waiting.labels,
            notice=NOTICE,
        )
        self._encode(_even(image), waiting.at_ms - self._start_ms)
        self.frames += 1

    def _encode(self, image: Image | None, pts: int = 0) -> None:
        """One picture, or None for the end."""
        if image is None:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            return
        if self._stream is None:
            self._stream = self._opened(image)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = pts, _TIME_BASE
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            raise UserError(
                f"the video {self._path} cannot be written ({error}); free space there"
            ) from error

    def _opened(self, image: Image) -> Any:
        encoder = next(name for name in _ENCODERS if name in av.codecs_available)
        stream = self._container.add_stream(encoder, rate=25)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        return stream


def _around(seen: deque[Seen], at_ms: int) -> list[Seen]:
    """What was seen before a time, and what will be seen after it as if it had been before."""
    return [
        each if each.at_ms < at_ms else replace(each, at_ms=2 * at_ms - each.at_ms)
        for each in seen
        if each.at_ms != at_ms
    ]


def _even(image: Image) -> Image:
    """Encoders want even sides."""
    height, width = (side - side % 2 for side in image.shape[:2])
    return image[:height, :width]
