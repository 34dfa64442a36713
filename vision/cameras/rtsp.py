"""A network camera over RTSP, by PyAV: TCP, one decoding thread, timestamps of the stream."""

from collections import deque
from collections.abc import Iterator

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.error import ExitError, FFmpegError, InvalidDataError
from pydantic import SecretStr

from vision.cameras.address import without_password
from vision.cameras.live import Shot
from vision.cameras.still import STEP, Sample
from vision.errors import CaptureError
from vision.ports import Image

#: Longest for connection, RTSP handshake and the stream's description.
_OPEN_S = 3.0

#: How long FFmpeg may listen to find out about the stream; the description tells nearly all.
_ANALYSE_US = 500_000

#: Formats of which the first plane is brightness, a byte a pixel; others are converted to look.
_BRIGHTNESS_FIRST = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "nv12", "gray"}

#: A stream that cannot be decoded for so many packets on end is begun again.
_MOST_BROKEN = 250


class RtspCamera:
    """A camera at an RTSP address.

    Arguments:
        url: may hold user and password; they appear in no message.
        stall_s: a connection on which nothing comes for so long is given up.
        device: decodes the video, if it can; else software does.
    """

    def __init__(self, url: SecretStr, stall_s: float = 4.0, device: HWAccel | None = None) -> None:
        self._url = url
        self._device = device
        # FFmpeg tells of the first time-out by handing out what it holds, of the second as such.
        self._silence_s = stall_s / 2
        self.name = without_password(url.get_secret_value())

    def open(self) -> "RtspStream":
        """Connect. Raises CaptureError."""
        options = {
            # Over UDP a lost packet is a smeared picture; shops' networks lose some.
            "rtsp_transport": "tcp",
            "analyzeduration": str(_ANALYSE_US),
            # Sound and other streams cost bandwidth alone.
            "allowed_media_types": "video",
        }
        try:
            container = av.open(
                self._url.get_secret_value(),
                format="rtsp",
                options=options,
                timeout=(_OPEN_S, self._silence_s),
                hwaccel=self._device,
            )
        except (FFmpegError, OSError, ValueError) as error:
            raise CaptureError(
                f"the camera {self.name} cannot be reached ({_reason(error)}); see to its address, "
                "password, power and network"
            ) from None  # FFmpeg's text holds the address with its password
        if not container.streams.video:
            container.close()
            raise CaptureError(f"the camera {self.name} sends no video; name its video stream")
        return RtspStream(self.name, container)


class RtspStream:
    """An open RTSP connection."""

    def __init__(self, name: str, container: "av.container.InputContainer") -> None:
        self._name = name
        self._container = container
        video = container.streams.video[0]
        # One thread: frame threads each hold a picture back, and cores belong to the network.
        video.thread_type, video.codec_context.thread_count = "SLICE", 1
        self._packets: Iterator[av.Packet[av.VideoStream]] = container.demux(video)
        self._waiting: deque[av.VideoFrame] = deque()
        self._broken_on_end = 0
        self.broken = 0

    def read(self) -> Shot | None:
        """The next picture; None when a packet gave none. Raises CaptureError."""
        if not self._waiting:
            self._decode()
        if not self._waiting:
            return None
        frame = self._waiting.popleft()
        pts_ms = None if frame.time is None else round(1000 * frame.time)
        return Shot(pts_ms, lambda: _sample(frame), lambda: _image(frame))

    def close(self) -> None:
        """Let go of the camera."""
        self._waiting.clear()
        self._container.close()

    def _decode(self) -> None:
        try:
            packet = next(self._packets)
        except StopIteration:
            raise CaptureError(f"the camera {self._name} ended its stream") from None
        except (FFmpegError, OSError) as error:
            raise CaptureError(
                f"the camera {self._name} was lost ({_reason(error)}); see to its power and network"
            ) from None
        try:
            frames = packet.decode()
        except InvalidDataError:
            frames = []
            self._count_broken()
        except (FFmpegError, OSError) as error:
            raise CaptureError(
                f"the stream of the camera {self._name} cannot be decoded ({_reason(error)})"
            ) from None
        for frame in frames:
            # A picture patched up from others shows people where they are not.
            if frame.is_corrupt or packet.is_corrupt:
                self._count_broken()
            else:
                self._broken_on_end = 0
                self._waiting.append(frame)

    def _count_broken(self) -> None:
        self.broken += 1
        self._broken_on_end += 1
        if self._broken_on_end >= _MOST_BROKEN:
            raise CaptureError(
                f"the camera {self._name} has sent {_MOST_BROKEN} packets on end that cannot be "
                "decoded; see to its network"
            )


def _image(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="bgr24", threads=1), dtype=np.uint8)


def _sample(frame: av.VideoFrame) -> Sample:
    """Brightness of every eighth pixel, from the decoder's own picture."""
    if frame.format.name not in _BRIGHTNESS_FIRST:
        return _image(frame)[::STEP, ::STEP, 1]
    plane = frame.planes[0]
    rows: Sample = np.frombuffer(memoryview(plane), dtype=np.uint8)
    return rows.reshape(plane.height, plane.line_size)[::STEP, : plane.width : STEP]


def _reason(error: Exception) -> str:
    """Why, without the address that FFmpeg puts into its text."""
    if isinstance(error, ExitError):
        return "nothing came in time"
    if isinstance(error, InvalidDataError):
        return "no answer, or none of a camera"
    return str(getattr(error, "strerror", None) or type(error).__name__).lower()
