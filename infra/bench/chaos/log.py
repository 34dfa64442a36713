"""What the log holds in the end, read by a plain consumer."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.bench.chaos.reference import Logged
from streams.kafka_log import Record, read_ranges, side_consumer

#: Long enough for one fetch from each partition.
_LOOK_S = 3.0


async def read_log(bootstrap: str, topics: Sequence[str]) -> list[Logged]:
    """All records of the topics."""
    found: list[Logged] = []
    async with side_consumer(bootstrap, *topics) as consumer:
        places = sorted(consumer.assignment())
        begins = await consumer.beginning_offsets(places)
        ends = await _ends(consumer, places)
        await read_ranges(
            consumer,
            {place: (begins[place], ends[place]) for place in places},
            lambda r: found.append(Logged(r.topic, r.partition, r.offset, r.timestamp, r.value)),
        )
    return found


async def dead_letters(bootstrap: str, topics: Sequence[str]) -> set[tuple[str, str, int, int]]:
    """Distinct (consumer, topic, partition, offset) of the dead letters in the log."""
    found: set[tuple[str, str, int, int]] = set()
    async with side_consumer(bootstrap, *topics) as consumer:
        places = sorted(consumer.assignment())
        ends = await _ends(consumer, places)

        def keep(record: Record) -> None:
            told = dict(record.headers)
            consumer_name = record.topic.split(".")[0]
            at = int(told["partition"]), int(told["offset"])
            found.add((consumer_name, told["topic"].decode(), *at))

        await read_ranges(consumer, {place: (0, ends[place]) for place in places}, keep)
    return found


async def ends_of(bootstrap: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Where each partition ends."""
    async with side_consumer(bootstrap, *topics) as consumer:
        ends = await _ends(consumer, sorted(consumer.assignment()))
    return {(place.topic, place.partition): end for place, end in ends.items()}


async def _ends(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """As a fetch tells it: not every broker says so when it is asked."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(list(places))
    for place, end in ends.items():
        consumer.seek(place, end)
    until_s = asyncio.get_running_loop().time() + _LOOK_S
    while asyncio.get_running_loop().time() < until_s:
        await consumer.getmany(timeout_ms=200)
        if all(consumer.highwater(place) is not None for place in places):
            break
    return {place: max(end, consumer.highwater(place) or 0) for place, end in ends.items()}
