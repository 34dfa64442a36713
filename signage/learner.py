"""The learner: reads decisions and what they were worth from the log, and publishes what it learns.

It stands outside the stream: a processor that decides never learns, and a learner that is away
delays what is learned and loses nothing. Stopped and started again it goes on from its newest
snapshot, which says through when it has learned; nothing counts twice.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from signage.core.learning import USUAL_STRETCHES, Learner, Lesson
from signage.settings import LearnerSettings
from streams.contracts import codec, topics
from streams.contracts.errors import UndecodableError
from streams.contracts.learning import PolicySnapshot

log = logging.getLogger(__name__)

_SOURCE = "smartstore/learner"
_POLL_MS = 500
_REQUEST_TIMEOUT_MS = 10_000
_RETRY_S = 2.0

#: Records of one moment come by several partitions and producers; so much later all are there.
_SLACK_MS = 5_000


async def run_learner(
    settings: LearnerSettings, *, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Learns until `stop`. A broker that is away is waited for."""
    while not stop.is_set():
        try:
            async with _Session(settings) as session:
                await session.begin()
                ready()
                while not stop.is_set():
                    await session.look()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), settings.learn_interval_ms / 1_000)
        except (KafkaError, OSError) as error:
            log.warning("the log cannot be read (%r); trying again", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _RETRY_S)


@dataclass(frozen=True, slots=True)
class _Approval:
    by: str | None
    at_ms: int | None


class _Session:
    """One connection to the broker, and what was learned so far."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._settings = settings
        self._lesson = Lesson(
            settings.learn_policy,
            settings.store_id,
            settings.learn_reward,
            settings.learn_horizon_ms,
        )
        names = [topics.POLICY.name, topics.DECISION.name, topics.EXPOSURE.name]
        if settings.learn_reward != "attention":
            names += [topics.BASKET.name, topics.CREATIVE.name]
        self._consumer = AIOKafkaConsumer(
            *names,
            bootstrap_servers=settings.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka, request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
        self._learner = Learner(self._lesson)
        self._version = 0
        self._approval = _Approval(None, None)
        self._told: _Approval | None = None
        self._told_rewards = -1
        self._told_at_ms = 0
        self._log_ms = 0

    async def __aenter__(self) -> "_Session":
        await self._consumer.start()
        try:
            await self._producer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._consumer.stop()

    async def begin(self) -> None:
        """Takes up the newest snapshot, and the log from where that ends."""
        found: list[PolicySnapshot] = []

        def keep(record: ConsumerRecord) -> None:
            snapshot = self._ours(record)
            if snapshot is not None:
                found.append(snapshot)

        policies = {tp for tp in self._consumer.assignment() if tp.topic == topics.POLICY.name}
        await self._read(policies, keep)
        begun = found[-1] if found else None
        if begun is not None:
            self._version = max(snapshot.version for snapshot in found)
            self._approval = _Approval(begun.approved_by, begun.approved_at_ms)
            if begun.reward != self._lesson.reward:
                log.warning("%s learned from %s: beginning anew", begun.name, begun.reward)
                begun = None
        if begun is not None:
            self._told, self._told_rewards = self._approval, begun.rewards
        self._learner = Learner(self._lesson, begun)
        await self._go_to(self._learner.through_ms)
        log.info("learning goes on after %d rewards", self._learner.rewards)

    async def _go_to(self, through_ms: int) -> None:
        """Puts the reader of events where the learned ends, a little before."""
        if not through_ms:
            return
        before_ms = {
            topics.DECISION.name: _SLACK_MS,
            topics.EXPOSURE.name: _SLACK_MS,
            # What sells usually is known from before.
            topics.BASKET.name: _SLACK_MS + USUAL_STRETCHES * self._lesson.horizon_ms,
        }
        times = {
            tp: max(0, through_ms - before_ms[tp.topic])
            for tp in self._consumer.assignment()
            if tp.topic in before_ms
        }
        ends = await self._consumer.end_offsets(list(times))
        for tp, at in (await self._consumer.offsets_for_times(times)).items():
            self._consumer.seek(tp, ends[tp] if at is None else at.offset)

    async def look(self) -> None:
        """Reads all that the log holds now, learns what is certain, publishes what is due."""
        await self._read(self._consumer.assignment(), self._take)
        learned = self._learner.close(self._log_ms - _SLACK_MS)
        if learned:
            log.info("learned %d rewards, %d in all", learned, self._learner.rewards)
        now_ms = time.time_ns() // 1_000_000
        news = self._learner.rewards != self._told_rewards
        due = news and now_ms - self._told_at_ms >= self._settings.learn_publish_ms
        if due or self._approval != self._told:
            await self._publish(now_ms)

    async def _publish(self, now_ms: int) -> None:
        self._version += 1
        snapshot = msgspec.structs.replace(
            self._learner.snapshot(self._version, now_ms, simulated=self._settings.learn_simulated),
            approved_by=self._approval.by,
            approved_at_ms=self._approval.at_ms,
        )
        await self._producer.send_and_wait(**codec.record(topics.POLICY, snapshot, _SOURCE))
        self._told, self._told_rewards, self._told_at_ms = (
            self._approval,
            snapshot.rewards,
            now_ms,
        )

    async def _read(
        self, partitions: Iterable[TopicPartition], handle: Callable[[ConsumerRecord], None]
    ) -> None:
        """Hands on all that the partitions hold at this moment, from where they were read to."""
        partitions = list(partitions)
        ends = await self._consumer.end_offsets(partitions) if partitions else {}
        left = [tp for tp in partitions if await self._consumer.position(tp) < ends[tp]]
        while left:
            batches = await self._consumer.getmany(*left, timeout_ms=_POLL_MS)
            for records in batches.values():
                for record in records:
                    handle(record)
            left = [tp for tp in left if await self._consumer.position(tp) < ends[tp]]

    def _take(self, record: ConsumerRecord) -> None:
        if record.topic == topics.POLICY.name:
            snapshot = self._ours(record)
            if snapshot is not None and snapshot.told_by == "operator":
                self._version = max(self._version, snapshot.version)
                self._approval = _Approval(snapshot.approved_by, snapshot.approved_at_ms)
            return
        event = _decoded(record)
        if event is None:
            return
        if record.topic == topics.CREATIVE.name:
            self._learner.advertises(event.creative_id, event.skus)
            return
        self._log_ms = max(self._log_ms, record.timestamp)
        takes: Mapping[str, Callable[[], None]] = {
            topics.DECISION.name: lambda: self._learner.decided(event, record.timestamp),
            topics.EXPOSURE.name: lambda: self._learner.exposed(event, record.timestamp),
            topics.BASKET.name: lambda: self._learner.paid(event),
        }
        takes[record.topic]()

    def _ours(self, record: ConsumerRecord) -> PolicySnapshot | None:
        snapshot: PolicySnapshot | None = _decoded(record)
        if snapshot is None or snapshot.policy_id != self._lesson.policy_id:
            return None
        return snapshot if snapshot.store_id == self._lesson.store_id else None


def _decoded(record: ConsumerRecord) -> Any:
    if not record.value:
        return None
    try:
        return codec.decode(record.topic, record.value)
    except UndecodableError as error:  # the sink keeps it among its dead letters
        log.warning("%s at %d is not learned from: %s", record.topic, record.offset, error)
        return None
