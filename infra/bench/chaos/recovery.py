"""How long after each kill all is whole again, and what happened meanwhile."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress

import psycopg
from pydantic import SecretStr

from infra.bench.chaos.report import Recovery, SlowRecovery
from infra.stack.part import PartEvent
from streams.contracts.topics import ATTENTION

_LOOK_EVERY_S = 0.2
_CONNECT_TIMEOUT_S = 2
#: Of so many a report tells what happened.
_MOST_TOLD = 5
_DETAIL_CHARS = 200

Kills = Sequence[tuple[int, str]]


class Timeline:
    """What happened to the parts; a listener of the supervisor."""

    def __init__(self) -> None:
        self._happened: list[tuple[int, str]] = []

    def __call__(self, event: PartEvent) -> None:
        """Notes it."""
        said = f"{event.part} {event.phase} {event.detail[:_DETAIL_CHARS]}".strip()
        self._happened.append((time.time_ns() // 1_000_000, said))

    def between(self, begin_ms: int, end_ms: int) -> list[str]:
        """What happened, each with its second from the beginning."""
        return [
            f"{(at_ms - begin_ms) / 1_000:.1f} s: {said}"
            for at_ms, said in self._happened
            if begin_ms <= at_ms <= end_ms
        ]


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

    def recovery(self, kills: Kills) -> Recovery:
        """For each kill, how long until a window told after it was in the database."""
        took = sorted(took for _, _, took in self._recoveries(kills) if took is not None)
        return Recovery(
            p50=round(statistics.median(took), 2) if took else None,
            p99=round(took[min(len(took) - 1, round(0.99 * len(took)))], 2) if took else None,
            most=round(took[-1], 2) if took else None,
            n=len(kills),
            unseen=len(kills) - len(took),
        )

    def slowest(self, kills: Kills, timeline: Timeline) -> list[SlowRecovery]:
        """The kills after which it took longest, those first that were never made up for."""
        found = sorted(self._recoveries(kills), key=lambda each: -(each[2] or float("inf")))
        first_ms = kills[0][0] if kills else 0
        slow = []
        for at_ms, kind, took_s in found[:_MOST_TOLD]:
            end_ms = at_ms + round(1_000 * (took_s if took_s is not None else 3_600))
            others = [
                f"{(other_ms - at_ms) / 1_000:.1f} s: {other} killed"
                for other_ms, other in kills
                if at_ms < other_ms <= end_ms
            ]
            slow.append(
                SlowRecovery(
                    killed=kind,
                    after_s=round((at_ms - first_ms) / 1_000, 1),
                    took_s=round(took_s, 2) if took_s is not None else None,
                    meanwhile=[*others, *timeline.between(at_ms, end_ms)],
                )
            )
        return slow

    def _recoveries(self, kills: Kills) -> list[tuple[int, str, float | None]]:
        found: list[tuple[int, str, float | None]] = []
        for at_ms, kind in kills:
            seen = next((seen for seen, told in self._seen if told > at_ms), None)
            found.append((at_ms, kind, None if seen is None else (seen - at_ms) / 1_000))
        return found
