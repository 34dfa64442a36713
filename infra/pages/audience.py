"""The audience report, for a media buyer: the rungs of the ladder apart, each with its formula."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from infra.pages import charts, totals
from infra.pages.charts import Bar
from infra.pages.definitions import title
from infra.pages.model import (
    Chart,
    Column,
    Figure,
    Missing,
    Page,
    Section,
    Table,
    Value,
    of_people,
    ratio,
)
from infra.pages.reading import Ask
from infra.pages.totals import Audience, column, figure, grain
from infra.pages.words import said

_BY_SCREEN = """
SELECT screen_id, sum(plays)::bigint AS plays, sum(gross_impressions)::bigint AS gross_impressions,
       sum(ots)::bigint AS ots, sum(verified_impressions)::bigint AS verified_impressions,
       sum(exposed_ms)::bigint AS exposed_ms, sum(watchers)::bigint AS watchers,
       sum(attention_ms)::bigint AS attention_ms
FROM exposures_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY screen_id
"""

_BY_DAY = """
SELECT (bucket AT TIME ZONE %(zone)s)::date AS day,
       sum(gross_impressions)::bigint AS gross_impressions, sum(ots)::bigint AS ots,
       sum(watchers)::bigint AS watchers
FROM v_audience_by_{grain}
WHERE store_id = %(store)s AND target_kind = 'screen'
  AND bucket >= %(since)s AND bucket < %(until)s
GROUP BY 1
"""

_CAMPAIGNS = """
SELECT campaign, sum(plays)::bigint AS plays, sum(gross_impressions)::bigint AS gross_impressions,
       sum(verified_impressions)::bigint AS verified_impressions
FROM v_campaigns_by_hour
WHERE store_id = %(store)s AND campaign IS NOT NULL
  AND bucket >= %(since)s AND bucket < %(until)s
GROUP BY campaign ORDER BY campaign
"""

_RUNGS = ("gross_impressions", "ots", "watchers")


async def build(ask: Ask) -> Page:
    """The page for the period of `ask`."""
    before = ask.before() if ask.compared else None
    doors = await totals.doors(ask)
    screens = _screens(await totals.audiences(ask))
    then = _screens(await totals.audiences(before)) if before else None
    exposed = await ask.rows(_BY_SCREEN)
    sold = await totals.sales(ask)
    whole = totals.together(screens)
    whole_then = totals.together(then) if then is not None else None
    return Page(
        path="/audience",
        title="Audience report",
        period=ask.period,
        lead=_lead(whole),
        sections=(
            Section(
                "ladder",
                "The ladder",
                "Each rung is a number of its own; they are never merged into one.",
                figures=_ladder(whole, whole_then, exposed, doors.entering),
                charts=(_rungs(whole),),
            ),
            _time(whole, whole_then),
            await _by_day(ask),
            _by_screen(ask, screens, exposed),
            *await _campaigns(ask),
        ),
        currency=ask.layout.currency,
        simulated=totals.label(ask, *(s.simulated for s in sold)),
        compared=ask.compared,
    )


def _screens(found: dict[str, Audience]) -> list[Audience]:
    return [a for a in found.values() if a.kind == "screen"]


def _lead(whole: Audience) -> str:
    if whole.gross_impressions == 0:
        return "Nobody was present before a screen in these days."
    watchers = whole.value("watchers")
    if isinstance(watchers, Missing):
        return (
            f"{said(whole.value('gross_impressions'), 'count')} gross impressions; who looked at "
            f"the screens was {watchers.value if watchers is Missing.NOT_MEASURED else 'too few'}."
        )
    return (
        f"{said(whole.value('gross_impressions'), 'count')} gross impressions, "
        f"{said(watchers, 'count')} watchers."
    )


def _ladder(
    whole: Audience,
    then: Audience | None,
    exposed: Sequence[dict[str, Any]],
    entering: int | None,
) -> tuple[Figure, ...]:
    verified = sum(row["verified_impressions"] for row in exposed)
    people = sum(row["gross_impressions"] for row in exposed)
    plays = sum(row["plays"] for row in exposed)
    return (
        Figure(
            "traffic",
            "Traffic",
            Missing.NOT_MEASURED if entering is None else entering,
            "count",
            "who entered the store",
        ),
        *(figure(key, whole.value(key), then.value(key) if then else None) for key in _RUNGS),
        figure("verified_impressions", of_people(verified, people)),
        figure("plays", plays),
        figure("impression_multiplier", of_people(ratio(people, plays), people)),
    )


def _rungs(whole: Audience) -> Chart:
    values = [(title(key), whole.value(key)) for key in _RUNGS]
    bars = [
        Bar(name, None, why=value.value)
        if isinstance(value, Missing)
        else Bar(name, float(str(value)))
        for name, value in values
    ]
    told = ", ".join(f"{name} {said(value, 'count')}" for name, value in values)
    return Chart("ladder", "", charts.rows(bars), f"The audience ladder: {told}.")


def _time(whole: Audience, then: Audience | None) -> Section:
    keys = ("presence_ms", "dwell_ms", "attention_ms", "conversion_ratio", "attraction_ratio")
    return Section(
        "time",
        "Time before the screens",
        "Attention is at most dwell time, and dwell time at most presence time.",
        figures=tuple(
            figure(key, whole.value(key), then.value(key) if then else None) for key in keys
        ),
    )


async def _by_day(ask: Ask) -> Section:
    rows = {row["day"]: row for row in await ask.rows(_BY_DAY.format(grain=grain(ask.period)))}
    days = [ask.period.first + timedelta(days=i) for i in range(ask.period.days)]
    bars, cells = [], []
    for day in days:
        row = rows.get(day)
        people = row["gross_impressions"] if row else 0
        shown = of_people(people, people)
        few = isinstance(shown, Missing)
        bars.append(Bar(f"{day.day}.{day.month}.", None if few else people))
        values: list[Value] = [shown]
        for key in ("ots", "watchers"):
            value = row[key] if row else None
            values.append(
                Missing.NONE
                if row is None
                else Missing.NOT_MEASURED
                if value is None
                else of_people(value, people)
            )
        cells.append((day, *values))
    return Section(
        "days",
        "Day by day",
        charts=(
            Chart(
                "audience-by-day",
                "Gross impressions by day",
                charts.bars(bars),
                "Gross impressions by day, as in the table below.",
            ),
        ),
        tables=(
            Table(
                "days",
                "All screens",
                (Column("day", "Day", "day"), *(column(key) for key in _RUNGS)),
                tuple(cells),
            ),
        ),
    )


def _by_screen(ask: Ask, screens: list[Audience], exposed: Sequence[dict[str, Any]]) -> Section:
    names = {screen.screen_id: screen.name for screen in ask.layout.screens}
    shown = {row["screen_id"]: row for row in exposed}
    rows: list[tuple[Value, ...]] = []
    for a in screens:
        row = shown.get(a.target_id, {})
        people = row.get("gross_impressions", 0)
        rows.append(
            (
                names[a.target_id],
                row.get("plays", 0),
                *(a.value(key) for key in _RUNGS),
                of_people(row.get("verified_impressions", 0), people),
                of_people(row.get("exposed_ms", 0), people),
                of_people(ratio(people, row.get("plays", 0)), people),
            )
        )
    return Section(
        "screens",
        "Screen by screen",
        "Plays and gross impressions are the minimum report of in-store media.",
        tables=(
            Table(
                "screens",
                "By screen",
                (
                    Column("screen", "Screen", "text"),
                    column("plays"),
                    *(column(key) for key in _RUNGS),
                    column("verified_impressions"),
                    column("exposed_ms"),
                    column("impression_multiplier"),
                ),
                tuple(rows),
                note="The ladder counts presences; verified impressions and the multiplier count "
                "each play apart, so somebody who saw three plays counts three times there.",
            ),
        ),
    )


async def _campaigns(ask: Ask) -> list[Section]:
    rows = await ask.rows(_CAMPAIGNS)
    if not rows:
        return []
    return [
        Section(
            "campaigns",
            "Campaigns",
            "A signed report for the brand: `smartstore export campaign`.",
            tables=(
                Table(
                    "campaigns",
                    "By campaign",
                    (
                        Column("campaign", "Campaign", "text"),
                        column("plays"),
                        column("gross_impressions"),
                        column("verified_impressions"),
                    ),
                    tuple(
                        (
                            row["campaign"],
                            row["plays"],
                            of_people(row["gross_impressions"], row["gross_impressions"]),
                            of_people(row["verified_impressions"], row["gross_impressions"]),
                        )
                        for row in rows
                    ),
                ),
            ),
        )
    ]
