"""Notices that the broker's process went away, through a connection of its own that says nothing.

A client library reconnects in silence. Here the break matters: a broker that was killed may have
lost the end of its log, and may have filled the same offsets anew before the next fetch. The
connection breaks before the broker's successor can answer anything, so whoever asks `broken`
after a fetch knows whether all of it came from the log that was there at the start.
"""

import asyncio
from contextlib import suppress


class BrokerWatch:
    """Watches the first address of a list of bootstrap servers."""

    def __init__(self, bootstrap: str) -> None:
        self._host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
        self._port = int(port)
        self._ended: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "BrokerWatch":
        reader, writer = await asyncio.open_connection(self._host, self._port)
        self._ended = asyncio.create_task(_until_closed(reader, writer))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ended is not None:
            self._ended.cancel()
            with suppress(asyncio.CancelledError):
                await self._ended

    @property
    def broken(self) -> bool:
        """Whether the broker has closed the connection since it was opened."""
        return self._ended is None or self._ended.done()


async def _until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while await reader.read(1):
                pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
