"""The sums that several pages tell, read from the database's views."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from infra.pages.definitions import DEFINITIONS
from infra.pages.model import Column, Figure, Missing, Value, of_people, ratio
from infra.pages.period import Period
from infra.pages.reading import Ask

#: By hour and not by span: a counter that was away for some hours leaves those to the cameras.
_STORE = """
SELECT sum(entering)::bigint AS entering, sum(passers_by)::bigint AS passers_by,
       coalesce(bool_or(simulated), false) AS simulated
FROM v_store_by_{grain}
WHERE store_id = %(store)s AND bucket >= %(since)s AND bucket < %(until)s
"""

_BASKETS = """
SELECT currency, bool_or(simulated) AS simulated, sum(transactions)::bigint AS transactions,
       sum(basket_units) AS basket_units, sum(basket_value) AS basket_value,
       sum(returns)::bigint AS returns, sum(voids)::bigint AS voids
FROM baskets_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY currency ORDER BY sum(transactions) DESC
"""

_AUDIENCE = """
SELECT target_id, target_kind, sum(gross_impressions)::bigint AS gross_impressions,
       sum(ots)::bigint AS ots, sum(watchers)::bigint AS watchers,
       sum(presence_ms)::bigint AS presence_ms, sum(dwell_ms)::bigint AS dwell_ms,
       sum(attention_ms)::bigint AS attention_ms
FROM audience_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY target_id, target_kind
"""

_HOURS = """
SELECT {of_hour} AS hour, sum(transactions)::bigint AS transactions
FROM v_baskets_by_{grain}
WHERE store_id = %(store)s AND bucket >= %(since)s AND bucket < %(until)s
GROUP BY 1 ORDER BY 1
"""

_HOUR_OF_DAY = "extract(hour FROM bucket AT TIME ZONE %(zone)s)::int"


def grain(period: Period) -> str:
    """The coarsest bucket whose edges fall on the store's midnights: UTC hours, else minutes.

    >>> from datetime import date
    >>> from zoneinfo import ZoneInfo
    >>> day = date(2026, 3, 9)
    >>> grain(Period(day, day, ZoneInfo("Europe/Berlin")))
    'hour'
    >>> grain(Period(day, day, ZoneInfo("Asia/Kolkata")))
    'minute'
    """
    edges = (period.starts_at, period.ends_at)
    return "hour" if all(not _part_of_hour(at) for at in edges) else "minute"


def _part_of_hour(at: datetime) -> timedelta:
    offset = at.utcoffset() or timedelta()
    return offset % timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sales:
    """Baskets of one currency."""

    currency: str
    transactions: int
    units: Decimal
    value: Decimal
    returns: int
    voids: int
    simulated: bool

    @property
    def upt(self) -> Value:
        """Units per transaction."""
        return of_people(ratio(self.units, self.transactions), self.transactions)

    @property
    def atv(self) -> Value:
        """Average transaction value."""
        return of_people(ratio(self.value, self.transactions), self.transactions)


@dataclass(frozen=True, slots=True)
class Doors:
    """Who came in. None: nothing counts them."""

    entering: int | None
    passers_by: int | None


@dataclass(frozen=True, slots=True)
class Audience:
    """The rungs of the ladder and the times, for one target or several. None: not measured."""

    target_id: str
    kind: str
    gross_impressions: int
    ots: int | None
    watchers: int | None
    presence_ms: int
    dwell_ms: int | None
    attention_ms: int

    def value(self, key: str) -> Value:
        """A figure by its name, held back where it tells of fewer than five people."""
        found: Value | None
        if key == "conversion_ratio":
            found = ratio(self.watchers, self.ots)
        elif key == "attraction_ratio":
            found = ratio(self.attention_ms, self.dwell_ms)
        elif key == "attention_ms" and self.watchers is None:
            found = None
        else:
            found = getattr(self, key)
        if found is None:
            return Missing.NOT_MEASURED
        return of_people(found, self.gross_impressions)


async def sales(ask: Ask) -> list[Sales]:
    """The baskets of the period by currency, the one with most first."""
    return [
        Sales(
            row["currency"],
            row["transactions"],
            row["basket_units"],
            row["basket_value"],
            row["returns"],
            row["voids"],
            row["simulated"],
        )
        for row in await ask.rows(_BASKETS)
    ]


def own(found: list[Sales], currency: str) -> Sales:
    """The sales in the store's own currency, nothing where there are none."""
    for one in found:
        if one.currency == currency:
            return one
    return Sales(currency, 0, Decimal(0), Decimal(0), 0, 0, False)


async def doors(ask: Ask) -> Doors:
    """Who came in and who passed by."""
    row = await ask.row(_STORE.format(grain=grain(ask.period)))
    return Doors(row["entering"], row["passers_by"])


async def audiences(ask: Ask) -> dict[str, Audience]:
    """Each zone and screen of the layout, also those before which nobody stood."""
    kinds = {zone.zone_id: "zone" for zone in ask.layout.zones}
    kinds |= {screen.screen_id: "screen" for screen in ask.layout.screens}
    rows = await ask.rows(_AUDIENCE)
    known = {
        row["target_id"]: Audience(
            row["target_id"],
            row["target_kind"],
            row["gross_impressions"],
            row["ots"],
            row["watchers"],
            row["presence_ms"],
            row["dwell_ms"],
            row["attention_ms"],
        )
        for row in rows
    }
    return {
        name: known.get(name, Audience(name, kind, 0, None, None, 0, None, 0))
        for name, kind in kinds.items()
    }


def together(found: list[Audience]) -> Audience:
    """Sums of several targets. What one of them did not measure is summed over the others."""

    def total(values: list[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return Audience(
        "",
        "zone",
        sum(a.gross_impressions for a in found),
        total([a.ots for a in found]),
        total([a.watchers for a in found]),
        sum(a.presence_ms for a in found),
        total([a.dwell_ms for a in found]),
        sum(a.attention_ms for a in found),
    )


async def transactions_by_hour(ask: Ask) -> dict[int, int]:
    """Transactions by hour of the store's day, summed over the days."""
    query = _HOURS.format(of_hour=_HOUR_OF_DAY, grain=grain(ask.period))
    return {row["hour"]: row["transactions"] for row in await ask.rows(query)}


def figure(key: str, value: Value, before: Value | None = None, note: str = "") -> Figure:
    """A figure with the title and formula of its definition."""
    name, unit, formula = DEFINITIONS[key]
    return Figure(key, name, value, unit, formula, before, note)


def column(key: str) -> Column:
    """A column with the title and formula of its definition."""
    name, unit, formula = DEFINITIONS[key]
    return Column(key, name, unit, formula)


def label(ask: Ask, *simulated: bool) -> str | None:
    """What has to be said of numbers of which some may be simulated."""
    if ask.simulated is not None:
        return ask.simulated
    return "Simulated: these numbers are not of a real store." if any(simulated) else None
