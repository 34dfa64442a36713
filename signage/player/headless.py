"""A page without glass: fetches what it is told to show and acknowledges it, as a browser would.

For runs without a display and for tests; what it proves is the chain up to the bytes of the page.
"""

import asyncio
import contextlib
import http.client
from collections.abc import Callable
from typing import Any

import msgspec
import websockets

_TIMEOUT_S = 5.0
_PING_S = 3.0
_RETRY_S = 0.25
#: Close code of a page that a newer one replaced (PROTOCOL.md).
_REPLACED = 4000


class HeadlessPage:
    """The page of the player at `host:port`; `rendered` counts what it acknowledged.

    `on_rendered` is called with each `show` message that was acknowledged.
    """

    def __init__(
        self, host: str, port: int, on_rendered: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._on_rendered = on_rendered
        self._front = ""
        self.rendered = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`, or until another page takes the screen; reconnects by itself."""
        following = asyncio.create_task(self._follow())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            following.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            with contextlib.suppress(asyncio.CancelledError):
                await following

    async def _follow(self) -> None:
        while True:
            try:
                await self._connection()
            except websockets.ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == _REPLACED:
                    return
            except (OSError, TimeoutError, websockets.InvalidHandshake):
                pass
            await asyncio.sleep(_RETRY_S)

    async def _connection(self) -> None:
        url = f"ws://{self._host}:{self._port}/ws"
        async with websockets.connect(url, open_timeout=_TIMEOUT_S, close_timeout=1.0) as socket:
            pinging = asyncio.create_task(_ping(socket))
            showing: asyncio.Task[None] | None = None
            try:
                while True:
                    message = msgspec.json.decode(await socket.recv())
                    if message["type"] == "show":
                        if showing is not None:
                            showing.cancel()  # overtaken: it is answered with nothing
                        showing = asyncio.create_task(self._show(socket, message))
            finally:
                tasks = [task for task in (pinging, showing) if task is not None]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _show(self, socket: websockets.ClientConnection, message: dict[str, Any]) -> None:
        answer = {"type": "rendered", "play_id": message["play_id"]}
        error = None
        if message["url"] != self._front:
            error = await asyncio.to_thread(self._fetch, message["url"])
        if error is None:
            self._front = message["url"]
        else:
            answer |= {"type": "failed", "error": error}
        try:
            await socket.send(msgspec.json.encode(answer).decode())
        except websockets.ConnectionClosed:
            return
        if error is None:
            self.rendered += 1
            if self._on_rendered is not None:
                self._on_rendered(message)

    def _fetch(self, url: str) -> str | None:
        """None, or why it cannot be shown."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", url)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"the service could not be reached ({error or type(error).__name__})"
        finally:
            connection.close()
        return None if answer.status == http.client.OK else f"the service answered {answer.status}"


async def _ping(socket: websockets.ClientConnection) -> None:
    while True:
        await asyncio.sleep(_PING_S)
        await socket.send('{"type":"ping"}')
