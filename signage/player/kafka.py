"""The player's two ends in Kafka: it follows what concerns its screen without a consumer group, and
delivers proofs to `signage.play.v1`. Both outlive a broker that does not.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from signage.errors import ProofSendError
from signage.partitions import partitions_of
from signage.player.ports import Listener
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.signage import Play
from streams.contracts.store import store_key
from streams.contracts.topics import CONTENT, CREATIVE, PLAY, PLAYLIST, PRICE

_log = logging.getLogger(__name__)

#: A broker that comes back is noticed within this time without being hammered meanwhile.
_RETRY_S = 1.0
#: After so long without a record the log's end is compared with our position: a broker that lost
#: the end of its log would otherwise be listened to in vain until it has grown past us.
_IDLE_CHECK_S = 5.0
#: A send that is not acknowledged in this time is tried again with a new producer.
_REQUEST_TIMEOUT_MS = 10_000


class KafkaContentFeed:
    """What the log says to one screen: its content and its playlist (only the partitions that hold
    its key are read), withdrawn creatives and the store's prices.

    Of the content it starts `lookback_ms` ago, since an older one is no longer valid, and tells the
    newest; the compacted topics are read whole. Topics that the broker does not have are absent.
    """

    def __init__(self, bootstrap: str, store_id: str, screen_id: str, lookback_ms: int) -> None:
        self._bootstrap = bootstrap
        self._store = store_key(store_id, "")
        self._key = screen_id.encode()
        self._lookback_ms = lookback_ms
        self._connected = False
        self._told_away = False

    @property
    def connected(self) -> bool:
        """Whether the broker answered when it was last asked."""
        return self._connected

    async def run(self, listener: Listener) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow(listener)
            except (KafkaError, OSError, TimeoutError) as error:
                if self._connected or not self._told_away:
                    self._told_away = True
                    _log.warning(
                        "no content from the broker at %s (%s): the rotation is played until it "
                        "is back",
                        self._bootstrap,
                        error or type(error).__name__,
                    )
                self._connected = False
            await asyncio.sleep(_RETRY_S)

    async def _follow(self, listener: Listener) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            retry_backoff_ms=200,
        )
        try:
            await consumer.start()
            partitions = await self._partitions()
            consumer.assign(partitions)
            ends = await self._rewind(consumer, partitions)
            self._connected = True
            await self._catch_up(consumer, ends, listener)
            await self._tail(consumer, partitions, listener)
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await consumer.stop()

    async def _partitions(self) -> list[TopicPartition]:
        keyed, whole = (CONTENT.name, PLAYLIST.name), (CREATIVE.name, PRICE.name)
        places = await partitions_of(self._bootstrap, *keyed, *whole)
        if not places[CONTENT.name]:
            raise KafkaError(f"the topic {CONTENT.name} does not exist yet")
        found: list[TopicPartition] = []
        for topic in keyed:
            if numbers := [place.partition for place in places[topic]]:
                mine = DefaultPartitioner()(self._key, numbers, numbers)
                found.append(TopicPartition(topic, mine))
        return found + [place for topic in whole for place in places[topic]]

    async def _rewind(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Seek to where something that still counts may begin; the log's ends."""
        since_ms = max(0, int(time.time() * 1000) - self._lookback_ms)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        content = partitions[0]
        found = (await consumer.offsets_for_times({content: since_ms})).get(content)
        end = ends[content]
        consumer.seek(content, end if found is None else min(found.offset, end))
        await consumer.seek_to_beginning(*partitions[1:])
        return ends

    async def _catch_up(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], listener: Listener
    ) -> None:
        """Read to what was the end, and tell the newest of each key: the past changes no screen.

        Prices and withdrawals first, the content last, so that it finds what it needs.
        """
        newest: dict[tuple[str, bytes], ConsumerRecord] = {}
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            records = await self._poll(consumer)
            newest |= {(r.topic, r.key): r for r in records if self._concerns(r)}
            if not records:  # a broker that restarted may have a shorter log by now
                now = await consumer.end_offsets(list(ends))
                ends = {p: min(end, now[p]) for p, end in ends.items()}
        order = (PRICE.name, CREATIVE.name, PLAYLIST.name, CONTENT.name)
        for record in sorted(newest.values(), key=lambda r: order.index(r.topic)):
            self._tell(record, listener)

    async def _tail(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], listener: Listener
    ) -> None:
        checked = time.monotonic()
        while True:
            for record in await self._poll(consumer):
                checked = time.monotonic()
                if self._concerns(record):
                    listener.logged(record.timestamp)
                    self._tell(record, listener)
            if time.monotonic() - checked < _IDLE_CHECK_S:
                continue
            checked = time.monotonic()
            for partition, end in (await consumer.end_offsets(partitions)).items():
                if end < await consumer.position(partition):
                    raise KafkaError(f"the log of {partition.topic} ends before our position")

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
        batches = await consumer.getmany(timeout_ms=1_000)
        return [record for batch in batches.values() for record in batch]

    def _concerns(self, record: ConsumerRecord) -> bool:
        if record.topic in (CONTENT.name, PLAYLIST.name):
            return bool(record.key == self._key)
        if record.key is None:
            return False
        ours: bool = record.key.startswith(self._store.encode())
        return ours or record.topic == CREATIVE.name

    def _tell(self, record: ConsumerRecord, listener: Listener) -> None:
        key = record.key.decode(errors="replace")
        if record.topic == PLAYLIST.name:
            if record.value is not None:
                listener.playlist(record.value)
            return
        try:
            value = None if record.value is None else codec.decode(record.topic, record.value)
        except UndecodableError as error:
            _log.error("offset %d of partition %d: %s", record.offset, record.partition, error)
            return
        if record.topic == CONTENT.name:
            listener.content(value)
        elif record.topic == CREATIVE.name:
            listener.creative(key, value)
        else:
            listener.price(key.removeprefix(self._store), value)


class KafkaProofChannel:
    """Proofs to `signage.play.v1`. A producer that failed is thrown away: after a broker lost the
    end of its log, an idempotent one would fail for ever. Repeats carry the same event id.
    """

    def __init__(self, bootstrap: str, player_id: str) -> None:
        self._bootstrap = bootstrap
        self._source = f"/players/{player_id}"
        self._producer: AIOKafkaProducer | None = None

    async def send(self, plays: Sequence[Play]) -> None:
        """Deliver in order. Raises ProofSendError."""
        try:
            producer = await self._ready()
            sent = [await producer.send(**codec.record(PLAY, play, self._source)) for play in plays]
            for result in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise ProofSendError(
                f"{len(plays)} proofs of play could not be delivered to {self._bootstrap} "
                f"({error or type(error).__name__}); they are kept and sent again"
            ) from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the producer, without waiting for a broker that is away."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), _RETRY_S)

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=True,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
