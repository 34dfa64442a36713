"""TimescaleDB's part: fills the continuous aggregates and sets the policies, after the migrations.

Neither may happen in a migration: a refresh cannot run in a transaction, and rows of single tracks
may only be dropped once the aggregates hold them. Safe to repeat.
"""

import logging
from typing import Any, LiteralString

import psycopg
from psycopg import sql

_LOG = logging.getLogger(__name__)

#: After this long rows go into the column store; reports of the last week read rows.
COLUMN_STORE_AFTER = "7 days"

#: What goes there: the columns by which its segments are parted, and its order within them. Rows of
#: single tracks are gone long before.
COLUMN_STORED: dict[str, tuple[str, str]] = {
    "attention": ("store_id, target_id", "window_start DESC"),
    "crossings": ("store_id", "crossed_at DESC"),
    "exposures": ("store_id, screen_id", "started_at DESC"),
    "plays": ("store_id, screen_id", "rendered_at DESC"),
    "decisions": ("store_id, screen_id", "decided_at DESC"),
    "baskets": ("store_id", "closed_at DESC"),
    "basket_lines": ("store_id", "closed_at DESC"),
    "basket_metrics": ("store_id", "window_start DESC"),
    "prices_shown": ("store_id, screen_id", "shown_at DESC"),
}

#: Refused receipts are kept this long.
REFUSED_KEPT = "7 days"

#: By an aggregate's grain: how near to now it is filled, how often, and how many buckets a
#: transaction fills, so that the first filling of a long history holds no lock for long.
_REFRESH = {
    "1m": ("1 minute", "1 minute", 1_440),
    "1h": ("1 hour", "10 minutes", 720),
    "1d": ("1 day", "1 hour", 365),
}

Connection = psycopg.Connection[Any]


def is_timescale(connection: Connection) -> bool:
    """Whether the database has the extension."""
    found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    return found.fetchone() is not None


def ensure_policies(connection: Connection) -> None:
    """Fills what was never filled, then sets every policy that is missing or is set otherwise.

    `connection` is in autocommit mode. On plain PostgreSQL it does nothing.
    """
    if not is_timescale(connection):
        return
    for name, late_within in _aggregates(connection):
        if not _has_policy(connection, name):
            _LOG.info("filling %s", name)
            _call(connection, "CALL refresh_continuous_aggregate({}, NULL, NULL)", name)
            _add_refresh(connection, name, late_within)
    for table, (segments, order) in COLUMN_STORED.items():
        _ensure_column_store(connection, table, segments, order)
    for source, keep in connection.execute(
        "SELECT source, keep::text FROM aggregate_sources WHERE keep IS NOT NULL"
    ).fetchall():
        _ensure_retention(connection, source, keep)
    _ensure_retention(connection, "receipts_refused", REFUSED_KEPT)


def set_keep(connection: Connection, hours: int) -> None:
    """Keep rows of single tracks for `hours` from now on, and refresh no further back than that."""
    with connection.transaction():
        connection.execute(
            "UPDATE aggregate_sources SET keep = make_interval(hours => %(h)s), late_within = "
            "least(late_within, make_interval(hours => %(h)s - 1)) WHERE keep IS NOT NULL",
            {"h": hours},
        )
        if not is_timescale(connection):
            return
        for name, late_within in _aggregates(connection):
            if late_within is not None:
                _call(connection, "SELECT remove_continuous_aggregate_policy({}, true)", name)
                _add_refresh(connection, name, late_within)
    ensure_policies(connection)


def _aggregates(connection: Connection) -> list[tuple[str, str | None]]:
    """The continuous aggregates, finer ones first; how late a row of the source may be, for those
    that read rows of single tracks.
    """
    rows = connection.execute(
        "SELECT 'agg_' || a.name || '_' || grain, "
        "CASE WHEN grain = a.finest THEN s.late_within::text END "
        "FROM aggregates a JOIN aggregate_sources s USING (source) "
        "CROSS JOIN unnest(ARRAY['1m', '1h', '1d']) WITH ORDINALITY g (grain, number) "
        "WHERE number >= array_position(ARRAY['1m', '1h'], a.finest) ORDER BY a.name, number"
    ).fetchall()
    return [(str(name), late) for name, late in rows]


def _add_refresh(connection: Connection, name: str, late_within: str | None) -> None:
    end, every, batch = _REFRESH[name.rsplit("_", 1)[1]]
    start: sql.Composable = sql.SQL("NULL")
    if late_within is not None:
        start = sql.SQL("interval {}").format(sql.Literal(late_within))
    connection.execute(
        sql.SQL(
            "SELECT add_continuous_aggregate_policy({}, start_offset => {}, "
            "end_offset => interval {}, schedule_interval => interval {}, buckets_per_batch => {})"
        ).format(sql.Literal(name), start, sql.Literal(end), sql.Literal(every), sql.Literal(batch))
    )


def _has_policy(connection: Connection, name: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM timescaledb_information.jobs j "
        "JOIN timescaledb_information.continuous_aggregates c "
        # Which of its two names is told has changed over the versions.
        "ON j.hypertable_name IN (c.view_name, c.materialization_hypertable_name) "
        "WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND c.view_name = %s",
        [name],
    )
    return found.fetchone() is not None


def _ensure_column_store(connection: Connection, table: str, segments: str, order: str) -> None:
    found = connection.execute(
        "SELECT 1 FROM timescaledb_information.jobs "
        "WHERE proc_name IN ('policy_compression', 'policy_columnstore') AND hypertable_name = %s",
        [table],
    )
    if found.fetchone() is not None:
        return
    connection.execute(
        sql.SQL(
            "ALTER TABLE {} SET (timescaledb.enable_columnstore, timescaledb.segmentby = {}, "
            "timescaledb.orderby = {})"
        ).format(sql.Identifier(table), sql.Literal(segments), sql.Literal(order))
    )
    connection.execute(
        sql.SQL("CALL add_columnstore_policy({}, after => interval {})").format(
            sql.Literal(table), sql.Literal(COLUMN_STORE_AFTER)
        )
    )


def _ensure_retention(connection: Connection, table: str, keep: str) -> None:
    found = connection.execute(
        "SELECT (config->>'drop_after')::interval = %s::interval "
        "FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_retention' AND hypertable_name = %s",
        [keep, table],
    ).fetchone()
    if found is not None and found[0]:
        return
    with connection.transaction():
        _call(connection, "SELECT remove_retention_policy({}, true)", table)
        connection.execute(
            sql.SQL(
                "SELECT add_retention_policy({}, drop_after => interval {}, "
                "schedule_interval => interval '10 minutes')"
            ).format(sql.Literal(table), sql.Literal(keep))
        )


def _call(connection: Connection, statement: LiteralString, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Literal(name)))
