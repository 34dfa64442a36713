"""Writes rows and offsets in one transaction, so that nothing is stored twice and nothing lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from streams.sink.errors import FencedError
from streams.sink.resume import Place, Rewind, Stored
from streams.sink.row import Row, Unit, moment
from streams.sink.table import Table
from streams.sink.tables import TABLES

#: A value that no attempt will make the database take: the record goes to the dead letters.
REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeError,
)

#: Fewer rows are inserted by one statement: a copy costs a savepoint and its round trips.
_COPY_FROM = 64

#: How often a sink that waits for another asks again.
_FENCE_POLL_S = 0.25

_OFFSETS = """
INSERT INTO stream_offsets
    (consumer, topic, partition, next_offset, last_record_at, last_record_digest)
SELECT %s, * FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::timestamptz[], %s::text[])
ON CONFLICT (consumer, topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset,
    last_record_at = excluded.last_record_at,
    last_record_digest = excluded.last_record_digest,
    updated_at = now()
"""

_REWIND = """
INSERT INTO stream_rewinds (consumer, topic, partition, reason, stored_offset, log_start, log_end,
                            resumed_at, forgotten)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

Connection = AsyncConnection[tuple[Any, ...]]

#: Told the index of a record that the database refused, before anything is committed.
Refused = Callable[[int, Exception], Awaitable[None]]


class Writer:
    """Writes under a `consumer` name through one connection (in autocommit mode)."""

    def __init__(self, connection: Connection, consumer: str) -> None:
        self._connection = connection
        self._consumer = consumer
        #: Tables whose last rows were partly there already.
        self._repeating: set[str] = set()

    async def claim(self, wait_s: float, stop: asyncio.Event) -> bool:
        """Take the right to write under this name; it lives and dies with the connection.

        Returns False where `stop` was set first.

        Raises:
            FencedError: another sink has held it for `wait_s`.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        name = f"smartstore.sink.{self._consumer}"
        while not stop.is_set():
            cursor = await self._connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]
            )
            row = await cursor.fetchone()
            if row is not None and row[0]:
                return True
            if clock() >= until:
                raise FencedError(
                    f"another sink named {self._consumer!r} writes to this database; stop it, or "
                    "give this one a name and offsets of its own with SMARTSTORE_SINK_NAME"
                )
            await asyncio.sleep(_FENCE_POLL_S)
        return False

    async def positions(self) -> dict[Place, Stored]:
        """Where this consumer goes on, by topic and partition."""
        cursor = await self._connection.execute(
            "SELECT topic, partition, next_offset, "
            "(extract(epoch FROM last_record_at) * 1000)::bigint, last_record_digest "
            "FROM stream_offsets WHERE consumer = %s",
            [self._consumer],
        )
        return {(row[0], row[1]): Stored(*row[2:]) async for row in cursor}

    async def note(self, rewind: Rewind) -> None:
        """Keep that reading went back, and go on from there also after a restart."""
        topic, partition = rewind.place
        resumed = Stored(rewind.resumed_at, rewind.stored.record_at_ms, "")
        async with self._connection.transaction():
            await self._connection.execute(
                _REWIND,
                [
                    self._consumer,
                    topic,
                    partition,
                    rewind.reason,
                    rewind.stored.next_offset,
                    rewind.log_start,
                    rewind.log_end,
                    rewind.resumed_at,
                    rewind.forgotten,
                ],
            )
            await self._store({rewind.place: resumed})

    async def write(
        self, batch: Sequence[Sequence[Unit]], positions: Mapping[Place, Stored], refused: Refused
    ) -> Counter[str]:
        """Store the units of each record, and `positions`. Returns the new rows by table.

        A record of which the database refuses a unit is told to `refused`; its other units stay.
        """
        async with self._connection.transaction():
            written = await self._write(list(enumerate(batch)), refused)
            await self._store(positions)
        return written

    async def _write(
        self, batch: Sequence[tuple[int, Sequence[Unit]]], refused: Refused
    ) -> Counter[str]:
        """Insert all at once; where a value is refused, by halves until the record is found."""
        try:
            async with self._connection.transaction():
                return await self._insert(
                    row for _, units in batch for unit in units for row in unit
                )
        except REFUSALS:
            if len(batch) == 1:
                return await self._write_units(*batch[0], refused)
            half = len(batch) // 2
            written = await self._write(batch[:half], refused)
            return written + await self._write(batch[half:], refused)

    async def _write_units(
        self, index: int, units: Sequence[Unit], refused: Refused
    ) -> Counter[str]:
        written: Counter[str] = Counter()
        problem: Exception | None = None
        for unit in units:
            try:
                async with self._connection.transaction():
                    written += await self._insert(unit)
            except REFUSALS as error:
                problem = error
        if problem is not None:
            await refused(index, problem)
        return written

    async def _insert(self, rows: Iterable[Row]) -> Counter[str]:
        by_table: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_table.setdefault(row.table.name, []).append(row.values)
        written: Counter[str] = Counter()
        for table in TABLES:
            values = in_key_order(table, by_table.get(table.name, []))
            if len(values) >= _COPY_FROM and table.copies:
                written[table.name] = await self._copy(table, values)
            elif values:
                written[table.name] = await self._insert_new(table, values)
        return written

    async def _insert_new(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor = await self._connection.execute(table.insert(), columns)
        return cursor.rowcount

    async def _copy(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
        """COPY straight into the table, in a savepoint. Where a row was there already, only what is
        new is copied, and it is looked up beforehand from then on until nothing is repeated:
        repeats come in stretches, after a restart or a rewind.
        """
        if table.name in self._repeating:
            new = await self._new(table, rows)
            if len(new) == len(rows):
                self._repeating.discard(table.name)
            rows = new
        try:
            async with self._connection.transaction():
                return await self._copy_all(table, rows)
        except psycopg.errors.UniqueViolation:
            # Once more after a look-up; rows of another writer meanwhile are for the slow way.
            if table.name in self._repeating:
                return await self._insert_new(table, rows)
            self._repeating.add(table.name)
            return await self._copy(table, rows)

    async def _copy_all(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
        async with self._connection.cursor() as cursor, cursor.copy(table.copy()) as copy:
            copy.set_types([kind for _, kind in table.columns])
            for row in rows:
                await copy.write_row(row)
        return len(rows)

    async def _new(
        self, table: Table, rows: Sequence[tuple[Any, ...]]
    ) -> Sequence[tuple[Any, ...]]:
        """Those of `rows` that are not in the table yet."""
        keys = [list(column) for column in zip(*map(table.key_of, rows), strict=True)]
        cursor = await self._connection.execute(table.known(), keys)
        known = set(await cursor.fetchall())
        return [row for row in rows if table.key_of(row) not in known]

    async def _store(self, positions: Mapping[Place, Stored]) -> None:
        ordered = sorted(positions.items())
        if not ordered:
            return
        await self._connection.execute(
            _OFFSETS,
            [
                self._consumer,
                [topic for (topic, _), _ in ordered],
                [partition for (_, partition), _ in ordered],
                [stored.next_offset for _, stored in ordered],
                [moment(stored.record_at_ms) for _, stored in ordered],
                [stored.digest for _, stored in ordered],
            ],
        )


def in_key_order(table: Table, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One row a key, in the order of keys (writers that lock in one order do not deadlock).

    The first row told of a key stays, or, in a table where the newest wins, the newest.
    """
    kept: dict[Any, tuple[Any, ...]] = {}
    key_of = table.key_of
    if table.newest is None:
        for row in rows:
            kept.setdefault(key_of(row), row)
    else:
        newest = table.position(table.newest)
        for row in rows:
            key = key_of(row)
            known = kept.get(key)
            if known is None or known[newest] < row[newest]:
                kept[key] = row
    return [kept[key] for key in sorted(kept)]
