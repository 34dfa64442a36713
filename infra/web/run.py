"""The page's process."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from infra.web.app import create_web
from infra.web.errors import PortTakenError
from infra.web.hub import Hub
from infra.web.settings import WebSettings
from streams.contracts.layout import StoreLayout

#: An open stream ends by itself when the hub does; this is for a browser that does not read.
_SHUTDOWN_S = 3


class _Server(uvicorn.Server):
    """A server whose signals belong to the command line, and that tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def run_web(
    settings: WebSettings, layout: StoreLayout, *, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve the page until `stop` is set. `ready` is called when it can be opened.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    listening = _listen(settings)
    hub = Hub(settings, layout)
    server = _Server(
        uvicorn.Config(
            create_web(settings, layout, hub),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        ),
        ready,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.run(stop))
            tasks.create_task(server.serve(sockets=[listening]))
            await stop.wait()
            server.should_exit = True
    finally:
        listening.close()


def _listen(settings: WebSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.web_host, settings.web_port))
    except OSError as error:
        listening.close()
        raise PortTakenError(
            f"the page cannot listen on {settings.web_host}:{settings.web_port} "
            f"({error.strerror}); stop what listens there or set SMARTSTORE_WEB_PORT"
        ) from error
    return listening
