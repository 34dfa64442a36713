"""What a picture or a video really is: decoded here, as a screen will decode it."""

from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError

from signage.errors import CatalogueError
from signage.intake.shape import Shape

#: Fewer pixels look torn on a screen of 1080 x 1920; more than this no screen has.
MIN_SIDE_PX, MAX_SIDE_PX = 360, 8192
MIN_SECONDS, MAX_SECONDS = 1.0, 300.0
#: What Chromium plays everywhere.
_CODECS = frozenset({"h264", "vp8", "vp9", "av1"})


def probe_picture(path: Path) -> Shape:
    """The size of a picture that could be decoded whole.

    Raises:
        CatalogueError: it is broken, or of a size that no screen shows well.
    """
    try:
        with Image.open(path) as picture:
            # Before it is decoded: a small file may hold a picture that fills the memory.
            _check(path, *picture.size)
            picture.load()
            return Shape(*picture.size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise CatalogueError(
            path, f"the picture cannot be decoded ({_short(error)})", "save it again"
        ) from error
    except Image.DecompressionBombError as error:
        raise CatalogueError(path, "the picture has too many pixels", "make it smaller") from error


def probe_video(path: Path) -> Shape:
    """The size and length of a video whose first picture could be decoded.

    Raises:
        CatalogueError: it is broken, too short or long, or no browser plays its format.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise CatalogueError(path, "it holds no pictures", "name a video")
            stream = container.streams.video[0]
            codec = stream.codec_context.name
            if codec not in _CODECS and not codec.startswith(("h264", "vp8", "vp9", "libdav1d")):
                raise CatalogueError(
                    path, f"its pictures are in {codec}", "encode it as H.264, VP9 or AV1"
                )
            width, height = stream.codec_context.width, stream.codec_context.height
            _check(path, width, height)
            next(container.decode(stream))
            seconds = _seconds(container, stream)
    except (FFmpegError, StopIteration) as error:
        raise CatalogueError(
            path, f"the video cannot be decoded ({_short(error)})", "encode it again"
        ) from error
    if seconds is None or not MIN_SECONDS <= seconds <= MAX_SECONDS:
        long = "of unknown length" if seconds is None else f"{seconds:.1f} s long"
        raise CatalogueError(path, f"it is {long}", f"use {MIN_SECONDS:.0f} to {MAX_SECONDS:.0f} s")
    return Shape(width, height, seconds)


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration is not None else None


def _check(path: Path, width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE_PX or max(width, height) > MAX_SIDE_PX:
        raise CatalogueError(
            path,
            f"it is {width} x {height} pixels",
            f"use {MIN_SIDE_PX} to {MAX_SIDE_PX} a side, best 1080 x 1920 or 1920 x 1080",
        )


def _short(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:120]
