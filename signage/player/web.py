"""The player's web side: the page, the creatives' files, the WebSocket, health and state.

Nothing is served by joining paths: every file is looked up in a table made at the start.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from fastapi import FastAPI, Header, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from signage.player import protocol
from signage.player.conductor import Conductor
from signage.player.gate import Gate, pairing_routes
from signage.player.medium import Library, add_media, file_answer
from signage.player.pairing import Pairing
from signage.player.shopper import Shop, language_of, qr_svg, shopper_page
from signage.player.shopper_words import LANGUAGES
from signage.settings import PlayerSettings

STATIC = Path(__file__).parent / "static"

#: A page that is so many messages behind does not read; it is let go.
_MAX_BEHIND = 64
#: Close codes of the private range, as PROTOCOL.md lists them.
_REPLACED, _SILENT, _BAD_MESSAGE = 4000, 4001, 4002

_NO_STORE = {"Cache-Control": "no-store"}

#: The shopper's page holds its own style and nothing else.
_SHOPPER_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


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
    library: Library,
    conductor: Conductor,
    health: Callable[[], Mapping[str, Any]],
    pairing: Pairing | None = None,
) -> FastAPI:
    """The web application of one player; with `pairing` it is closed to pages without a token."""
    app = FastAPI(title="smartstore player", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(settings.player_host))
    page_headers, media_headers = _policies(settings.player_framed_by)
    if pairing is not None:
        app.include_router(pairing_routes(pairing, STATIC / "pair.html", page_headers))
        app.add_middleware(Gate, knows=pairing.knows)
    _add_files(app, settings.player_page, page_headers)
    add_media(app, library, conductor, media_headers)
    _add_shopper(app, settings, conductor)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", **health()}, headers=_NO_STORE)

    @app.get("/state")
    async def state() -> JSONResponse:
        place = {"screen_id": settings.screen_id, "player_id": settings.player}
        body = {**place, **conductor.report(), **health()}
        return JSONResponse(body, headers=_NO_STORE)

    @app.websocket("/ws")
    async def ws(socket: WebSocket, mirror: bool = False) -> None:
        if not _own_origin(socket):
            await socket.close()  # before accepting: HTTP 403
            return
        await socket.accept()
        await _serve(PageLink(socket), mirror)

    async def _serve(link: PageLink, mirror: bool) -> None:
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


def _policies(framed_by: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What the player's own pages may load, and what creatives may: no scripts."""
    ancestors = " ".join(("'self'", *framed_by))
    page = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {ancestors}"
    )
    media = (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {ancestors}"
    )
    return {"Content-Security-Policy": page}, {"Content-Security-Policy": media}


def _add_files(app: FastAPI, other: Path | None, page_headers: Mapping[str, str]) -> None:
    static = _table(path for path in STATIC.iterdir() if path.is_file())
    first = "player.html"
    if other is not None:
        pairing = {name: path for name, path in static.items() if name.startswith("pair.")}
        static = pairing | _table(path for path in other.iterdir() if path.is_file())
        first = "index.html"
    fonts = _table((STATIC / "fonts").glob("*.woff2"))

    @app.get("/")
    async def page() -> FileResponse:
        return file_answer(static[first], "no-cache", page_headers)

    @app.get("/static/{name}")
    async def asset(name: str) -> FileResponse:
        return file_answer(_found(static, name), "no-cache", page_headers)

    @app.get("/fonts/{name}")
    async def font(name: str) -> FileResponse:
        return file_answer(_found(fonts, name), "public, max-age=86400", {})


def _add_shopper(app: FastAPI, settings: PlayerSettings, conductor: Conductor) -> None:
    shop = Shop(settings.store_name, settings.store_contact, settings.simulated)
    # A link that was spoiled by a wrong setting is no reason for a dark screen.
    code = qr_svg(settings.player_shopper_url) if settings.player_shopper_url else None

    @app.get("/about")
    async def about(lang: str = "", accept_language: Annotated[str, Header()] = "") -> HTMLResponse:
        language = lang if lang in LANGUAGES else language_of(accept_language)
        playing = conductor.playing
        page = shopper_page(shop, None if playing is None else playing.programme, language)
        return HTMLResponse(page, headers={**_SHOPPER_HEADERS, **_NO_STORE})

    @app.get("/qr.svg")
    async def qr() -> Response:
        if code is None:
            raise HTTPException(404, "no address for shoppers was named")
        return Response(code, media_type="image/svg+xml", headers=_NO_STORE)


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
