"""A cancellation that nobody asked for, as the error that it is.

A Kafka client cancels requests of its own, for instance when a rebalance or a broken connection
overtakes them. What waits for such a request sees a CancelledError, and Faust takes that for the
end of the task: it would go on without the task, in silence, and the worker read nothing any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.errors import GivenUpError


@asynccontextmanager
async def uncancelled(what: str) -> AsyncIterator[None]:
    """Raises GivenUpError for a CancelledError that is not this task's own cancellation."""
    try:
        yield
    except asyncio.CancelledError as error:
        if is_meant():
            raise
        raise GivenUpError(
            f"{what} was given up by the Kafka client, as happens when a rebalance or a broken "
            "connection overtakes it: the process ends, to be started again"
        ) from error


def is_meant() -> bool:
    """Whether somebody asked the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
