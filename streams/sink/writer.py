"""Writes rows and offsets in one transaction, so that nothing is stored twice and nothing lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

from streams.sink.encoding import Buffer, Encoder
from streams.sink.errors import FencedError
from streams.sink.ready import Ready, Rows, by_table
from streams.sink.resume import Place, Rewind, Stored
from streams.sink.row import Unit, moment
from streams.sink.table import Table
from streams.sink.tables import TABLES

#: A value that no attempt will make the database take: the record goes to the dead letters.
REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeError,
    OverflowError,  # psycopg's, of a whole number that no column holds
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
        self._encoders: dict[str, Encoder] = {}

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

    def ready(self, batch: Sequence[Sequence[Unit]]) -> Ready:
        """The units of each record, for `write`: what can be done before the write has its turn."""
        return self._readied(list(enumerate(batch)))

    async def write(
        self, ready: Ready, positions: Mapping[Place, Stored], refused: Refused
    ) -> Counter[str]:
        """Store the units of each record, and `positions`. Returns the new rows by table.

        A record of which the database refuses a unit is told to `refused`; its other units stay.
        """
        async with self._connection.transaction():
            written = await self._write(ready, refused)
            await self._store(positions)
        return written

    def _readied(self, batch: Sequence[tuple[int, Sequence[Unit]]]) -> Ready:
        rows = by_table(row for _, units in batch for unit in units for row in unit)
        ready = Ready(batch, rows)
        for table in TABLES:
            values = rows.get(table.name, ())
            if len(values) >= _COPY_FROM and table.copies and table.name not in self._repeating:
                # What cannot be encoded is met again, and refused, when it is written.
                with suppress(Exception):
                    ready.encoded[table.name] = self._encode(table, values)
        return ready

    async def _write(self, ready: Ready, refused: Refused) -> Counter[str]:
        """Insert all at once; where a value is refused, by halves until the record is found."""
        batch = ready.batch
        try:
            async with self._connection.transaction():
                return await self._insert(ready)
        except REFUSALS:
            if len(batch) == 1:
                return await self._write_units(*batch[0], refused)
            half = len(batch) // 2
            written = await self._write(self._readied(batch[:half]), refused)
            return written + await self._write(self._readied(batch[half:]), refused)

    async def _write_units(
        self, index: int, units: Sequence[Unit], refused: Refused
    ) -> Counter[str]:
        written: Counter[str] = Counter()
        problem: Exception | None = None
        for unit in units:
            try:
                async with self._connection.transaction():
                    written += await self._insert(self._readied([(index, [unit])]))
            except REFUSALS as error:
                problem = error
        if problem is not None:
            await refused(index, problem)
        return written

    async def _insert(self, ready: Ready) -> Counter[str]:
        written: Counter[str] = Counter()
        for table in TABLES:
            values = ready.rows.get(table.name, ())
            if len(values) >= _COPY_FROM and table.copies:
                encoded = ready.encoded.get(table.name)
                written[table.name] = await self._copy(table, values, encoded)
            elif values:
                written[table.name] = await self._insert_new(table, values)
        return written

    async def _insert_new(self, table: Table, rows: Rows) -> int:
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor = await self._connection.execute(table.insert(), columns)
        return cursor.rowcount

    async def _copy(self, table: Table, rows: Rows, encoded: Buffer | None = None) -> int:
        """COPY straight into the table, in a savepoint. Where a row was there already, only what is
        new is copied, and it is looked up beforehand from then on until nothing is repeated:
        repeats come in stretches, after a restart or a rewind.
        """
        if table.name in self._repeating:
            new = await self._new(table, rows)
            if len(new) == len(rows):
                self._repeating.discard(table.name)
            rows, encoded = new, None
        try:
            async with self._connection.transaction():
                return await self._copy_all(table, rows, encoded)
        except psycopg.errors.UniqueViolation:
            # Once more after a look-up; rows of another writer meanwhile are for the slow way.
            if table.name in self._repeating:
                return await self._insert_new(table, rows)
            self._repeating.add(table.name)
            return await self._copy(table, rows)

    async def _copy_all(self, table: Table, rows: Rows, encoded: Buffer | None) -> int:
        async with self._connection.cursor() as cursor, cursor.copy(table.copy()) as copy:
            await copy.write(self._encode(table, rows) if encoded is None else encoded)
        return len(rows)

    def _encode(self, table: Table, rows: Rows) -> Buffer:
        """The rows as a binary COPY takes them: all at once, for a wait for each is dear."""
        encoder = self._encoders.get(table.name)
        if encoder is None:
            encoder = self._encoders[table.name] = Encoder(table, self._connection)
        return encoder.encode(rows)

    async def _new(self, table: Table, rows: Rows) -> Rows:
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
