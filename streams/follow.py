"""Follows compacted topics from their beginning: whoever asks is fed the latest value of each key.

For what a processor must know besides the events of its partitions: snapshots that somebody
publishes now and then. It reads beside the group, commits nothing, and begins anew after a fault;
whoever is fed must bear to be told the same again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.kafka_log import Record, offsets_at, side_consumer

log = logging.getLogger(__name__)

_POLL_MS = 500

#: What is published is known within a second: a withdrawn creative has five to leave its screens.
_LOOK_MS, _PAUSE_S = 100, 0.3

#: A broker that is away is asked again so soon.
_RETRY_S = 2.0


class Table(Protocol):
    """What is fed."""

    def take(self, topic: str, key: str, event: Any | None) -> bool:
        """The newest value of `key`; None: it was deleted. True where that may change something
        now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Followed:
    """What is followed: `topics` from their beginning; then, once those are known, `later` from a
    time on, which may hang on them (None: from the beginning too).
    """

    topics: Sequence[str]
    later: Mapping[str, Callable[[], int | None]]


async def follow(
    bootstrap: str,
    followed: Followed,
    table: Table,
    *,
    known: Callable[[], None],
    changed: Callable[[], Awaitable[None]],
    over: Callable[[], bool],
) -> None:
    """Feeds `table` until `over`. `known` is called when it has all that was there at the start,
    again after a fault; `changed` after each batch that may change something.
    """
    while not over():
        try:
            async with side_consumer(bootstrap, *followed.topics, *followed.later) as consumer:
                await _catch_up(consumer, followed, table)
                known()
                await changed()
                while not over():
                    if await _look(consumer, table):
                        await changed()
                    await asyncio.sleep(_PAUSE_S)
        except KafkaError as error:
            log.warning("what is followed cannot be read (%r); trying again", error)
            await asyncio.sleep(_RETRY_S)


async def _look(consumer: AIOKafkaConsumer, table: Table) -> bool:
    """Feeds what has come. Between two looks nothing is asked for: some brokers answer an empty
    fetch at once, and whoever waits for shoppers beside this has better things to do.
    """
    consumer.resume(*consumer.assignment())
    batches = await consumer.getmany(timeout_ms=_LOOK_MS)
    consumer.pause(*consumer.assignment())
    return any([_feed(table, record) for records in batches.values() for record in records])


async def _catch_up(consumer: AIOKafkaConsumer, followed: Followed, table: Table) -> None:
    later = [tp for tp in consumer.assignment() if tp.topic in followed.later]
    consumer.pause(*later)
    await _read_to_the_end(consumer, consumer.assignment() - set(later), table)
    begins = {tp: followed.later[tp.topic]() for tp in later}
    times = {tp: since_ms for tp, since_ms in begins.items() if since_ms is not None}
    for tp, offset in (await offsets_at(consumer, times)).items():
        consumer.seek(tp, offset)
    consumer.resume(*later)
    await _read_to_the_end(consumer, set(later), table)


async def _read_to_the_end(
    consumer: AIOKafkaConsumer,
    partitions: "set[TopicPartition] | frozenset[TopicPartition]",
    table: Table,
) -> None:
    """Feeds all that the partitions hold at this moment."""
    ends = await consumer.end_offsets(list(partitions)) if partitions else {}
    left = {tp for tp in partitions if ends[tp] > 0}
    while left:
        batches = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        for records in batches.values():
            for record in records:
                _feed(table, record)
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}


def _feed(table: Table, record: Record) -> bool:
    if record.key is None:
        return False
    try:
        key = record.key.decode()
        event = None if not record.value else codec.decode(record.topic, record.value)
    except (UndecodableError, UnicodeDecodeError) as error:
        log.warning("%s at %d is not followed: %s", record.topic, record.offset, error)
        return False
    return table.take(record.topic, key, event)
