"""What the processors send. Many records at once: what aiokafka does for a record (metadata, a
partition in pure Python, a place in a batch, a future) is done once for a batch of them.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver

from streams.errors import DeliveryError

#: Fewer go one by one, into whatever batch is open: nothing is gained, and no turn is waited for.
_MANY = 8

#: Keys whose partition is remembered; they are targets, screens and stores.
_MOST_KEYS = 20_000

_partition_of = DefaultPartitioner()


class BatchingProducer(driver.Producer):
    """Faust's producer, that also takes many records at once."""

    _places: dict[tuple[str, bytes, int], int]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._places = {}

    async def send_many(self, records: Sequence[Mapping[str, Any]]) -> list[Awaitable[Any]]:
        """Sends the records (topic, key, value, headers), those of a partition in order. Each of
        what it returns is to be awaited.
        """
        producer = self._ensure_producer()
        partitions: dict[str, list[int]] = {}
        batches: dict[tuple[str, int], BatchBuilder] = {}
        sent: list[Awaitable[Any]] = []
        for record in records:
            topic = record["topic"]
            if topic not in partitions:
                partitions[topic] = sorted(await producer.partitions_for(topic))
            partition = self._place(topic, record["key"], partitions[topic])
            batch = batches.get((topic, partition))
            if batch is None or not _put(batch, record):
                if batch is not None:  # it is full
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = batches[topic, partition] = producer.create_batch()
                _put(batch, record)
        for (topic, partition), batch in batches.items():
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        return sent

    def _place(self, topic: str, key: bytes, partitions: list[int]) -> int:
        """The partition of a key, as every Kafka client has it."""
        known = (topic, key, len(partitions))
        partition = self._places.get(known)
        if partition is None:
            if len(self._places) >= _MOST_KEYS:
                self._places.clear()
            partition = self._places[known] = int(_partition_of(key, partitions, partitions))
        return partition


def _put(batch: BatchBuilder, record: Mapping[str, Any]) -> bool:
    """False when the batch is full; the first record always fits."""
    taken = batch.append(
        timestamp=None, key=record["key"], value=record["value"], headers=record["headers"]
    )
    return taken is not None


class FaustOutbox:
    """The application's own producer, without lingering."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """See `Outbox`."""
        producer = cast(BatchingProducer, self._app.producer)
        try:
            if len(records) >= _MANY:
                await _all(await producer.send_many(records))
            else:
                await _all([await _sent(producer, record) for record in records])
        except (KafkaError, ProducerSendError) as error:
            topics = ", ".join(sorted({str(record["topic"]) for record in records}))
            raise DeliveryError(
                f"the broker did not take {len(records)} records for {topics} ({error!r}): "
                "look whether it runs and has these topics"
            ) from error


async def _sent(producer: BatchingProducer, record: Mapping[str, Any]) -> Awaitable[Any]:
    acknowledged: Awaitable[Any] = await producer.send(
        record["topic"],
        record["key"],
        record["value"],
        partition=None,
        timestamp=None,
        headers=record["headers"],
    )
    return acknowledged


async def _all(pending: Iterable[Awaitable[Any]]) -> None:
    """Waits for each, then raises the first error; half as dear as `asyncio.gather`, which wants a
    task or a callback for each.
    """
    failed: Exception | None = None
    for acknowledged in pending:
        try:
            await acknowledged
        except KafkaError as error:
            failed = failed or error
    if failed is not None:
        raise failed
