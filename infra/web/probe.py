"""Whether a page that ours embeds answers: asked here, since a browser that finds nobody there
writes an error into its console."""

import asyncio
from contextlib import suppress

from pydantic import AnyHttpUrl

_EVERY_S = 1.0
_TIMEOUT_S = 1.0


class Probe:
    """Asks whether somebody listens at `url`. `up` is None where there is no url."""

    def __init__(self, url: AnyHttpUrl | None) -> None:
        self._url = url
        self.up: bool | None = None if url is None else False

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set."""
        if self._url is None:
            return
        while not stop.is_set():
            self.up = await self._listens(self._url)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_S)

    async def _listens(self, url: AnyHttpUrl) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                _, writer = await asyncio.open_connection(url.host, url.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
