"""Makes the demand signal of each day before the rows of its visits are deleted, where the operator
has named what a day may cost.

A day is told in one transaction and known by store and date: a second round, a second process or
one that was killed in the midst of it never draws noise for the same day again.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from pydantic import SecretStr

from infra.exports.errors import ExportError
from infra.exports.signal import deleted_until, kept_for, tell, told_days
from streams.contracts.layout import StoreLayout

_LOG = logging.getLogger(__name__)

#: A day is told so long after its end: stays that go on over midnight end, and the sink catches up.
#: TimescaleDB lets the first chunk of a day go an hour after the day's end, at whole hours of UTC,
#: and some zones have their midnight at half past: this has to be less than half an hour.
MARGIN = timedelta(minutes=15)

#: Rows that are kept for less than this are gone before their day is over.
_LEAST_KEPT = timedelta(hours=24)

_DAY = timedelta(days=1)

_CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class DemandKeeper:
    """One store's signal; `epsilon` is what a day costs."""

    database: SecretStr
    layout: StoreLayout
    epsilon: Fraction
    simulated: bool

    async def round(self) -> bool:
        """Tells what is due; returns whether rows of single tracks may be deleted now."""
        return await asyncio.to_thread(_asked, self.database, self._round)

    def _round(self, connection: psycopg.Connection[Any]) -> bool:
        return self.make(connection, datetime.now(UTC))

    def make(self, connection: psycopg.Connection[Any], now: datetime) -> bool:
        """The same at a time of the caller's, on a connection in autocommit mode."""
        zone = ZoneInfo(self.layout.time_zone)
        since = self._seen(connection, now)
        kept = kept_for(connection)
        if kept < _LEAST_KEPT:
            return True
        told = told_days(connection, self.layout.store_id)
        for day in days_due(since, self._gone(connection, now, kept), now, zone):
            if day not in told:
                made = tell(
                    connection, self.layout, day, self.epsilon, now=now, simulated=self.simulated
                )
                told.add(day)
                _LOG.info("the demand signal of %s is made, epsilon %g", day, made.epsilon)
        return not must_wait(told, since, kept, now, zone)

    @staticmethod
    def _gone(connection: psycopg.Connection[Any], now: datetime, kept: timedelta) -> datetime:
        """Rows from before that moment are deleted, or have no right to be there."""
        old = now.astimezone(UTC) - kept
        gone = deleted_until(connection, now)
        return old if gone is None else max(old, gone)

    def _seen(self, connection: psycopg.Connection[Any], now: datetime) -> datetime:
        """Notes that this store's signal is made; returns since when."""
        row = connection.execute(
            "INSERT INTO demand_upkeep (store_id, epsilon, time_zone, since, seen_at) "
            "VALUES (%(store)s, %(epsilon)s, %(zone)s, %(now)s, %(now)s) "
            "ON CONFLICT (store_id) DO UPDATE SET epsilon = excluded.epsilon, "
            "time_zone = excluded.time_zone, seen_at = excluded.seen_at RETURNING since",
            {
                "store": self.layout.store_id,
                "epsilon": float(self.epsilon),
                "zone": self.layout.time_zone,
                "now": now,
            },
        ).fetchone()
        if row is None:
            raise AssertionError("an insert that returns its row returned none")
        since: datetime = row[0]
        return since


@dataclass(frozen=True, slots=True)
class NoDemand:
    """The signal of a store is made no longer; what was told stays."""

    database: SecretStr
    store_id: str

    async def round(self) -> bool:
        """Sees to it that the database knows; rows may go at any time."""
        return await asyncio.to_thread(_asked, self.database, self.make)

    def make(self, connection: psycopg.Connection[Any]) -> bool:
        """The same on a connection in autocommit mode."""
        connection.execute("DELETE FROM demand_upkeep WHERE store_id = %s", [self.store_id])
        return True


def _asked(database: SecretStr, ask: Callable[[psycopg.Connection[Any]], bool]) -> bool:
    try:
        with psycopg.connect(
            database.get_secret_value(),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="smartstore-upkeep",
        ) as connection:
            return ask(connection)
    except (psycopg.Error, ExportError) as error:
        # Rows are deleted in time whatever becomes of the signal.
        _LOG.warning("the demand signal waits: %s", str(error).strip().partition("\n")[0])
        return True


def days_due(since: datetime, gone: datetime, now: datetime, zone: ZoneInfo) -> list[date]:
    """The days of the store's calendar that are over and of which rows are left, from the day of
    `since` on. `gone`: rows before it are deleted.

    >>> at = datetime(2026, 3, 10, 0, 20, tzinfo=UTC)
    >>> days_due(at - 3 * _DAY, at - _DAY, at, ZoneInfo("UTC"))
    [datetime.date(2026, 3, 9)]
    >>> days_due(at - 2 * _DAY, at - 9 * _DAY, at - timedelta(minutes=10), ZoneInfo("UTC"))
    [datetime.date(2026, 3, 8)]
    """
    first = max(since, gone).astimezone(zone).date()
    last = (now.astimezone(UTC) - MARGIN).astimezone(zone).date() - _DAY
    return [first + n * _DAY for n in range((last - first).days + 1)]


def must_wait(
    told: set[date], since: datetime, kept: timedelta, now: datetime, zone: ZoneInfo
) -> bool:
    """Whether the rows that would be deleted now are of a day that will be told in a moment: until
    the margin behind its end, and in the 25th hour of the day on which clocks go back.

    >>> at = datetime(2026, 3, 10, 0, 5, tzinfo=UTC)
    >>> must_wait(set(), at - _DAY, _DAY, at, ZoneInfo("UTC"))
    True
    >>> must_wait({date(2026, 3, 9)}, at - _DAY, _DAY, at, ZoneInfo("UTC"))
    False
    """
    day = (now.astimezone(UTC) - kept).astimezone(zone).date()
    if day in told or day < since.astimezone(zone).date():
        return False
    ends_at = datetime.combine(day + _DAY, time.min, zone).astimezone(UTC)
    return now < ends_at + MARGIN
