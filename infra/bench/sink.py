"""How fast the sink stores rows exactly once, beside a bare binary COPY into the same table.

Both sides store the same rows of `gaze` in the same batches, one transaction each, into a table
with the product's own indexes, emptied before each run; runs alternate, and medians are compared.
The sink's side begins with decoded events: making rows, their order, the guard against repeats and
the stored offsets are in its time. The bare side has its rows ready.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.bench.versions import versions
from infra.db.migrate import migrate
from infra.rundb import create_run_database
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.topics import GAZE
from streams.contracts.vision import Gaze, GazeBatch
from streams.sink.pipeline import OneAhead
from streams.sink.ready import Ready
from streams.sink.resume import Place, Stored
from streams.sink.row import Unit
from streams.sink.rows import units
from streams.sink.tables import GAZE as TABLE
from streams.sink.writer import Writer

#: Events in a message, as a busy area's gateway sends them, and messages in a transaction.
_EVENTS_A_MESSAGE = 20
_MESSAGES_A_BATCH = 250
#: Messages that the sink makes ready before the write in hand has its turn.
_SLICE_MESSAGES = 25
_START_MS = 1_790_000_000_000

Connection = AsyncConnection[tuple[Any, ...]]
Say = Callable[[str], None]


class SinkReport(Struct, frozen=True, kw_only=True):
    """The figures, rows a second; medians over `runs`. `ratio_to_copy` is the goal's: at least 0.6.

    `ratio_to_one_copy`: beside a single COPY of everything in one transaction, which no stream can
    have. `duplicates_share`: of the events that were stored before, in the runs with duplicates.
    """

    rows: int
    batch_rows: int
    runs: int
    rows_per_s: float
    copy_rows_per_s: float
    one_copy_rows_per_s: float
    rows_per_s_with_duplicates: float
    duplicates_share: float
    ratio_to_copy: float
    ratio_to_one_copy: float
    ratio_with_duplicates: float
    engine: str
    versions: dict[str, str]


async def bench_sink(
    state: StateFolder, settings: StackSettings, *, rows: int, runs: int, seed: int, say: Say
) -> SinkReport:
    """Measures on the embedded PostgreSQL of `state`."""
    stack = EmbeddedStack(state, settings, parts={"postgres"})
    async with stack:
        dsn = create_run_database(SecretStr(stack.postgres.dsn), state.run_id)
        migrate(dsn, lambda _: None)
        async with await AsyncConnection.connect(
            dsn.get_secret_value(), autocommit=True
        ) as connection:
            return await _measure(connection, rows, runs, seed, say)


async def _measure(connection: Connection, rows: int, runs: int, seed: int, say: Say) -> SinkReport:
    batches = _batches(rows, seed)
    ready = [_rows(batch) for batch in batches]
    whole = [[row for rows_of_batch in ready for row in rows_of_batch]]
    repeated = _with_duplicates(batches, seed)
    speeds: dict[str, list[float]] = {"ours": [], "copy": [], "one": [], "repeats": []}
    for number in range(runs):
        say(f"run {number + 1} of {runs}")
        speeds["copy"].append(await _timed(connection, rows, lambda: _bare(connection, ready)))
        speeds["ours"].append(await _timed(connection, rows, lambda: _ours(connection, batches)))
        speeds["one"].append(await _timed(connection, rows, lambda: _bare(connection, whole)))
        speeds["repeats"].append(
            await _timed(connection, rows, lambda: _ours(connection, repeated))
        )
    median = {name: statistics.median(found) for name, found in speeds.items()}
    cursor = await connection.execute("SELECT version()")
    row = await cursor.fetchone()
    return SinkReport(
        rows=rows,
        batch_rows=_EVENTS_A_MESSAGE * _MESSAGES_A_BATCH,
        runs=runs,
        rows_per_s=round(median["ours"]),
        copy_rows_per_s=round(median["copy"]),
        one_copy_rows_per_s=round(median["one"]),
        rows_per_s_with_duplicates=round(median["repeats"]),
        duplicates_share=round(1 - rows / sum(len(m.events) for b in repeated for m in b), 3),
        ratio_to_copy=round(_ratio(speeds["ours"], speeds["copy"]), 3),
        ratio_to_one_copy=round(_ratio(speeds["ours"], speeds["one"]), 3),
        ratio_with_duplicates=round(_ratio(speeds["repeats"], speeds["copy"]), 3),
        engine=str(row[0]).split(" on ")[0] if row is not None else "unknown",
        versions=versions(),
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of runs that followed one another: a busy minute hits both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


async def _timed(connection: Connection, rows: int, store: Callable[[], Awaitable[None]]) -> float:
    """Rows a second of `store` into the emptied table.

    Raises AssertionError where it did not leave each row exactly once.
    """
    await connection.execute("TRUNCATE gaze, stream_offsets")
    await connection.execute("CHECKPOINT")
    began = time.perf_counter()
    await store()
    elapsed = time.perf_counter() - began
    cursor = await connection.execute("SELECT count(*), count(DISTINCT gaze_id) FROM gaze")
    row = await cursor.fetchone()
    if row is None or tuple(row) != (rows, rows):
        raise AssertionError(f"{row} rows and ids were stored, not {rows}")
    return rows / elapsed


async def _ours(connection: Connection, batches: Sequence[Sequence[GazeBatch]]) -> None:
    writer = Writer(connection, "bench")

    async def refused(index: int, error: Exception) -> None:
        raise AssertionError(f"record {index} was refused") from error

    async def write(ready: Ready, positions: dict[Place, Stored]) -> None:
        await writer.write(ready, positions, refused)

    offset = 0
    async with OneAhead() as ahead:
        for batch in batches:
            offset += len(batch)
            rows: list[list[Unit]] = []
            for number, message in enumerate(batch, 1):
                if number % _SLICE_MESSAGES == 0:  # as the sink does, by its records
                    await asyncio.sleep(0)
                rows.append(units(GAZE.name, message))
            ready = writer.ready(rows)
            await ahead.put(write(ready, {(GAZE.name, 0): Stored(offset, _START_MS, "")}))


async def _bare(connection: Connection, batches: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    types = [kind for _, kind in TABLE.columns]
    for rows in batches:
        async with connection.transaction(), connection.cursor() as cursor:
            async with cursor.copy(TABLE.copy()) as copy:
                copy.set_types(types)
                for row in rows:
                    await copy.write_row(row)


def _rows(batch: Sequence[GazeBatch]) -> list[tuple[Any, ...]]:
    return [row.values for message in batch for unit in units(GAZE.name, message) for row in unit]


def _batches(rows: int, seed: int) -> list[list[GazeBatch]]:
    """Transactions of messages of gazes that have ended, as gateways of one store send them."""
    draw = random.Random(seed)  # noqa: S311 - data for a measurement, no secret
    messages = [
        _message(
            [_gaze(n, draw) for n in range(first, min(first + _EVENTS_A_MESSAGE, rows))], first
        )
        for first in range(0, rows, _EVENTS_A_MESSAGE)
    ]
    return [
        messages[first : first + _MESSAGES_A_BATCH]
        for first in range(0, len(messages), _MESSAGES_A_BATCH)
    ]


def _with_duplicates(batches: Sequence[Sequence[GazeBatch]], seed: int) -> list[list[GazeBatch]]:
    """The same, but each transaction repeats a tenth of the events before it."""
    draw = random.Random(seed + 1)  # noqa: S311 - data for a measurement, no secret
    seen: list[Gaze] = []
    repeated = []
    for batch in batches:
        events = [event for message in batch for event in message.events]
        again = draw.sample(seen, min(len(seen), len(events) // 10))
        repeated.append([*batch, *([_message(again, -1)] if again else [])])
        seen += events
    return repeated


def _message(events: Sequence[Gaze], number: int) -> GazeBatch:
    return GazeBatch(
        store_id="bench", area_id="a", gateway_id="gw", seq=max(0, number), events=tuple(events)
    )


def _gaze(number: int, draw: random.Random) -> Gaze:
    at_ms = _START_MS + 50 * number
    gaze_id = event_id("bench", number)
    return Gaze(
        gaze_id=gaze_id,
        phase="ended",
        track_id=event_id("track", number // 6),
        camera_id=f"camera-{number % 16}",
        target_id=f"zone-{draw.randrange(24)}",
        target_kind="zone",
        probability=draw.uniform(0.8, 1.0),
        started_at_ms=at_ms - draw.randrange(300, 4_000),
        ended_at_ms=at_ms,
        attention_ms=300,
        distance_m=draw.uniform(0.8, 3.0),
        calibration_version="bench-1",
        trace=Trace(cause_id=gaze_id, captured_at_ms=at_ms, inferred_at_ms=at_ms, sent_at_ms=at_ms),
    )
