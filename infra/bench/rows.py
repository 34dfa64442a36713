"""What the database holds, asked for again and again: outlives the database and remembers when
something was there first.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import psycopg
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.bench.logtail import Key

_EVERY_S = 0.2
_TIMEOUT_S = 3
#: Rows of glances that began longer ago cannot be news any more.
_SPAN = "interval '90 seconds'"

_GAZES = f"""
SELECT gaze_id, target_id, (extract(epoch FROM started_at) * 1000)::bigint
FROM gaze WHERE target_kind = 'zone' AND started_at > now() - {_SPAN}
"""  # noqa: S608 - a constant
_DECISIONS = f"""
SELECT decision_id, cause_id
FROM decisions WHERE cause_id IS NOT NULL AND decided_at > now() - {_SPAN}
"""  # noqa: S608 - a constant
_WINDOWS = f"""
SELECT target_id, (extract(epoch FROM window_start) * 1000)::bigint,
       (extract(epoch FROM window_end) * 1000)::bigint, watchers, through_offset
FROM attention WHERE window_end > now() - {_SPAN}
"""  # noqa: S608 - a constant

#: Every row of the tables that are counted, by table and id.
_KEYS = """
SELECT 'gaze', gaze_id FROM gaze
UNION ALL SELECT 'dwell', dwell_id FROM dwell
UNION ALL SELECT 'baskets', basket_id FROM baskets
UNION ALL SELECT 'decisions', decision_id FROM decisions
UNION ALL SELECT 'plays', play_id FROM plays
UNION ALL SELECT 'attention',
    target_id || '@' || (extract(epoch FROM window_start) * 1000)::bigint
        || '-' || (extract(epoch FROM window_end) * 1000)::bigint FROM attention
"""


@dataclass(frozen=True, slots=True)
class GazeRow:
    """A gaze in the database. `stored_at_ms`: when it was seen there first."""

    gaze_id: str
    target_id: str
    started_at_ms: int
    stored_at_ms: int


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A state of an attention window in the database, and when it was seen there first."""

    target_id: str
    start_ms: int
    end_ms: int
    watchers: int
    stored_at_ms: int


@dataclass(slots=True)
class RowWatch:
    """Watches the rows of a run. `decided` maps a gaze to its decisions and when they were there.

    `windows` holds a row for each change of a window.
    """

    dsn: SecretStr
    gazes: dict[str, GazeRow] = field(default_factory=dict)
    decided: dict[str, dict[str, int]] = field(default_factory=dict)
    windows: dict[tuple[str, int, int], WindowRow] = field(default_factory=dict)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                await self._watch()
            await asyncio.sleep(_EVERY_S)

    async def _watch(self) -> None:
        async with await AsyncConnection.connect(
            self.dsn.get_secret_value(), autocommit=True, connect_timeout=_TIMEOUT_S
        ) as connection:
            while True:
                async with asyncio.timeout(_TIMEOUT_S):
                    gazes = await (await connection.execute(_GAZES)).fetchall()
                    decisions = await (await connection.execute(_DECISIONS)).fetchall()
                    windows = await (await connection.execute(_WINDOWS)).fetchall()
                now_ms = time.time_ns() // 1_000_000
                for gaze_id, target, started_ms in gazes:
                    self.gazes.setdefault(gaze_id, GazeRow(gaze_id, target, started_ms, now_ms))
                for decision_id, cause_id in decisions:
                    self.decided.setdefault(cause_id, {}).setdefault(decision_id, now_ms)
                for target, start_ms, end_ms, watchers, through in windows:
                    row = WindowRow(target, start_ms, end_ms, watchers, now_ms)
                    self.windows.setdefault((target, start_ms, through), row)
                await asyncio.sleep(_EVERY_S)


def all_keys(dsn: SecretStr) -> set[Key]:
    """Every counted row of a run's database, by table and id."""
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        return {(table, key) for table, key in connection.execute(_KEYS).fetchall()}
