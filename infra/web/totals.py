"""Reads the database for the page, every second."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.web.counted import COUNTED
from infra.web.view import BasketView
from streams.sink.database import cannot_connect
from streams.sink.row import moment

_LOG = logging.getLogger(__name__)

_EVERY_S = 1.0
_CONNECT_TIMEOUT_S = 3

_BASKETS = """
SELECT simulated, currency, sum(transactions)::bigint, sum(basket_units), sum(basket_value)
FROM baskets WHERE store_id = %(store)s AND closed_at >= %(since)s
GROUP BY simulated, currency HAVING sum(transactions) > 0 ORDER BY simulated, currency
"""

_COUNTS = """
SELECT (SELECT count(*) FROM gaze WHERE store_id = %(store)s AND started_at >= %(since)s),
       (SELECT count(*) FROM dwell WHERE store_id = %(store)s AND entered_at >= %(since)s),
       (SELECT count(*) FROM decisions WHERE store_id = %(store)s AND decided_at >= %(since)s),
       (SELECT count(*) FROM plays WHERE store_id = %(store)s AND rendered_at >= %(since)s),
       (SELECT count(*) FROM baskets WHERE store_id = %(store)s AND closed_at >= %(since)s)
"""

_FORGOTTEN = """
SELECT coalesce(sum(forgotten), 0)::bigint FROM stream_rewinds WHERE noticed_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the database held when it was last asked. `counts` go by the names of `COUNTED`;
    `forgotten`: records that the sink had stored when it noticed that the log ended before them."""

    asked_at_ms: int
    baskets: tuple[BasketView, ...]
    counts: dict[str, int]
    forgotten: int


class TotalsReader:
    """Asks the database for one store's baskets of today and rows since the page's time began."""

    def __init__(self, dsn: SecretStr, store_id: str, since_ms: int, midnight_ms: int) -> None:
        self._dsn = dsn
        self._store_id = store_id
        self._since_ms = since_ms
        self._midnight_ms = midnight_ms
        self.up = False
        self.totals: Totals | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set; a database that is away is waited for."""
        told = ""
        while not stop.is_set():
            try:
                await self._session(stop)
            except psycopg.Error as error:
                if (sentence := cannot_connect(self._dsn, error)) != told:
                    told = sentence
                    _LOG.warning("the page waits: %s", told)
            finally:
                self.up = False
            await _pause(stop)

    async def _session(self, stop: asyncio.Event) -> None:
        connection: AsyncConnection[tuple[Any, ...]] = await AsyncConnection.connect(
            self._dsn.get_secret_value(),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="smartstore-page",
        )
        async with connection:
            while not stop.is_set():
                self.totals = await self._read(connection)
                self.up = True
                await _pause(stop)

    async def _read(self, connection: AsyncConnection[tuple[Any, ...]]) -> Totals:
        asked_at_ms = int(time.time() * 1_000)
        today = {"store": self._store_id, "since": moment(self._midnight_ms)}
        cursor = await connection.execute(_BASKETS, today)
        baskets = tuple([_basket_view(*row) async for row in cursor])
        begun = {"store": self._store_id, "since": moment(self._since_ms)}
        row = await (await connection.execute(_COUNTS, begun)).fetchone()
        counts = dict(zip(COUNTED, row or (0,) * len(COUNTED), strict=True))
        lost = await (await connection.execute(_FORGOTTEN, begun)).fetchone()
        return Totals(asked_at_ms, baskets, counts, lost[0] if lost else 0)


def _basket_view(
    simulated: bool, currency: str, transactions: int, units: Any, value: Any
) -> BasketView:
    return BasketView(
        simulated=simulated,
        currency=currency,
        transactions=transactions,
        units=float(units),
        value=float(value),
        units_per_basket=float(units) / transactions,
        value_per_basket=float(value) / transactions,
    )


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _EVERY_S)
