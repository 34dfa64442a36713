"""The workers of one group: they are killed one at a time, to come back with their id or not."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from typing import Literal

from infra.stack.part import Part
from infra.stack.supervisor import Supervisor

Fate = Literal["returned", "lost"]

#: A lost worker is replaced by one with another id when the group has noticed that it is lost.
_REPLACED_AFTER_S = 12.0


class Members:
    """`part_of` makes the part of a member from its id."""

    def __init__(
        self,
        supervisor: Supervisor,
        part_of: Callable[[str], Part],
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self._supervisor = supervisor
        self._part_of = part_of
        self._draw = random.Random(seed)  # noqa: S311 - whom to kill, no secret
        self._say = say
        self._made = 0
        self.names: list[str] = []
        #: When somebody was killed, in epoch milliseconds, and what became of them.
        self.kills: list[tuple[int, Fate]] = []

    async def add(self) -> str:
        """One more member, once it is ready."""
        self._made += 1
        name = f"measure-{self._made}"
        await self._supervisor.start(self._part_of(name))
        self.names.append(name)
        return name

    async def kill_one_every(self, seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            fate: Fate = "lost" if len(self.kills) % 2 else "returned"
            await asyncio.sleep(seconds - (_REPLACED_AFTER_S if self._just_lost() else 0.0))
            name = self._draw.choice(self.names)
            self._say(f"{name} is killed and {fate}")
            self.kills.append((time.time_ns() // 1_000_000, fate))
            self._supervisor.signal(name, signal.SIGKILL)
            if fate == "lost":
                self.names.remove(name)
                await self._supervisor.stop_part(name)
                await asyncio.sleep(_REPLACED_AFTER_S)
                await self.add()

    def _just_lost(self) -> bool:
        return bool(self.kills) and self.kills[-1][1] == "lost"

    async def stop(self) -> None:
        """All of them, gracefully."""
        await asyncio.gather(*(self._supervisor.stop_part(name) for name in self.names))
