"""Waits for the servers that a process cannot do without, and says so in one line of its log.

Containers start in any order, so a server that is away is no mistake of the user's; what never
answers can be found in that line.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from infra.stack.errors import StackError
from infra.stack.server import tcp_ok
from streams.contracts.topics import TOPICS
from vision.errors import DetectorError, DetectorRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vision.detector import TritonDetector

_LOG = logging.getLogger("smartstore")

_AGAIN_S = 1.0
_CONNECT_S = 5.0

Ask = Callable[[], Awaitable[None]]


class _AwayError(StackError):
    """A server does not answer yet."""


async def wait_for_broker(kafka: str, stop: asyncio.Event) -> bool:
    """Until the broker answers and has our topics. False when `stop` was set first."""

    async def ask() -> None:
        from infra.topics import list_topics

        missing = sorted(TOPICS.keys() - (await list_topics(kafka)).keys())
        if missing:
            raise _AwayError(
                f"the broker at {kafka} lacks {len(missing)} topics ({missing[0]} and others); "
                "make them with `smartstore topics create`"
            )

    return await _until(stop, ask)


async def wait_for_triton(address: str, detector: "TritonDetector", stop: asyncio.Event) -> bool:
    """Until the model server answers and has our model. False when `stop` was set first.

    Raises:
        DetectorRefused: it answers, but will never serve us.
    """

    async def ask() -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                await tcp_ok(address)
        except OSError as error:
            raise _AwayError(
                f"no Triton answers at {address} ({error.strerror or type(error).__name__}); "
                "start it, or set SMARTSTORE_TRITON to where it is"
            ) from error
        await detector.describe()

    return await _until(stop, ask)


async def _until(stop: asyncio.Event, ask: Ask) -> bool:
    stopped = asyncio.ensure_future(stop.wait())
    told = ""
    try:
        while not stop.is_set():
            with _libraries_silent():
                asking = asyncio.ensure_future(ask())
                await asyncio.wait({asking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                return False
            error = asking.exception()
            if error is None:
                return True
            if isinstance(error, DetectorRefused) or not isinstance(
                error, StackError | DetectorError
            ):
                raise error
            if str(error) != told:
                told = str(error)
                _LOG.warning("waiting: %s", told)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stopped), _AGAIN_S)
        return False
    finally:
        stopped.cancel()


@contextmanager
def _libraries_silent() -> "Iterator[None]":
    """What the Kafka client would say at each attempt is in our own line."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
