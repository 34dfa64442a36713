"""A device of this machine that decodes video, where there is one that opens."""

import logging
from collections.abc import Callable

from av import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import FFmpegError

from vision.settings import HardwareDecode

_log = logging.getLogger(__name__)

#: In this order; FFmpeg knows more kinds, which give no pictures that a program can read.
_KINDS = ("vaapi", "cuda", "qsv", "videotoolbox")

#: What nearly all cameras send. A stream that the device cannot decode is decoded in software.
_CODEC = "h264"


def accelerator(
    wanted: HardwareDecode,
    *,
    kinds: Callable[[], list[str]] = hwdevices_available,
    opened: Callable[[str], HWAccel] | None = None,
) -> HWAccel | None:
    """The device for `av.open`, None where video is decoded in software. One line of the log says
    which it is, if it was to look.

    Arguments:
        kinds, opened: FFmpeg's kinds of devices, and one opened; others for tests.
    """
    if wanted == "never":
        return None
    built = kinds()
    refused = []
    for kind in _KINDS if wanted == "auto" else (wanted,):
        if kind not in built:
            refused.append(f"{kind}: not in this FFmpeg")
            continue
        try:
            device = (opened or _opened)(kind)
        except (FFmpegError, OSError, NotImplementedError) as error:
            refused.append(f"{kind}: {getattr(error, 'strerror', None) or error}")
        else:
            _log.info("video of network cameras is decoded by a device (%s)", kind)
            return device
    level = logging.INFO if wanted == "auto" else logging.WARNING
    _log.log(level, "video is decoded in software: no device for it opens (%s)", "; ".join(refused))
    return None


def _opened(kind: str) -> HWAccel:
    """Raises FFmpegError, OSError or NotImplementedError where there is no such device."""
    device = HWAccel(kind, allow_software_fallback=True)
    # Each stream opens the device for itself; here is only seen whether one could.
    device.create(Codec(_CODEC, "r"))
    return device
