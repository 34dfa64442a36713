"""Reads the whole log along with everybody else, to know what the broker acknowledged and forgot.

A record that was seen at an offset, and at the end is not there any more or is another one, was
forgotten. No retention is short enough to explain it.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from infra.tally import Tally
from streams.contracts.topics import CONSUMERS, TOPICS, dead_letter_topic
from streams.kafka_log import Record, read_ranges, side_consumer
from streams.sink.brokerwatch import BrokerWatch

_RETRY_S = 0.1
_POLL_MS = 200
_REQUEST_TIMEOUT_MS = 3_000

#: Topics that a run writes; layouts and creatives are told once, at its beginning.
NAMES = (*TOPICS, *(dead_letter_topic(consumer) for consumer in CONSUMERS))

#: What a table's rows are known by.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it was at its offset. `timestamp_ms` is when it was appended."""

    topic: str
    value: bytes | None
    timestamp_ms: int


class LogTail:
    """Follows all topics until it is cancelled; outlives the broker."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._next: dict[TopicPartition, int] = {}
        self._seen: dict[TopicPartition, dict[int, list[Seen]]] = {}

    async def run(self) -> None:
        """Follow the log."""
        while True:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await self._follow()
            await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            *NAMES,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        # A client reconnects in silence; the records after the break would hide what was lost.
        async with BrokerWatch(self._bootstrap) as watch:
            try:
                await consumer.start()
                places = sorted(consumer.assignment())
                ends = await consumer.end_offsets(places)
                for place in places:
                    consumer.seek(place, min(self._next.get(place, 0), ends[place]))
                while not watch.broken:
                    batches = await consumer.getmany(timeout_ms=_POLL_MS)
                    if not watch.broken:
                        self._keep(batches)
            finally:
                await _stop(consumer)

    def _keep(self, batches: Mapping[TopicPartition, Sequence[Record]]) -> None:
        for place, records in batches.items():
            seen = self._seen.setdefault(place, {})
            for record in records:
                entry = Seen(record.topic, record.value, record.timestamp)
                known = seen.setdefault(record.offset, [])
                if entry not in known:
                    known.append(entry)
                self._next[place] = record.offset + 1

    async def forgotten(self) -> list[Seen]:
        """The records that were in the log once and are not there now."""
        now: dict[TopicPartition, dict[int, Seen]] = {}

        def keep(record: Record) -> None:
            place = TopicPartition(record.topic, record.partition)
            entry = Seen(record.topic, record.value, record.timestamp)
            now.setdefault(place, {})[record.offset] = entry

        async with side_consumer(self._bootstrap, *NAMES) as side:
            places = list(self._seen)
            begins = await side.beginning_offsets(places)
            ends = await side.end_offsets(places)
            await read_ranges(side, {p: (begins[p], ends[p]) for p in places}, keep)
        return [
            entry
            for place, offsets in self._seen.items()
            for offset, entries in offsets.items()
            for entry in entries
            if now.get(place, {}).get(offset) != entry
        ]


def keys(seen: Seen) -> frozenset[Key]:
    """The rows that a record stands for, by table and id."""
    tally = Tally()
    tally.add(seen.topic, seen.value, seen.timestamp_ms)
    return frozenset(keys_of(tally))


def keys_of(tally: Tally) -> set[Key]:
    """The rows that the counted events stand for, by table and id."""
    return {
        *(("gaze", gaze_id) for gaze_id in tally.gaze),
        *(("dwell", dwell_id) for dwell_id in tally.dwell),
        *(("baskets", basket_id) for basket_id in tally.baskets),
        *(("decisions", decision_id) for decision_id in tally.decisions),
        *(("plays", play_id) for play_id in tally.plays_ended),
        *(("attention", f"{name}@{begin}-{end}") for name, begin, end in tally.attention),
    }


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Let go of a consumer whose broker may be gone, without waiting for its goodbye."""
    goodbye = asyncio.ensure_future(consumer.stop())
    done, _ = await asyncio.wait([goodbye], timeout=2.0)
    if done and not goodbye.cancelled():
        goodbye.exception()
    else:
        goodbye.cancel()
