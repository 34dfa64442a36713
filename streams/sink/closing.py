"""Closes a Kafka client whose broker may be gone."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_LOG = logging.getLogger(__name__)

#: A client whose broker is gone may wait for answers; nothing of ours hangs on its goodbye.
_PATIENCE_S = 5.0


async def close(goodbye: Coroutine[Any, Any, None]) -> None:
    """Await a client's `stop()` or `close()`, and go on whatever comes of it.

    In a task of its own: aiokafka 0.14 awaits its own cancelled fetches while it stops, and where
    the broker is away their CancelledError comes out of `stop()`, as if the caller had been
    cancelled.
    """
    task = asyncio.create_task(goodbye)
    done, _ = await asyncio.wait([task], timeout=_PATIENCE_S)
    if not done:
        task.cancel()
        _LOG.info("a Kafka client did not close within %s s", _PATIENCE_S)
    elif not task.cancelled() and (error := task.exception()) is not None:
        _LOG.info("a Kafka client closed with %s: %s", type(error).__name__, error)
