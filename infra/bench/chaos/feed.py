"""Sends a history to the broker at its pace; each message is tried until the broker has it."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.bench.chaos.history import Message

_REQUEST_TIMEOUT_MS = 5_000
_PAUSE_S = 0.3
#: Messages on their way to the broker at once.
_MOST_IN_FLIGHT = 500


class Feeder:
    """A producer (idempotent where the broker knows that) that is made anew when it fails: what it
    had not been told about is sent again, so that the log holds each message at least once.
    """

    def __init__(self, bootstrap: str, begin_ms: int, *, idempotent: bool = True) -> None:
        self._bootstrap = bootstrap
        self._begin_ms = begin_ms
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self.delivered = 0
        self.producers = 0

    async def run(self, messages: Sequence[Message]) -> None:
        """Returns when all have been acknowledged."""
        waiting = deque(messages)
        flying: dict[asyncio.Future[object], Message] = {}
        try:
            while waiting or flying:
                now_ms = time.time() * 1_000 - self._begin_ms
                try:
                    while waiting and waiting[0].at_ms <= now_ms and len(flying) < _MOST_IN_FLIGHT:
                        sent = await self._send(waiting[0])
                        flying[sent] = waiting.popleft()
                    failed = await self._landed(flying)
                except (KafkaError, OSError, TimeoutError):
                    failed = True
                if failed:
                    await self._anew()
                    waiting.extendleft(reversed(flying.values()))
                    flying.clear()
                    await asyncio.sleep(_PAUSE_S)
                elif waiting:
                    ahead_s = (waiting[0].at_ms + self._begin_ms) / 1_000 - time.time()
                    await asyncio.sleep(min(0.05, max(0.001, ahead_s)))
        finally:
            await self._anew()

    async def _landed(self, flying: dict[asyncio.Future[object], Message]) -> bool:
        """Takes out what was acknowledged; whether something failed."""
        if flying:
            await asyncio.wait(flying, timeout=0.01)
        failed = False
        for future in [each for each in flying if each.done()]:
            if future.cancelled() or future.exception() is not None:
                failed = True
            else:
                del flying[future]
                self.delivered += 1
        return failed

    async def _send(self, message: Message) -> asyncio.Future[object]:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=self._idempotent,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            self._producer = producer
            self.producers += 1
            await producer.start()
        sent: asyncio.Future[object] = await self._producer.send(
            message.topic,
            key=message.key,
            value=message.value,
            timestamp_ms=round(time.time() * 1_000) + message.clock_ms,
        )
        return sent

    async def _anew(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(10.0):
                    await producer.stop()
