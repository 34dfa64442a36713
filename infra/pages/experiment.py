"""Do the screens make baskets larger? What is known, how well, and how long still."""

import asyncio
import math
from typing import Any

import psycopg

from infra.experiment.answering import WORDS, Result, result, results
from infra.pages import charts
from infra.pages.charts import Interval, Known
from infra.pages.errors import PagesDatabaseError
from infra.pages.model import Chart, Column, Figure, Missing, Page, Section, Table, Value
from infra.pages.reading import Ask
from streams.contracts.experiment import BASKET_OUTCOMES, Outcome
from streams.contracts.layout import StoreLayout
from streams.sink.database import cannot_connect

_CONNECT_TIMEOUT_S = 3

#: Of an experiment about baskets the second question, shown for itself.
_SECOND: dict[Outcome, Outcome] = {
    "basket_value": "product_value",
    "basket_units": "product_units",
}

_NO_CONTROL = (
    "No experiment was ever started here, so there is no control, and no number of ours can say "
    "what the screens do to baskets. A rise since they were hung is not one: it has many causes."
)


async def build(ask: Ask) -> Page:
    """The page: every experiment of the store, the newest first. The days do not cut them: an
    experiment is read whole, or its interval would not hold."""
    try:
        found, second = await asyncio.to_thread(_read, ask)
    except psycopg.OperationalError as error:
        raise PagesDatabaseError(cannot_connect(ask.database, error)) from error
    now_ms = int(ask.now.timestamp() * 1000)
    sections = [_section(r, f"experiment-{i}", now_ms) for i, r in enumerate(found[:5])]
    if second is not None:
        sections.insert(1, _section(second, "second", now_ms, second=True))
    labels = [r.label for r in found if r.label is not None]
    return Page(
        path="/experiment",
        title="Experiment",
        period=ask.period,
        lead=found[0].analysis.answer.sentence if found else _NO_CONTROL,
        sections=tuple(sections),
        currency=ask.layout.currency,
        simulated=ask.simulated or (f"These numbers are {labels[0]}." if labels else None),
    )


def _read(ask: Ask) -> tuple[list[Result], Result | None]:
    """In one snapshot that cannot write, as the other pages."""
    with psycopg.connect(
        ask.database.get_secret_value(),
        connect_timeout=_CONNECT_TIMEOUT_S,
        application_name="smartstore-pages",
    ) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return read(connection, ask.layout, int(ask.now.timestamp() * 1000))


def read(
    connection: psycopg.Connection[Any], layout: StoreLayout, now_ms: int
) -> tuple[list[Result], Result | None]:
    """What the page tells: every experiment of the store, and the second question of the newest."""
    layouts = {layout.store_id: layout}
    found = results(connection, now_ms, store_id=layout.store_id, layouts=layouts)
    if not found or found[0].plan.outcome not in BASKET_OUTCOMES:
        return found, None
    newest = found[0].plan
    if not newest.skus and not newest.categories:
        return found, None  # a product nobody named is all that is sold: no second question
    asked = _SECOND[newest.outcome]
    return found, result(connection, found[0].plans, now_ms, outcome=asked, layouts=layouts)


def _section(found: Result, key: str, now_ms: int, *, second: bool = False) -> Section:
    plan, analysis = found.plan, found.analysis
    what = WORDS[plan.outcome]
    state = _state(plan.starts_at_ms, plan.closed_at_ms, now_ms)
    note = (
        f"{plan.hypothesis} Approved by {plan.approved_by}; {state}; slots of "
        f"{plan.slot_ms / 60_000:g} min, {plan.adaptive_share:.0%} of them adaptive, the first "
        f"{plan.washout_ms / 60_000:g} min of each in no arm."
    )
    title = f"{plan.experiment_id}: {what}"
    if second:
        title = f"The second question, for itself: {what}"
        note = "What a brand buys. A product that moves is no larger basket, nor the other way."
    return Section(
        key,
        title,
        note if found.label is None else f"{note} {found.label[:1].upper()}{found.label[1:]}.",
        sentences=(analysis.answer.sentence,),
        figures=_figures(found),
        charts=_charts(found, key),
        tables=(_arms(found, key), _checks(found, key), _looks(found, key)),
    )


def _state(starts_at_ms: int, closed_at_ms: int | None, now_ms: int) -> str:
    """Where an experiment stands, for people.

    >>> _state(10, None, 5), _state(10, None, 20), _state(10, 15, 20), _state(10, 30, 20)
    ('not begun', 'running', 'ended', 'running')
    """
    if now_ms < starts_at_ms:
        return "not begun"
    return "ended" if closed_at_ms is not None and closed_at_ms <= now_ms else "running"


def _figures(found: Result) -> tuple[Figure, ...]:
    answer = found.analysis.answer
    explained = found.analysis.explained

    def share(value: float | None) -> Value:
        return Missing.NONE if value is None or not math.isfinite(value) else value

    left = (
        ()
        if answer.days_left is None
        else (
            Figure(
                "days_left",
                "Days still to go",
                math.ceil(answer.days_left),
                "count",
                "as the noise so far has it",
            ),
        )
    )
    return (
        *left,
        Figure("effect", "Effect", share(answer.effect), "share", "adaptive / control - 1"),
        Figure("low", "At least", share(answer.low), "share", "lower end of the 95 % interval"),
        Figure("high", "At most", share(answer.high), "share", "upper end of the 95 % interval"),
        Figure("slots", "Slots so far", found.slots, "count", f"in {found.days} days"),
        Figure(
            "explained",
            "Explained beforehand",
            share(explained),
            "share",
            "variance that weekday, hour and past take away",
        ),
    )


def _charts(found: Result, key: str) -> tuple[Chart, ...]:
    answer, looks = found.analysis.answer, found.analysis.looks
    percent = [None if v is None else v * 100 for v in (answer.low, answer.effect, answer.high)]
    drawn = [
        Chart(
            f"{key}-interval",
            "The effect and its interval",
            charts.intervals([Interval(WORDS[found.plan.outcome], *percent)]),
            answer.sentence,
            "The interval holds however often one looks: 95 % of such experiments have the truth "
            "inside at every look.",
        )
    ]
    known = [Known(x.day, x.low * 100, x.effect * 100, x.high * 100) for x in looks if x.known]
    if len(known) > 1:
        drawn.append(
            Chart(
                f"{key}-looks",
                "Day by day",
                charts.band(known),
                "The interval after each day, as in the table of looks.",
            )
        )
    return tuple(drawn)


def _arms(found: Result, key: str) -> Table:
    plan = found.plan
    base = "Transactions" if plan.outcome in BASKET_OUTCOMES else "Minutes"
    unit = "each" if plan.outcome in BASKET_OUTCOMES else "a minute"
    rows: list[tuple[Value, ...]] = []
    for name, arm in (("adaptive", found.analysis.adaptive), ("control", found.analysis.control)):
        cells = [Missing.NONE if v is None else v for v in (arm.mean, arm.low, arm.high)]
        rows.append((name, arm.slots, int(arm.base), *cells))
    return Table(
        f"{key}-arms",
        "By arm",
        (
            Column("arm", "Arm", "text"),
            Column("slots", "Slots"),
            Column("base", base),
            Column("mean", f"Mean {unit}", "number"),
            Column("low", "At least", "number"),
            Column("high", "At most", "number"),
        ),
        tuple(rows),
        note=f"In {found.currency}." if found.currency else "",
    )


def _checks(found: Result, key: str) -> Table:
    return Table(
        f"{key}-checks",
        "Can it be trusted?",
        (
            Column("check", "Check", "text"),
            Column("verdict", "Verdict", "text"),
            Column("sentence", "What came out", "text"),
        ),
        tuple((c.name, c.verdict, c.sentence) for c in found.analysis.checks),
    )


def _looks(found: Result, key: str) -> Table:
    rows: list[tuple[Value, ...]] = []
    for look in found.analysis.looks[-60:]:
        cells = (look.effect, look.low, look.high)
        known: tuple[Value, ...] = cells if look.known else (Missing.NONE,) * 3
        rows.append((look.day, look.slots, *known))
    return Table(
        f"{key}-looks",
        "The looks",
        (
            Column("day", "Day"),
            Column("slots", "Slots so far"),
            Column("effect", "Effect", "share"),
            Column("low", "At least", "share"),
            Column("high", "At most", "share"),
        ),
        tuple(rows),
        note="Days are counted from the start. Before there are 40 slots in each arm there is no "
        "interval.",
    )
