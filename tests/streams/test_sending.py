"""Many records at once: in order, where every other Kafka client would put them."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.sending import BatchingProducer, _all

PARTITIONS = {0, 1, 2}


class Client:
    """What aiokafka's producer does of it."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.sent: list[tuple[int, list[tuple[bytes, bytes]]]] = []

    async def partitions_for(self, topic: str) -> set[int]:
        return PARTITIONS

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self.batch_size, 0)

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> "asyncio.Future[None]":
        records = MemoryRecords(bytes(batch._build()))  # noqa: SLF001 - what the sender does
        found = [(each.key, each.value) for each in records.next_batch()]
        self.sent.append((partition, found))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Producer(BatchingProducer):
    def __init__(self, client: Client) -> None:
        self._client = client
        self._places = {}

    def _ensure_producer(self) -> Any:
        return self._client


def records(count: int, size: int = 10) -> list[dict[str, Any]]:
    return [
        {
            "topic": "t",
            "key": f"zone-{n % 7}".encode(),
            "value": f"{n}".encode().ljust(size),
            "headers": [("ce_id", b"x")],
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("batch_size", [131_072, 300])
async def test_records_keep_their_order_and_every_clients_partition(batch_size: int) -> None:
    client = Client(batch_size)
    told = records(60)
    pending = await Producer(client).send_many(told)
    assert len(pending) == len(client.sent)
    assert (len(client.sent) > len(PARTITIONS)) == (batch_size == 300)
    for partition in PARTITIONS:
        found = [each for at, batch in client.sent if at == partition for each in batch]
        assert found == [
            (record["key"], record["value"])
            for record in told
            if DefaultPartitioner()(record["key"], sorted(PARTITIONS), []) == partition
        ]


async def test_a_record_that_is_larger_than_a_batch_is_sent_by_itself() -> None:
    client = Client(300)
    await Producer(client).send_many(records(3, size=1_000))
    assert sum(len(batch) for _, batch in client.sent) == 3


async def test_every_acknowledgement_is_waited_for_and_the_first_error_told() -> None:
    waited: list[int] = []

    async def answer(number: int, error: Exception | None = None) -> None:
        waited.append(number)
        if error is not None:
            raise error

    lost, later = KafkaError("first"), KafkaError("second")
    with pytest.raises(KafkaError, match="first"):
        await _all([answer(1), answer(2, lost), answer(3, later), answer(4)])
    assert waited == [1, 2, 3, 4]
