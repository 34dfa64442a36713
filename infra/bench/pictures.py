"""Finds pictures in bytes: the signatures of the usual formats with headers that hold together,
also when they are base64, and raw pixels that are known.
"""

import base64
import re
import struct
from collections.abc import Callable, Iterator, Sequence

#: Frame headers, tables and application data: what comes first in a JPEG.
_JPEG_SEGMENTS = tuple(bytes([code]) for code in (0xC0, 0xC2, 0xC4, 0xDB, 0xE0, 0xE1, 0xE2, 0xEE))


def _jpeg(data: bytes, at: int) -> bool:
    """SOI, then a segment whose length leads to the next marker."""
    if data[at + 3 : at + 4] not in _JPEG_SEGMENTS:
        return False
    length = _number(data, at + 4, ">H")
    return length >= 2 and data[at + 4 + length : at + 5 + length] == b"\xff"


def _bmp(data: bytes, at: int) -> bool:
    """Reserved bytes are 0, and the size of the second header is one of those that exist."""
    reserved, offset, header = (_number(data, at + skip, "<I") for skip in (6, 10, 14))
    return reserved == 0 and header in (12, 40, 52, 56, 64, 108, 124) and 26 <= offset <= 2_048


def _tiff(data: bytes, at: int) -> bool:
    """The header leads to a directory that begins with one of the first tags."""
    order = "<" if data[at] == ord("I") else ">"
    offset = _number(data, at + 4, order + "I")
    entries = _number(data, at + offset, order + "H")
    return 4 <= entries <= 64 and 254 <= _number(data, at + offset + 2, order + "H") <= 259


def _number(data: bytes, at: int, form: str) -> int:
    """A number in `data`; 0 beyond its end."""
    if at + struct.calcsize(form) > len(data):
        return 0
    return int(struct.unpack_from(form, data, at)[0])


def _always(data: bytes, at: int) -> bool:
    return True


_CHECKS: tuple[tuple[str, bytes, Callable[[bytes, int], bool]], ...] = (
    ("JPEG", rb"\xff\xd8\xff", _jpeg),
    ("PNG", rb"\x89PNG\r\n\x1a\n", _always),
    ("GIF", rb"GIF8[79]a", _always),
    ("WebP", rb"RIFF.{4}WEBPVP8", _always),
    ("AVI", rb"RIFF.{4}AVI LIST", _always),
    ("BMP", rb"BM", _bmp),
    ("TIFF", rb"II\*\x00|MM\x00\*", _tiff),
    ("MP4", rb"\x00\x00\x00.ftyp(?:isom|iso[2-9]|mp4[12]|avc1|qt  |M4V |heic|avif)", _always),
    ("Matroska", rb"\x1a\x45\xdf\xa3.{1,40}(?:matroska|webm)", _always),
    ("base64 JPEG", rb"/9j/[0-9A-Za-z+/]{40}", _always),
    ("base64 PNG", rb"iVBORw0KGgo[0-9A-Za-z+/]{20}", _always),
)


def pictures(data: bytes) -> Iterator[str]:
    """The names of the formats of which `data` holds a picture, one for each found."""
    for name, pattern, holds in _CHECKS:
        for found in re.finditer(pattern, data, re.DOTALL):
            if holds(data, found.start()):
                yield f"{name} at {found.start()}"


def raw_pixels(data: bytes, strips: Sequence[bytes]) -> Iterator[str]:
    """Which of the strips of raw pixels `data` holds, also as base64."""
    for number, strip in enumerate(strips):
        if strip in data:
            yield f"raw pixels of strip {number} at {data.index(strip)}"
        # Bytes that do not begin on a group of three are encoded otherwise, so all three are tried.
        for shift in range(3):
            inside = strip[shift : shift + (len(strip) - shift) // 3 * 3]
            if base64.b64encode(inside) in data:
                yield f"base64 of raw pixels of strip {number}"
