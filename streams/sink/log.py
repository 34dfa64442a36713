"""The sink's view of the log: all partitions of its topics, no consumer group, from stored offsets.

The offsets live in the database, beside the rows.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from streams.sink.closing import close
from streams.sink.partitions import all_partitions
from streams.sink.resume import (
    Place,
    Resume,
    Rewind,
    RewindReason,
    Stored,
    digest,
    resume,
    rewound_to,
)
from streams.sink.settings import SinkSettings

_LOG = logging.getLogger(__name__)

#: A broker that is away is noticed by the watch; this bounds a request to one that hangs.
_REQUEST_TIMEOUT_MS = 10_000


class LogReader:
    """Reads topics in batches. Call `open` first, `close` at the end."""

    def __init__(self, settings: SinkSettings) -> None:
        self._settings = settings
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka,
            enable_auto_commit=False,
            # An offset outside the log is a loss to be counted, never a reset in silence.
            auto_offset_reset="none",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        self._verify: dict[TopicPartition, Stored] = {}
        #: Records that retention deleted before the sink had read them.
        self.expired = 0

    async def close(self) -> None:
        """Leave the broker."""
        await close(self._consumer.stop())

    async def open(
        self, topics: Sequence[str], needed: Sequence[str], stored: Mapping[Place, Stored]
    ) -> list[Rewind]:
        """Take all partitions of `topics`, each from where `stored` says; tells what did not fit.

        Raises:
            NoTopicsError: the broker has not all of the topics `needed`.
            KafkaError: the broker is away.
        """
        places = await all_partitions(self._settings.kafka, topics, needed)
        await self._consumer.start()
        self._consumer.assign(places)
        starts = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        rewinds = []
        for place in places:
            known = stored.get((place.topic, place.partition))
            plan = resume(known, starts[place], ends[place])
            if known is not None and plan.forgotten:
                rewinds.append(await self._rewind(place, known, "the log ends before it"))
                continue
            self._follow(place, known, plan)
        return rewinds

    def _follow(self, place: TopicPartition, known: Stored | None, plan: Resume) -> None:
        self.expired += plan.expired
        if plan.expired:
            _LOG.error(
                "%s/%s: retention deleted %s records before the sink stored them; "
                "keep the log longer or the sink running",
                place.topic,
                place.partition,
                plan.expired,
            )
        if known is not None and plan.verify:
            self._verify[place] = known
        self._consumer.seek(place, plan.read_from)

    async def batch(self) -> tuple[list[ConsumerRecord], list[Rewind]]:
        """The next records, in the order of each partition; fewer, or none, after a short wait.

        With them, where a last record turned out to be another one than was stored.
        """
        clock = asyncio.get_running_loop().time
        until: float | None = None
        records: list[ConsumerRecord] = []
        rewinds: list[Rewind] = []
        most, longest_ms = self._settings.sink_batch_records, self._settings.sink_batch_wait_ms
        while len(records) < most:
            wait_ms = longest_ms if until is None else int((until - clock()) * 1_000)
            if wait_ms <= 0:
                break
            fetched = await self._consumer.getmany(
                timeout_ms=wait_ms, max_records=most - len(records)
            )
            for place, found in fetched.items():
                kept, rewind = await self._verified(place, found)
                records += kept
                rewinds += [rewind] if rewind else []
            if not records:
                break
            until = until or clock() + longest_ms / 1_000
        return records, rewinds

    async def _verified(
        self, place: TopicPartition, found: list[ConsumerRecord]
    ) -> tuple[list[ConsumerRecord], Rewind | None]:
        known = self._verify.pop(place, None) if found else None
        if known is None:
            return found, None
        first = found[0]
        if first.offset != known.next_offset - 1:
            return found, None
        if digest(first.timestamp, first.key, first.value) == known.digest:
            return found[1:], None
        return [], await self._rewind(place, known, "another record is there")

    async def _rewind(self, place: TopicPartition, known: Stored, reason: RewindReason) -> Rewind:
        since_ms = max(0, known.record_at_ms - self._settings.sink_rewind_ms)
        found = (await self._consumer.offsets_for_times({place: since_ms}))[place]
        start = (await self._consumer.beginning_offsets([place]))[place]
        end = (await self._consumer.end_offsets([place]))[place]
        target = rewound_to(start, end, found.offset if found else None)
        self._consumer.seek(place, target)
        return Rewind(
            place=(place.topic, place.partition),
            reason=reason,
            stored=known,
            log_start=start,
            log_end=end,
            resumed_at=target,
            forgotten=max(0, known.next_offset - end),
        )

    async def ends(self) -> dict[TopicPartition, int]:
        """The offset after the newest record of each partition, now."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(
            list(self._consumer.assignment())
        )
        return ends

    def known_ends(self) -> dict[Place, int]:
        """The offset after the newest record of each partition, as the last fetches told."""
        ends: dict[Place, int] = {}
        for place in self._consumer.assignment():
            end: int | None = self._consumer.highwater(place)
            if end is not None:
                ends[place.topic, place.partition] = end
        return ends

    async def reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Whether all records before `ends` have been handed out."""
        for place, end in ends.items():
            if await self._consumer.position(place) < end:
                return False
        return True
