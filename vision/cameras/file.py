"""Pictures from a video file, at the pace of its own timestamps. OpenCV decodes, in a thread."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from vision.clock import wall_ms
from vision.errors import CaptureError
from vision.ports import Frame, Image

#: FFmpeg draws the letters of a text file as "video"; no camera writes this codec.
_ANSI = "ansi"

#: A file that does not say its rate is taken to have this one.
_FALLBACK_FPS = 25.0

#: A file that ends before this share of its length was cut off; containers round the length.
_WHOLE_SHARE = 0.9

#: AV_LOG_QUIET, as OpenCV reads it from its variable when a first video is opened.
_FFMPEG_QUIET = "-8"


class FileSource:
    """A video file as a camera: event time = `start_ms` + the frame's timestamp.

    Paced, a frame is handed out no earlier than its time; a reader that is slower than real time
    lags behind, and no frame is dropped. One decoded frame waits at the most.

    Arguments:
        path: the video.
        start_ms: event time of the file's beginning; None for the time when the first frame is
            asked for.
        paced: False hands frames out as fast as they are taken (tests, replays).
    """

    #: A recording: every picture counts.
    live = False

    def __init__(
        self,
        path: Path,
        start_ms: int | None = None,
        paced: bool = True,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._path = path
        self._start_ms = start_ms
        self._paced = paced
        self._now_ms = now_ms
        self._capture: cv2.VideoCapture | None = None
        # One thread of its own: a VideoCapture must not be used by two at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The frames. Raises CaptureError where the file cannot be read as a video."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._open)
        coming = loop.run_in_executor(self._thread, self._read)
        start_ms = self._now_ms() if self._start_ms is None else self._start_ms
        began_s = time.monotonic()
        index, last_ms = 0, -1
        while (decoded := await coming) is not None:
            image, offset_ms = decoded
            coming = loop.run_in_executor(self._thread, self._read)
            # Containers repeat or lack timestamps now and then; event time must increase.
            offset_ms = max(offset_ms, last_ms + 1)
            last_ms = offset_ms
            if self._paced:
                await asyncio.sleep(max(0.0, began_s + offset_ms / 1000 - time.monotonic()))
            yield Frame(image, start_ms + offset_ms, index)
            index += 1
        if index == 0:
            raise CaptureError(_no_picture(self._path))
        length_ms, frame_ms = await loop.run_in_executor(self._thread, self._length_ms)
        if last_ms + frame_ms < _WHOLE_SHARE * length_ms:
            raise CaptureError(
                f"the video {self._path} can be read for {last_ms / 1000:.1f} s of its "
                f"{length_ms / 1000:.1f} s; it is damaged or was cut off, so copy it again"
            )

    async def close(self) -> None:
        """Let go of the file."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)

    def _open(self) -> None:
        self._capture = _opened(self._path)

    def _read(self) -> tuple[Image, int] | None:
        """The next picture and its timestamp in ms; None at the end."""
        if self._capture is None:
            return None
        index = self._capture.get(cv2.CAP_PROP_POS_FRAMES)
        found, image = self._capture.read()
        if not found:
            return None
        offset_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if offset_ms <= 0:
            fps = self._capture.get(cv2.CAP_PROP_FPS)
            offset_ms = index * 1000 / (fps if fps > 0 else _FALLBACK_FPS)
        return np.asarray(image, dtype=np.uint8), round(offset_ms)

    def _length_ms(self) -> tuple[float, float]:
        """How long the file and one of its frames are, as it says; zeros when it does not."""
        fps = 0.0 if self._capture is None else self._capture.get(cv2.CAP_PROP_FPS)
        if self._capture is None or fps <= 0:
            return 0.0, 0.0
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return max(0.0, 1000 * frames / fps), 1000 / fps

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def check_video(path: Path) -> None:
    """Whether `path` can be played, before anything is started for it. Blocks for some ms.

    Raises CaptureError where it is no video, or holds no picture.
    """
    capture = _opened(path)
    try:
        if not capture.grab():
            raise CaptureError(_no_picture(path))
    finally:
        capture.release()


def _opened(path: Path) -> cv2.VideoCapture:
    if path.is_dir():
        raise CaptureError(f"the video {path} is a folder; name a video file in it")
    if not path.is_file():
        raise CaptureError(f"there is no video {path}; name a video file")
    if not os.access(path, os.R_OK):
        raise CaptureError(f"the video {path} may not be read by this user; mend its permissions")
    if path.stat().st_size == 0:
        raise CaptureError(f"the video {path} is an empty file; name another, or copy it again")
    _quiet()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened() or _codec(capture) == _ANSI:
        capture.release()
        raise CaptureError(
            f"the file {path} is not a video that FFmpeg can read, or was cut off; name a whole "
            "one (mp4, mkv, avi) or convert it with ffmpeg"
        )
    return capture


def _no_picture(path: Path) -> str:
    return (
        f"the video {path} holds no picture that can be decoded; it is damaged or was cut off, so "
        "copy it again"
    )


def _quiet() -> None:
    """What OpenCV and FFmpeg would print of a bad video is in our own sentence. A log level that
    the environment asks for stays."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _codec(capture: cv2.VideoCapture) -> str:
    """The four characters of the codec, in lower case."""
    number = int(capture.get(cv2.CAP_PROP_FOURCC))
    return number.to_bytes(4, "little", signed=number < 0).decode("latin-1").lower()
