"""Brings the database's schema up to date with the plain SQL files beside this module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI

from infra.db.continuous import ensure_policies
from infra.db.errors import DatabaseAwayError, MigrationFailedError
from streams.sink.database import cannot_connect, place

MIGRATIONS = Path(__file__).parent / "migrations"

#: Names the advisory lock of whoever migrates. The session holds it, so that a killed migration
#: leaves no lock behind (yoyo's own lock is a row and would stay).
_LOCK_NAME = "smartstore.migrate"

#: A second migration waits this long for the first.
_LOCK_TIMEOUT_S = 60

_CONNECT_TIMEOUT_S = 5

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """A migration and whether the database has it."""

    name: str
    applied: bool


def migrate(dsn: SecretStr, progress: Progress, *, last: str | None = None) -> int:
    """Apply what is missing; returns how many migrations that was. Safe to call again.

    `progress` is told each migration's name before it runs. `last` is the last one to apply: an
    older version's schema.

    Raises:
        DatabaseAwayError: no connection.
        MigrationFailedError: the database refused a migration.
    """
    with connected(dsn) as connection, _lock(connection), _backend(dsn) as backend:
        # Whoever holds the advisory lock is alone, so a row in yoyo's lock table is a dead one's.
        backend.init_database()
        backend.break_lock()
        missing = [
            migration
            for migration in backend.to_apply(read_migrations(str(MIGRATIONS)))
            if last is None or migration.id <= last
        ]
        for migration in missing:
            progress(migration.id)
            try:
                backend.apply_one(migration)
            except psycopg.Error as error:
                raise MigrationFailedError(
                    f"the database {place(dsn)} refused migration {migration.id} "
                    f"({_first_line(error)}); nothing of it was kept: grant what it asks for and "
                    "run `smartstore db migrate` again"
                ) from error
        if last is None:
            ensure_policies(connection)
        return len(missing)


def status(dsn: SecretStr) -> list[MigrationStatus]:
    """Each migration of this version, in order, and whether the database has it. Only reads.

    Raises:
        DatabaseAwayError: no connection.
    """
    with connected(dsn) as connection:
        row = connection.execute("SELECT to_regclass('_yoyo_migrations') IS NOT NULL").fetchone()
        applied: set[str] = set()
        if row is not None and row[0]:
            rows = connection.execute("SELECT migration_id FROM _yoyo_migrations").fetchall()
            applied = {str(name) for (name,) in rows}
    names = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    return [MigrationStatus(name, name in applied) for name in names]


@contextmanager
def connected(dsn: SecretStr) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode; what goes wrong is one sentence.

    Raises:
        DatabaseAwayError: no connection.
        MigrationFailedError: the database refused something.
    """
    try:
        connection = psycopg.connect(
            dsn.get_secret_value(), autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
        )
    except psycopg.Error as error:
        raise DatabaseAwayError(cannot_connect(dsn, error)) from None
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise MigrationFailedError(
            f"the database {place(dsn)} refused to tell or keep its schema ({_first_line(error)}); "
            "grant what it asks for and run `smartstore db migrate` again"
        ) from error


@contextmanager
def _lock(connection: psycopg.Connection[Any]) -> Iterator[None]:
    connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{_LOCK_TIMEOUT_S}s"])
    try:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_LOCK_NAME])
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationFailedError(
            f"another migration has held the database for {_LOCK_TIMEOUT_S} s; wait for it, "
            "or end its session, and run `smartstore db migrate` again"
        ) from error
    yield


def _backend(dsn: SecretStr) -> Any:
    """yoyo's connection, made from parts: its own URI parser takes no keyword DSN, no socket."""
    parts = {k: v for k, v in conninfo_to_dict(dsn.get_secret_value()).items() if v is not None}
    uri = DatabaseURI(
        scheme="postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        hostname=parts.pop("host", None),
        port=parts.pop("port", None),
        database=parts.pop("dbname", None),
        args=parts,
    )
    backend = PostgresqlPsycopgBackend(uri, "_yoyo_migrations")
    # yoyo's log row would ask for the operating system's user, which a container may not have, and
    # the domain name system for this host's name, which may take a minute.
    backend.get_log_data = _log_row
    return backend


def _log_row(migration: Any = None, operation: str = "apply") -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "migration_id": migration.id if migration else None,
        "migration_hash": migration.hash if migration else None,
        "username": "",
        "hostname": "",
        "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
        "operation": operation,
    }


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
