"""Reading back what a log holds, beside the group that consumes it: by ranges, by time, to the end.

The consumers here have no group, commit nothing and are closed before their functions return.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.errors import ReadBackError
from streams.uncancelled import is_meant

#: Long enough for a busy broker, short against the deadline of a start.
_POLL_MS = 500
_REQUEST_TIMEOUT_MS = 5_000

Record: TypeAlias = ConsumerRecord
Ranges = Mapping[TopicPartition, tuple[int, int]]


@asynccontextmanager
async def side_consumer(bootstrap: str, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group; all partitions of `topics` are assigned to it."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        try:
            await consumer.stop()
        except asyncio.CancelledError:
            # It also comes of a consumer's own task that was stopped before it had begun.
            if is_meant():
                raise


async def offsets_at(
    consumer: AIOKafkaConsumer, times_ms: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The first offset of each partition from its time on; the log's end where there is none."""
    if not times_ms:
        return {}
    found = await consumer.offsets_for_times(dict(times_ms))
    ends = await consumer.end_offsets(list(times_ms))
    return {
        tp: min(at.offset, ends[tp]) if (at := found.get(tp)) is not None else ends[tp]
        for tp in times_ms
    }


async def last_times_ms(
    consumer: AIOKafkaConsumer, before: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """When the last record before each offset was written; nothing where the log has none."""
    begins = await consumer.beginning_offsets(list(before))
    ranges = {tp: (o - 1, o) for tp, o in before.items() if o > begins[tp]}
    times_ms: dict[TopicPartition, int] = {}

    def keep(record: Record) -> None:
        times_ms[TopicPartition(record.topic, record.partition)] = record.timestamp

    await read_ranges(consumer, ranges, keep)
    return times_ms


async def read_ranges(
    consumer: AIOKafkaConsumer, ranges: Ranges, handle: Callable[[Record], None]
) -> None:
    """Hands every record of the half-open offset ranges to `handle`; each partition in order."""
    open_ranges = {tp: end for tp, (begin, end) in ranges.items() if begin < end}
    if not open_ranges:
        return
    if not set(open_ranges) <= consumer.assignment():
        consumer.assign(list(open_ranges))
    consumer.resume(*open_ranges)  # an earlier range of the same partition ended in a pause
    for tp in open_ranges:
        consumer.seek(tp, ranges[tp][0])
    while open_ranges:
        batches = await consumer.getmany(*open_ranges, timeout_ms=_POLL_MS)
        for tp, records in batches.items():
            for record in records:
                if record.offset < open_ranges[tp]:
                    handle(record)
        for tp in list(open_ranges):
            # The position also passes offsets that hold nothing (compacted or lost ones).
            if await consumer.position(tp) >= open_ranges[tp]:
                del open_ranges[tp]
                consumer.pause(tp)
        await asyncio.sleep(0)


@asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    """Turns slowness and a broker's refusal into one ReadBackError that says what was read."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ReadBackError(
            f"{what} could not be read back within {seconds:g} s: "
            "look whether the broker is overloaded, or raise ready_deadline_s"
        ) from error
    except KafkaError as error:
        raise ReadBackError(
            f"{what} could not be read back ({error!r}): look whether the broker runs"
        ) from error


async def latest_by_key(bootstrap: str, topic: str, *, since_ms: int) -> dict[bytes, Record]:
    """The newest record of each key of `topic` that was written from `since_ms` on."""
    newest: dict[bytes, Record] = {}

    def keep(record: Record) -> None:
        if record.key is not None:
            newest[record.key] = record

    async with side_consumer(bootstrap, topic) as consumer:
        tps = sorted(consumer.assignment())
        begins = await offsets_at(consumer, dict.fromkeys(tps, since_ms))
        ends = await consumer.end_offsets(tps)
        await read_ranges(consumer, {tp: (begins[tp], ends[tp]) for tp in tps}, keep)
    return newest
