"""The calibration's page: the camera's picture, what was clicked, the fit, and saving it."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from infra.calibrate.clicked import read_clicked
from infra.calibrate.session import Session, WalkSession
from infra.errors import UserError, sentence
from infra.web.headers import SecurityHeaders
from vision.errors import VisionError

_STATIC = Path(__file__).parent / "static"

#: A request with this header is made by our own page: other sites cannot send it from a browser
#: without asking first, and we do not answer such questions. Beyond this machine it holds the key.
_OWN_PAGE = "x-smartstore"

#: Eight rectangles and 64 screens in JSON.
_MOST_BYTES = 64 * 1024

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def new_key() -> str:
    """A key for a page that other machines may open."""
    return secrets.token_urlsafe(12)


def create_calibration(session: Session, key: str) -> FastAPI:
    """The page for points. An empty `key` lets all programs of this machine in, and no other."""
    app = _app("calibrate.html", key)

    @app.get("/api/picture.jpg")
    async def picture() -> Response:
        return Response(
            await session.pictures.jpeg(),
            media_type="image/jpeg",
            headers={"Cache-Control": "no-store"},
        )

    @app.get("/api/state")
    async def state() -> Response:
        return _json(await session.state())

    @app.post("/api/fit")
    async def fit(request: Request) -> Response:
        return await _answered(request, session.fit)

    @app.post("/api/save")
    async def save(request: Request) -> Response:
        return await _answered(request, session.save)

    return app


def create_walk(session: WalkSession, key: str) -> FastAPI:
    """The page for a walk test; it shows no picture."""
    app = _app("walk.html", key)

    @app.get("/api/state")
    async def state() -> Response:
        return _json(session.state())

    @app.post("/api/begin")
    async def begin() -> Response:
        session.begin()
        return _json(session.state())

    return app


def _app(page: str, key: str) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.add_middleware(SecurityHeaders, policy=_POLICY)

    @app.middleware("http")
    async def own(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not _may(request, key):
            return Response("open the address that was printed, with its key", status_code=403)
        return await call_next(request)

    @app.get("/")
    async def index() -> FileResponse:
        return FileResponse(_STATIC / page)

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


def _may(request: Request, key: str) -> bool:
    """Whether a request may be answered: what changes nothing and shows nothing always may."""
    if not key and request.url.hostname not in ("127.0.0.1", "localhost", "::1"):
        return False  # another name for this machine, made up to reach it from a foreign page
    if not request.url.path.startswith("/api/"):
        return True
    given = request.headers.get(_OWN_PAGE)
    return given is not None and (not key or secrets.compare_digest(given, key))


async def _answered(request: Request, work: Callable[..., Awaitable[object]]) -> Response:
    """The answer to what was clicked: the result, or one sentence with status 422."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _MOST_BYTES:
            return Response("too much was sent", status_code=413)
    try:
        return _json(await work(read_clicked(content)))
    except (UserError, VisionError) as error:
        return Response(
            msgspec.json.encode({"refused": sentence(str(error))}),
            status_code=422,
            media_type="application/json",
        )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
