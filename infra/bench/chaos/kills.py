"""Kills at random: workers, sink and database by SIGKILL, connections to the broker by cutting
them, and a broker that stands still for a while.

The embedded broker itself is not killed: it forgets records that it has acknowledged, which no
client can make up for.
"""

import asyncio
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from pydantic import SecretStr

from infra.bench.chaos.proxy import CuttingProxy
from infra.bench.chaos.report import Recovery
from infra.stack.supervisor import Supervisor
from streams.contracts.topics import ATTENTION

Kind = Literal["worker", "sink", "postgres", "some connections", "all connections", "broker stalls"]

_KINDS: tuple[Kind, ...] = (
    "worker",
    "worker",
    "sink",
    "sink",
    "postgres",
    "some connections",
    "all connections",
    "broker stalls",
)
_STALL_S = (0.5, 3.0)
_LOOK_EVERY_S = 0.2
_CONNECT_TIMEOUT_S = 2


@dataclass(slots=True)
class Killer:
    """Kills from `run`'s beginning until it is cancelled."""

    supervisor: Supervisor
    proxy: CuttingProxy
    workers: Sequence[str]
    seed: int
    calm_s: tuple[float, float]
    say: Callable[[str], None]
    at_ms: list[int] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)
    connections_cut: int = 0

    async def run(self) -> None:
        """Kills, again and again."""
        draw = random.Random(self.seed)  # noqa: S311 - when to kill whom, no secret
        await asyncio.sleep(draw.uniform(*self.calm_s))
        deck: list[Kind] = []
        while True:
            # In rounds, so that a run of a minute has seen all of them.
            deck = deck or draw.sample(_KINDS, len(_KINDS))
            kind = deck.pop()
            self.say(f"{kind}: kill {len(self.at_ms) + 1}")
            self.at_ms.append(time.time_ns() // 1_000_000)
            self.by_kind[kind] += 1
            await self._kill(kind, draw)
            await asyncio.sleep(draw.uniform(*self.calm_s))

    async def _kill(self, kind: Kind, draw: random.Random) -> None:
        match kind:
            case "worker":
                self.supervisor.signal(draw.choice(self.workers), signal.SIGKILL)
            case "sink" | "postgres":
                self.supervisor.signal(kind, signal.SIGKILL)
            case "some connections":
                self.connections_cut += self.proxy.cut(0.5, draw)
            case "all connections":
                self.connections_cut += self.proxy.cut(1.0, draw)
            case "broker stalls":
                self.supervisor.signal("broker", signal.SIGSTOP)
                try:
                    await asyncio.sleep(draw.uniform(*_STALL_S))
                finally:
                    self.supervisor.signal("broker", signal.SIGCONT)


class RecoveryWatch:
    """Notes when which windows had come into the database, by the time at which they were told."""

    def __init__(self, dsn: SecretStr) -> None:
        self._dsn = dsn
        #: (when it was seen, when the newest stored window had been told), epoch milliseconds.
        self._seen: list[tuple[int, int]] = []

    async def run(self) -> None:
        """Looks until it is cancelled; a database that is away is asked again."""
        while True:
            with suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(
                    self._dsn.get_secret_value(),
                    autocommit=True,
                    connect_timeout=_CONNECT_TIMEOUT_S,
                ) as connection:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(_LOOK_EVERY_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        cursor = await connection.execute(
            "SELECT (extract(epoch FROM max(last_record_at)) * 1000)::bigint FROM stream_offsets "
            "WHERE topic = %s",
            [ATTENTION.name],
        )
        row = await cursor.fetchone()
        told_ms = row[0] if row is not None else None
        if isinstance(told_ms, int) and (not self._seen or told_ms > self._seen[-1][1]):
            self._seen.append((time.time_ns() // 1_000_000, told_ms))

    def recovery(self, kills_ms: Sequence[int]) -> Recovery:
        """For each kill, how long until a window told after it was in the database."""
        took: list[float] = []
        for kill_ms in kills_ms:
            seen = next((at for at, told in self._seen if told > kill_ms), None)
            if seen is not None:
                took.append((seen - kill_ms) / 1_000)
        took.sort()
        return Recovery(
            p50=round(statistics.median(took), 2) if took else None,
            p99=round(took[min(len(took) - 1, round(0.99 * len(took)))], 2) if took else None,
            most=round(took[-1], 2) if took else None,
            n=len(kills_ms),
            unseen=len(kills_ms) - len(took),
        )
