"""Events to Kafka: queued without waiting, sent in order, sent again after a broken broker. What no
screen waits for is gathered for some milliseconds first.

A producer that the broker no longer accepts (its log fell back, or it was away) is replaced, and
what was not acknowledged is sent again; consumers tell repeats by the events' own ids.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from msgspec import Struct

from streams.contracts.codec import record
from streams.contracts.topics import AUDIENCE, Topic
from vision.errors import PublishError
from vision.gathering import Gathering
from vision.settings import GatewaySettings

#: Messages handed to the producer at a time: enough for a backlog, few enough to send again.
_AT_ONCE = 500

#: How long a message may stay unacknowledged before the producer is replaced. The default of 40 s
#: would leave a screen without news for as long.
_REQUEST_TIMEOUT_MS = 5_000

#: Waits between attempts to reach the broker, in seconds.
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 2.0

#: How long a new producer may take to be accepted; a broker without idempotence never answers.
_START_S = 10.0

#: How long a broken producer gets to close its connections.
_CLOSE_S = 2.0

#: Errors of one message that do not change by sending it again.
_HOPELESS = (MessageSizeTooLargeError, RecordTooLargeError)

Record = dict[str, Any]
ProducerFactory = Callable[[], Any]


class KafkaPublisher:
    """An EventPublisher over aiokafka's idempotent producer.

    An async context manager: entering reaches the broker (PublishError if it cannot), leaving
    closes without waiting; call `flush` before.

    Arguments:
        source: the CloudEvents source of the events; their ids tell gateways apart by themselves.
        make_producer: another producer, for tests.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        source: str = "smartstore/gateway",
        make_producer: ProducerFactory | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._make = make_producer or self._make_producer
        self._producer: Any = None
        self._gathering = Gathering(settings.gather_ms)
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Record] = deque()
        self._sending: list[Record] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0
        #: Producers replaced, and why the last one was.
        self.rebuilt = 0
        self.last_error: str | None = None

    async def __aenter__(self) -> Self:
        """Reach the broker and start sending."""
        try:
            self._producer = await self._started()
        except (KafkaError, OSError) as error:
            raise PublishError(
                f"no broker answers at {self._settings.kafka} ({error}); "
                "start it, or set SMARTSTORE_KAFKA to where it is"
            ) from error
        self._task = asyncio.create_task(self._run(), name="publisher")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop sending; what is still queued is lost and was reported by `flush`."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._discard()

    def publish(self, topic: Topic, event: Struct) -> None:
        """Queue `event`, or gather it. When there is no room the oldest heartbeat goes, else the
        oldest.
        """
        self._idle.clear()
        message = self._gathering.put(topic, event, asyncio.get_running_loop().time())
        if message is not None:
            self._queue(*message)
        self._watch_the_time()

    async def flush(self, timeout_s: float) -> bool:
        """Send what is gathered, and wait until all is acknowledged; False when `timeout_s` passed
        first.
        """
        for message in self._gathering.take_all():
            self._queue(*message)
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    @property
    def dropped(self) -> int:
        """Messages given up, for want of room or because they are too large."""
        return self._dropped

    @property
    def unsent(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._gathering) + len(self._waiting) + len(self._sending)

    def _queue(self, topic: Topic, event: Struct) -> None:
        if len(self._waiting) + len(self._sending) >= self._settings.buffer_messages:
            self._make_room()
        self._waiting.append(record(topic, event, self._source))
        self._work.set()

    def _watch_the_time(self) -> None:
        """One timer, for as long as something is gathered."""
        due_s = self._gathering.due_s
        if due_s is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._send_what_is_due)

    def _send_what_is_due(self) -> None:
        self._timer = None
        for message in self._gathering.take_due(asyncio.get_running_loop().time()):
            self._queue(*message)
        self._watch_the_time()

    def _make_room(self) -> None:
        if not self._waiting:
            return
        self._dropped += 1
        for position, message in enumerate(self._waiting):
            if message["topic"] == AUDIENCE.name:
                del self._waiting[position]
                return
        self._waiting.popleft()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if not self._sending:
                count = min(_AT_ONCE, len(self._waiting))
                self._sending = [self._waiting.popleft() for _ in range(count)]
            if self._sending:
                await self._send()
            if not self._sending and not self._waiting:
                self._work.clear()
                if not len(self._gathering):
                    self._idle.set()

    async def _send(self) -> None:
        """Send what is in hand; what is not acknowledged stays in hand, for a new producer."""
        try:
            results = await self._acknowledged(self._sending)
        except (KafkaError, OSError) as error:
            results = [error] * len(self._sending)
        failed: list[Record] = []
        for message, result in zip(self._sending, results, strict=True):
            if isinstance(result, _HOPELESS):
                self._dropped += 1
                self.last_error = f"{message['topic']}: {result}"
            elif isinstance(result, BaseException):
                failed.append(message)
                self.last_error = f"{type(result).__name__}: {result}"
        self._sending = failed
        if failed:
            await self._rebuild()

    async def _acknowledged(self, messages: list[Record]) -> list[Any]:
        """For each message its metadata, or the error that it met."""
        pending: list[Any] = []
        for message in messages:
            try:
                pending.append(await self._producer.send(**message))
            except _HOPELESS as error:
                failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                failed.set_exception(error)
                pending.append(failed)
        return list(await asyncio.gather(*pending, return_exceptions=True))

    async def _rebuild(self) -> None:
        """Replace the producer; tries until the broker answers."""
        wait_s = _FIRST_WAIT_S
        while True:
            await self._discard()
            try:
                self._producer = await self._started()
            except (KafkaError, OSError) as error:
                self.last_error = f"{type(error).__name__}: {error}"
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                self.rebuilt += 1
                return

    async def _started(self) -> Any:
        producer = self._make()
        try:
            await asyncio.wait_for(producer.start(), _START_S)
        except BaseException:
            await _stop(producer)
            raise
        return producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    def _make_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=30_000,
        )


async def _stop(producer: Any) -> None:
    """Close a producer, which may be broken: not for longer than it deserves."""
    try:
        await asyncio.wait_for(producer.stop(), _CLOSE_S)
    except (TimeoutError, KafkaError, OSError):
        return
