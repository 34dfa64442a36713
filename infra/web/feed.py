"""Reads the log for the page: no group, no offsets, all again after the broker broke away."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from streams.contracts import topics
from streams.contracts.codec import decode
from streams.contracts.errors import ContractError
from streams.sink.brokerwatch import BrokerWatch
from streams.sink.closing import close
from streams.sink.errors import BrokerGoneError, NoTopicsError
from streams.sink.partitions import all_partitions

_LOG = logging.getLogger(__name__)

#: Counted from the beginning of the page's time on.
_COUNTED = (
    topics.GAZE.name,
    topics.DWELL.name,
    topics.DECISION.name,
    topics.PLAY.name,
    topics.BASKET.name,
)
#: Small and compacted: the newest of each key, however old.
_WHOLE = (topics.CONTENT.name, topics.CREATIVE.name)
#: Only the newest counts; some minutes bring a page up to date that was opened late.
_NEWEST = (topics.AUDIENCE.name, topics.CROSSING.name, topics.ATTENTION.name)
_NEWEST_MS = 120_000

FEED_TOPICS = (*_COUNTED, *_WHOLE, *_NEWEST)

_POLL_MS = 100
_MOST_RECORDS = 1_000
_RETRY_S = 0.5
_REQUEST_TIMEOUT_MS = 10_000

#: Told each record with its decoded event, None where it cannot be decoded.
Take = Callable[[ConsumerRecord, object | None], None]


class Feed:
    """Follows the topics of the page from `since_ms` on and hands every record to `take`; calls
    `begin` before it begins anew."""

    def __init__(
        self, bootstrap: str, since_ms: int, take: Take, begin: Callable[[], None]
    ) -> None:
        self._bootstrap = bootstrap
        self._since_ms = since_ms
        self._take = take
        self._begin = begin
        self.up = False
        #: Whether all was read that the log held when it was (last) begun.
        self.read = False
        self.breaks = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop` is set; a broker that is away is waited for."""
        told = ""
        while not stop.is_set():
            try:
                await self._session(stop)
            except (KafkaError, OSError, TimeoutError, NoTopicsError, BrokerGoneError) as error:
                self.breaks += self.up
                if str(error) != told:
                    told = str(error)
                    _LOG.warning("the page waits for the broker at %s: %s", self._bootstrap, told)
            finally:
                self.up = self.read = False
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _RETRY_S)

    async def _session(self, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            watch = await stack.enter_async_context(BrokerWatch(self._bootstrap))
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            stack.push_async_callback(lambda: close(consumer.stop()))
            places = await all_partitions(self._bootstrap, FEED_TOPICS, FEED_TOPICS)
            await consumer.start()
            consumer.assign(places)
            behind = await self._seek(consumer, places)
            self._begin()
            self.up = True
            while not stop.is_set():
                fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_RECORDS)
                if watch.broken:
                    raise BrokerGoneError("it closed the connection")
                for place, records in fetched.items():
                    for record in records:
                        self._take(record, _decoded(record))
                    if records and records[-1].offset + 1 >= behind.get(place, 0):
                        behind.pop(place, None)
                self.read = not behind
                # A long log is read in pieces, so that the page answers meanwhile.
                await asyncio.sleep(0)

    async def _seek(
        self, consumer: AIOKafkaConsumer, places: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Goes to where reading begins; the ends of those places where something is to be read."""
        newest_ms = max(0, int(time.time() * 1_000) - _NEWEST_MS)
        wanted = {
            place: self._since_ms if place.topic in _COUNTED else newest_ms
            for place in places
            if place.topic not in _WHOLE
        }
        found = await consumer.offsets_for_times(wanted)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        behind = {}
        for place in places:
            at = found.get(place)
            begin = at.offset if at else ends[place] if place in wanted else starts[place]
            consumer.seek(place, begin)
            # What compaction removed at the end would be waited for in vain.
            if begin < ends[place] and place.topic in _COUNTED:
                behind[place] = ends[place]
        return behind


def _decoded(record: ConsumerRecord) -> object | None:
    try:
        event: object = decode(record.topic, record.value)
    except ContractError:
        # The page shows; whoever acts on the record keeps it as a dead letter.
        return None
    return event
