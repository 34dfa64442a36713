"""Sends what the sink gave up on to its dead-letter topic, acknowledged before it goes on."""

import logging
from collections import Counter

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import ConsumerRecord

from streams.deadletter import dead_letter
from streams.sink.closing import close

#: A message of the largest size that brokers take by default grows by its headers; then this much
#: of it is kept.
_KEPT_BYTES = 512 * 1024

#: A database's error may quote all of a row.
_MOST_REASON = 300

log = logging.getLogger(__name__)


class DeadLetters:
    """A producer of dead letters; as a context manager it is started and stopped.

    A record may be sent again after a restart: topic, partition and offset in the headers tell.
    """

    def __init__(self, bootstrap: str, consumer: str) -> None:
        self._consumer = consumer
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", max_request_size=2 * 1024 * 1024
        )

    async def __aenter__(self) -> "DeadLetters":
        try:
            await self._producer.start()
        except BaseException:
            await close(self._producer.stop())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await close(self._producer.stop())

    async def send(self, record: ConsumerRecord, error: Exception) -> None:
        """Keep `record` with its error; returns when the broker has it."""
        letter = dead_letter(
            self._consumer,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            error=error,
        )
        try:
            await self._producer.send_and_wait(**letter)
        except MessageSizeTooLargeError:
            letter["value"] = (record.value or b"")[:_KEPT_BYTES]
            letter["headers"].append(("cut", b"true"))
            await self._producer.send_and_wait(**letter)


class Buried:
    """What one batch of records gave up on."""

    def __init__(self) -> None:
        self._first: tuple[ConsumerRecord, Exception] | None = None
        self._kinds: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many records."""
        return self._kinds.total()

    def note(self, record: ConsumerRecord, error: Exception) -> None:
        """One more, and why."""
        self._first = self._first or (record, error)
        self._kinds[type(error).__name__] += 1

    def tell(self, records: int) -> None:
        """One line of the log, whatever their number; none where there are none."""
        if self._first is None:
            return
        first, error = self._first
        reason = " ".join(str(error).split())[:_MOST_REASON]
        log.warning(
            "%d of %d records went to the dead letters (%s), the first of them %s partition %d "
            "offset %d: %s",
            self.count,
            records,
            ", ".join(f"{count} {kind}" for kind, count in self._kinds.most_common()),
            first.topic,
            first.partition,
            first.offset,
            reason,
            extra={"topic": first.topic, "partition": first.partition, "offset": first.offset},
        )
