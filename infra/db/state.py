"""What `smartstore db status` tells: schema, size, what is rolled up, compressed, late or due."""

from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql
from pydantic import SecretStr

from infra.db.continuous import is_timescale
from infra.db.migrate import connected

Connection = psycopg.Connection[Any]


class TableState(Struct, frozen=True, kw_only=True):
    """A table: its size on disk, and of single tracks how far back its rows go and may go."""

    name: str
    size_bytes: int
    chunks: int = 0
    compressed_chunks: int = 0
    keep_hours: float | None = None
    oldest_hours: float | None = None


class AggregateState(Struct, frozen=True, kw_only=True):
    """A source of aggregates: `due` buckets wait to be rolled up, the oldest since `due_s`; rows
    that came `too_late` are in none.
    """

    source: str
    due: int
    due_s: float
    too_late: int


class JobState(Struct, frozen=True, kw_only=True):
    """A policy of TimescaleDB: when it ran and runs next, and whether it failed."""

    name: str
    of: str
    every: str
    last_run: str | None
    next_run: str | None
    failures: int


class DatabaseState(Struct, frozen=True, kw_only=True):
    """All of it; `timescale` is the extension's version, None on plain PostgreSQL."""

    timescale: str | None
    size_bytes: int
    tables: tuple[TableState, ...]
    aggregates: tuple[AggregateState, ...]
    jobs: tuple[JobState, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What somebody should look at, a sentence each."""
        found = [
            f"{t.name} holds rows that are {t.oldest_hours:.1f} h old and keeps {t.keep_hours:g} h"
            for t in self.tables
            if t.oldest_hours is not None
            and t.keep_hours is not None
            # A chunk of an hour goes as a whole, and a deletion comes once in a while.
            and t.oldest_hours > t.keep_hours + _SLACK_H
        ]
        found += [
            f"{a.due} buckets of {a.source} wait to be rolled up, the oldest for {a.due_s:.0f} s"
            for a in self.aggregates
            if a.due_s > _LONG_DUE_S
        ]
        found += [
            f"the policy {j.name} of {j.of} failed {j.failures} times"
            for j in self.jobs
            if j.failures
        ]
        if found and self.timescale is None:
            found.append("is `smartstore db upkeep` running?")
        return found


#: Rows may be this much older than they are kept: a chunk's length and a round of deletions.
_SLACK_H = 1.5

#: A bucket that waits longer than this is a sign that nobody rolls up.
_LONG_DUE_S = 600.0

_SIZES = """
SELECT c.relname::text, pg_total_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
"""

_CHUNKS = """
SELECT h.hypertable_name::text,
       coalesce((SELECT sum(total_bytes) FROM hypertable_detailed_size(
           format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass)), 0)::bigint,
       count(c.chunk_name), count(*) FILTER (WHERE c.is_compressed)
FROM timescaledb_information.hypertables h
LEFT JOIN timescaledb_information.chunks c USING (hypertable_schema, hypertable_name)
WHERE h.hypertable_schema = 'public' GROUP BY h.hypertable_schema, h.hypertable_name
"""

_DUE = """
SELECT s.source, d.due, d.due_s, coalesce(t.too_late, 0)
FROM aggregate_sources s
CROSS JOIN LATERAL (
    SELECT count(DISTINCT bucket) AS due,
           coalesce(extract(epoch FROM now() - min(noted_at)), 0)::double precision AS due_s
    FROM aggregate_dirty d
    WHERE d.source = s.source AND d.level = 0
      AND d.bucket < date_bin('1 minute', now(), '2000-01-01 00:00+00')
) AS d
LEFT JOIN (
    SELECT source, sum(told_rows)::bigint AS too_late FROM aggregate_too_late GROUP BY source
) AS t USING (source)
ORDER BY s.source
"""

# Ranges that were written below what is materialised, and wait for the next refresh.
_DUE_CONTINUOUS = """
SELECT s.source, count(i.hypertable_id), 0.0::double precision, 0
FROM aggregate_sources s
JOIN _timescaledb_catalog.hypertable h ON h.table_name = s.source AND h.schema_name = 'public'
LEFT JOIN _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log i
  ON i.hypertable_id = h.id
GROUP BY s.source ORDER BY s.source
"""

_JOBS = """
SELECT j.proc_name::text, coalesce(c.view_name, j.hypertable_name)::text,
       j.schedule_interval::text, s.last_run_started_at::text, s.next_start::text,
       coalesce(s.total_failures, 0)::integer
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.job_stats s USING (job_id)
LEFT JOIN timescaledb_information.continuous_aggregates c
  ON j.hypertable_name IN (c.view_name, c.materialization_hypertable_name)
WHERE j.hypertable_schema IS NOT NULL ORDER BY 1, 2
"""


def read_state(dsn: SecretStr) -> DatabaseState:
    """Asks the database; only reads.

    Raises:
        SchemaError: no connection, or no schema of this version.
    """
    with connected(dsn) as connection:
        timescale = is_timescale(connection)
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        version = None
        if timescale:
            found = connection.execute(
                "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
            ).fetchone()
            version = found[0] if found else None
        return DatabaseState(
            timescale=version,
            size_bytes=row[0] if row else 0,
            tables=tuple(_tables(connection, timescale)),
            aggregates=tuple(
                AggregateState(source=source, due=due, due_s=due_s, too_late=too_late)
                for source, due, due_s, too_late in connection.execute(
                    _DUE_CONTINUOUS if timescale else _DUE
                ).fetchall()
            ),
            jobs=tuple(
                JobState(
                    name=name, of=of, every=every, last_run=last, next_run=coming, failures=failures
                )
                for name, of, every, last, coming, failures in connection.execute(_JOBS).fetchall()
            )
            if timescale
            else (),
        )


def _tables(connection: Connection, timescale: bool) -> list[TableState]:
    kept = {
        str(source): (str(column), float(hours))
        for source, column, hours in connection.execute(
            "SELECT source, time_column, extract(epoch FROM keep) / 3600 FROM aggregate_sources "
            "WHERE keep IS NOT NULL"
        ).fetchall()
    }
    chunks = {}
    if timescale:
        chunks = {
            str(name): (int(size), int(count), int(compressed))
            for name, size, count, compressed in connection.execute(_CHUNKS).fetchall()
        }
    tables = []
    for name, size in connection.execute(_SIZES).fetchall():
        bytes_, count, compressed = chunks.get(name, (int(size), 0, 0))
        keep, oldest = None, None
        if name in kept:
            column, keep = kept[name]
            oldest = _oldest_hours(connection, name, column)
        tables.append(
            TableState(
                name=name,
                size_bytes=bytes_,
                chunks=count,
                compressed_chunks=compressed,
                keep_hours=keep,
                oldest_hours=oldest,
            )
        )
    return tables


def _oldest_hours(connection: Connection, table: str, column: str) -> float | None:
    row = connection.execute(
        sql.SQL("SELECT extract(epoch FROM now() - min({})) / 3600 FROM {}").format(
            sql.Identifier(column), sql.Identifier(table)
        )
    ).fetchone()
    return None if row is None or row[0] is None else float(row[0])
