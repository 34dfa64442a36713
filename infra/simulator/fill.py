"""Writes simulated weeks into a database that has our schema: to look at the pages before a store
has had any."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql
from pydantic import SecretStr

from infra.simulator.errors import SimulatorError
from infra.simulator.weeks import Event
from streams.sink.database import cannot_connect
from streams.sink.row import Row
from streams.sink.rows import units

_AT_ONCE = 20_000

Progress = Callable[[int], None]


def fill(dsn: SecretStr, events: Iterable[Event], progress: Progress) -> Counter[str]:
    """Write the rows of all events in one transaction; returns how many by table. `progress` is
    told so far.

    Raises:
        SimulatorError: the database does not answer, lacks our schema, or holds such rows already.
    """
    try:
        with psycopg.connect(dsn.get_secret_value(), connect_timeout=5) as connection:
            written = _write(connection, events, progress)
            connection.commit()
            connection.autocommit = True
            _settle(connection)
            return written
    except psycopg.errors.UndefinedTable as error:
        raise SimulatorError(
            "the database lacks our tables; run `smartstore db migrate` before"
        ) from error
    except psycopg.errors.UniqueViolation as error:
        raise SimulatorError(
            "the database holds these simulated weeks already; take another --seed, or an empty "
            "database"
        ) from error
    except psycopg.Error as error:
        raise SimulatorError(cannot_connect(dsn, error)) from error


def _write(
    connection: psycopg.Connection[tuple[object, ...]], events: Iterable[Event], progress: Progress
) -> Counter[str]:
    waiting: dict[str, list[Row]] = defaultdict(list)
    written: Counter[str] = Counter()
    held = 0
    for topic, event in events:
        for unit in units(topic.name, event):
            for row in unit:
                waiting[row.table.name].append(row)
                held += 1
        if held >= _AT_ONCE:
            _flush(connection, waiting, written)
            held = 0
            progress(written.total())
    _flush(connection, waiting, written)
    progress(written.total())
    return written


def _settle(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """What upkeep would do bit by bit: roll the new rows up, and let the planner know of them."""
    connection.execute("ANALYZE")
    while True:
        row = connection.execute("SELECT aggregates_refresh()").fetchone()
        if row is None or not row[0]:
            break
    connection.execute("ANALYZE")


def _flush(
    connection: psycopg.Connection[tuple[object, ...]],
    waiting: dict[str, list[Row]],
    written: Counter[str],
) -> None:
    for name, rows in waiting.items():
        columns = sql.SQL(", ").join(sql.Identifier(c) for c, _ in rows[0].table.columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row.values)
        written[name] += len(rows)
    waiting.clear()
