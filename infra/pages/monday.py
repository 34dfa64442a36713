"""The Monday report: what changed, three things to do, and what is not known."""

from datetime import timedelta
from typing import Any

from infra.pages import totals
from infra.pages.advice import CreativeWeek, ScreenWeek, ZoneWeek, to_do, unknown
from infra.pages.model import Figure, Missing, Page, Section, Value, ratio
from infra.pages.reading import Ask
from infra.pages.totals import Audience, Doors, Sales, figure, grain
from infra.pages.words import said

_CATEGORIES = """
SELECT category, sum(units) AS units FROM categories_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY category
"""

_CREATIVES = """
SELECT max(coalesce(c.title, e.creative_id)) AS title, sum(e.plays)::bigint AS plays,
       sum(e.watchers)::bigint AS watchers, sum(e.attention_ms)::bigint AS attention_ms
FROM exposures_between(%(since)s, %(until)s) e
LEFT JOIN creatives c ON c.creative_id = e.creative_id AND c.version = e.creative_version
WHERE e.store_id = %(store)s
GROUP BY e.creative_id
"""

_SCREENS = """
SELECT screen_id, sum(plays)::bigint AS plays, sum(failed)::bigint AS failed
FROM plays_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY screen_id
"""

_REFUSED = """
SELECT count(*)::bigint AS refused FROM receipts_refused
WHERE store_id = %(store)s AND refused_at >= %(since)s AND refused_at < %(until)s
"""

_DAYS = """
SELECT count(DISTINCT (bucket AT TIME ZONE %(zone)s)::date)::int AS days
FROM v_baskets_by_{grain}
WHERE store_id = %(store)s AND bucket >= %(since)s AND bucket < %(until)s
"""

_CONTROLLED = """
SELECT count(*)::bigint AS plans FROM v_experiments
WHERE store_id = %(store)s AND starts_at < %(until)s
  AND (closed_at IS NULL OR closed_at > %(since)s)
"""

#: A change smaller than this is not worth a sentence.
_LEAST_CHANGE = 0.03


async def build(ask: Ask) -> Page:
    """The page for the week of `ask`, set against the week before."""
    before = ask.before()
    sold, sold_then = await _sold(ask), await _sold(before)
    doors, doors_then = await totals.doors(ask), await totals.doors(before)
    now, then = await totals.audiences(ask), await totals.audiences(before)
    figures = _figures(sold, sold_then, doors, doors_then, now, then)
    return Page(
        path="/monday",
        title="Monday report",
        period=ask.period,
        lead=_lead(sold, sold_then),
        sections=(
            Section("changed", "What changed", sentences=_changed(ask, figures, now, then)),
            Section("todo", "To do (three things at the most)", sentences=await _todo(ask, now)),
            Section(
                "unknown",
                "What is not known",
                sentences=tuple(await _unknown(ask, doors, now)),
            ),
            Section("figures", "The week in figures", figures=figures),
        ),
        currency=ask.layout.currency,
        simulated=totals.label(ask, sold.simulated),
        compared=True,
    )


async def _sold(ask: Ask) -> Sales:
    return totals.own(await totals.sales(ask), ask.layout.currency)


def _lead(sold: Sales, then: Sales) -> str:
    if sold.transactions == 0:
        return "No basket came in this week."
    text = (
        f"{said(sold.transactions, 'count')} baskets, {said(sold.value, 'money', sold.currency)} "
        "net in all"
    )
    if then.transactions == 0:
        return f"{text}; there is no week before to compare with."
    return f"{text}, {said(then.value, 'money', then.currency)} the week before."


def _zones(found: dict[str, Audience]) -> list[Audience]:
    return [a for a in found.values() if a.kind == "zone"]


def _figures(
    sold: Sales,
    sold_then: Sales,
    doors: Doors,
    doors_then: Doors,
    now: dict[str, Audience],
    then: dict[str, Audience],
) -> tuple[Figure, ...]:
    whole, whole_then = totals.together(_zones(now)), totals.together(_zones(then))

    def counted(found: int | None) -> Value:
        return Missing.NOT_MEASURED if found is None else found

    return (
        figure("transactions", sold.transactions, sold_then.transactions),
        figure("basket_value", sold.value, sold_then.value),
        figure("atv", sold.atv, sold_then.atv),
        figure("upt", sold.upt, sold_then.upt),
        figure("entering", counted(doors.entering), counted(doors_then.entering)),
        figure(
            "conversion",
            ratio(sold.transactions, doors.entering),
            ratio(sold_then.transactions, doors_then.entering),
        ),
        *(
            figure(key, whole.value(key), whole_then.value(key))
            for key in ("gross_impressions", "watchers", "attention_ms")
        ),
    )


def _changed(
    ask: Ask, figures: tuple[Figure, ...], now: dict[str, Audience], then: dict[str, Audience]
) -> tuple[str, ...]:
    told = [(f.title, f.value, f.before, f.unit) for f in figures]
    names = {zone.zone_id: zone.name for zone in ask.layout.zones}
    told += [
        (
            f"Attention to {names[a.target_id]}",
            a.value("attention_ms"),
            then[a.target_id].value("attention_ms"),
            "ms",
        )
        for a in _zones(now)
    ]
    found: list[tuple[float, str]] = []
    for title, value, before, unit in told:
        if isinstance(value, Missing) or before is None or isinstance(before, Missing):
            continue
        was, is_now = float(str(before)), float(str(value))
        if not was or abs(is_now / was - 1) < _LEAST_CHANGE:
            continue
        shown = said(value, unit, ask.layout.currency)
        earlier = said(before, unit, ask.layout.currency)
        found.append((abs(is_now / was - 1), f"{title}: {shown}, after {earlier} the week before."))
    if not found:
        return ("Nothing changed by more than 3 %, or there is no week before to compare with.",)
    return tuple(sentence for _, sentence in sorted(found, reverse=True)[:6])


async def _todo(ask: Ask, now: dict[str, Audience]) -> tuple[str, ...]:
    categories = {row["category"]: float(row["units"]) for row in await ask.rows(_CATEGORIES)}
    creatives = [
        CreativeWeek(row["title"], row["plays"], row["watchers"], row["attention_ms"])
        for row in await ask.rows(_CREATIVES)
    ]
    names = {screen.screen_id: screen.name for screen in ask.layout.screens}
    screens = [
        ScreenWeek(names.get(row["screen_id"], row["screen_id"]), row["plays"], row["failed"], 0)
        for row in await ask.rows(_SCREENS)
    ]
    refused: dict[str, Any] = await ask.row(_REFUSED)
    found = to_do(_zone_weeks(ask, now, categories), creatives, screens, refused["refused"])
    return tuple(found) or ("The numbers give no reason for anything in particular.",)


def _zone_weeks(ask: Ask, now: dict[str, Audience], categories: dict[str, float]) -> list[ZoneWeek]:
    attention = sum(a.attention_ms for a in _zones(now)) or 1
    lying = {zone.category for zone in ask.layout.zones if zone.category}
    units = sum(n for name, n in categories.items() if name in lying)
    weeks = []
    for zone in ask.layout.zones:
        audience = now[zone.zone_id]
        share = categories.get(zone.category or "", 0.0) / units if units > 0 else None
        weeks.append(
            ZoneWeek(
                zone.name,
                audience.gross_impressions,
                audience.watchers,
                audience.attention_ms / attention,
                share if zone.category else None,
            )
        )
    return weeks


async def _unknown(ask: Ask, doors: Doors, now: dict[str, Audience]) -> list[str]:
    days = await ask.row(_DAYS.format(grain=grain(ask.period)))
    controlled = await ask.row(_CONTROLLED)
    names = {zone.zone_id: zone.name for zone in ask.layout.zones}
    names |= {screen.screen_id: screen.name for screen in ask.layout.screens}
    over = min(ask.period.last, (ask.now - timedelta(days=1)).date())
    past = max(0, (over - ask.period.first).days + 1)
    return unknown(
        effect_known=controlled["plans"] > 0,
        doors=doors.entering is not None,
        passers_by=doors.passers_by is not None,
        unmeasured=[
            names[name] for name, a in now.items() if a.watchers is None and a.gross_impressions
        ],
        days_without_data=max(0, past - days["days"]),
    )
