"""The demand signal of a day from the database, once: its noise, its ledger and its cells are kept.

A day is exported once and read again from what was told: a second draw of noise would cost a second
epsilon. Days share no visit (a track lives minutes), so each day has a budget of its own.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from infra.exports.demand import Cell, Signal, publish
from infra.exports.errors import BudgetError, ExportError
from streams.contracts.layout import StoreLayout

#: A day may cost this much and no more, whatever is asked for.
MOST_EPSILON = Fraction(1)

_VISITS = """
SELECT DISTINCT gateway_id, track_id, zone_id FROM dwell
WHERE store_id = %(store)s AND entered_at >= %(since)s AND entered_at < %(until)s
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A day's signal as it was told. `cells` hold (zone, category, noised visits).

    `counted_from` is later than the day's midnight where its first rows were deleted already; None
    where that is not known.
    """

    day: date
    epsilon: float
    delta: float
    sensitivity: int
    threshold: int
    standard_error: float
    error_95: int
    simulated: bool
    counted_from: datetime | None
    cells: tuple[tuple[str, str, int], ...]


def tell(
    connection: psycopg.Connection[Any],
    layout: StoreLayout,
    day: date,
    epsilon: Fraction | None,
    *,
    now: datetime,
    simulated: bool,
) -> Told:
    """The signal of `day`: drawn now, or read where it was told before. Without an `epsilon` it is
    what the day was told with, or all that a day may cost.

    Raises:
        BudgetError: the day was told with another epsilon, or a day may not cost that much.
        ExportError: the day is not over, or its rows are gone.
    """
    if epsilon is not None and not 0 < epsilon <= MOST_EPSILON:
        raise BudgetError(
            f"an epsilon of {float(epsilon):g} is outside a day's budget of 0 to "
            f"{float(MOST_EPSILON):g}; ask for less"
        )
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext(%s))", [f"smartstore.demand.{layout.store_id}"]
        )
        told = read(connection, layout.store_id, day)
        if told is not None:
            if epsilon is not None and told.epsilon != float(epsilon):
                raise BudgetError(
                    f"{day} was told with an epsilon of {told.epsilon:g}, and a second one would "
                    f"cost the visitors of that day more; ask for {told.epsilon:g}"
                )
            return told
        starts_at, ends_at = _midnight(day, layout), _midnight(day + timedelta(days=1), layout)
        if now < ends_at:
            raise ExportError(
                f"{day} is not over in this store; ask again after midnight, for a day is told once"
            )
        rows = connection.execute(
            _VISITS, {"store": layout.store_id, "since": starts_at, "until": ends_at}
        ).fetchall()
        # Asked after the rows, so that none was deleted in between unnoticed.
        gone, kept = deleted_until(connection, now), kept_for(connection)
        if now - ends_at >= kept or (gone is not None and gone >= ends_at):
            raise ExportError(
                f"the rows of single tracks of {day} are deleted already; make the export within "
                f"{kept.total_seconds() / 3600:.0f} hours after the day, or let `smartstore db "
                "upkeep` make it (SMARTSTORE_UPKEEP_DEMAND_EPSILON)"
            )
        signal = _signal(layout, day, rows, epsilon or MOST_EPSILON)
        counted_from = starts_at if gone is None else max(starts_at, gone)
        _keep(connection, layout.store_id, day, signal, simulated, counted_from)
        told = read(connection, layout.store_id, day)
    if told is None:
        raise AssertionError("what was kept in this transaction is gone")
    return told


def read(connection: psycopg.Connection[Any], store_id: str, day: date) -> Told | None:
    """What was told of a day, None where nothing was."""
    row = connection.execute(
        "SELECT epsilon, delta, sensitivity, threshold, standard_error, error_95, simulated, "
        "counted_from FROM demand_signals WHERE store_id = %s AND day = %s",
        [store_id, day],
    ).fetchone()
    if row is None:
        return None
    cells = connection.execute(
        "SELECT zone_id, category, noised_visits FROM demand_signal_cells "
        "WHERE store_id = %s AND day = %s ORDER BY zone_id, category",
        [store_id, day],
    ).fetchall()
    found = tuple((zone, name, visits) for zone, name, visits in cells)
    epsilon, delta, sensitivity, least, spread, error_95, simulated, since = row
    return Told(
        day, epsilon, delta, sensitivity, least, spread, error_95, simulated, since, cells=found
    )


def ledger(connection: psycopg.Connection[Any], store_id: str) -> list[tuple[date, float, float]]:
    """What each day has cost and how wrong its cells are: (day, epsilon, standard error)."""
    return connection.execute(
        "SELECT day, epsilon, standard_error FROM demand_signals WHERE store_id = %s ORDER BY day",
        [store_id],
    ).fetchall()


def told_days(connection: psycopg.Connection[Any], store_id: str) -> set[date]:
    """The days that were told."""
    return {day for day, _, _ in ledger(connection, store_id)}


def kept_for(connection: psycopg.Connection[Any]) -> timedelta:
    """How long rows of visits are kept."""
    row = connection.execute("SELECT keep FROM aggregate_sources WHERE source = 'dwell'").fetchone()
    kept: timedelta = timedelta.max if row is None or row[0] is None else row[0]
    return kept


def deleted_until(connection: psycopg.Connection[Any], now: datetime) -> datetime | None:
    """Rows of visits from before that moment are deleted; None: nothing was ever deleted.

    TimescaleDB lets whole chunks of an hour go, once all of their rows are old enough.
    """
    row = connection.execute(
        "SELECT nullif(deleted_through, '-infinity'), keep, "
        "EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') "
        "FROM aggregate_sources WHERE source = 'dwell'"
    ).fetchone()
    if row is None:
        return None
    gone: datetime | None = row[0]
    keep: timedelta | None = row[1]
    if row[2] and keep is not None:
        return (now.astimezone(UTC) - keep).replace(minute=0, second=0, microsecond=0)
    return gone


def _midnight(day: date, layout: StoreLayout) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(layout.time_zone))


def _signal(
    layout: StoreLayout, day: date, rows: list[tuple[str, str, str]], epsilon: Fraction
) -> Signal:
    cells = {
        zone.zone_id: Cell(day.isoformat(), zone.zone_id, zone.category or "none")
        for zone in layout.zones
    }
    visits = [((gateway, track), cells[zone]) for gateway, track, zone in rows if zone in cells]
    return publish(visits, cells.values(), epsilon, secrets.randbelow)


def _keep(
    connection: psycopg.Connection[Any],
    store_id: str,
    day: date,
    signal: Signal,
    simulated: bool,
    counted_from: datetime,
) -> None:
    connection.execute(
        "INSERT INTO demand_signals (store_id, day, epsilon, delta, sensitivity, threshold, "
        "standard_error, error_95, simulated, counted_from) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            store_id,
            day,
            float(signal.epsilon),
            signal.delta,
            signal.sensitivity,
            signal.threshold,
            signal.standard_error,
            signal.error_95,
            simulated,
            counted_from,
        ],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO demand_signal_cells VALUES (%s, %s, %s, %s, %s)",
            [(store_id, day, c.zone_id, c.category, n) for c, n in signal.counts.items()],
        )
