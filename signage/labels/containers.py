"""Finds the implicit labels in a file's own bytes: JPEG, PNG, WebP and MP4, each in its way. Pure.

Written from the formats' descriptions and independent of the libraries that write the files, so
that it can tell whether they did.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from signage.errors import LabelError
from signage.labels.aigc import PROPERTY, Aigc, from_json, labels_in

_XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_PNG = b"XML:com.adobe.xmp"
#: XMP's own box in an MP4 (ISO 16684-3, table 8).
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MAX_TEXT_BYTES = 1024 * 1024
_MAX_DEPTH = 8


def find_labels(data: bytes, format: str) -> list[Aigc]:
    """All implicit labels of a file; a rightly labelled one has one.

    Raises:
        LabelError: the file is cut, or holds a label that cannot be read.
    """
    try:
        return _READERS[format](data)
    except (struct.error, IndexError, zlib.error) as error:
        raise LabelError(f"the file is broken ({error}); save it again") from error


def xmp_of(data: bytes, format: str) -> bytes | None:
    """The first XMP packet of a picture, None where it has none."""
    return next(_PACKETS[format](data), None)


def _jpeg_packets(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # the picture begins, or the file ends
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and body.startswith(_XMP_JPEG):
            yield body[len(_XMP_JPEG) :]
        at += 2 + length


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _png_packets(data: bytes) -> Iterator[bytes]:
    for kind, body in _png_chunks(data):
        if kind != b"iTXt":
            continue
        keyword, _, rest = body.partition(b"\0")
        if keyword != _XMP_PNG or len(rest) < 2:
            continue
        _, _, translated = rest[2:].partition(b"\0")  # after the language
        _, _, text = translated.partition(b"\0")
        yield _inflated(text) if rest[0] else text


def _inflated(text: bytes) -> bytes:
    """Bounded: a few bytes may stand for gigabytes."""
    inflating = zlib.decompressobj()
    plain = inflating.decompress(text, _MAX_TEXT_BYTES)
    if inflating.unconsumed_tail:
        raise LabelError("the file's XMP packet is too large; save the file without it")
    return plain


def _webp_packets(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"XMP ":
            yield data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, beginning and end of the body of each box between `start` and `end`."""
    at = start
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        size = size or end - at
        if size < head or at + size > end:
            raise LabelError("the file is broken (a box is cut); save it again")
        yield kind, at + head, at + size
        at += size


def _mp4_labels(data: bytes) -> list[Aigc]:
    found: list[Aigc] = []
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"uuid" and data[start : start + 16] == _XMP_UUID:
            found += labels_in(data[start + 16 : end])
        if kind == b"moov":
            found += _meta_labels(data, start, end, 0)
    return found


def _meta_labels(data: bytes, start: int, end: int, depth: int) -> Iterator[Aigc]:
    """Labels in the `meta` boxes within a `moov`: keys by name, values by their number."""
    if depth > _MAX_DEPTH:
        return
    for kind, a, b in _boxes(data, start, end):
        if kind in (b"udta", b"trak", b"mdia"):
            yield from _meta_labels(data, a, b, depth + 1)
        if kind == b"meta":
            # ISO's box has four bytes of version and flags, QuickTime's has none.
            begin = a if data[a + 4 : a + 8] == b"hdlr" else a + 4
            inner = {name: (x, y) for name, x, y in _boxes(data, begin, b)}
            if b"keys" in inner and b"ilst" in inner:
                names = list(_keys(data, *inner[b"keys"]))
                yield from _values(data, *inner[b"ilst"], names)


def _keys(data: bytes, start: int, end: int) -> Iterator[bytes]:
    at = start + 8
    while at + 8 <= end:
        (size,) = struct.unpack_from(">I", data, at)
        if size < 8:
            raise LabelError("the file is broken (a key is cut); save it again")
        yield data[at + 8 : at + size]
        at += size


def _values(data: bytes, start: int, end: int, names: list[bytes]) -> Iterator[Aigc]:
    for number, a, b in _boxes(data, start, end):
        index = int.from_bytes(number, "big") - 1
        if not 0 <= index < len(names) or names[index] != PROPERTY.encode():
            continue
        for kind, x, y in _boxes(data, a, b):
            if kind == b"data":
                yield from_json(data[x + 8 : y])


_PACKETS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "jpeg": _jpeg_packets,
    "png": _png_packets,
    "webp": _webp_packets,
}


def _picture_labels(format: str) -> Callable[[bytes], list[Aigc]]:
    return lambda data: [each for xmp in _PACKETS[format](data) for each in labels_in(xmp)]


_READERS: dict[str, Callable[[bytes], list[Aigc]]] = {
    **{format: _picture_labels(format) for format in _PACKETS},
    "mp4": _mp4_labels,
    "webm": lambda data: [],
}
