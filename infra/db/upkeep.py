"""Upkeep of a plain PostgreSQL: rolls changed buckets up and deletes what is kept for a time alone.

On TimescaleDB its own policies do this. On both somebody else may do a thing before rows of single
tracks are deleted: the demand signal of the day.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.db.continuous import REFUSED_KEPT
from streams.sink.database import cannot_connect

_LOG = logging.getLogger(__name__)

#: A transaction deletes so many rows, so that none is long and the sink never waits for it.
_DELETED_AT_ONCE = 10_000

#: Buckets a transaction rolls up of each source: a day of minutes.
_ROLLED_AT_ONCE = 1_440

_CONNECT_TIMEOUT_S = 5
_LONGEST_WAIT_S = 30.0

Connection = AsyncConnection[tuple[Any, ...]]

#: Called before rows of single tracks are deleted; returns whether they may go now.
BeforeDelete = Callable[[], Awaitable[bool]]


class UpkeepSettings(BaseSettings):
    """What the upkeep needs to know. Environment: SMARTSTORE_DATABASE, SMARTSTORE_UPKEEP_..."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    database: SecretStr = Field(description="address (DSN) of PostgreSQL or TimescaleDB")
    upkeep_every_s: float = Field(
        default=10.0, ge=0.1, le=3_600, description="how often changed buckets are rolled up, in s"
    )
    upkeep_delete_every_s: float = Field(
        default=60.0, ge=0.1, le=86_400, description="how often old rows are deleted, in s"
    )
    upkeep_demand_epsilon: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="make each day's demand signal at this epsilon, before its rows are deleted",
    )
    upkeep_demand_simulated: bool = Field(
        default=False, description="say that the demand signal is of a simulated store"
    )


@dataclass(slots=True)
class Upkept:
    """What the upkeep has done: buckets rolled up, rows deleted by table."""

    rolled: int = 0
    deleted: dict[str, int] | None = None


async def run_upkeep(
    settings: UpkeepSettings,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
    before_delete: BeforeDelete | None = None,
) -> None:
    """Keep the database up until `stop`; one that is away is waited for. `ready` is called once,
    after the first round.
    """
    told_ready = False
    wait_s = 1.0
    while not stop.is_set():
        try:
            connection = await AsyncConnection.connect(
                settings.database.get_secret_value(),
                autocommit=True,
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name="smartstore-upkeep",
            )
            async with connection:
                wait_s = 1.0
                next_delete_s = 0.0
                while not stop.is_set():
                    await roll_up(connection)
                    now_s = asyncio.get_running_loop().time()
                    if now_s >= next_delete_s:
                        if before_delete is None or await before_delete():
                            await delete_old(connection)
                        next_delete_s = now_s + settings.upkeep_delete_every_s
                    if not told_ready:
                        told_ready = True
                        ready()
                    await _pause(stop, settings.upkeep_every_s)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            _LOG.warning("the upkeep waits: %s", cannot_connect(settings.database, error))
            await _pause(stop, wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


async def is_plain(connection: Connection) -> bool:
    """Whether upkeep is ours: TimescaleDB keeps itself up."""
    cursor = await connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    return await cursor.fetchone() is None


async def roll_up(connection: Connection) -> int:
    """Rolls up all that has changed and is over; returns the number of buckets."""
    if not await is_plain(connection):
        return 0
    rolled = 0
    while True:
        cursor = await connection.execute("SELECT aggregates_refresh(%s)", [_ROLLED_AT_ONCE])
        row = await cursor.fetchone()
        if row is None or not row[0]:
            return rolled
        rolled += int(row[0])


async def delete_old(connection: Connection) -> dict[str, int]:
    """Deletes rows of single tracks that are older than they are kept, once they are rolled up, and
    refused receipts; returns how many of each table.
    """
    if not await is_plain(connection):
        return {}
    cursor = await connection.execute(
        "SELECT source, time_column, deleted_through FROM aggregates_let_go()"
    )
    over = [(str(table), str(column), until) for table, column, until in await cursor.fetchall()]
    cursor = await connection.execute("SELECT now() - %s::interval", [REFUSED_KEPT])
    row = await cursor.fetchone()
    assert row is not None, "now() is a row"  # noqa: S101
    over.append(("receipts_refused", "refused_at", row[0]))
    deleted = {table: await _delete(connection, table, at, until) for table, at, until in over}
    if any(deleted.values()):
        _LOG.info("deleted: %s", {table: n for table, n in deleted.items() if n})
    return deleted


async def _delete(connection: Connection, table: str, column: str, until: Any) -> int:
    statement = sql.SQL(
        "DELETE FROM {t} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {t} WHERE {c} < %s LIMIT %s))"
    ).format(t=sql.Identifier(table), c=sql.Identifier(column))
    gone = 0
    while True:
        cursor = await connection.execute(statement, [until, _DELETED_AT_ONCE])
        gone += cursor.rowcount
        if cursor.rowcount < _DELETED_AT_ONCE:
            return gone


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
