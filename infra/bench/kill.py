"""Kills every part of a running chain in turn and looks when the chain is whole again.

Whole means: a glance that began after the kill has been rendered by a screen's page (what it was
told to show was caused by that very gaze), the rows of the gaze and of its decision are in the
database, and so is the attention window in which it began.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.bench.account import account
from infra.bench.glances import Whole, begun_between, recovered, whole_glances
from infra.bench.logtail import LogTail, Seen
from infra.bench.report import Kill, KillReport, PartKills
from infra.bench.rows import RowWatch, all_keys
from infra.bench.screens import Screens
from infra.bench.versions import versions
from infra.bench.victims import processes, supervised
from infra.chain import Chain
from infra.report import Report
from infra.tally import Tally, read_log

#: The promise: a glance that begins this long after a kill goes the whole way.
WHOLE_AFTER_S = 15.0

#: Glances begin every 3.4 s and some are not seen as such: one of the first few has to do.
_GLANCES_WITHIN_S = 10.0
#: From its beginning to its last row a glance takes 3 to 5 s on a busy machine.
_GLANCE_TAKES_S = 15.0
#: A chain that is not whole after so long is not waited for any more.
_PATIENCE_S = 90.0
#: Kills come at any moment of a glance.
_JITTER_S = 3.4
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class _Killed:
    part: str
    at_ms: int


@dataclass(slots=True)
class KillBench:
    """Goes along with a run as its companion; `report` tells what it saw, once the run is over."""

    parts: Sequence[str]
    kills: int
    seed: int
    say: Callable[[str], None]
    told: Callable[[Kill], None]
    done: list[Kill] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _screens: Screens = field(default_factory=Screens)
    _rows: RowWatch | None = None
    _tail: LogTail | None = None
    _from_ms: int = 0
    _to_ms: int = 0
    _restarts: dict[str, int] = field(default_factory=dict)
    _killed: list[_Killed] = field(default_factory=list)
    _forgotten: list[Seen] = field(default_factory=list)
    _tally: Tally = field(default_factory=Tally)
    _in_database: set[tuple[str, str]] = field(default_factory=set)

    def rendered(self, screen_id: str, message: dict[str, Any]) -> None:
        """See `Companion`."""
        self._screens.add(screen_id, message, _now_ms())

    async def during(self, chain: Chain) -> None:
        """See `Companion`: all the kills."""
        self._from_ms = _now_ms()
        self._rows = RowWatch(chain.dsn)
        self._tail = LogTail(chain.stack.broker.bootstrap)
        watching = [
            asyncio.create_task(self._rows.run(), name="rows"),
            asyncio.create_task(self._tail.run(), name="log"),
        ]
        try:
            await self._kill_all(chain)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            self._to_ms = _now_ms()
            self._restarts = dict(chain.stack.supervisor.restarts)

    async def counted(self, chain: Chain) -> None:
        """See `Companion`: what the log and the database hold in the end."""
        bootstrap = chain.stack.broker.bootstrap
        self._tally = await read_log(bootstrap)
        self._in_database = await asyncio.to_thread(all_keys, chain.dsn)
        if self._tail is not None:
            self._forgotten = await self._tail.forgotten()

    async def _kill_all(self, chain: Chain) -> None:
        draw = random.Random(self.seed)  # noqa: S311 - when to kill, no secret
        if await self._first_whole(_now_ms(), _PATIENCE_S) is None:
            self.errors.append("the chain was not whole before anything was killed")
        self._from_ms = _now_ms()
        for number in range(self.kills):
            for part in self.parts:
                await asyncio.sleep(draw.uniform(0.0, _JITTER_S))
                self.say(f"killing {part} ({number + 1} of {self.kills})")
                kill = await self._kill(chain, part)
                self.done.append(kill)
                self.told(kill)

    async def _kill(self, chain: Chain, part: str) -> Kill:
        at_ms = _now_ms()
        pids = processes(part, chain.stack.supervisor)
        if not pids:
            self.errors.append(f"{part} was not there to be killed")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._killed.append(_Killed(part, at_ms))
        whole = await self._first_whole(at_ms, _PATIENCE_S)
        after = await self._whole_later(at_ms)
        return Kill(
            part=part,
            at_s=_seconds(at_ms - self._from_ms),
            load=round(os.getloadavg()[0], 1),
            glance_begun_s=None if whole is None else _seconds(whole.begun_at_ms - at_ms),
            rendered_s=None if whole is None else _seconds(whole.rendered_at_ms - at_ms),
            recovered_s=None if whole is None else _seconds(whole.whole_at_ms - at_ms),
            whole_after_15_s=after,
        )

    async def _first_whole(self, after_ms: int, patience_s: float) -> Whole | None:
        until_ms = after_ms + round(1_000 * patience_s)
        while True:
            whole = recovered(self._whole(after_ms))
            if whole is not None or _now_ms() > until_ms:
                return whole
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _whole_later(self, kill_ms: int) -> bool:
        """Whether a glance that begins in the ten seconds after the promised ones is whole."""
        from_ms = kill_ms + round(1_000 * WHOLE_AFTER_S)
        to_ms = from_ms + round(1_000 * _GLANCES_WITHIN_S)
        while not (held := begun_between(self._whole(from_ms), from_ms, to_ms)):
            if _now_ms() > to_ms + 1_000 * _GLANCE_TAKES_S:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        return held

    def _whole(self, after_ms: int) -> list[Whole]:
        if self._rows is None:
            return []
        rows = self._rows
        return whole_glances(
            after_ms, rows.gazes, rows.decided, rows.windows.values(), self._screens.rendered
        )

    def report(self, chain: Chain, run: Report) -> KillReport:
        """What was seen; `run` is the report of the whole run."""
        accounts = account(self._tally, self._in_database, self._forgotten)
        parts = [self._of_part(part) for part in self.parts]
        screens = list(chain.player_urls)
        unexplained = sum(a.missing + a.extra - a.extra_forgotten for a in accounts)
        stored = {key for table, key in self._in_database if table == "gaze"}
        return KillReport(
            parts=parts,
            rows_equal_events=unexplained == 0,
            dark_seconds=_seconds(self._screens.dark_ms(screens, self._from_ms, self._to_ms)),
            whole_after_15_s=all(kill.whole_after_15_s for kill in self.done),
            missing_rows=sum(a.missing for a in accounts),
            extra_rows=sum(a.extra for a in accounts),
            lost_by_broker=len(self._forgotten),
            still_longest_s=_seconds(self._screens.still_longest_ms(self._to_ms)),
            seconds=run.seconds,
            seed=self.seed,
            kills=self.done,
            accounts=accounts,
            restarts=self._restarts,
            dead_letters=run.dead_letters,
            gazes_left_open=len(self._tally.gazes_left_open - stored),
            versions=versions(),
            errors=[*self.errors, *run.errors],
        )

    def _of_part(self, part: str) -> PartKills:
        kills = [kill for kill in self.done if kill.part == part]
        lost = sum(1 for seen in self._forgotten if self._blamed(seen) == part)
        names = supervised(part, self._restarts)
        return PartKills(
            part=part,
            kills=len(kills),
            recovered_s=[kill.recovered_s for kill in kills],
            glance_begun_s=[kill.glance_begun_s for kill in kills],
            whole_after_15_s=all(kill.whole_after_15_s for kill in kills),
            restarts=sum(self._restarts.get(name, 0) for name in names),
            lost_by_broker=lost,
        )

    def _blamed(self, seen: Seen) -> str | None:
        """At whose kill the broker forgot a record: the next one after it was appended."""
        later = [kill for kill in self._killed if kill.at_ms >= seen.timestamp_ms]
        broker = [kill for kill in later if kill.part == "broker"]
        return min(broker or later, key=lambda kill: kill.at_ms).part if later else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _seconds(ms: int) -> float:
    return round(ms / 1_000, 2)
