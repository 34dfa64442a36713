"""One transaction in hand while the next is made ready: the database and this process both work."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any


class OneAhead:
    """Runs writes one after the other, each while its caller prepares the next.

    A context manager: a clean exit waits for the last one, any other gives it up. What a write
    raises comes out of the next `put`, or of the exit; nothing is written after it.
    """

    def __init__(self) -> None:
        self._in_hand: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "OneAhead":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.settle()
        elif self._in_hand is not None:
            self._in_hand.cancel()
            await asyncio.gather(self._in_hand, return_exceptions=True)

    async def put(self, write: Coroutine[Any, Any, None]) -> None:
        """Starts `write` once the one before it is done, and returns then."""
        try:
            await self.settle()
        except BaseException:
            write.close()
            raise
        self._in_hand = asyncio.ensure_future(write)
        # It sends its first bytes before the caller goes on to prepare.
        await asyncio.sleep(0)

    async def settle(self) -> None:
        """Waits for the write in hand."""
        if self._in_hand is not None:
            in_hand, self._in_hand = self._in_hand, None
            await in_hand
