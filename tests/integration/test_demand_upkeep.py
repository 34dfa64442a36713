"""The upkeep makes the demand signal of a day before its rows go: once, whatever happens to it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.db.continuous import is_timescale, set_keep
from infra.db.migrate import migrate
from infra.db.state import read_state
from infra.db.upkeep import UpkeepSettings, delete_old, run_upkeep
from infra.exports.keeping import MARGIN, DemandKeeper, NoDemand
from infra.exports.signal import read, tell
from infra.layouts import load_layout

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

EXAMPLE = Path(__file__).parents[2] / "examples" / "store.yaml"
LAYOUT = load_layout(EXAMPLE)
ZONE = LAYOUT.zones[0].zone_id
_DAY = timedelta(days=1)

Connection = psycopg.Connection[Any]


@pytest.fixture
def database(empty_database: SecretStr) -> Iterator[Connection]:
    migrate(empty_database, lambda _: None)
    with psycopg.connect(empty_database.get_secret_value(), autocommit=True) as connection:
        yield connection


def _keeper(dsn: SecretStr, epsilon: Fraction = Fraction(1)) -> DemandKeeper:
    return DemandKeeper(dsn, LAYOUT, epsilon, True)


def _visits(connection: Connection, at: datetime, count: int) -> None:
    """So many visits to a zone, each a minute after the other."""
    connection.execute(
        "INSERT INTO dwell (dwell_id, store_id, area_id, gateway_id, track_id, camera_id, zone_id, "
        "entered_at, left_at, censored, calibration_version, cause_id, captured_at, inferred_at, "
        "sent_at) SELECT %(at)s || '-' || n, %(store)s, 'a', 'gw', %(at)s || '-' || n, 'c', "
        "%(zone)s, t, t + interval '9 s', false, 'v', 'c', t, t, t "
        "FROM (SELECT n, %(at)s::timestamptz + n * interval '1 minute' AS t "
        "FROM generate_series(0, %(count)s - 1) AS n) AS made",
        {"at": at.isoformat(), "store": LAYOUT.store_id, "zone": ZONE, "count": count},
    )


def _midnight(connection: Connection, days_ago: int) -> datetime:
    """When a day of the store's calendar began."""
    row = connection.execute(
        "SELECT ((now() AT TIME ZONE %(zone)s)::date - %(ago)s)::timestamp AT TIME ZONE %(zone)s",
        {"zone": LAYOUT.time_zone, "ago": days_ago},
    ).fetchone()
    assert row is not None
    at: datetime = row[0].astimezone(UTC)
    return at


def _day(connection: Connection, days_ago: int) -> date:
    row = connection.execute(
        "SELECT (now() AT TIME ZONE %s)::date - %s", [LAYOUT.time_zone, days_ago]
    ).fetchone()
    assert row is not None
    day: date = row[0]
    return day


def _ledger(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT day, epsilon, standard_error, counted_from, simulated FROM demand_signals "
        "ORDER BY day"
    ).fetchall()


async def test_a_day_is_told_once_and_before_its_rows_go(
    empty_database: SecretStr, database: Connection
) -> None:
    set_keep(database, 48)
    begins, ends = _midnight(database, 1), _midnight(database, 0)
    _visits(database, begins + timedelta(hours=9), 500)
    keeper = _keeper(empty_database)
    # Turned on as the day began; it is not over, or has just ended: nothing is told.
    for at in (begins, ends - timedelta(minutes=1), ends + MARGIN / 2):
        keeper.make(database, at)
        assert yesterday(database) is None
    assert keeper.make(database, ends + MARGIN) is True
    told = yesterday(database)
    assert told is not None
    assert (told.epsilon, told.sensitivity, told.simulated) == (1.0, 8, True)
    assert told.counted_from == begins
    # 500 visits, and noise that is above 200 once in 10^11 days.
    (cell,) = [visits for zone, _, visits in told.cells if zone == ZONE]
    assert abs(cell - 500) < 200
    # Again, by the upkeep or by hand, it is the same: no second noise.
    _visits(database, begins + timedelta(hours=20), 100)
    for minutes in (0, 1, 600):
        keeper.make(database, ends + MARGIN + timedelta(minutes=minutes))
    day = _day(database, 1)
    now = ends + MARGIN
    assert tell(database, LAYOUT, day, None, now=now, simulated=True) == told
    assert [row[0] for row in _ledger(database)] == [day]


def yesterday(connection: Connection) -> Any:
    """What was told of yesterday."""
    return read(connection, LAYOUT.store_id, _day(connection, 1))


async def test_two_at_once_spend_one_budget(
    empty_database: SecretStr, database: Connection
) -> None:
    set_keep(database, 48)
    ends = _midnight(database, 0)
    _visits(database, ends - timedelta(hours=9), 300)
    _keeper(empty_database).make(database, ends - _DAY)

    def one(_: int) -> Any:
        with psycopg.connect(empty_database.get_secret_value(), autocommit=True) as own:
            _keeper(empty_database).make(own, ends + MARGIN)
            return yesterday(own)

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(one, range(6)))
    assert len(set(told)) == 1
    assert len(_ledger(database)) == 1


_KILLED = """
import os, sys
from datetime import datetime
import psycopg
from fractions import Fraction
from pydantic import SecretStr
from infra.exports import signal
from infra.exports.keeping import DemandKeeper
from infra.layouts import load_layout
from pathlib import Path
dsn, layout, at = sys.argv[1:]
kept = signal._keep
def killed(*given):
    kept(*given)
    os.kill(os.getpid(), 9)
signal._keep = killed
with psycopg.connect(dsn, autocommit=True) as connection:
    DemandKeeper(SecretStr(dsn), load_layout(Path(layout)), Fraction(1), True).make(
        connection, datetime.fromisoformat(at))
"""


async def test_killed_while_it_writes_it_spends_nothing_and_tells_later(
    empty_database: SecretStr, database: Connection
) -> None:
    set_keep(database, 48)
    ends = _midnight(database, 0)
    _keeper(empty_database).make(database, ends - _DAY)
    at = ends + MARGIN
    dsn = empty_database.get_secret_value()
    command = [sys.executable, "-c", _KILLED, dsn, str(EXAMPLE), at.isoformat()]
    died = await asyncio.to_thread(subprocess.run, command, check=False, timeout=60)
    assert died.returncode == -9
    assert _ledger(database) == []
    assert database.execute("SELECT count(*) FROM demand_signal_cells").fetchone() == (0,)
    _keeper(empty_database).make(database, at + timedelta(minutes=1))
    assert len(_ledger(database)) == 1


async def test_rows_wait_for_their_day_and_no_longer(
    empty_database: SecretStr, database: Connection
) -> None:
    """Between midnight and the telling nothing may go; a day that is missed is told in part."""
    ends = _midnight(database, 0)
    keeper = _keeper(empty_database)
    assert keeper.make(database, ends - timedelta(hours=3)) is True
    assert keeper.make(database, ends + timedelta(minutes=1)) is False
    assert keeper.make(database, ends + MARGIN) is True
    assert await NoDemand(empty_database, LAYOUT.store_id).round() is True
    assert read_state(empty_database).demand == ()


async def test_a_day_whose_morning_is_gone_says_so(
    empty_database: SecretStr, database: Connection
) -> None:
    begins, ends = _midnight(database, 1), _midnight(database, 0)
    _keeper(empty_database).make(database, begins)
    late = ends + timedelta(hours=10, minutes=7)
    if not is_timescale(database):
        database.execute(
            "UPDATE aggregate_sources SET deleted_through = %s WHERE source = 'dwell'",
            [late - _DAY],
        )
    _keeper(empty_database).make(database, late)
    gone = (late - _DAY).replace(minute=0) if is_timescale(database) else late - _DAY
    assert [row[3] for row in _ledger(database)] == [gone]


async def test_the_upkeep_does_it_by_itself(
    empty_database: SecretStr, database: Connection
) -> None:
    """The process, its state, and the rows that it deletes on plain PostgreSQL."""
    yesterday_ends = _midnight(database, 0)
    _visits(database, yesterday_ends - timedelta(minutes=90), 60)
    _visits(database, yesterday_ends - 3 * _DAY, 40)
    database.execute(
        "INSERT INTO demand_upkeep VALUES (%s, 1, %s, now() - interval '2 days', now())",
        [LAYOUT.store_id, LAYOUT.time_zone],
    )
    settings = UpkeepSettings(
        database=empty_database, upkeep_every_s=0.1, upkeep_delete_every_s=0.1
    )
    stop = asyncio.Event()

    # Ready after the first round, in which it told what was due.
    await run_upkeep(
        settings,
        stop=stop,
        ready=stop.set,
        before_delete=_keeper(empty_database, Fraction(1, 2)).round,
    )
    (state,) = read_state(empty_database).demand
    assert (state.store_id, state.epsilon, state.overdue) == (LAYOUT.store_id, 0.5, False)
    if datetime.now(UTC) > yesterday_ends + MARGIN:
        assert state.last_day == str(_day(database, 1))
        assert _ledger(database)[-1][1] == 0.5
    async with await AsyncConnection.connect(
        empty_database.get_secret_value(), autocommit=True
    ) as ours:
        await delete_old(ours)
    if not is_timescale(database):
        left = database.execute("SELECT min(entered_at) > now() - interval '25 h' FROM dwell")
        assert left.fetchone() == (True,)


async def test_rows_that_are_kept_too_short_make_no_signal(
    empty_database: SecretStr, database: Connection
) -> None:
    set_keep(database, 6)
    ends = _midnight(database, 0)
    keeper = _keeper(empty_database)
    for at in (ends - _DAY, ends + timedelta(minutes=1), ends + MARGIN):
        assert keeper.make(database, at) is True
    assert _ledger(database) == []
    assert any("kept 6 h" in warning for warning in read_state(empty_database).warnings)
