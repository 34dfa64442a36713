"""Many records at once to Kafka: what aiokafka does for a record (metadata, a partition in pure
Python, a place in a batch, a future) is done once for a batch of them.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.transport.drivers import aiokafka as driver

#: Fewer go one by one, into whatever batch is open: nothing is gained, and no turn is waited for.
MANY = 8

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
