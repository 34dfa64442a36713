"""The way to a player's page from other machines: nobody passes without being paired.

A page that was paired keeps a token in a cookie that scripts cannot read; a program sends it as
`Authorization: Bearer`. The token is this screen's alone: no other player knows it.
"""

import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from signage.player.pairing import Pairing

#: `__Host-`: over TLS, from this host, for all of its paths.
COOKIE = "__Host-smartstore-screen"
_YEAR_S = 365 * 86_400
_MAX_BODY_BYTES = 1_024

#: What everybody may ask for: to pair, and what shoppers are told.
_OPEN = frozenset({"/pair", "/about", "/healthz", "/static/pair.js", "/static/pair.css"})


class _Code(Struct, frozen=True):
    code: str


class Gate:
    """ASGI middleware: what is not open to everybody wants a token."""

    def __init__(self, app: ASGIApp, knows: Callable[[str], bool], cookie: str = COOKIE) -> None:
        self._app = app
        self._knows = knows
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket") or self._passes(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accepting: HTTP 403
            return
        answer: Response = JSONResponse({"detail": "this page is not paired"}, status_code=401)
        if scope["path"] == "/":
            answer = Response(status_code=303, headers={"Location": "/pair"})
        await answer(scope, receive, send)

    def _passes(self, scope: Scope) -> bool:
        if scope["path"] in _OPEN:
            return True
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        token = _token(headers, self._cookie)
        return token is not None and self._knows(token)


def _token(headers: Mapping[str, str], cookie: str) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token
    try:
        held = SimpleCookie(headers.get("cookie", "")).get(cookie)
    except CookieError:
        return None
    return None if held is None else held.value


def pairing_routes(
    pairing: Pairing, page: Path, headers: Mapping[str, str], cookie: str = COOKIE
) -> APIRouter:
    """`/pair`: the page that asks for the code, and where the code goes."""
    router = APIRouter()

    @router.get("/pair")
    async def ask() -> FileResponse:
        return FileResponse(page, headers={"Cache-Control": "no-store", **headers})

    @router.post("/pair")
    async def pair(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                return JSONResponse({"detail": "too long"}, status_code=413)
        try:
            code = msgspec.json.decode(body, type=_Code).code.strip()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return JSONResponse({"detail": "send the code as JSON"}, status_code=400)
        token = pairing.redeem(code, time.time_ns() // 1_000_000)
        if token is None:
            return JSONResponse(
                {"detail": "the code is wrong, used, or too old; make another one"}, status_code=403
            )
        answer = JSONResponse({"token": token}, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            cookie, token, max_age=_YEAR_S, path="/", secure=True, httponly=True, samesite="strict"
        )
        return answer

    return router
