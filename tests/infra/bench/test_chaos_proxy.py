"""The door between clients and broker: it passes frames on, names itself, and cuts."""

import asyncio
import random
import struct
from contextlib import suppress

import pytest

from infra.bench.chaos.proxy import CuttingProxy


def _frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


async def test_answers_name_the_door_and_connections_can_be_cut() -> None:
    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port: int = writer.get_extra_info("sockname")[1]
        while not reader.at_eof():
            try:
                asked = await _answer(reader)
            except asyncio.IncompleteReadError:
                break
            writer.write(_frame(asked + b"127.0.0.1" + struct.pack(">i", port)))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, CuttingProxy(f"127.0.0.1:{port}") as door:
        own = int(door.bootstrap.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", own)
        for word in (b"one", b"two" * 50_000):
            writer.write(_frame(word))
            assert await _answer(reader) == word + b"127.0.0.1" + struct.pack(">i", own)
        with door.held():
            writer.write(_frame(b"waits"))
            waiting = asyncio.create_task(_answer(reader))
            assert await asyncio.wait({waiting}, timeout=0.05) == (set(), {waiting})
        assert (await waiting).startswith(b"waits")
        assert door.cut(0.0, random.Random(1)) == 0  # noqa: S311 - no secret
        assert door.cut(1.0, random.Random(1)) == 1  # noqa: S311 - no secret
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _answer(reader)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await served.wait()
