"""A door between Kafka clients and their broker, whose connections can be cut at any moment.

It passes whole frames on and, in answers, puts its own port where the broker names its own, so
that clients come back through the door.
"""

import asyncio
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from infra.stack.ports import LOOPBACK, free_port

#: Frames of Kafka begin with their length; a larger one is no frame of Kafka's.
_MOST_BYTES = 128 * 1024 * 1024


class CuttingProxy:
    """Listens on a free port of 127.0.0.1 for clients of the broker at `bootstrap`."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._host, self._port = host, int(port)
        self._own_port = free_port()
        address = self._host.encode()
        self._theirs = address + struct.pack(">i", self._port)
        self._ours = address + struct.pack(">i", self._own_port)
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None] | None] = set()
        self._server: asyncio.Server | None = None
        self._passes = asyncio.Event()
        self._passes.set()

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self._own_port}"

    async def __aenter__(self) -> "CuttingProxy":
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._own_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut(1.0, random.Random(0))  # noqa: S311 - all of them, no secret
        if self._server is not None:
            await self._server.wait_closed()
        # Python 3.11 does not wait for those that are being served.
        await asyncio.gather(*filter(None, self._serving), return_exceptions=True)

    def cut(self, share: float, draw: random.Random) -> int:
        """Cuts about this share of the connections, in the middle of whatever they say."""
        chosen = [writer for writer in self._open if draw.random() < share]
        for writer in chosen:
            writer.transport.abort()
        return len(chosen)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing comes through meanwhile, and nothing is lost: the rest comes after it."""
        self._passes.clear()
        try:
            yield
        finally:
            self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._serve_one(reader, writer)
        finally:
            self._serving.discard(task)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(writer)
        ways = [
            asyncio.create_task(self._pass_on(reader, to_writer, answers=False)),
            asyncio.create_task(self._pass_on(to_reader, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(writer)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, to_writer):
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(4)
                (length,) = struct.unpack(">i", head)
                if not 0 <= length <= _MOST_BYTES:
                    return
                body = await reader.readexactly(length)
                if answers:
                    body = body.replace(self._theirs, self._ours)
                await self._passes.wait()
                writer.write(head + body)
                await writer.drain()
