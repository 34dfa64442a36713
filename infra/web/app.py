"""The page's routes: one page, its live numbers, the messages that left the cameras, one button."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import AnyHttpUrl
from starlette.middleware.trustedhost import TrustedHostMiddleware

from infra.pages.builders import BUILDERS
from infra.pages.planning import add_planning
from infra.pages.render import simulated_words
from infra.pages.routes import Pages, add_pages
from infra.web.headers import SecurityHeaders
from infra.web.hub import Hub
from infra.web.settings import WebSettings
from signage.player.certificate import lan_address
from signage.player.gate import Gate, pairing_routes
from signage.player.pairing import Pairing
from streams.contracts.layout import StoreLayout

_STATIC = Path(__file__).parent / "static"

#: Pages that may follow at once; each is a task and a socket.
_MOST_FOLLOWERS = 64

#: A request with this header is made by our own page: other sites cannot send it from a browser
#: without asking first, and we do not answer such questions.
_OWN_PAGE = "x-smartstore"

_CONTROL_TIMEOUT_S = 5.0


#: Over TLS, from this host, for all of its paths; a player on the same host has one of its own.
_COOKIE = "__Host-smartstore-pages"


def create_web(
    settings: WebSettings, layout: StoreLayout, hub: Hub, pairing: Pairing | None = None
) -> FastAPI:
    """The page's application; `hub` has to be run beside it. With `pairing` it is closed to
    browsers without a token."""
    app = FastAPI(openapi_url=None)
    own = ["127.0.0.1", "localhost", "[::1]", settings.web_host]
    if pairing is not None:
        own += [lan_address(), socket.gethostname()]
        app.include_router(pairing_routes(pairing, _STATIC / "pair.html", {}, _COOKIE))
        app.add_middleware(Gate, knows=pairing.knows, cookie=_COOKIE)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*own, *settings.web_allowed_hosts])
    app.add_middleware(SecurityHeaders, policy=_content_policy(settings))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/healthz")
    async def healthz() -> Response:
        servers = hub.view().servers
        return _json({"status": "ok", "broker": servers.broker, "database": servers.database})

    @app.get("/api/config")
    async def config() -> Response:
        return _json(_config(settings, layout))

    @app.get("/api/live")
    async def live() -> Response:
        return _json(hub.view())

    @app.get("/api/left")
    async def left() -> Response:
        return _json(hub.left())

    pages = _pages(settings, layout, hub)
    add_pages(app, pages, BUILDERS)
    add_planning(
        app,
        pages,
        settings.kafka,
        simulated=settings.web_simulated,
        true_effect=settings.web_true_effect,
    )
    _add_events(app, hub)
    _add_control(app, settings.kill_broker_url, hub)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


def _pages(settings: WebSettings, layout: StoreLayout, hub: Hub) -> Pages:
    return Pages(
        database=settings.database,
        layout=layout,
        simulated=simulated_words(settings.web_true_effect) if settings.web_simulated else None,
        now=lambda: datetime.now(UTC),
        alerts=lambda: hub.alerts,
    )


def _add_events(app: FastAPI, hub: Hub) -> None:
    followers = 0

    async def told() -> AsyncIterator[bytes]:
        nonlocal followers
        followers += 1
        try:
            while (view := await hub.next()) is not None:
                yield b"data: " + view + b"\n\n"
        finally:
            followers -= 1

    @app.get("/api/events")
    async def events() -> Response:
        if followers >= _MOST_FOLLOWERS:
            return Response("too many pages follow", status_code=503)
        return StreamingResponse(
            told(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )


def _add_control(app: FastAPI, url: AnyHttpUrl | None, hub: Hub) -> None:
    @app.post("/api/kill-broker")
    async def kill_broker(request: Request) -> Response:
        if _OWN_PAGE not in request.headers:
            return Response("only the page itself may ask for that", status_code=403)
        if url is None:
            return Response("no control address is set", status_code=404)
        pressed_at_ms = int(time.time() * 1_000)
        try:
            status = await asyncio.to_thread(_post, url)
        except (OSError, http.client.HTTPException):
            return Response("the control address does not answer", status_code=502)
        if status >= 400:
            return Response("the control address refused", status_code=502)
        hub.broker_killed(pressed_at_ms)
        return Response(status_code=204)


def _post(url: AnyHttpUrl) -> int:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.host or "", url.port, timeout=_CONTROL_TIMEOUT_S)
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("POST", path, headers={_OWN_PAGE: "page"})
        return connection.getresponse().status
    finally:
        connection.close()


def _config(settings: WebSettings, layout: StoreLayout) -> dict[str, object]:
    return {
        "layout": json.loads(msgspec.json.encode(layout)),
        "preview_url": str(settings.preview_url) if settings.preview_url else None,
        "player_url": str(settings.player_url) if settings.player_url else None,
        "can_kill_broker": settings.kill_broker_url is not None,
        "slot_ms": settings.experiment_slot_ms,
        "adaptive_share": settings.experiment_adaptive_share,
    }


def _content_policy(settings: WebSettings) -> str:
    preview, player = _origin(settings.preview_url), _origin(settings.player_url)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            f"img-src 'self' data: {preview}".strip(),  # data: a chart on its way to a PNG
            f"frame-src {player}" if player else "frame-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _origin(url: AnyHttpUrl | None) -> str:
    return f"{url.scheme}://{url.host}:{url.port}" if url else ""


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
