"""A page's server within one of our processes."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from infra.web.errors import PortTakenError
from signage.player.certificate import Certificate

#: An open stream ends by itself; this is for a browser that does not read.
_SHUTDOWN_S = 3


class PageServer(uvicorn.Server):
    """A server whose signals belong to the command line, and that tells when it listens."""

    def __init__(
        self, app: FastAPI, ready: Callable[[], None], tls: Certificate | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_S,
                ssl_certfile=None if tls is None else tls.certificate,
                ssl_keyfile=None if tls is None else tls.key,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens; 0 takes a free port. `setting` names what sets another port.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTakenError(
            f"the page cannot listen on {host}:{port} ({error.strerror}); stop what listens there "
            f"or set {setting}"
        ) from error
    return listening
