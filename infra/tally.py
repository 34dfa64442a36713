"""Counts a run's events by reading its topics from their beginning: independent of the database.

The fold is pure; `read_log` is the adapter that feeds it from a broker.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from infra.report import Events, Latency, Stay, percentiles
from streams.contracts import topics
from streams.contracts.attention import AttentionWindow
from streams.contracts.codec import decode
from streams.contracts.errors import ContractError
from streams.contracts.signage import Content, Decision, Play
from streams.contracts.vision import Dwell, DwellBatch, GazeBatch

_READ = (
    topics.GAZE,
    topics.DWELL,
    topics.AUDIENCE,
    topics.BASKET,
    topics.CONTENT,
    topics.DECISION,
    topics.PLAY,
    topics.ATTENTION,
)

#: A fetch that brings nothing for this long while records are missing is a broken log.
_STALL_S = 10.0


@dataclass(slots=True)
class Tally:
    """What the log holds: distinct ids, and the steps of each latency in milliseconds."""

    gaze: set[str] = field(default_factory=set)
    dwell: dict[str, Dwell] = field(default_factory=dict)
    audience: set[tuple[str, str, int]] = field(default_factory=set)
    baskets: set[str] = field(default_factory=set)
    attention: set[tuple[str, int, int]] = field(default_factory=set)
    decisions: set[str] = field(default_factory=set)
    plays_ended: set[str] = field(default_factory=set)
    plays_started: set[str] = field(default_factory=set)
    content_changes: int = 0
    first_change_ms: int | None = None
    dead_letters: int = 0
    undecodable: int = 0
    _showing: dict[str, str] = field(default_factory=dict)
    _infer_ms: dict[str, int] = field(default_factory=dict)
    _event_ms: dict[str, int] = field(default_factory=dict)
    _decision_ms: dict[str, int] = field(default_factory=dict)
    _render_ms: dict[str, int] = field(default_factory=dict)

    def add(self, topic: str, value: bytes | None, timestamp_ms: int) -> None:
        """Folds in one record of the log; `timestamp_ms` is the broker's stamp."""
        if topic in {topics.dead_letter_topic(consumer) for consumer in topics.CONSUMERS}:
            self.dead_letters += 1
            return
        try:
            event = decode(topic, value)
        except ContractError:
            self.undecodable += 1
            return
        match event:
            case GazeBatch():
                self._add_gazes(event)
            case DwellBatch():
                self.dwell |= {d.dwell_id: d for d in event.events if d.phase == "ended"}
            case Content():
                self._add_content(event, timestamp_ms)
            case Decision():
                self.decisions.add(event.decision_id)
                if event.trace is not None:
                    took = event.decided_at_ms - event.trace.captured_at_ms
                    self._decision_ms[event.decision_id] = took
            case Play():
                self._add_play(event)
            case _ if topic == topics.AUDIENCE.name:
                self.audience.add((event.gateway_id, event.camera_id, event.seq))
            case _ if topic == topics.BASKET.name:
                self.baskets.add(event.basket_id)
            case AttentionWindow():
                self.attention.add((event.target_id, event.window_start_ms, event.window_end_ms))

    def _add_gazes(self, batch: GazeBatch) -> None:
        for gaze in batch.events:
            if gaze.phase == "ended":
                self.gaze.add(gaze.gaze_id)
            else:
                captured = gaze.trace.captured_at_ms
                self._infer_ms[gaze.gaze_id] = gaze.trace.inferred_at_ms - captured
                self._event_ms[gaze.gaze_id] = gaze.trace.sent_at_ms - captured

    def _add_content(self, content: Content, timestamp_ms: int) -> None:
        before = self._showing.get(content.screen_id)
        if before != content.creative_id:
            self.content_changes += 1
            if before is not None and self.first_change_ms is None:
                self.first_change_ms = timestamp_ms
        self._showing[content.screen_id] = content.creative_id

    def _add_play(self, play: Play) -> None:
        if play.phase == "ended":
            self.plays_ended.add(play.play_id)
        else:
            self.plays_started.add(play.play_id)
            if play.trace is not None:
                took = play.rendered_at_ms - play.trace.captured_at_ms
                self._render_ms[play.play_id] = took

    @property
    def gazes_left_open(self) -> frozenset[str]:
        """The gazes whose beginning was told and whose end was not."""
        return frozenset(self._infer_ms.keys() - self.gaze)

    def events(self) -> Events:
        """The counts by the report's names."""
        return Events(
            gaze=len(self.gaze),
            dwell=len(self.dwell),
            audience=len(self.audience),
            attention=len(self.attention),
            baskets=len(self.baskets),
        )

    def stays(self, start_ms: int) -> list[Stay]:
        """The ended dwells in the order of their beginning, in seconds since `start_ms`."""
        ended = sorted(self.dwell.values(), key=lambda dwell: dwell.entered_at_ms)
        return [
            Stay(
                zone_id=dwell.zone_id,
                begin_s=(dwell.entered_at_ms - start_ms) / 1000,
                end_s=(dwell.left_at_ms - start_ms) / 1000,
                censored=dwell.censored,
            )
            for dwell in ended
            if dwell.left_at_ms is not None and not dwell.excluded
        ]

    def latency(self) -> Latency:
        """The latencies by the report's names; decisions and renders that a gaze caused alone."""
        return Latency(
            capture_to_infer=percentiles(self._infer_ms.values()),
            capture_to_event=percentiles(self._event_ms.values()),
            capture_to_decision=percentiles(self._decision_ms.values()),
            capture_to_render=percentiles(self._render_ms.values()),
        )


async def read_log(bootstrap: str) -> Tally:
    """Reads every counted topic and every dead-letter topic from its beginning to its present end.

    Raises:
        TimeoutError: the broker stopped handing out records that it says it has.
    """
    tally = Tally()
    async for topic, value, timestamp_ms in _records(bootstrap):
        tally.add(topic, value, timestamp_ms)
    return tally


async def _records(bootstrap: str) -> AsyncIterator[tuple[str, bytes | None, int]]:
    partitions = await _partitions(bootstrap)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_STALL_S) as deadline:
            while behind := [p for p in partitions if await consumer.position(p) < ends[p]]:
                batches = await consumer.getmany(*behind, timeout_ms=1_000)
                if batches:
                    deadline.reschedule(loop.time() + _STALL_S)
                for partition, records in batches.items():
                    for record in records:
                        yield partition.topic, record.value, record.timestamp
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str) -> list[TopicPartition]:
    names = [topic.name for topic in _READ]
    names += [topics.dead_letter_topic(consumer) for consumer in topics.CONSUMERS]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]
