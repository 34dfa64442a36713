"""The player's web side: the page, the creatives' files, the WebSocket, health and state.

Nothing is served by joining paths: every file is looked up in a table made at the start.
"""

import asyncio
import logging
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from signage.catalogue import Catalogue
from signage.player import protocol
from signage.player.conductor import Conductor
from signage.settings import PlayerSettings

_log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

#: A page that is so many messages behind does not read; it is let go.
_MAX_BEHIND = 64
#: Close codes of the private range, as PROTOCOL.md lists them.
_REPLACED, _SILENT, _BAD_MESSAGE = 4000, 4001, 4002

#: `mimetypes` asks the machine, which may not know them.
_TYPES = {".woff2": "font/woff2", ".js": "text/javascript", ".css": "text/css"}

#: Fingerprinted by `?sha256=`, so it can never change under its address.
_FOREVER = "public, max-age=31536000, immutable"


class PageLink:
    """One connected page; what it is told waits in a bounded queue."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[protocol.ToPage] = asyncio.Queue(_MAX_BEHIND)
        self.stuck = False

    def put(self, message: protocol.ToPage) -> None:
        """Send, without waiting."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.stuck = True

    async def speak(self) -> None:
        """Send what is put, until the page is told to stop."""
        while True:
            message = await self._queue.get()
            await self._socket.send_text(protocol.encode(message))
            if isinstance(message, protocol.Stop):
                await self._socket.close(_REPLACED)
                return

    async def listen(self, silence_ms: int, hear: Callable[[protocol.FromPage], None]) -> str:
        """Hear the page until it is gone; why it is."""
        while not self.stuck:
            try:
                text = await asyncio.wait_for(self._socket.receive_text(), silence_ms / 1000)
                hear(protocol.decode(text))
            except TimeoutError:
                await self._socket.close(_SILENT)
                return f"the page said nothing for {silence_ms} ms"
            except (msgspec.DecodeError, KeyError) as error:  # KeyError: bytes, not text
                await self._socket.close(_BAD_MESSAGE)
                return f"the page sent what is no message of the protocol ({error})"
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: closed by us meanwhile
                return "the page went away"
        return "the page does not read what it is told"


def create_app(
    settings: PlayerSettings,
    catalogue: Catalogue,
    conductor: Conductor,
    health: Callable[[], Mapping[str, Any]],
) -> FastAPI:
    """The web application of one player."""
    app = FastAPI(title="smartstore player", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(settings.player_host))
    ancestors = " ".join(("'self'", *settings.player_framed_by))
    _add_files(app, catalogue, ancestors)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", **health()}, headers={"Cache-Control": "no-store"})

    @app.get("/state")
    async def state() -> JSONResponse:
        place = {"screen_id": settings.screen_id, "player_id": settings.player}
        body = {**place, **conductor.report(), **health()}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    @app.websocket("/ws")
    async def ws(socket: WebSocket, mirror: bool = False) -> None:
        if not _own_origin(socket):
            await socket.close()  # before accepting: HTTP 403
            return
        await socket.accept()
        await _serve(PageLink(socket), mirror)

    async def _serve(link: PageLink, mirror: bool) -> None:
        creatives = catalogue.creatives
        link.put(
            protocol.Preload(urls=tuple(protocol.media_url(c.media, c.sha256) for c in creatives))
        )
        (conductor.mirror_came if mirror else conductor.page_came)(link)
        speaking = asyncio.create_task(link.speak())
        error = "the page went away"
        try:
            error = await link.listen(
                settings.page_silence_ms, lambda message: conductor.heard(link, message)
            )
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            if mirror:
                conductor.mirror_went(link)
            else:
                conductor.page_went(link, error)

    return app


def _add_files(app: FastAPI, catalogue: Catalogue, ancestors: str) -> None:
    page_headers = {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}",
    }
    media_headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; media-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {ancestors}",
    }
    static = _table(path for path in STATIC.iterdir() if path.is_file())
    fonts = _table((STATIC / "fonts").glob("*.woff2"))

    @app.get("/")
    async def page() -> FileResponse:
        return _file(static["player.html"], "no-cache", page_headers)

    @app.get("/static/{name}")
    async def asset(name: str) -> FileResponse:
        return _file(_found(static, name), "no-cache", page_headers)

    @app.get("/fonts/{name}")
    async def font(name: str) -> FileResponse:
        return _file(_found(fonts, name), "public, max-age=86400", {})

    @app.get("/media/{path:path}")
    async def media(path: str, sha256: str = "") -> FileResponse:
        cache = _FOREVER if sha256 else "no-cache"
        return _file(_found(catalogue.files, path), cache, media_headers)


def _file(path: Path, cache: str, headers: Mapping[str, str]) -> FileResponse:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return FileResponse(
        path,
        media_type=kind or "application/octet-stream",
        headers={
            "Cache-Control": cache,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **headers,
        },
    )


def _found(table: Mapping[str, Path], name: str) -> Path:
    try:
        return table[name]
    except KeyError:
        raise HTTPException(404, "there is no such file") from None


def _table(paths: Iterable[Path]) -> dict[str, Path]:
    return {path.name: path for path in paths}


def _hosts(host: str) -> list[str]:
    """The names that the player answers to: another site's name that points here is refused."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared: who binds to all has many names
        return ["*"]
    return [host, "127.0.0.1", "localhost"]


def _own_origin(socket: WebSocket) -> bool:
    """Browsers always name the origin of a page that connects; programs name none."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")
