"""The player's two ends in Kafka: it follows its screen's key on `signage.content.v1` without a
consumer group, and delivers proofs to `signage.play.v1`. Both outlive a broker that does not.
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
from signage.player.ports import OnContent
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.signage import Content, Play
from streams.contracts.topics import CONTENT, PLAY

_log = logging.getLogger(__name__)

#: A broker that comes back is noticed within this time without being hammered meanwhile.
_RETRY_S = 1.0
#: After so long without a record the log's end is compared with our position: a broker that lost
#: the end of its log would otherwise be listened to in vain until it has grown past us.
_IDLE_CHECK_S = 5.0
#: A send that is not acknowledged in this time is tried again with a new producer.
_REQUEST_TIMEOUT_MS = 10_000


class KafkaContentFeed:
    """The content of one screen: only the partition that holds its key is read.

    It starts `lookback_ms` ago, since an older content is no longer valid, and tells the newest.
    """

    def __init__(self, bootstrap: str, screen_id: str, lookback_ms: int) -> None:
        self._bootstrap = bootstrap
        self._key = screen_id.encode()
        self._lookback_ms = lookback_ms
        self._connected = False
        self._told_away = False

    @property
    def connected(self) -> bool:
        """Whether the broker answered when it was last asked."""
        return self._connected

    async def run(self, on_content: OnContent) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow(on_content)
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

    async def _follow(self, on_content: OnContent) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            retry_backoff_ms=200,
        )
        try:
            await consumer.start()
            partition = await self._partition(consumer)
            consumer.assign([partition])
            end = await self._rewind(consumer, partition)
            self._connected = True
            await self._catch_up(consumer, partition, end, on_content)
            await self._tail(consumer, partition, on_content)
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await consumer.stop()

    async def _partition(self, consumer: AIOKafkaConsumer) -> TopicPartition:
        await consumer.topics()  # asks the broker
        numbers = sorted(consumer.partitions_for_topic(CONTENT.name) or ())
        if not numbers:
            raise KafkaError(f"the topic {CONTENT.name} does not exist yet")
        return TopicPartition(CONTENT.name, DefaultPartitioner()(self._key, numbers, numbers))

    async def _rewind(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
        """Seek to where a content that is still valid may begin; the log's end."""
        since_ms = max(0, int(time.time() * 1000) - self._lookback_ms)
        end: int = (await consumer.end_offsets([partition]))[partition]
        found = (await consumer.offsets_for_times({partition: since_ms})).get(partition)
        consumer.seek(partition, end if found is None else min(found.offset, end))
        return end

    async def _catch_up(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, end: int, tell: OnContent
    ) -> None:
        """Read to what was the end, and tell the newest alone: the past changes no screen."""
        newest: ConsumerRecord | None = None
        while await consumer.position(partition) < end:
            records = await self._poll(consumer)
            for record in records:
                newest = record if record.key == self._key else newest
            if not records:  # a broker that restarted may have a shorter log by now
                end = min(end, (await consumer.end_offsets([partition]))[partition])
        if newest is not None:
            self._tell(newest, tell)

    async def _tail(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, tell: OnContent
    ) -> None:
        checked = time.monotonic()
        while True:
            for record in await self._poll(consumer):
                checked = time.monotonic()
                if record.key == self._key:
                    self._tell(record, tell)
            if time.monotonic() - checked < _IDLE_CHECK_S:
                continue
            checked = time.monotonic()
            end = (await consumer.end_offsets([partition]))[partition]
            if end < await consumer.position(partition):
                raise KafkaError(f"the log of {CONTENT.name} ends before our position")

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
        batches = await consumer.getmany(timeout_ms=1_000)
        return [record for batch in batches.values() for record in batch]

    def _tell(self, record: ConsumerRecord, tell: OnContent) -> None:
        if record.value is None:
            tell(None)
            return
        try:
            content: Content = codec.decode(CONTENT.name, record.value)
        except UndecodableError as error:
            _log.error("offset %d of partition %d: %s", record.offset, record.partition, error)
            return
        tell(content)


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
