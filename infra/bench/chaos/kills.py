"""Kills at random: workers, sink and database by SIGKILL, connections to the broker by cutting
them, and a broker that stands still for a while.

The embedded broker itself is not killed: it forgets records that it has acknowledged, which no
client can make up for. One that is named is its owner's: it stands still behind the door.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from infra.bench.chaos.proxy import CuttingProxy
from infra.stack.supervisor import Supervisor

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


@dataclass(slots=True)
class Killer:
    """Kills from `run`'s beginning until it is cancelled."""

    supervisor: Supervisor
    proxy: CuttingProxy
    workers: Sequence[str]
    seed: int
    calm_s: tuple[float, float]
    say: Callable[[str], None]
    #: The broker is the user's.
    named: bool = False
    #: When what was killed, in epoch milliseconds.
    kills: list[tuple[int, Kind]] = field(default_factory=list)
    connections_cut: int = 0

    @property
    def by_kind(self) -> Counter[str]:
        """How often each was killed."""
        return Counter(kind for _, kind in self.kills)

    async def run(self) -> None:
        """Kills, again and again."""
        draw = random.Random(self.seed)  # noqa: S311 - when to kill whom, no secret
        await asyncio.sleep(draw.uniform(*self.calm_s))
        deck: list[Kind] = []
        while True:
            # In rounds, so that a run of a minute has seen all of them.
            deck = deck or draw.sample(_KINDS, len(_KINDS))
            kind = deck.pop()
            self.say(f"{kind}: kill {len(self.kills) + 1}")
            self.kills.append((time.time_ns() // 1_000_000, kind))
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
                with self.proxy.held() if self.named else self._stopped("broker"):
                    await asyncio.sleep(draw.uniform(*_STALL_S))

    @contextmanager
    def _stopped(self, part: str) -> Iterator[None]:
        self.supervisor.signal(part, signal.SIGSTOP)
        try:
            yield
        finally:
            self.supervisor.signal(part, signal.SIGCONT)
