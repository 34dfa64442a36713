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


class DemandState(Struct, frozen=True, kw_only=True):
    """A store whose demand signal the upkeep makes, at `epsilon` a day: the last day that was told,
    when the next is due, in the store's time, and what is wrong with that.
    """

    store_id: str
    epsilon: float
    last_day: str | None
    due_at: str
    overdue: bool
    seen_s: float
    keep_hours: float


class DatabaseState(Struct, frozen=True, kw_only=True):
    """All of it; `timescale` is the extension's version, None on plain PostgreSQL."""

    timescale: str | None
    size_bytes: int
    tables: tuple[TableState, ...]
    aggregates: tuple[AggregateState, ...]
    jobs: tuple[JobState, ...] = ()
    demand: tuple[DemandState, ...] = ()

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
        for each in self.demand:
            found += _wrong(each)
        return found


def _wrong(signal: DemandState) -> list[str]:
    name = f"the demand signal of {signal.store_id}"
    if signal.keep_hours < _A_DAY_H:
        return [
            f"{name} is not made, for rows of single tracks are kept {signal.keep_hours:g} h and a "
            "day has 24: `smartstore db keep 24`"
        ]
    if signal.seen_s > _LONG_DUE_S:
        return [
            f"{name} has had no upkeep for {signal.seen_s / 3600:.1f} h; start `smartstore db "
            "upkeep`, without SMARTSTORE_UPKEEP_DEMAND_EPSILON to turn it off"
        ]
    return [f"{name} is overdue; the upkeep's log says why"] if signal.overdue else []


_A_DAY_H = 24.0

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


# A day is due a quarter of an hour after its end: what is told here is when the oldest day that is
# not told, of those since it was turned on, is or was due.
_DEMAND = """
SELECT u.store_id, u.epsilon, s.last_day::text,
       to_char(d.due_at AT TIME ZONE u.time_zone, 'YYYY-MM-DD HH24:MI'),
       d.due_at < now() - interval '10 minutes',
       extract(epoch FROM now() - u.seen_at)::double precision,
       (SELECT coalesce(extract(epoch FROM keep) / 3600, 'Infinity')
        FROM aggregate_sources WHERE source = 'dwell')::double precision
FROM demand_upkeep u
LEFT JOIN LATERAL (
    SELECT max(day) AS last_day FROM demand_signals WHERE store_id = u.store_id
) AS s ON true
CROSS JOIN LATERAL (
    SELECT (greatest(s.last_day + 1, (u.since AT TIME ZONE u.time_zone)::date) + 1)::timestamp
           AT TIME ZONE u.time_zone + interval '15 minutes' AS due_at
) AS d
ORDER BY u.store_id
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
            demand=tuple(
                DemandState(
                    store_id=store,
                    epsilon=epsilon,
                    last_day=last,
                    due_at=due,
                    overdue=overdue,
                    seen_s=seen_s,
                    keep_hours=keep,
                )
                for store, epsilon, last, due, overdue, seen_s, keep in connection.execute(
                    _DEMAND
                ).fetchall()
            ),
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
