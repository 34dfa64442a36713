"""The workers of one group: they are killed one at a time, to come back with their id or not."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from infra.stack.part import Part
from infra.stack.supervisor import Supervisor

Fate = Literal["returned", "lost"]


@dataclass(frozen=True, slots=True)
class Kill:
    """Who was killed when, in epoch milliseconds, and what became of them."""

    at_ms: int
    name: str
    fate: Fate


class Members:
    """`part_of` makes the part of a member from its id; `expire` takes a lost one out of its group,
    `session_s` after its death.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        part_of: Callable[[str], Part],
        expire: Callable[[str], Awaitable[None]],
        session_s: float,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self._supervisor = supervisor
        self._part_of = part_of
        self._expire = expire
        self._session_s = session_s
        self._draw = random.Random(seed)  # noqa: S311 - whom to kill, no secret
        self._say = say
        self._made = 0
        self.names: list[str] = []
        self.kills: list[Kill] = []

    async def add(self) -> str:
        """One more member, once it is ready."""
        self._made += 1
        name = f"measure-{self._made}"
        await self._supervisor.start(self._part_of(name))
        self.names.append(name)
        return name

    async def kill_one_every(self, seconds: float, for_s: float) -> None:
        """For so long. Whoever is lost is replaced at once by one with another id."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        until_s = due_s + for_s
        while (due_s := max(due_s + seconds, loop.time())) < until_s:
            await asyncio.sleep(due_s - loop.time())
            fate: Fate = "lost" if len(self.kills) % 2 else "returned"
            name = self._draw.choice(self.names)
            self._say(f"{name} is killed and {fate}")
            self.kills.append(Kill(time.time_ns() // 1_000_000, name, fate))
            self._supervisor.signal(name, signal.SIGKILL)
            if fate == "lost":
                self.names.remove(name)
                await self._supervisor.stop_part(name)
                await asyncio.gather(self._expires(name), self.add())

    async def _expires(self, name: str) -> None:
        await asyncio.sleep(self._session_s)
        await self._expire(name)

    async def stop(self) -> None:
        """All of them, gracefully."""
        await asyncio.gather(*(self._supervisor.stop_part(name) for name in self.names))
