"""What did the screens show, and why?"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from infra.pages import charts, totals
from infra.pages.charts import PALETTE, Span
from infra.pages.model import Chart, Column, Missing, Page, Section, Table, Value, of_people, ratio
from infra.pages.reading import Ask
from infra.pages.totals import column, figure
from infra.pages.words import said

_PLAYS = """
SELECT p.screen_id, p.creative_id, max(c.title) AS title, sum(p.plays)::bigint AS plays,
       sum(p.failed)::bigint AS failed, sum(p.caused)::bigint AS caused,
       sum(p.shown_ms)::bigint AS shown_ms
FROM plays_between(%(since)s, %(until)s) p
LEFT JOIN creatives c ON c.creative_id = p.creative_id AND c.version = p.creative_version
WHERE p.store_id = %(store)s
GROUP BY p.screen_id, p.creative_id ORDER BY p.screen_id, shown_ms DESC
"""

_EXPOSED = """
SELECT screen_id, creative_id, sum(plays)::bigint AS plays,
       sum(gross_impressions)::bigint AS gross_impressions,
       sum(verified_impressions)::bigint AS verified_impressions,
       sum(watchers)::bigint AS watchers, sum(attention_ms)::bigint AS attention_ms
FROM exposures_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY screen_id, creative_id
"""

_REASONS = """
SELECT screen_id, arm, reason, sum(decisions)::bigint AS decisions
FROM decisions_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY screen_id, arm, reason ORDER BY screen_id, decisions DESC
"""

#: Every play of the newest quarter of an hour of the day: what a picture can show whole.
_QUARTER = """
SELECT screen_id, creative_id, rendered_at, duration_ms, captured_at IS NOT NULL AS caused
FROM plays
WHERE store_id = %(store)s AND success AND rendered_at < %(until)s AND rendered_at > (
    SELECT max(rendered_at) - interval '15 minutes' FROM plays
    WHERE store_id = %(store)s AND rendered_at >= %(day)s AND rendered_at < %(until)s)
ORDER BY rendered_at LIMIT 20000
"""

_NEWEST = """
SELECT rendered_at, screen_id, coalesce(title, creative_id) AS title, duration_ms, stop_reason,
       arm, reason, sentence
FROM v_screen_timeline
WHERE store_id = %(store)s AND rendered_at >= %(day)s AND rendered_at < %(until)s
ORDER BY rendered_at DESC LIMIT 20
"""

_GAPS = """
SELECT screen_id, count(*)::bigint AS gaps, coalesce(sum(gap_ms), 0)::bigint AS gap_ms
FROM (
    SELECT screen_id, extract(epoch FROM rendered_at - lag(
             rendered_at + duration_ms * interval '1 millisecond')
             OVER (PARTITION BY screen_id ORDER BY rendered_at)) * 1000 AS gap_ms
    FROM plays
    WHERE store_id = %(store)s AND success AND rendered_at >= %(day)s AND rendered_at < %(until)s
) AS pairs
WHERE gap_ms >= 2000 GROUP BY screen_id
"""

_PRICES = """
SELECT screen_id, sku, price, currency, count(*)::bigint AS shown, min(shown_at) AS first,
       max(shown_at) AS last
FROM v_prices_shown
WHERE store_id = %(store)s AND shown_at >= %(since)s AND shown_at < %(until)s
GROUP BY screen_id, sku, price, currency ORDER BY last DESC LIMIT 200
"""


async def build(ask: Ask) -> Page:
    """The page for the period of `ask`; the timeline is that of its last day."""
    plays = await ask.rows(_PLAYS)
    exposed = {(row["screen_id"], row["creative_id"]): row for row in await ask.rows(_EXPOSED)}
    reasons = await ask.rows(_REASONS)
    prices = await ask.rows(_PRICES)
    sold = await totals.sales(ask)
    shown_ms = sum(row["shown_ms"] for row in plays)
    caused = sum(row["caused"] for row in plays)
    count = sum(row["plays"] for row in plays)
    screens = {screen.screen_id: screen.name for screen in ask.layout.screens}
    return Page(
        path="/screens",
        title="Screens",
        period=ask.period,
        lead=f"{said(count, 'count')} plays, {said(caused, 'count')} of them an answer to a "
        f"shopper's glance; {said(shown_ms, 'ms')} on the glass."
        if count
        else "No screen has proved a play in these days.",
        sections=(
            await _last_day(ask, screens, plays),
            _creatives(screens, plays, exposed),
            _why(screens, reasons),
            *((_prices(screens, prices),) if prices else ()),
        ),
        currency=ask.layout.currency,
        simulated=totals.label(ask, *(s.simulated for s in sold)),
        compared=False,
    )


async def _last_day(ask: Ask, screens: dict[str, str], plays: Sequence[dict[str, Any]]) -> Section:
    begin = datetime.combine(ask.period.last, time.min, ask.period.zone)
    given = {"day": begin}
    held = await ask.rows(_QUARTER, given)
    opens = min((row["rendered_at"] for row in held), default=begin)
    newest = await ask.rows(_NEWEST, given)
    gaps = {row["screen_id"]: row for row in await ask.rows(_GAPS, given)}
    creatives = list(dict.fromkeys(row["creative_id"] for row in plays))
    titles = {row["creative_id"]: row["title"] or row["creative_id"] for row in plays}
    lanes = [
        (name, _spans([r for r in held if r["screen_id"] == screen], opens, creatives, titles))
        for screen, name in screens.items()
    ]
    marks = [
        (i * 180.0, f"{(opens + timedelta(minutes=3 * i)).astimezone(ask.period.zone):%H:%M}")
        for i in range(6)
    ]
    keyed = ", ".join(f"{titles[c]} {_COLOURS[i % len(_COLOURS)]}" for i, c in enumerate(creatives))
    zone = ask.period.zone
    return Section(
        "timeline",
        f"The newest quarter of an hour of {ask.period.last:%A %-d %B}",
        "Each stretch is a play on the glass, by its own proof, in the colour of its creative.",
        charts=(
            Chart(
                "timeline",
                "",
                charts.timeline(lanes, 0.0, 900.0, marks),
                "What each screen showed then; the table below names the newest plays.",
                f"Colours: {keyed}." if keyed else "",
            ),
        ),
        tables=(
            Table(
                "newest",
                "The newest plays, and why",
                (
                    Column("at", "At", "time"),
                    Column("screen", "Screen", "text"),
                    Column("creative", "Creative", "text"),
                    Column("shown_ms", "Shown", "ms"),
                    Column("arm", "Arm", "text"),
                    Column("sentence", "Why this", "text"),
                ),
                tuple(
                    (
                        r["rendered_at"].astimezone(zone),
                        screens.get(r["screen_id"], r["screen_id"]),
                        r["title"],
                        r["duration_ms"],
                        r["arm"] or "none",
                        r["sentence"] or "No decision reached the screen: its own rotation.",
                    )
                    for r in newest
                ),
            ),
            Table(
                "gaps",
                "Times without a proof of play",
                (
                    Column("screen", "Screen", "text"),
                    Column("gaps", "Gaps of 2 s and more"),
                    Column("gap_ms", "In all", "ms"),
                ),
                tuple(
                    (
                        name,
                        gaps[s]["gaps"] if s in gaps else 0,
                        int(gaps[s]["gap_ms"]) if s in gaps else 0,
                    )
                    for s, name in screens.items()
                ),
                note="Between two plays of the day. The fallback picture may have been up: this "
                "says where to look for dark seconds, and is no proof of them.",
            ),
        ),
    )


_COLOURS = ("blue", "orange", "green", "pink", "light blue", "red", "olive", "grey")


def _spans(
    rows: Iterable[dict[str, Any]],
    begin: datetime,
    creatives: list[str],
    titles: dict[str, str],
) -> list[Span]:
    spans: list[Span] = []
    for row in rows:
        start = (row["rendered_at"] - begin).total_seconds()
        end = start + row["duration_ms"] / 1000
        colour = creatives.index(row["creative_id"]) % len(PALETTE)
        words = titles[row["creative_id"]] + (", for a glance" if row["caused"] else "")
        spans.append(Span(start, end, colour, words))
    return spans


def _creatives(
    screens: dict[str, str],
    plays: Sequence[dict[str, Any]],
    exposed: dict[tuple[str, str], dict[str, Any]],
) -> Section:
    rows: list[tuple[Value, ...]] = []
    for row in plays:
        seen = exposed.get((row["screen_id"], row["creative_id"]), {})
        people = seen.get("gross_impressions")
        watchers = seen.get("watchers")
        rows.append(
            (
                screens.get(row["screen_id"], row["screen_id"]),
                row["title"] or row["creative_id"],
                row["plays"],
                row["failed"],
                row["shown_ms"],
                row["caused"],
                of_people(people if people is not None else Missing.NONE, people),
                of_people(seen.get("verified_impressions", Missing.NONE), people),
                Missing.NOT_MEASURED if watchers is None else of_people(watchers, people),
                Missing.NOT_MEASURED
                if watchers is None
                else of_people(seen["attention_ms"], people),
                of_people(ratio(people, seen.get("plays")), people),
            )
        )
    return Section(
        "creatives",
        "What each creative did",
        figures=(
            figure("plays", sum(row["plays"] for row in plays)),
            figure("shown_ms", sum(row["shown_ms"] for row in plays)),
            figure("failed", sum(row["failed"] for row in plays)),
            figure("caused", sum(row["caused"] for row in plays)),
        ),
        tables=(
            Table(
                "creatives",
                "By screen and creative",
                (
                    Column("screen", "Screen", "text"),
                    Column("creative", "Creative", "text"),
                    column("plays"),
                    column("failed"),
                    column("shown_ms"),
                    column("caused"),
                    column("gross_impressions"),
                    column("verified_impressions"),
                    column("watchers"),
                    column("attention_ms"),
                    column("impression_multiplier"),
                ),
                tuple(rows),
            ),
        ),
    )


def _why(screens: dict[str, str], reasons: Sequence[dict[str, Any]]) -> Section:
    return Section(
        "reasons",
        "Why they changed",
        "Each decision has its sentence; these are their kinds.",
        tables=(
            Table(
                "reasons",
                "Decisions by arm and reason",
                (
                    Column("screen", "Screen", "text"),
                    Column("arm", "Arm", "text"),
                    Column("reason", "Reason", "text"),
                    Column("decisions", "Decisions"),
                ),
                tuple(
                    (
                        screens.get(row["screen_id"], row["screen_id"]),
                        row["arm"],
                        row["reason"],
                        row["decisions"],
                    )
                    for row in reasons
                ),
            ),
        ),
    )


def _prices(screens: dict[str, str], prices: Sequence[dict[str, Any]]) -> Section:
    return Section(
        "prices",
        "Prices that were shown",
        "No price hangs on who is looking: it comes from the store's price list alone.",
        tables=(
            Table(
                "prices",
                "By screen and product",
                (
                    Column("screen", "Screen", "text"),
                    Column("sku", "Product", "text"),
                    Column("price", "Price", "number"),
                    Column("currency", "Currency", "text"),
                    Column("shown", "Times shown"),
                    Column("first", "First", "time"),
                    Column("last", "Last", "time"),
                ),
                tuple(
                    (
                        screens.get(row["screen_id"], row["screen_id"]),
                        row["sku"],
                        row["price"],
                        row["currency"],
                        row["shown"],
                        row["first"],
                        row["last"],
                    )
                    for row in prices
                ),
            ),
        ),
    )
