"""The files of a creative: what they are by their bytes, whatever their names say."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signage.errors import CatalogueError
from signage.intake.description import FILE

MIB = 1024 * 1024

_MAX_FILES = 256
_MAX_TOTAL_BYTES = 256 * MIB

#: A page is read whole; a screen's computer decodes a picture whole.
_MAX_BYTES = {"text": 2 * MIB, "font": 4 * MIB, "picture": 16 * MIB, "video": 128 * MIB}

_KINDS = {
    "html": "text",
    "css": "text",
    "svg": "text",
    "woff2": "font",
    "jpeg": "picture",
    "png": "picture",
    "webp": "picture",
    "mp4": "video",
    "webm": "video",
}
_ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".css": "css",
    ".svg": "svg",
    ".woff2": "woff2",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".webm": "webm",
}
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its path in the folder, what it is (`png`, `mp4`, ...), and its fingerprint."""

    name: str
    path: Path
    format: str
    sha256: str
    bytes: int

    @property
    def kind(self) -> str:
        """`text`, `font`, `picture` or `video`."""
        return _KINDS[self.format]


def files_of(home: Path) -> list[Found]:
    """All files of the folder `home` but its description, by name.

    Raises:
        CatalogueError: too many or too large, of a type that no screen shows, not what its name
            says, or outside the folder.
    """
    found: list[Found] = []
    total = 0
    for path in _paths(home):
        file = _found(home, path)
        total += file.bytes
        found.append(file)
        if len(found) > _MAX_FILES:
            raise CatalogueError(home, f"it holds more than {_MAX_FILES} files", "use fewer")
        if total > _MAX_TOTAL_BYTES:
            raise CatalogueError(
                home,
                f"its files are larger than {_MAX_TOTAL_BYTES // MIB} MiB",
                "make them smaller",
            )
    return found


def _paths(home: Path) -> Iterator[Path]:
    root = home.resolve()
    for path in sorted(home.rglob("*")):
        if not path.is_file() or path.name == FILE or path.name.startswith("."):
            continue
        if not path.resolve().is_relative_to(root):
            raise CatalogueError(path, "it points outside its creative's folder", "copy it in")
        yield path


def _found(home: Path, path: Path) -> Found:
    ending = path.suffix.lower()
    named = _ENDINGS.get(ending)
    if named is None:
        what = "a script" if ending in (".js", ".mjs", ".wasm") else f"of type {ending or 'none'}"
        raise CatalogueError(
            path,
            f"it is {what}, which no screen shows",
            "leave it out, or use HTML, CSS, SVG, WOFF2, JPEG, PNG, WebP, MP4 or WebM",
        )
    limit = _MAX_BYTES[_KINDS[named]]
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        with path.open("rb") as file:
            while block := file.read(MIB):
                head = head or block[:_HEAD_BYTES]
                digest.update(block)
                size += len(block)
                if size > limit:
                    raise CatalogueError(
                        path,
                        f"it is larger than {limit} bytes ({limit // MIB} MiB)",
                        _smaller(named),
                    )
    except OSError as error:
        raise CatalogueError(
            path, f"it cannot be read ({error.strerror})", "mend its permissions"
        ) from error
    real = sniff(head)
    if real != named and not (real == "text" and _KINDS[named] == "text"):
        was = "empty" if not size else f"in truth {_words(real)}"
        raise CatalogueError(path, f"it is named {ending} but is {was}", "name it for what it is")
    return Found(path.relative_to(home).as_posix(), path, named, digest.hexdigest(), size)


def sniff(head: bytes) -> str | None:
    """What a file is by its first bytes; `text` for what only its words tell, None if unknown.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0..."), sniff(b"<svg/>"), sniff(bytes(8)), sniff(b"")
    ('jpeg', 'text', None, None)
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm"
    if head.startswith(b"wOF2"):
        return "woff2"
    if not head or b"\0" in head:
        return None
    return "text" if _is_utf8(head) else None


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # cut within a character
    return True


def _words(real: str | None) -> str:
    if real is None:
        return "something that no screen shows"
    return {"text": "text", "woff2": "a font"}.get(real, f"{real.upper()}")


def _smaller(named: str) -> str:
    return {
        "text": "keep films and pictures beside it",
        "font": "leave out the letters that it does not need",
        "picture": "save it smaller",
    }.get(_KINDS[named], "encode it with fewer bits")
