"""How long the pages' queries take over millions of rows, and what the column store saves on disk.

The rows are invented and span some weeks; the pages are the product's own, built as for a browser,
for the last day, week and four weeks. What is timed is each of their queries, from asking to the
last row, and each page as a whole.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import psycopg
from msgspec import Struct
from psycopg import sql
from pydantic import SecretStr

from infra.bench.queries.filling import STORE, Filling, fill
from infra.bench.versions import versions
from infra.db.continuous import COLUMN_STORED, is_timescale, set_keep
from infra.db.migrate import migrate
from infra.pages.builders import BUILDERS
from infra.pages.experiment import read
from infra.pages.period import Period
from infra.pages.reading import Ask, connected
from infra.rundb import create_run_database
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.sink.rows_signage import experiment

Connection = psycopg.Connection[Any]
Say = Callable[[str], None]

#: The spans that a manager asks for, in days.
_SPANS = (1, 7, 28)

#: Rows of single tracks must not go while they are counted.
_KEEP_HOURS = 720

_UNTIL = datetime(2026, 11, 20, tzinfo=UTC)


class Times(Struct, frozen=True, kw_only=True):
    """Milliseconds."""

    p50: float
    p95: float
    most: float
    n: int


class Disk(Struct, frozen=True, kw_only=True):
    """Of the tables that the column store takes, all rows in."""

    before: int
    after: int


class QueriesReport(Struct, frozen=True, kw_only=True):
    """`queries_ms`: each query behind a page; `pages_ms`: all of a page's queries and the drawing.
    `disk_bytes`: before and after the column store, None without TimescaleDB. Goal: p95 of every
    page's queries at most 200 ms.
    """

    server: str
    rows: int
    days: int
    simulated: bool
    fill_s: float
    refresh_s: float
    aggregates_bytes: int
    queries_ms: dict[str, Times]
    pages_ms: dict[str, Times]
    disk_bytes: Disk | None
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class TimedAsk(Ask):
    """Notes how long each query takes."""

    took_ms: list[float] = field(default_factory=list)

    async def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> Any:
        """See `Ask`."""
        began_s = time.perf_counter()
        found = await Ask.rows(self, query, parameters)
        self.took_ms.append(1_000 * (time.perf_counter() - began_s))
        return found


def layout() -> StoreLayout:
    """The store of the invented rows."""
    areas = tuple(Area(area_id=name) for name in ("aisle", "door", "till"))
    return StoreLayout(
        store_id=STORE,
        name="A simulated store",
        areas=areas,
        zones=tuple(
            Zone(zone_id=f"target-{n}", area_id="aisle", name=f"Zone {n}") for n in range(8)
        ),
        screens=tuple(
            Screen(screen_id=f"target-{n}", area_id="aisle", name=f"Screen {n}")
            for n in range(8, 12)
        ),
    )


def bench_queries(
    server: SecretStr, run_id: str, *, rows: int, days: int, runs: int, say: Say
) -> QueriesReport:
    """The whole run, in a database of its own on `server`."""
    dsn = create_run_database(server, run_id)
    migrate(dsn, say)
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        set_keep(connection, _KEEP_HOURS)
        say(f"inserting {rows:,} rows")
        began_s = time.perf_counter()
        made = fill(connection, Filling(rows=rows, days=days, until=_UNTIL.isoformat()))
        _plan(connection, days)
        filled_s = time.perf_counter()
        say("rolling up")
        _refresh(connection)
        refreshed_s = time.perf_counter()
        connection.execute("VACUUM ANALYZE")
        before = _disk(connection)
        if before is not None:
            say("moving rows to the column store")
            _compress(connection)
        after = _disk(connection)
        say("asking")
        queries, pages = asyncio.run(_ask(dsn, runs))
        return QueriesReport(
            server=_version(connection),
            rows=made,
            days=days,
            simulated=True,
            fill_s=round(filled_s - began_s, 1),
            refresh_s=round(refreshed_s - filled_s, 1),
            aggregates_bytes=_aggregates_bytes(connection),
            queries_ms=queries,
            pages_ms=pages,
            disk_bytes=None
            if before is None or after is None
            else Disk(before=before, after=after),
            versions=versions(),
        )


def _plan(connection: Connection, days: int) -> None:
    """An experiment over all of it, for the page that tells of one: of baskets, with a category as
    the second question."""
    start_ms = int((_UNTIL - timedelta(days=days)).timestamp() * 1_000)
    plan = ExperimentPlan(
        experiment_id="bench",
        store_id=STORE,
        unit="store-slot",
        salt="bench",
        slot_ms=1_800_000,
        washout_ms=300_000,
        adaptive_share=0.5,
        outcome="basket_value",
        starts_at_ms=start_ms,
        ends_at_ms=None,
        approved_by="the bench",
        approved_at_ms=start_ms,
        hypothesis="Invented rows show nothing.",
        categories=("category-1",),
        simulated=True,
        true_effect=0.0,
    )
    (((table, values),),) = experiment(plan, start_ms)
    connection.execute(table.insert(), [[value] for value in values])


async def _ask(dsn: SecretStr, runs: int) -> tuple[dict[str, Times], dict[str, Times]]:
    queries: dict[str, Times] = {}
    pages: dict[str, Times] = {}
    for name, build in BUILDERS.items():
        one: list[float] = []
        whole: list[float] = []
        # The first of each is thrown away: it plans, and reads from disk.
        for run in range(runs + 1):
            for span in _SPANS:
                last = _UNTIL.date() - timedelta(days=1)
                period = Period(last - timedelta(days=span - 1), last, ZoneInfo("UTC"))
                took, page_ms = await _load(dsn, build, period)
                if run:
                    one += took
                    whole.append(page_ms)
        # The experiment's page asks through a connection of its own, then estimates.
        queries[name] = _times(one or [ms for _ in range(runs) for ms in _asked_by_experiment(dsn)])
        pages[name] = _times(whole)
    return queries, pages


async def _load(dsn: SecretStr, build: Any, period: Period) -> tuple[list[float], float]:
    async with connected(dsn) as connection:
        ask = TimedAsk(
            connection=connection,
            database=dsn,
            layout=layout(),
            period=period,
            now=_UNTIL,
            simulated="simulated",
        )
        began_s = time.perf_counter()
        await build(ask)
        return ask.took_ms, 1_000 * (time.perf_counter() - began_s)


class _TimedCursor(psycopg.Cursor[Any]):
    """Notes how long each query takes, all rows fetched."""

    took_ms: ClassVar[list[float]] = []

    def execute(self, *words: Any, **more: Any) -> "_TimedCursor":
        """See `psycopg.Cursor`."""
        began_s = time.perf_counter()
        super().execute(*words, **more)
        self.took_ms.append(1_000 * (time.perf_counter() - began_s))
        return self


def _asked_by_experiment(dsn: SecretStr) -> list[float]:
    _TimedCursor.took_ms.clear()
    now_ms = int(_UNTIL.timestamp() * 1_000)
    with psycopg.connect(
        dsn.get_secret_value(), autocommit=True, cursor_factory=_TimedCursor
    ) as connection:
        read(connection, layout(), now_ms)
    return list(_TimedCursor.took_ms)


def _times(values: list[float]) -> Times:
    ordered = sorted(values)
    return Times(
        p50=round(statistics.median(ordered), 1),
        p95=round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        most=round(ordered[-1], 1),
        n=len(ordered),
    )


def _refresh(connection: Connection) -> None:
    if not is_timescale(connection):
        while _one(connection, "SELECT aggregates_refresh(1440)"):
            pass
        return
    for (name,) in connection.execute(
        "SELECT view_name::text FROM timescaledb_information.continuous_aggregates "
        "ORDER BY position(right(view_name::text, 2) IN '1m1h1d')"
    ).fetchall():
        connection.execute(
            sql.SQL("CALL refresh_continuous_aggregate({}, NULL, NULL)").format(sql.Literal(name))
        )


def _disk(connection: Connection) -> int | None:
    """Bytes of the tables that go into the column store."""
    if not is_timescale(connection):
        return None
    return sum(
        int(_one(connection, "SELECT hypertable_size(%s::regclass)", table))
        for table in COLUMN_STORED
    )


def _compress(connection: Connection) -> None:
    """All chunks that are old enough, as the policy would."""
    for table in COLUMN_STORED:
        connection.execute(
            "SELECT compress_chunk(c, true) FROM show_chunks(%s::regclass, "
            "older_than => interval '0 days') AS c",
            [table],
        )


def _aggregates_bytes(connection: Connection) -> int:
    if is_timescale(connection):
        return int(
            _one(
                connection,
                "SELECT sum(hypertable_size(format('%I.%I', materialization_hypertable_schema, "
                "materialization_hypertable_name)::regclass))::bigint "
                "FROM timescaledb_information.continuous_aggregates",
            )
        )
    return int(
        _one(
            connection,
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
            "WHERE relname LIKE 'rolled\\_%%' AND relkind = 'r'",
        )
    )


def _version(connection: Connection) -> str:
    name = str(_one(connection, "SHOW server_version")).split()[0]
    if not is_timescale(connection):
        return f"PostgreSQL {name}"
    query = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    return f"PostgreSQL {name}, TimescaleDB {_one(connection, query)}"


def _one(connection: Connection, query: Any, *given: object) -> Any:
    row = connection.execute(query, given or None).fetchone()
    return None if row is None else row[0]
