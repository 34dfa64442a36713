"""The demo's switch: one loopback address at which the live page may kill the embedded broker.

A browser cannot send the header that it asks for to another origin without being asked first, so
no foreign page can press the button.
"""

import signal
from collections.abc import Callable
from types import TracebackType

from aiohttp import web

from infra.stack.ports import LOOPBACK, free_port

#: What whoever posts here has to send; its value does not matter.
HEADER = "X-Smartstore"


class KillSwitch:
    """Serves `POST /kill-broker` while it is open; `url` is its address."""

    def __init__(self, kill: Callable[[signal.Signals], None]) -> None:
        self._kill = kill
        self._port = free_port()
        application = web.Application(client_max_size=1024)
        application.router.add_post("/kill-broker", self._killed)
        self._runner = web.AppRunner(application, access_log=None)

    @property
    def url(self) -> str:
        """The address to post to."""
        return f"http://{LOOPBACK}:{self._port}/kill-broker"

    async def __aenter__(self) -> "KillSwitch":
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _killed(self, request: web.Request) -> web.Response:
        if HEADER not in request.headers:
            raise web.HTTPForbidden
        self._kill(signal.SIGKILL)
        return web.json_response({"killed": "broker"}, status=202)
