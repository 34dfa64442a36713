"""The programs that `bench stream` measures, as processes of their own on one core, and what they
say of themselves while they work.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import psutil

from infra.bench.peers.job import FETCH_PAUSE_MS, Task
from infra.errors import UserError
from infra.stack.locked import LockedEnvironment
from infra.stack.ports import free_port
from streams.contracts.layout import StoreLayout

_ROOT = Path(__file__).parents[2]

PEERS = LockedEnvironment(
    name="peers",
    lock=Path(__file__).with_name("peers") / "peers.lock",
    title="the peers' environment",
    size="about 200 MB",
    mend="connect this machine to a package index and start again",
)

_START_S = 60.0
#: A program that says nothing for so long is stuck.
_SILENCE_S = 30.0
_POLL_S = 0.2
#: Less processor time than this between two looks tells no rate.
_SHORTEST_S = 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """How far a program is: processor time, and messages handled by topic."""

    cpu_s: float
    handled: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the programs work: broker, folder for state and logs, the core they may use."""

    kafka: str
    folder: Path
    core: int
    marker: Mapping[str, str] = field(default_factory=dict)


async def peer(place: Place, python: Path, program: str, task: Task) -> list[Look]:
    """What a peer says of itself until it has handled all messages."""
    env = {**os.environ, **place.marker, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    command = [str(python), "-m", f"infra.bench.peers.{program}", json.dumps(asdict(task))]
    log = place.folder / f"{program}.log"
    looks: list[Look] = []
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=place.folder, stdin=DEVNULL, stdout=PIPE, stderr=said
        )
    try:
        psutil.Process(process.pid).cpu_affinity([place.core])
        handled = 0
        while handled < task.messages:
            line = await _line(process)
            if not line:
                raise UserError(f"{program} ended before it was done; see its log {log}")
            if line.startswith(b"{"):
                look = json.loads(line)
                looks.append(Look(look["cpu_s"], look["handled"]))
                handled = sum(looks[-1].handled.values())
    finally:
        await end(process)
    return looks


async def _line(process: Process) -> bytes:
    if process.stdout is None:
        raise AssertionError("it was started with a pipe")
    try:
        return await asyncio.wait_for(process.stdout.readline(), _SILENCE_S)
    except TimeoutError:
        return b""


class Worker:
    """One `smartstore measure`; what it has handled is what it tells Prometheus."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._log = log

    async def look(self, session: aiohttp.ClientSession) -> Look:
        """How far it is. Its own count of processor time is of the same moment."""
        if self.process.returncode is not None:
            raise UserError(f"measure ended before it was done; see its log {self._log}")
        async with session.get(self._url) as answer:
            text = await answer.text()
        handled: dict[str, int] = {}
        cpu_s = 0.0
        for line in text.splitlines():
            if line.startswith("smartstore_handler_seconds_count"):
                topic = line.split('topic="')[1].split('"')[0]
                handled[topic] = round(float(line.rsplit(" ", 1)[1]))
            elif line.startswith("process_cpu_seconds_total"):
                cpu_s = float(line.rsplit(" ", 1)[1])
        return Look(cpu_s, handled)

    async def until_done(self, messages: int) -> list[Look]:
        """What it says of itself until it has handled so many."""
        looks: list[Look] = []
        async with aiohttp.ClientSession() as session:
            while not looks or sum(looks[-1].handled.values()) < messages:
                await asyncio.sleep(_POLL_S)
                looks.append(await self.look(session))
        return looks


@asynccontextmanager
async def workers(
    place: Place, layout: StoreLayout, group: str, emit_interval_ms: int, count: int = 1
) -> AsyncIterator[list[Worker]]:
    """`smartstore measure` so many times in one group, each once it is ready."""
    file = place.folder / f"{group}.json"
    file.write_bytes(msgspec.json.encode(layout))  # JSON is YAML
    running: list[Worker] = []
    try:
        for number in range(count):
            running.append(await _worker(place, file, group, f"{group}-{number}", emit_interval_ms))
        for worker, ready in (
            (w, place.folder / f"{group}-{n}.ready") for n, w in enumerate(running)
        ):
            await _until_ready(worker, ready)
        yield running
    finally:
        await asyncio.gather(*(end(worker.process) for worker in running))


async def _worker(
    place: Place, layout: Path, group: str, member: str, emit_interval_ms: int
) -> Worker:
    port = free_port()
    ready = place.folder / f"{member}.ready"
    env = {
        **os.environ,
        **place.marker,
        "SMARTSTORE_KAFKA": place.kafka,
        "SMARTSTORE_STATE": str(place.folder),
        "SMARTSTORE_GROUP": group,
        "SMARTSTORE_MEMBER": member,
        "SMARTSTORE_EMIT_INTERVAL_MS": str(emit_interval_ms),
        "SMARTSTORE_FETCH_PAUSE_MS": str(FETCH_PAUSE_MS),
        "PYTHONPATH": str(_ROOT),
    }
    command = [sys.executable, "-m", "infra", "measure", "--layout", str(layout)]
    log = place.folder / f"{member}.log"
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--metrics-port",
            str(port),
            "--ready-file",
            str(ready),
            env=env,
            stdin=DEVNULL,
            stdout=said,
            stderr=said,
        )
    psutil.Process(process.pid).cpu_affinity([place.core])
    return Worker(process, port, log)


async def _until_ready(worker: Worker, ready: Path) -> None:
    async with asyncio.timeout(_START_S):
        while not await asyncio.to_thread(ready.exists):
            if worker.process.returncode is not None:
                raise UserError(f"measure did not start; see the logs beside {ready}")
            await asyncio.sleep(0.1)


async def end(process: Process) -> None:
    """Ends a program, kindly first."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 15.0)
    except TimeoutError:
        process.kill()
        await process.wait()


def steady(looks: Sequence[Look], events: Mapping[str, Sequence[int]]) -> tuple[float, float]:
    """Events and messages a second of processor time, from the first look at which a program had
    begun with the log until it was through: each reads the topics in an order of its own, so that
    only the whole log is the same work for all. `events`: for each topic, how many events its first
    n messages tell.
    """
    before = [look for look in looks if not sum(look.handled.values())]
    begun = looks[len(before) :]
    if before and begun and begun[-1].cpu_s - begun[0].cpu_s < _SHORTEST_S:
        # It was through at once: from when it was about to begin, which is too low a rate.
        begun = [before[-1], *begun]
    if not begun or begun[-1].cpu_s <= begun[0].cpu_s:
        raise UserError("too little was handled to measure; give --seconds more")
    first, last = begun[0], begun[-1]
    cpu_s = last.cpu_s - first.cpu_s

    def told(look: Look) -> int:
        return sum(events[topic][count] for topic, count in look.handled.items() if count)

    messages = sum(last.handled.values()) - sum(first.handled.values())
    return (told(last) - told(first)) / cpu_s, messages / cpu_s
