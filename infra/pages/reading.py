"""What a page's builder is given, and how it asks the database: read only, and not for long."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from infra.pages.errors import PagesDatabaseError
from infra.pages.period import Period
from streams.contracts.layout import StoreLayout
from streams.sink.database import cannot_connect

_CONNECT_TIMEOUT_S = 3

#: A page that takes longer than this is of no use to who waits for it.
_STATEMENT_TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a page: the days, the store, and a connection for as long as it takes.

    `simulated` is what has to be said of the numbers, None for a real store.
    """

    connection: AsyncConnection[dict[str, Any]]
    database: SecretStr
    layout: StoreLayout
    period: Period
    now: datetime
    compared: bool = False
    simulated: str | None = None

    def before(self) -> "Ask":
        """The same question for the period that this one is compared with."""
        return replace(self, period=self.period.week_before())

    async def rows(
        self, query: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[dict[str, Any]]:
        """The rows of `query`, which may use %(store)s, %(since)s and %(until)s."""
        given: dict[str, object] = {
            "store": self.layout.store_id,
            "since": self.period.starts_at,
            "until": self.period.ends_at,
            "zone": str(self.period.zone),
            **(parameters or {}),
        }
        # Queries are constants of the page modules: what a reader may choose is in `parameters`.
        cursor = await self.connection.execute(sql.SQL(query), given)
        return await cursor.fetchall()

    async def row(
        self, query: str, parameters: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """The only row of `query`, empty where there is none."""
        rows = await self.rows(query, parameters)
        return rows[0] if rows else {}


@asynccontextmanager
async def connected(dsn: SecretStr) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
    """A connection that can only read, in one snapshot: all numbers of a page are of one moment.

    Raises:
        PagesDatabaseError: the database does not answer, or refuses the question.
    """
    try:
        connection = await AsyncConnection.connect(
            dsn.get_secret_value(),
            row_factory=dict_row,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="smartstore-pages",
            options=f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
        )
    except psycopg.Error as error:
        raise PagesDatabaseError(cannot_connect(dsn, error)) from error
    async with connection:
        await connection.set_read_only(True)
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        try:
            yield connection
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction) as error:
            raise PagesDatabaseError(
                f"the database lacks what this page reads ({_first_line(error)}); "
                "run `smartstore db migrate`"
            ) from error
        except psycopg.errors.QueryCanceled as error:
            raise PagesDatabaseError(
                "the database did not answer in time; choose fewer days, or look whether it is busy"
            ) from error
        except psycopg.OperationalError as error:
            raise PagesDatabaseError(
                f"the database went away ({_first_line(error)}); try again in a moment"
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
