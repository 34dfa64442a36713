"""Messages sent at a pace while `measure` works: how soon they are in its output, and what it costs
as cameras and workers are added.
"""

import asyncio
import sys
import time
from asyncio import Future
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from infra.bench.stream_programs import Place, Worker, workers
from infra.bench.stream_report import Growth
from infra.bench.stream_sent import Sent
from infra.bench.stream_world import PROBE_ZONE, probe, store_of
from streams.contracts import codec
from streams.contracts.experiment import Experiment
from streams.contracts.topics import ATTENTION
from streams.measure.measurer import Measurer
from streams.ports import Incoming
from streams.settings import MeasureSettings

#: Probes a second, among the other messages.
_PROBES_PER_S = 100.0
#: Messages that are due are sent together, this often.
_TICK_S = 0.002
#: Until the worker and the broker run evenly.
_SETTLE_S = 1.5
#: How long the workers are watched while there is nothing to do.
_IDLE_S = 3.0
#: How long the last rows and messages may take.
_PATIENCE_S = 30.0


async def latencies_ms(
    place: Place, sent: Sequence[Sent], rate: float, emit_interval_ms: int
) -> list[float]:
    """From when the log had a probe to when the output held what it changed, while so many events a
    second are sent. One zone is the probes' alone, so that its rows tell by `through_offset` which
    probes they hold.
    """
    rows: list[tuple[int, float]] = []
    logged: list[tuple[int, float]] = []

    def note(sending: "Future[Any]") -> None:
        logged.append((sending.result().offset, time.monotonic()))

    async with workers(place, store_of(16), "paced", emit_interval_ms), _output(place, rows):
        async with _producing(place) as producer:
            began_s, pace = time.monotonic(), _Pace()
            events, probes = 0, 0
            for message in sent:
                due_s = began_s + events / rate
                await pace.until(due_s)
                await _send(producer, message)
                events += message.events
                if events / rate > probes / _PROBES_PER_S:
                    sending = await _send(producer, probe(message.at_ms, probes))
                    sending.add_done_callback(note)
                    probes += 1
        await asyncio.sleep(1.0)
    settled_s = began_s + _SETTLE_S
    return _waits(sorted(each for each in logged if each[1] >= settled_s), sorted(rows))


def _waits(logged: Sequence[tuple[int, float]], rows: Sequence[tuple[int, float]]) -> list[float]:
    """For each probe (offset, time), the time to the first row that goes beyond its offset."""
    waits: list[float] = []
    for offset, at_s in logged:
        told_s = [told_s for through, told_s in rows if through > offset]
        if told_s:
            waits.append(max(0.0, min(told_s) - at_s) * 1_000)
        else:
            waits.append(float("inf"))
    return waits


class _Pace:
    """Waits until a message is due; who is late lets the others on the loop work nevertheless."""

    def __init__(self) -> None:
        self._let_s = 0.0

    async def until(self, due_s: float) -> None:
        """Returns at that time of the monotonic clock, or soon after."""
        now_s = time.monotonic()
        if due_s > now_s:
            await asyncio.sleep(max(due_s - now_s, _TICK_S))
        elif now_s - self._let_s >= _TICK_S:
            self._let_s = now_s
            await asyncio.sleep(0)


async def _send(producer: AIOKafkaProducer, message: Sent) -> "Future[Any]":
    sending: Future[Any] = await producer.send(
        message.topic,
        message.value,
        key=message.key,
        headers=message.headers,
        timestamp_ms=message.at_ms,
    )
    return sending


@asynccontextmanager
async def _producing(place: Place) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=place.kafka, acks="all")
    await producer.start()
    try:
        yield producer
        await producer.flush()
    finally:
        await producer.stop()


@asynccontextmanager
async def _output(place: Place, rows: list[tuple[int, float]]) -> AsyncIterator[None]:
    """Notes, for each row of the probes' zone, how far it goes and when it was there."""
    consumer = AIOKafkaConsumer(ATTENTION.name, bootstrap_servers=place.kafka)
    key = PROBE_ZONE.encode()

    async def read() -> None:
        while True:
            for found in (await consumer.getmany(timeout_ms=100)).values():
                now_s = time.monotonic()
                for record in found:
                    if record.key == key:
                        row = codec.decode(ATTENTION.name, record.value)
                        rows.append((row.through_offset, now_s))

    await consumer.start()
    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await consumer.stop()


async def growth(
    place: Place, sent: Sequence[Sent], cameras: int, count: int, emit_interval_ms: int
) -> Growth:
    """What so many workers need for one camera and one second of its events, sent as fast as they
    came, and what they need while nothing comes.
    """
    layout = store_of(cameras)
    group = f"grown-{cameras}-{count}"
    length_s = (sent[-1].at_ms - sent[0].at_ms) / 1_000
    async with (
        workers(place, layout, group, emit_interval_ms, count) as running,
        aiohttp.ClientSession() as session,
    ):
        await asyncio.sleep(_IDLE_S)
        began_s, (began_cpu_s, _) = time.monotonic(), await _all(running, session)
        await asyncio.sleep(_IDLE_S)
        before_s, (before_cpu_s, _) = time.monotonic(), await _all(running, session)
        idle = (before_cpu_s - began_cpu_s) / (before_s - began_s)
        async with _producing(place) as producer:
            pace = _Pace()
            for message in sent:
                due_s = before_s + (message.at_ms - sent[0].at_ms) / 1_000
                await pace.until(due_s)
                await _send(producer, message)
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                after_cpu_s, handled = await _all(running, session)
                if handled >= len(sent):
                    break
                await asyncio.sleep(0.2)
        return Growth(
            cameras=cameras,
            workers=count,
            cpu_per_camera=round((after_cpu_s - before_cpu_s) / cameras / length_s, 7),
            idle_cpu=round(idle, 4),
            state_bytes_per_area=round(await asyncio.to_thread(_state_bytes, sent, cameras)),
        )


async def _all(running: Sequence[Worker], session: aiohttp.ClientSession) -> tuple[float, int]:
    """Processor time and messages of all workers."""
    looks = [await worker.look(session) for worker in running]
    return sum(look.cpu_s for look in looks), sum(sum(look.handled.values()) for look in looks)


def _state_bytes(sent: Sequence[Sent], cameras: int) -> float:
    """What the windows of one area hold in memory after these messages."""
    layout = store_of(cameras)
    settings = MeasureSettings(kafka="127.0.0.1:9092")
    experiment = Experiment(salt="bench", slot_ms=3_600_000, adaptive_share=1.0)
    measurer = Measurer(settings, layout, experiment, _Nowhere())
    measurer.hold({0: 0}, {})
    for offset, m in enumerate(sent):
        measurer.recall(Incoming(m.topic, 0, offset, m.key, m.value, m.at_ms))
    return _deep_size(measurer) / len(layout.areas)


class _Nowhere:
    async def deliver(self, records: Sequence[Any]) -> None:
        """See `Outbox`."""


def _deep_size(root: object) -> int:
    """Bytes of an object and all that it holds, each once; no classes, modules or functions."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    size = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType) or callable(each):
            continue
        seen.add(id(each))
        size += sys.getsizeof(each)
        if isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()
        elif isinstance(each, list | tuple | set):
            waiting += each
        else:
            names = getattr(each, "__struct_fields__", None) or _slots(each)
            waiting += [getattr(each, name) for name in names]
    return size


def _slots(each: object) -> list[str]:
    slots = getattr(type(each), "__slots__", ())
    return [*slots, *getattr(each, "__dict__", {})]
