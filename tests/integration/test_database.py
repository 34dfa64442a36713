"""The schema on PostgreSQL, and on TimescaleDB where one is named: aggregates that equal the rows,
upgrades from every older version, rows of single tracks that go in time.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from pydantic import SecretStr

from infra.bench.queries.filling import Filling, fill
from infra.db.continuous import is_timescale, set_keep
from infra.db.migrate import MIGRATIONS, migrate
from infra.db.state import read_state
from infra.db.upkeep import delete_old, roll_up
from infra.layouts import load_layout
from infra.receipts.intake import Intake, Record
from infra.receipts.memory import Memory
from infra.receipts.rules import Mapping, rules_of
from infra.simulator.broken_receipts import CLOSED_AT_MS, broken_receipt
from streams.sink.rows import record_units
from streams.sink.writer import Writer

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

_GRAINS = {"1m": "1 minute", "1h": "1 hour", "1d": "1 day"}
#: A day long ago, so that no policy of TimescaleDB runs into what a test looks at.
_UNTIL = "2026-11-20 13:17:05+00"

Connection = psycopg.Connection[Any]


@pytest.fixture
def dsn(empty_database: SecretStr) -> SecretStr:
    migrate(empty_database, lambda _: None)
    return empty_database


@pytest.fixture
def database(dsn: SecretStr) -> Iterator[Connection]:
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        yield connection


def _one(connection: Connection, query: str, *given: Any) -> Any:
    row = connection.execute(sql.SQL(query), given).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def _refresh(connection: Connection) -> None:
    """Fills the aggregates: by hand, as the upkeep or the policies do in time."""
    if not is_timescale(connection):
        while _one(connection, "SELECT aggregates_refresh(700)"):
            pass
        return
    names = connection.execute(
        "SELECT view_name::text FROM timescaledb_information.continuous_aggregates "
        "ORDER BY position(right(view_name::text, 2) IN '1m1h1d')"
    ).fetchall()
    for (name,) in names:
        connection.execute(
            sql.SQL("CALL refresh_continuous_aggregate({}, NULL, NULL)").format(sql.Literal(name))
        )


_TOLD = "SELECT {by}, bucket, {sums} FROM {view} GROUP BY {by}, bucket"
_ROWS = (
    "SELECT {by}, at, {terms} FROM (SELECT *, date_bin('{width}', {column}, "
    "'2000-01-01 00:00+00') AS at FROM {source}) AS s GROUP BY {by}, at"
)
_LEFT = "SELECT count(*) FROM (({one}) EXCEPT ALL ({other})) AS d"


def _differences(connection: Connection) -> list[str]:
    """Where an aggregate differs from the same sums over all rows."""
    found = []
    for name, source, finest, keys, names, terms, column in connection.execute(
        "SELECT a.name, a.source, finest, keys, names, terms, time_column "
        "FROM aggregates a JOIN aggregate_sources s USING (source)"
    ).fetchall():
        by = ", ".join(keys)
        sums = ", ".join(f"sum({each})" for each in names)
        for grain, width in _GRAINS.items():
            if finest == "1h" and grain == "1m":
                continue
            told = _TOLD.format(by=by, sums=sums, view=f"agg_{name}_{grain}")
            rows = _ROWS.format(
                by=by, terms=", ".join(terms), width=width, column=column, source=source
            )
            for one, other in ((told, rows), (rows, told)):
                if _one(connection, _LEFT.format(one=one, other=other)):
                    found.append(f"{name}_{grain}")
    return found


async def test_aggregates_equal_the_rows_whenever_they_are_filled(database: Connection) -> None:
    """Rows come late, are repeated and are told again, before and after a filling."""
    plain = not is_timescale(database)
    for number in range(3):
        filling = Filling(rows=4_000, days=2, until=_UNTIL, seed=number / 10, name=f"f{number}")
        assert fill(database, filling) > 3_000
        assert fill(database, filling) < 3_000, "repeats of single events leave no rows"
        database.execute(
            "UPDATE exposures SET gross_impressions = gross_impressions + 1, "
            "through_offset = through_offset + 100000 WHERE play_id LIKE '%%7'"
        )
        if plain:
            assert _differences(database) == [], "exact before anything is rolled up"
            _one(database, "SELECT aggregates_refresh(100)")
            assert _differences(database) == [], "exact when a part of it is"
        if number != 1:
            _refresh(database)
            assert _differences(database) == []
    if plain:
        assert _one(database, "SELECT count(*) FROM aggregate_dirty") == 0


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-18 23:00+00", "2026-11-20 11:00+00"),
        ("2026-11-18 18:30+00", "2026-11-20 10:45+00"),
        ("2026-11-19 00:00+00", "2026-11-20 00:00+00"),
        ("2026-11-20 05:07+00", "2026-11-20 05:31+00"),
        ("2026-11-20 05:07+00", "2026-11-20 07:02+00"),
    ],
)
async def test_a_span_of_any_edges_equals_its_minutes(
    database: Connection, since: str, until: str
) -> None:
    fill(database, Filling(rows=4_000, days=2, until=_UNTIL))
    if not is_timescale(database):
        _one(database, "SELECT aggregates_refresh(1000)")
    for name, sums in (
        ("audience", "sum(gross_impressions), sum(attention_ms), sum(ots)"),
        ("exposures", "sum(plays), sum(exposed_ms)"),
        ("baskets", "sum(transactions), sum(basket_value)"),
        ("store", "sum(entering), sum(transactions)"),
        ("dwell", "sum(stays), sum(stay_ms)"),
    ):
        given = {"since": since, "until": until}
        told = database.execute(
            sql.SQL(f"SELECT {sums} FROM {name}_between(%(since)s, %(until)s)"),  # noqa: S608
            given,
        ).fetchone()
        minutes = f"SELECT {sums} FROM v_{name}_by_minute WHERE bucket >= %(since)s "  # noqa: S608
        minutes += "AND bucket < %(until)s"
        assert told == database.execute(sql.SQL(minutes), given).fetchone(), name


async def test_two_writers_lose_no_note_to_who_refreshes(dsn: SecretStr) -> None:
    """A row that is committed after the roll-up of its minute had begun is in the aggregates."""
    text = dsn.get_secret_value()
    with psycopg.connect(text) as writer, psycopg.connect(text, autocommit=True) as other:
        for connection, name in ((other, "a"), (writer, "b")):
            fill(connection, Filling(rows=300, days=0.01, until=_UNTIL, name=name))
        _refresh(other)
        writer.commit()
        _refresh(other)
        assert _differences(other) == []


async def test_single_tracks_go_in_time_and_their_aggregates_stay(dsn: SecretStr) -> None:
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as database:
        now = _one(database, "SELECT now()::text")
        fill(database, Filling(rows=3_000, days=2, until=now))
        _refresh(database)
        days = "SELECT sum(gross_impressions), sum(attention_ms) FROM v_audience_by_{}"
        before = database.execute(sql.SQL(days.format("day"))).fetchone()
        baskets = _one(database, "SELECT count(*) FROM baskets")
        await _let_go(dsn, database)
        oldest = "SELECT extract(epoch FROM now() - min({}))::float / 3600 FROM {}"
        for table, column in (
            ("gaze", "started_at"),
            ("dwell", "entered_at"),
            ("presence", "entered_at"),
        ):
            assert 20 < _one(database, oldest.format(column, table)) < 25.1, table
        assert _one(database, "SELECT count(*) FROM baskets") == baskets
        # Some come two days late: nobody counts them, and what was counted is not made of them.
        late = _one(database, "SELECT (now() - interval '2 days')::text")
        fill(database, Filling(rows=50, days=0.01, until=late, name="late"))
        await _let_go(dsn, database)
        if not is_timescale(database):
            assert _one(database, "SELECT sum(told_rows) FROM aggregate_too_late") >= 20
        for grain in ("minute", "hour", "day"):
            after = database.execute(sql.SQL(days.format(grain))).fetchone()
            assert after is not None
            assert before is not None
            assert after == before, grain


async def _let_go(dsn: SecretStr, database: Connection) -> None:
    """A round of upkeep, or of the policies that do the same."""
    if not is_timescale(database):
        async with await AsyncConnection.connect(dsn.get_secret_value(), autocommit=True) as ours:
            await roll_up(ours)
            await delete_old(ours)
        return
    for (job,) in database.execute(
        "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'"
    ).fetchall():
        database.execute("CALL run_job(%s)", [job])
    for (job,) in database.execute(
        "SELECT job_id FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_refresh_continuous_aggregate' ORDER BY job_id"
    ).fetchall():
        database.execute("CALL run_job(%s)", [job])


_VERSIONS = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))

_OF_AN_OLD_VERSION = """
INSERT INTO gaze VALUES ('g', 's', 'a', 'gw', 't', 'c', 'tea', 'zone', 1, %(at)s, %(at)s, 900, 1,
                         false, 'v', 'g', %(at)s, %(at)s, %(at)s);
INSERT INTO presence (presence_id, store_id, area_id, gateway_id, camera_id, track_id, target_id,
                      target_kind, entered_at, left_at, opportunity_ms)
VALUES ('p', 's', 'a', 'gw', 'c', 't', 'tea', 'zone', %(at)s, %(at)s + interval '4 s', 100);
INSERT INTO baskets (store_id, area_id, basket_id, closed_at, currency, basket_units, basket_value,
                     simulated) VALUES ('s', 'a', 'b', %(at)s, 'EUR', 3, 4.5, false);
INSERT INTO basket_lines (store_id, basket_id, closed_at, line_no, sku, category, units, net_value)
VALUES ('s', 'b', %(at)s, 1, 'x', 'tea', 3, 4.5);
INSERT INTO plays (play_id, player_id, store_id, area_id, screen_id, decision_id, creative_id,
                   creative_version, scheduled_at, rendered_at, duration_ms, stop_reason, success)
VALUES ('p', 'pl', 's', 'a', 'sc', 'd', 'c', 1, %(at)s, %(at)s, 900, 'finished', true)
"""


@pytest.mark.parametrize("version", _VERSIONS)
async def test_an_older_version_is_upgraded_with_its_rows(
    empty_database: SecretStr, version: str
) -> None:
    migrate(empty_database, lambda _: None, last=version)
    with psycopg.connect(empty_database.get_secret_value(), autocommit=True) as database:
        at = _one(database, "SELECT now() - interval '3 hours'")
        for statement in _OF_AN_OLD_VERSION.split(";\n"):
            database.execute(sql.SQL(statement), {"at": at})  # type: ignore[arg-type]
        left = len([name for name in _VERSIONS if name > version])
        assert migrate(empty_database, lambda _: None) == left
        assert migrate(empty_database, lambda _: None) == 0
        _refresh(database)
        assert _differences(database) == []
        told = database.execute(
            "SELECT gross_impressions, ots, watchers, attention_ms, presence_ms "
            "FROM v_audience_by_day WHERE store_id = 's'"
        ).fetchall()
        assert told == [(1, 1, None, 900, 4_000)]
        sold = database.execute("SELECT transactions, upt, atv FROM v_baskets_by_hour").fetchall()
        assert [tuple(map(float, row)) for row in sold] == [(1, 3, 4.5)]
        assert _one(database, "SELECT finished FROM v_plays_by_minute") == 1


class _Kept:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def deliver(self, records: list[Record]) -> None:
        self.records += records


async def test_twenty_thousand_refused_receipts_are_in_the_table(
    dsn: SecretStr, database: Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("receipts")
    memory, kept = Memory(folder / "memory.sqlite"), _Kept()
    intake = Intake(
        rules_of(Mapping(), load_layout(MIGRATIONS.parents[2] / "examples/store.yaml")),
        memory,
        kept,
    )
    lines = b"\n".join(broken_receipt(7, number) for number in range(20_000))
    taken = await intake.take(lines, "json", "till.jsonl", CLOSED_AT_MS)
    memory.close()
    batch = [record_units(r["topic"], r["key"], r["value"], CLOSED_AT_MS) for r in kept.records]

    async def refused(index: int, error: Exception) -> None:
        raise AssertionError(f"the database refuses {kept.records[index]}: {error}")

    async with await AsyncConnection.connect(dsn.get_secret_value(), autocommit=True) as ours:
        writer = Writer(ours, "test")
        await writer.write(writer.ready(batch), {}, refused)
        again = await writer.write(writer.ready(batch[:5_000]), {}, refused)
    assert again.total() == 0
    found = database.execute(
        "SELECT reason, sum(refused)::bigint FROM v_receipts_refused_by_day GROUP BY reason"
    ).fetchall()
    assert dict(found) == dict(taken.refused)
    assert sum(taken.refused.values()) == 20_000
    assert _one(database, r"SELECT count(*) FROM receipts_refused WHERE masked_text ~ '\d{9}'") == 0


async def test_status_tells_what_is_due_and_old(dsn: SecretStr, database: Connection) -> None:
    now = _one(database, "SELECT now()::text")
    fill(database, Filling(rows=2_000, days=2, until=now))
    state = read_state(dsn)
    assert (state.timescale is None) == (not is_timescale(database))
    gaze = next(table for table in state.tables if table.name == "gaze")
    assert gaze.keep_hours == 24
    assert gaze.oldest_hours is not None
    assert gaze.oldest_hours > 40
    assert any("gaze holds rows" in warning for warning in state.warnings)
    if state.timescale is None:
        assert {each.source: each.due for each in state.aggregates}["gaze"] > 100
        _refresh(database)
        await _let_go(dsn, database)
        assert all(each.due <= 1 for each in read_state(dsn).aggregates)
    else:
        assert {job.name for job in state.jobs} >= {
            "policy_refresh_continuous_aggregate", "policy_retention", "policy_compression",
        }  # fmt: skip
    assert (
        not any("gaze holds rows" in warning for warning in read_state(dsn).warnings)
        or state.timescale
    )


async def test_how_long_single_tracks_stay_may_be_set(dsn: SecretStr, database: Connection) -> None:
    set_keep(database, 6)
    assert _one(
        database, "SELECT keep = interval '6 h' FROM aggregate_sources WHERE source = 'gaze'"
    )
    set_keep(database, 48)
    # What was once refreshed no further back than 5 hours is not refreshed further ever after.
    late = "SELECT late_within = interval '5 h' FROM aggregate_sources WHERE source = 'gaze'"
    assert _one(database, late)
    fill(database, Filling(rows=2_000, days=3, until=_one(database, "SELECT now()::text")))
    await _let_go(dsn, database)
    oldest = "SELECT extract(epoch FROM now() - min(entered_at))::float / 3600 FROM presence"
    assert 40 < _one(database, oldest) < 49.1


@pytest.mark.timescale
@pytest.mark.parametrize("empty_database", ["timescale"], indirect=True)
async def test_the_policies_of_timescale_really_run(dsn: SecretStr, database: Connection) -> None:
    """Column store, retention and refreshing, by the jobs themselves; late rows come in by them."""
    now = _one(database, "SELECT now()::text")
    fill(database, Filling(rows=20_000, days=20, until=now))
    for (job,) in database.execute(
        "SELECT job_id FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id"
    ).fetchall():
        database.execute("CALL run_job(%s)", [job])
    compressed = (
        "SELECT count(*) FROM timescaledb_information.chunks "
        "WHERE hypertable_name = 'baskets' AND is_compressed"
    )
    assert _one(database, compressed) >= 11
    # A late receipt goes into a compressed chunk, and a play is told again there.
    before = _one(database, "SELECT sum(transactions)::bigint FROM v_baskets_by_day")
    database.execute(
        "INSERT INTO baskets (store_id, area_id, basket_id, closed_at, currency, basket_units, "
        "basket_value, simulated) VALUES ('bench-store', 'a', 'late', now() - interval '12 days', "
        "'EUR', 1, 1, true)"
    )
    assert _one(database, "SELECT sum(transactions)::bigint FROM v_baskets_by_day") == before
    await _let_go(dsn, database)
    assert _one(database, "SELECT sum(transactions)::bigint FROM v_baskets_by_day") == before + 1
    # And by themselves: the scheduler runs each of them soon after it is let go on.
    _one(database, "SELECT _timescaledb_functions.start_background_workers()")
    ran = (
        "SELECT count(*) FILTER (WHERE total_successes > 0) >= 10 "
        "FROM timescaledb_information.job_stats WHERE job_id >= 1000"
    )
    for _ in range(300):
        if _one(database, ran):
            break
        await asyncio.sleep(0.2)
    else:
        pytest.fail("the scheduler ran no policy in a minute")
    failed = "SELECT sum(total_failures)::bigint FROM timescaledb_information.job_stats"
    assert _one(database, failed) == 0
