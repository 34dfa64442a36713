"""Serving within a process that has other things to do, too."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from signage.errors import PlayerError


class QuietServer(uvicorn.Server):
    """Uvicorn without its signal handlers: signals belong to the command line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


async def first_of(wanted: Any, watched: list[asyncio.Task[Any]]) -> None:
    """Wait for `wanted`; a watched task that ends first must tell why (or be the stop)."""
    waiting = asyncio.ensure_future(wanted)
    try:
        done, _ = await asyncio.wait([waiting, *watched], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        waiting.cancel()


def bind(host: str, port: int) -> socket.socket:
    """A socket to serve on. Raises PlayerError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PlayerError(
            f"the player's page cannot be served on {host}:{port} ({error.strerror}); "
            "name another with --port or SMARTSTORE_PLAYER_PORT, or stop what uses this one"
        ) from error
    return listening
