"""What a camera is called on the command line and in the environment: a file, an RTSP address, or a
device. Pure, but for asking whether a device is named by number."""

import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|usb:")
_RTSP = ("rtsp://", "rtsps://")
_USB = "usb:"


def split_name(text: str) -> tuple[str | None, str]:
    """CAMERA_ID=ADDRESS in its parts; the id is None where only an address was given.

    >>> split_name("left=rtsp://shop-cam/1?channel=2")
    ('left', 'rtsp://shop-cam/1?channel=2')
    >>> split_name("rtsp://shop-cam/1?channel=2")
    (None, 'rtsp://shop-cam/1?channel=2')
    """
    if _SCHEME.match(text):
        return None, text
    name, separator, address = text.partition("=")
    return (name, address) if separator else (None, text)


def is_rtsp(address: str) -> bool:
    """Whether it is a network camera's address."""
    return address.lower().startswith(_RTSP)


def usb_device(address: str) -> str | None:
    """The device of `usb:0` or `usb:/dev/v4l/by-id/...`; None for another kind of address."""
    return address.removeprefix(_USB) if address.lower().startswith(_USB) else None


def has_password(address: str) -> bool:
    """Whether the address holds a user or password.

    >>> has_password("rtsp://user:secret@shop-cam/1"), has_password("rtsp://shop-cam/1")
    (True, False)
    """
    return _SCHEME.match(address) is not None and "@" in address.split("://", 1)[-1]


def without_password(address: str) -> str:
    """The address as messages show it: no user, no password, no query, which may hold either.

    >>> without_password("rtsp://user:se@cret@shop-cam:8554/1?token=x")
    'rtsp://shop-cam:8554/1'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
