"""The preview's own little server, for this machine alone: pictures and the messages that left."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import msgspec
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Receive, Scope, Send

from streams.contracts.layout import StoreLayout
from vision.errors import PreviewError
from vision.pipeline import View
from vision.ports import EventPublisher
from vision.preview.feed import CameraFeed, Watched

_LOOPBACK = "127.0.0.1"

#: Each onlooker is a socket and a copy of every picture.
_MOST_ONLOOKERS = 8

#: Sockets in all: onlookers, the page's question whether we are there, and the messages.
_MOST_CONNECTIONS = 32

#: An open stream ends when the gateway does; this is for a browser that does not read.
_SHUTDOWN_S = 1

_BOUNDARY = b"--frame\r\n"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _Server(uvicorn.Server):
    """A server whose signals belong to the command line."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class Preview:
    """What a gateway may show on its own machine. An async context manager: entering listens.

    Give `take` to the gateway as `on_view`, and `watch(publisher)` as its publisher.

    Arguments:
        layout: the area's; its cameras are those that can be looked at.
        port: 0 takes a free one; `url` tells.
        mirrored: pictures as in a mirror.
    """

    def __init__(self, layout: StoreLayout, port: int, *, mirrored: bool = False) -> None:
        names = {zone.zone_id: zone.name for zone in layout.zones}
        names |= {screen.screen_id: screen.name for screen in layout.screens}
        # One thread for all: drawing must leave the machine to the detector.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self._feeds = {
            camera.camera_id: CameraFeed(names, self._thread, mirrored=mirrored)
            for camera in layout.cameras
        }
        self._port = port
        self._watched: Watched | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the pictures are, for an <img>."""
        return f"http://{_LOOPBACK}:{self._port}/preview.mjpg"

    def take(self, view: View) -> None:
        """Show a view, if somebody looks on. Returns at once."""
        feed = self._feeds.get(view.camera_id)
        if feed is not None:
            feed.take(view)

    def watch(self, publisher: EventPublisher) -> EventPublisher:
        """The publisher, with its newest messages to be looked at."""
        self._watched = Watched(publisher)
        return self._watched

    async def __aenter__(self) -> Self:
        """Listen. Raises PreviewError where the port is taken."""
        listening = _listen(self._port)
        self._port = int(listening.getsockname()[1])
        config = uvicorn.Config(
            self._app(),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(
            self._server.serve(sockets=[listening]), name="preview server"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all streams and stop listening."""
        for feed in self._feeds.values():
            await feed.close()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.wait([self._serving])
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        # A page of another site must not reach us under a name of its own.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[_LOOPBACK, "localhost"])
        places = _Places()

        @app.get("/preview.mjpg")
        async def stream(camera: str | None = None) -> Response:
            feed = self._feed(camera)
            return (
                _refusal("there is no such camera", 404) if feed is None else _Stream(feed, places)
            )

        @app.get("/preview.jpg")
        async def picture(camera: str | None = None) -> Response:
            feed = self._feed(camera)
            return (
                _refusal("there is no such camera", 404)
                if feed is None
                else await _one(feed, places)
            )

        @app.get("/messages")
        async def messages() -> Response:
            newest = [] if self._watched is None else self._watched.messages()
            body = msgspec.json.encode({"messages": newest})
            return Response(body, media_type="application/json", headers=_HEADERS)

        return app

    def _feed(self, camera: str | None) -> CameraFeed | None:
        """The feed of a camera, by default of the first."""
        return self._feeds.get(camera or next(iter(self._feeds), ""))


class _Places:
    """Who looks on takes a place, and there are few."""

    def __init__(self) -> None:
        self._taken = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[bool]:
        """Whether there was a place; it is given back at the end."""
        free = self._taken < _MOST_ONLOOKERS
        self._taken += free
        try:
            yield free
        finally:
            self._taken -= free


class _Stream(StreamingResponse):
    """The pictures as parts of a message that replace each other."""

    def __init__(self, feed: CameraFeed, places: _Places) -> None:
        super().__init__(
            self._parts(), media_type="multipart/x-mixed-replace; boundary=frame", headers=_HEADERS
        )
        self._feed, self._places = feed, places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._places.one() as free:
            if not free:
                await _full()(scope, receive, send)
                return
            with self._feed.onlooker():
                await super().__call__(scope, receive, send)

    async def _parts(self) -> AsyncIterator[bytes]:
        shown = -1
        yield _BOUNDARY
        while (picture := await self._feed.next(shown)) is not None:
            shown, jpeg = picture
            if jpeg:
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # The next boundary comes with the picture: a browser shows it only then.
                yield head.encode() + jpeg + b"\r\n" + _BOUNDARY


async def _one(feed: CameraFeed, places: _Places) -> Response:
    """The next picture."""
    with places.one() as free:
        if not free:
            return _full()
        with feed.onlooker():
            picture = await feed.next(feed.number)
    if picture is None or not picture[1]:
        return _refusal("the camera gives no picture now", 503)
    return Response(picture[1], media_type="image/jpeg", headers=_HEADERS)


def _full() -> Response:
    return _refusal(f"{_MOST_ONLOOKERS} already look on", 503)


def _unknown() -> Response:
    return _refusal("there is no such camera", 404)


def _refusal(why: str, status: int) -> Response:
    return Response(why, status_code=status, media_type="text/plain", headers=_HEADERS)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise PreviewError(
            f"the preview cannot listen on {_LOOPBACK}:{port} ({error.strerror}); "
            "stop what listens there or name another port"
        ) from error
    return listening
