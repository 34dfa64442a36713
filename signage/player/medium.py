"""The files of creatives as a page asks for them: verified, filled in, whole or in stretches."""

import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import FileResponse, Response

from signage.catalogue import Catalogue
from signage.core.template import fill
from signage.errors import MediumError
from signage.player.conductor import Conductor
from signage.player.rest import REST_FILE, REST_MEDIA
from streams.contracts.signage import Creative
from streams.contracts.store import Price

#: `mimetypes` asks the machine, which may not know them.
_TYPES = {
    ".woff2": "font/woff2",
    ".js": "text/javascript",
    ".css": "text/css",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
}

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

#: Fingerprinted by `?sha256=`, so it can never change under its address.
_FOREVER = "public, max-age=31536000, immutable"


class Library(Protocol):
    """The files of creatives."""

    async def medium(self, path: str) -> bytes | Path | None:
        """A file by its path below `/media/`, None where there is none. Raises MediumError."""
        ...


class OwnLibrary:
    """The files of the creatives that came with the player."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def medium(self, path: str) -> bytes | Path | None:
        """See `Library`."""
        return self._catalogue.files.get(path) or self._catalogue.made.get(path)


def add_media(
    app: FastAPI, library: Library, conductor: Conductor, headers: Mapping[str, str]
) -> None:
    """`/media/`: the creatives' files, as they were signed."""

    @app.get("/media/{path:path}")
    async def media(
        path: str, sha256: str = "", prices: str = "", range: Annotated[str, Header()] = ""
    ) -> Response:
        cache = _FOREVER if sha256 else "no-cache"
        if path == REST_MEDIA:
            return file_answer(REST_FILE, cache, headers)
        try:
            found = await library.medium(path)
        except MediumError as error:
            raise HTTPException(409, "refused: this file is not the one that was signed") from error
        if found is None:
            raise HTTPException(404, "there is no such file")
        template = conductor.template(path)
        if template is not None:
            found = _filled(template, found, conductor.filling(prices))
        if isinstance(found, Path):
            return file_answer(found, cache, headers)
        return _part(found, range, {**_headers(Path(path), cache), **headers})


def _filled(creative: Creative, page: bytes | Path, prices: Mapping[str, Price] | None) -> bytes:
    text = (page if isinstance(page, bytes) else page.read_bytes()).decode(errors="replace")
    filled = None if prices is None else fill(creative, text, prices)
    if filled is None:
        raise HTTPException(404, "this price is no longer shown")
    return filled.text.encode()


def _part(data: bytes, wanted: str, headers: dict[str, str]) -> Response:
    """A file, or the one stretch of it that a browser asks for (films are read in stretches).

    Reference: RFC 9110, 14.1.2.
    """
    headers["Accept-Ranges"] = "bytes"
    match = _RANGE.fullmatch(wanted)
    if match is None or not (match[1] or match[2]):
        return Response(data, headers=headers)
    size = len(data)
    begin = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(size - 1, int(match[2])) if match[1] and match[2] else size - 1
    if begin > end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
    return Response(data[begin : end + 1], 206, headers=headers)


def file_answer(path: Path, cache: str, headers: Mapping[str, str]) -> FileResponse:
    """A file with its type, how long it may be kept, and more headers."""
    told = {**_headers(path, cache), **headers}
    return FileResponse(path, media_type=told.pop("Content-Type"), headers=told)


def _headers(path: Path, cache: str) -> dict[str, str]:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return {
        "Content-Type": kind or "application/octet-stream",
        "Cache-Control": cache,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
