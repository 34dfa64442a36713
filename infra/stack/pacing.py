"""Patience for a broker that answers an empty fetch at once instead of after `fetch.max.wait.ms`.

The embedded broker does: each idle consumer then asks it 400 times a second and takes a fifth of a
core. Apache Kafka waits as it is asked to, and is not slowed by this.
"""

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka.consumer.fetcher import Fetcher


def pace_empty_fetches(pause_s: float) -> None:
    """From now on this process's consumers wait `pause_s` after a fetch that brought nothing.

    A record is thus seen up to `pause_s` late. There is no public hook for it: the fetcher's own
    step is wrapped, which the locked version of aiokafka makes safe (a test looks for it).
    """
    ask = Fetcher._proc_fetch_request  # noqa: SLF001

    async def ask_and_wait(self: Fetcher, *arguments: Any) -> bool:
        found: bool = await ask(self, *arguments)
        if not found:
            # Whoever closes a fetcher cancels its step and awaits it: it has to end, not to raise.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(pause_s)
        return found

    Fetcher._proc_fetch_request = ask_and_wait  # noqa: SLF001
