"""`bench stream`: events a second of processor time through the attention job, in `measure` and in
other frameworks, on one core and one log; and how the cost grows.

The log is filled first; each program then catches up with it alone, in a group of its own.
"""

import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from infra.bench.peers.job import Task
from infra.bench.stream_pace import growth, latencies_ms
from infra.bench.stream_programs import PEERS, Place, peer, steady, workers
from infra.bench.stream_report import ByBatch, Growth, Speed, StreamReport, exponent
from infra.bench.stream_sent import Sent, regrouped
from infra.bench.stream_world import messages, store_of
from infra.bench.versions import versions
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.topics import create_topics

#: In a busy store, so many people stand before each camera.
PEOPLE = 12
_CAMERAS = 16
_BATCHES = (1, 20, 400)

#: Cameras and workers of the growth, for so many seconds at the pace at which it all happens, with
#: so many people before each camera: a quiet hour, of which two cores can bear 1,000 cameras.
_GROWTH = ((10, 1), (100, 1), (1_000, 1), (1_000, 2), (1_000, 4))
_GROWTH_S = 20.0
_GROWTH_PEOPLE = 1

#: Messages at half of the top rate are sent for at least so long.
_PACED_S = 8.0

_PROGRAMS = ("ours", "quix", "aiokafka", "confluent")
_IN_MEMORY = "a message at a time, windows in memory"
_IN_STATES = "an event at a time, windows in Quix' own state"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What to measure. `seconds`: of events, from 16 cameras; `emit_interval_ms` is the setting of
    `measure` and of its peers, for all figures; `quick` leaves the growth out.
    """

    seconds: float
    runs: int
    emit_interval_ms: int
    seed: int
    quick: bool


@dataclass(slots=True)
class Log:
    """A broker that holds `sent`. `told`: for each topic, the events of its first n messages."""

    place: Place
    sent: Sequence[Sent]
    told: dict[str, list[int]] = field(default_factory=dict)

    @property
    def topics(self) -> list[str]:
        """The topics with messages."""
        return [topic for topic, told in self.told.items() if len(told) > 1]


@dataclass(slots=True)
class StreamBench:
    """One measurement; `run` does all of it."""

    plan: StreamPlan
    state: StateFolder
    settings: StackSettings
    say: Say
    _python: Path = field(default_factory=Path)
    _groups: int = 0

    async def run(self) -> StreamReport:
        """Raises StackError, UserError: something cannot be started."""
        plan, load = self.plan, os.getloadavg()[0]
        self._python = await PEERS.ensure(self.settings.cache, self.say) / "bin" / "python"
        self.say("writing the gateways' messages")
        sent = self._messages(_CAMERAS, plan.seconds)
        found, states = await self._compared(sent)
        batches = [
            ByBatch(
                events_per_message=size,
                **await self._compare(list(regrouped(sent, size)), f"{size} events a message"),
            )
            for size in _BATCHES
        ]
        ours = await self._with_latency(sent, found["ours"])
        grown = [] if plan.quick else [await self._grown(*each) for each in _GROWTH]
        return StreamReport(
            **{**found, "ours": ours},
            ratio_to_quix=round(found["ours"].events_per_cpu_s / found["quix"].events_per_cpu_s, 3),
            events_per_message=round(sum(m.events for m in sent) / len(sent), 2),
            by_batch=tuple(batches),
            growth=tuple(grown),
            growth_exponent=exponent(grown),
            emit_interval_ms=plan.emit_interval_ms,
            quix_states=states,
            quix_way=_IN_STATES if states is found["quix"] else _IN_MEMORY,
            cameras=_CAMERAS,
            people_per_camera=PEOPLE,
            load_before=round(load, 2),
            versions=versions(),
        )

    async def _with_latency(self, sent: Sequence[Sent], ours: Speed) -> Speed:
        """The same, with what was seen at half of that rate, on a log that begins empty."""
        rate = ours.events_per_cpu_s / 2
        self.say(f"{rate:,.0f} events a second")
        if sum(m.events for m in sent) < rate * _PACED_S:
            pace = sum(m.events for m in sent) / self.plan.seconds
            sent = self._messages(_CAMERAS, rate * _PACED_S / pace)
        async with self._filled([], partitions=1) as log:
            waits = await latencies_ms(log.place, sent, rate, self.plan.emit_interval_ms)
        cuts = statistics.quantiles(waits, n=100, method="inclusive")
        return msgspec.structs.replace(
            ours,
            p50_ms_at_half=round(cuts[49], 1),
            p99_ms_at_half=round(cuts[98], 1),
            rate_at_half_events_per_s=round(rate),
        )

    async def _grown(self, cameras: int, workers: int) -> Growth:
        self.say(f"{cameras} cameras, {workers} workers")
        sent = self._messages(cameras, _GROWTH_S, _GROWTH_PEOPLE)
        async with self._filled([], partitions=12) as log:
            return await growth(log.place, sent, cameras, workers, self.plan.emit_interval_ms)

    def _messages(self, cameras: int, seconds: float, people: int = PEOPLE) -> list[Sent]:
        """The last `seconds`, up to now."""
        length_ms = round(seconds * 1_000)
        begin_ms = time.time_ns() // 1_000_000 - length_ms - 5_000
        return list(
            messages(
                store_of(cameras),
                people=people,
                begin_ms=begin_ms - begin_ms % 1_000,
                length_ms=length_ms,
                seed=self.plan.seed,
            )
        )

    async def _compared(self, sent: Sequence[Sent]) -> tuple[dict[str, Speed], Speed]:
        """All programs on the gateways' own messages; of Quix' two ways the faster is `quix`."""
        found = await self._compare(sent, "the gateways' own messages")
        states = (await self._compare(sent[: len(sent) // 4], _IN_STATES, ["quix_states"]))[
            "quix_states"
        ]
        if states.events_per_cpu_s > found["quix"].events_per_cpu_s:
            found["quix"] = states
        return found, states

    async def _compare(
        self, sent: Sequence[Sent], what: str, programs: Sequence[str] = _PROGRAMS
    ) -> dict[str, Speed]:
        """The programs on one log, in turns."""
        speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        async with self._filled(sent, partitions=1) as log:
            for number in range(self.plan.runs):
                for name, found in speeds.items():
                    self.say(f"{what}: {name}, run {number + 1} of {self.plan.runs}")
                    found.append(await self._speed(log, name))
        return {
            name: Speed(
                events_per_cpu_s=round(statistics.median(events for events, _ in found)),
                messages_per_cpu_s=round(statistics.median(count for _, count in found)),
            )
            for name, found in speeds.items()
        }

    async def _speed(self, log: Log, name: str) -> tuple[float, float]:
        group = self._group(name)
        if name == "ours":
            layout = store_of(_CAMERAS)
            async with workers(log.place, layout, group, self.plan.emit_interval_ms) as [worker]:
                looks = await worker.until_done(len(log.sent))
        else:
            task = Task(
                kafka=log.place.kafka,
                group=group,
                topics=log.topics,
                emit_interval_ms=self.plan.emit_interval_ms,
                messages=len(log.sent),
                state=str(log.place.folder / group),
            )
            looks = await peer(log.place, self._python, f"with_{name}", task)
        return steady(looks, log.told)

    def _group(self, name: str) -> str:
        self._groups += 1
        return f"{name}-{self._groups}"

    @asynccontextmanager
    async def _filled(self, sent: Sequence[Sent], partitions: int) -> AsyncIterator[Log]:
        """A fresh broker with these messages in its log."""
        stack = EmbeddedStack(self.state, self.settings, parts={"broker"}, fresh_broker=True)
        async with stack:
            bootstrap = stack.broker.bootstrap
            await create_topics(bootstrap, partitions)
            await _fill(bootstrap, sent)
            place = Place(
                kafka=bootstrap,
                folder=self.state.run,
                core=max(os.sched_getaffinity(0)),
                marker=self.state.marker,
            )
            told: dict[str, list[int]] = {}
            for message in sent:
                sums = told.setdefault(message.topic, [0])
                sums.append(sums[-1] + message.events)
            yield Log(place, sent, told)


async def _fill(bootstrap: str, sent: Iterable[Sent]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=262_144, acks="all"
    )
    await producer.start()
    try:
        for message in sent:
            await producer.send(
                message.topic,
                message.value,
                key=message.key,
                headers=message.headers,
                timestamp_ms=message.at_ms,
            )
        await producer.flush()
    finally:
        await producer.stop()
