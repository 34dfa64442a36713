"""A player's service for one trial: it shows what the trial says, and notes what the page does."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, HTMLResponse, Response

from signage.player import protocol
from signage.player.serving import QuietServer, bind
from signage.player.web import STATIC

_HOST = "127.0.0.1"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<style>html, body {{ margin: 0; height: 100%; background: {colour}; }}</style>
</head><body></body></html>
"""


@dataclass(frozen=True, slots=True)
class Media:
    """A creative of the trial: how late its bytes come, and whether they come."""

    colour: str
    delay_s: float = 0.0
    missing: bool = False


#: The newest frame that a page sends is not worth more than this many.
_MAX_HEARD = 10_000


@dataclass(slots=True)
class Heard:
    """A message of the page and when it came; `message` None: none of the protocol's."""

    at_s: float
    message: protocol.FromPage | None
    text: str


@dataclass(slots=True)
class Session:
    """One connection."""

    socket: WebSocket
    heard: list[Heard] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Tell the page something."""
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self.socket.send_text(msgspec.json.encode(message).decode())

    async def close(self, code: int) -> None:
        """Close with a code of the protocol."""
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self.socket.close(code)

    def answers(self, play_id: str) -> list[Heard]:
        """What was said about a play."""
        return [h for h in self.heard if getattr(h.message, "play_id", None) == play_id]

    async def answer(self, play_id: str, within_s: float) -> Heard | None:
        """The first answer about a play."""
        until_s = time.monotonic() + within_s
        while not (found := self.answers(play_id)):
            if time.monotonic() > until_s or self.closed.is_set():
                return None
            await asyncio.sleep(0.01)
        return found[0]


class Trial:
    """The service. `sessions` hands out connections in the order in which they came."""

    def __init__(self, port: int, media: Mapping[str, Media], page: Path | None) -> None:
        self._media = media
        self._page = STATIC if page is None else page
        self._socket = bind(_HOST, port)
        self.url = f"http://{_HOST}:{self._socket.getsockname()[1]}/"
        self.sessions: asyncio.Queue[Session] = asyncio.Queue()
        self.fetched: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve within the block."""
        server = QuietServer(
            uvicorn.Config(
                self._app(),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                timeout_graceful_shutdown=1,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[self._socket]))
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
            self._socket.close()

    def _app(self) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        first = "player.html" if self._page == STATIC else "index.html"
        files = {p.name: p for p in self._page.iterdir() if p.is_file()}
        fonts = {p.name: p for p in (STATIC / "fonts").glob("*.woff2")}

        def found(table: Mapping[str, Path], name: str) -> FileResponse:
            if name not in table:
                raise HTTPException(404)
            return FileResponse(table[name])

        @app.get("/")
        async def page() -> FileResponse:
            return found(files, first)

        @app.get("/static/{name}")
        async def static(name: str) -> FileResponse:
            return found(files, name)

        @app.get("/fonts/{name}")
        async def font(name: str) -> FileResponse:
            return found(fonts, name)

        @app.get("/media/{name}/1/index.html")
        async def media(name: str) -> Response:
            asked = self._media.get(name)
            if asked is None or asked.missing:
                raise HTTPException(404)
            await asyncio.sleep(asked.delay_s)
            self.fetched[name] += 1
            return HTMLResponse(
                _PAGE.format(name=name, colour=asked.colour), headers={"Cache-Control": "no-store"}
            )

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            session = Session(socket)
            self.sessions.put_nowait(session)
            try:
                while len(session.heard) < _MAX_HEARD:
                    session.heard.append(_heard(await socket.receive_text()))
                    if isinstance(session.heard[-1].message, protocol.Ping):
                        await session.send({"type": "pong"})
            except (WebSocketDisconnect, RuntimeError, KeyError):
                pass
            finally:
                session.closed.set()

        return app


def _heard(text: str) -> Heard:
    try:
        message: protocol.FromPage | None = protocol.decode(text)
    except msgspec.DecodeError:
        message = None
    if len(text.encode()) > protocol.MAX_MESSAGE_BYTES:
        message = None
    return Heard(time.monotonic(), message, text[:200])
