"""A database for one run alone, in the embedded server; those of earlier runs are dropped."""

import re
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from infra.report import Rows

_PREFIX = "run_"
#: Databases of runs that are kept, this one included: to look at the last one after it ended.
_KEPT = 2


def create_run_database(dsn: SecretStr, run_id: str) -> SecretStr:
    """Makes an empty database for `run_id` and returns its DSN."""
    name = _PREFIX + re.sub(r"[^a-z0-9]+", "_", run_id.lower())
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY datname",
            [f"{_PREFIX}%"],
        ).fetchall()
        for (old,) in found[: max(0, len(found) - _KEPT + 1)]:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(old))
            )
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return _with_database(dsn, name)


#: By the report's names: the time of a row, where the simulated past has rows of that kind.
_TIMES = {
    "gaze": "started_at",
    "dwell": "entered_at",
    "baskets": "closed_at",
    "decisions": "decided_at",
    "plays": "rendered_at",
}


def count_rows(dsn: SecretStr, since: datetime) -> Rows:
    """The rows of a run's database, by the report's names, without those of a simulated past before
    `since`."""
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        counts = {}
        for table in Rows.__struct_fields__:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            if table in _TIMES:
                query += sql.SQL(" WHERE {} >= %s").format(sql.Identifier(_TIMES[table]))
            row = connection.execute(query, [since] if table in _TIMES else None).fetchone()
            counts[table] = 0 if row is None else int(row[0])
    return Rows(**counts)


def _with_database(dsn: SecretStr, name: str) -> SecretStr:
    return SecretStr(make_conninfo(dsn.get_secret_value(), dbname=name))
