"""One run of the whole chain on this machine: embedded servers, our processes, and the count."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from pydantic import SecretStr

from infra.chain.beforehand import RunDatabase, Say, make_model, make_servers_ready
from infra.chain.count import Ran, report_of
from infra.chain.parts import Pages, Parts, Servers, free_pages, stats_file
from infra.chain.plan import Plan
from infra.control import KillSwitch
from infra.lag import wait_until_caught_up
from infra.report import GatewayStats, Report
from infra.rundb import count_rows
from infra.stack.part import PartEvent
from infra.stack.ports import LOOPBACK
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.tally import read_log
from infra.triton.models import PreparedModel
from infra.triton.probe import probe
from signage.player.headless import HeadlessPage
from streams.contracts import topics

#: What the processors read; at the end they are given until they have read all of it.
_READ_BY = {
    "react": (topics.GAZE.name, topics.AUDIENCE.name),
    "measure": (topics.GAZE.name, topics.DWELL.name, topics.AUDIENCE.name, topics.BASKET.name),
}
_CATCH_UP_S = 20.0

_T = TypeVar("_T")


class Companion(Protocol):
    """Goes along with a run, to measure it."""

    def rendered(self, screen_id: str, message: dict[str, Any]) -> None:
        """The screen's headless page has rendered what it was told to show."""
        ...

    async def during(self, chain: "Chain") -> None:
        """Called once the chain is up; when it returns, the run ends."""
        ...

    async def counted(self, chain: "Chain") -> None:
        """Called at the end: our processes have stopped, broker and database still run."""
        ...


@dataclass(slots=True)
class Chain:
    """A run. `run` does all of it; the addresses are there once it says that it is up."""

    plan: Plan
    state: StateFolder
    settings: StackSettings
    say: Say
    listen: Callable[[PartEvent], None]
    companion: Companion | None = None
    errors: list[str] = field(default_factory=list)
    up: bool = False
    source_start_ms: int = 0
    _stack: EmbeddedStack | None = None
    _pages: Pages | None = None
    _database: RunDatabase | None = None
    _read: list[HeadlessPage] = field(default_factory=list)

    @property
    def approved_by(self) -> str:
        """Who answers for the policy and the experiment of this run."""
        return self.plan.approved_by

    @property
    def stack(self) -> EmbeddedStack:
        """The servers and the supervisor of all processes, while the chain is up."""
        return _there(self._stack)

    @property
    def dsn(self) -> SecretStr:
        """The run's own database."""
        return _there(self._database).dsn

    @property
    def web_url(self) -> str:
        """The live page."""
        return _there(self._pages).web_url

    @property
    def player_urls(self) -> dict[str, str]:
        """The players' pages, by screen."""
        return _there(self._pages).player_urls

    async def run(self, stop: asyncio.Event) -> Report:
        """Starts everything, runs until the plan's end or `stop`, stops everything, counts.

        Raises:
            StackError, ModelError, CatalogueError, UserError: something cannot be started.
        """
        began_ms = _now_ms()
        model = await make_model(self.plan, self.state, self.settings, self.say)
        if model.note is not None:
            self.listen(PartEvent("model", "note", model.note))
        stack = self._stack = EmbeddedStack(
            self.state,
            self.settings,
            repository=model.repository,
            parts=("broker", "postgres", "triton"),
            probe=probe,
            fresh_broker=True,
            listener=self.listen,
        )
        kill_switch = KillSwitch(lambda what: stack.supervisor.signal("broker", what))
        async with stack, kill_switch:
            kafka, postgres = stack.broker.bootstrap, stack.postgres.dsn
            self._database = await make_servers_ready(
                self.plan, self.state.run_id, kafka, postgres, _now_ms(), self.say
            )
            servers = Servers(kafka, stack.triton.grpc, self.dsn, kill_switch.url)
            seconds = await self._run_parts(stack, servers, stop)
            self.say("counting")
            return await self._counted(stack, model, began_ms, seconds)

    async def _run_parts(
        self, stack: EmbeddedStack, servers: Servers, stop: asyncio.Event
    ) -> float:
        """Our processes from their start to their end; for how many seconds they ran."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        pages_stop = asyncio.Event()
        reading: list[asyncio.Task[None]] = []
        try:
            self._pages, self.source_start_ms = free_pages(self.plan), _now_ms()
            parts = Parts(self.plan, self.state, servers, self._pages, self.source_start_ms).all()
            # A page asks until its player is there, and has its picture before a camera looks.
            reading = self._open_pages(self._pages, pages_stop)
            await asyncio.gather(*(stack.supervisor.start(part) for part in parts))
            started = loop.time()
            self.up = True
            self.say("up")
            await self._wait_for_the_end(stack, stop)
        finally:
            seconds = loop.time() - started
            self.say("stopping")
            await self._stop_parts(stack)
            pages_stop.set()
            await asyncio.gather(*reading)
        return seconds

    def _open_pages(self, pages: Pages, stop: asyncio.Event) -> list["asyncio.Task[None]"]:
        """The players' pages, read by a program where the plan says so."""
        if not self.plan.headless:
            return []
        for screen_id, port in pages.player_ports.items():
            if screen_id in self.plan.on_glass:
                continue
            told = partial(self.companion.rendered, screen_id) if self.companion else None
            self._read.append(HeadlessPage(LOOPBACK, port, told))
        return [asyncio.create_task(page.run(stop)) for page in self._read]

    async def _wait_for_the_end(self, stack: EmbeddedStack, stop: asyncio.Event) -> None:
        ends: list[Awaitable[object]] = [stop.wait()]
        ends += [stack.supervisor.wait(name) for name in self.plan.gateways.values()]
        if self.companion is not None:
            ends.append(self.companion.during(self))
        tasks = [asyncio.ensure_future(end) for end in ends]
        try:
            await asyncio.wait(
                tasks, timeout=self.plan.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome

    async def _stop_parts(self, stack: EmbeddedStack) -> None:
        """Gateway first, so that its last events reach everybody; the sink last, to write all."""
        supervisor = stack.supervisor
        running = set(supervisor.names)
        for name in (*self.plan.gateways.values(), "till"):
            if name in running:
                await supervisor.stop_part(name)
        if running >= set(_READ_BY):
            behind = await wait_until_caught_up(stack.broker.bootstrap, _READ_BY, _CATCH_UP_S)
            self.errors += [
                f"{group} had {n} records unread after {_CATCH_UP_S:.0f} s at the end"
                for group, n in behind.items()
            ]
        players = sorted(name for name in running if name.startswith("player-"))
        order = ["react", "learner", "publisher", "measure", *players, "sink", "web", "upkeep"]
        for name in order:
            if name in running:
                await supervisor.stop_part(name)

    async def _counted(
        self, stack: EmbeddedStack, model: PreparedModel, began_ms: int, seconds: float
    ) -> Report:
        tally = await read_log(stack.broker.bootstrap)
        if self.companion is not None:
            await self.companion.counted(self)
        database = _there(self._database)
        rows = await asyncio.to_thread(count_rows, database.dsn, database.past_until)
        read = [self._read_stats(name) for name in self.plan.gateways.values()]
        rendered = sum(page.rendered for page in self._read)
        return report_of(
            Ran(
                run_id=self.state.run_id,
                plan=self.plan,
                model=model,
                tally=tally,
                rows=rows,
                stats=[each for each in read if each is not None],
                rendered=rendered if self.plan.headless else None,
                began_ms=began_ms,
                source_start_ms=self.source_start_ms,
                seconds=seconds,
                restarts=sum(stack.supervisor.restarts.values()),
                errors=[*self.errors, *stack.supervisor.errors],
            )
        )

    def _read_stats(self, gateway: str) -> GatewayStats | None:
        try:
            content = stats_file(self.state, gateway).read_bytes()
            return msgspec.json.decode(content, type=GatewayStats)
        except (OSError, msgspec.DecodeError) as error:
            self.errors.append(f"the {gateway} left no figures ({error})")
            return None


def _there(value: _T | None) -> _T:
    if value is None:
        raise AssertionError("the chain has not been started")
    return value


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
