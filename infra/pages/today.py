"""How is the day going? Who came, who looked, what was sold."""

from infra.pages import charts, totals
from infra.pages.charts import Bar
from infra.pages.model import Chart, Column, Figure, Missing, Page, Section, Table, ratio
from infra.pages.reading import Ask
from infra.pages.totals import Doors, Sales, column, figure
from infra.pages.words import said

_OPEN_FROM, _OPEN_UNTIL = 6, 22


async def build(ask: Ask) -> Page:
    """The page for the period of `ask`."""
    before = ask.before() if ask.compared else None
    found = await totals.sales(ask)
    sold = totals.own(found, ask.layout.currency)
    sold_before = totals.own(await totals.sales(before), ask.layout.currency) if before else None
    doors = await totals.doors(ask)
    doors_before = await totals.doors(before) if before else None
    shop = _shop(sold, sold_before, doors, doors_before)
    tables = (_currencies(found),) if len(found) > 1 else ()
    return Page(
        path="/today",
        title="Today" if ask.period.last == ask.period.first else "The shop",
        period=ask.period,
        lead=_lead(ask, sold, sold_before),
        sections=(
            Section(
                "shop",
                "The till and the door",
                figures=shop,
                charts=(await _hours(ask, before),),
                tables=tables,
            ),
            await _shelves(ask, before),
        ),
        currency=ask.layout.currency,
        simulated=totals.label(ask, sold.simulated),
        compared=ask.compared,
    )


def _lead(ask: Ask, sold: Sales, before: Sales | None) -> str:
    when = "so far today" if ask.period.last == ask.now.date() == ask.period.first else "in all"
    if sold.transactions == 0:
        return f"No basket {when}."
    text = (
        f"{said(sold.transactions, 'count')} baskets {when}, "
        f"{said(sold.atv, 'money', sold.currency)} each"
    )
    if before is None or before.transactions == 0:
        return f"{text}."
    more = sold.transactions / before.transactions - 1
    word = "more" if more >= 0 else "fewer"
    return f"{text}: {abs(more) * 100:.0f} % {word} baskets than the week before."


def _shop(
    sold: Sales, sold_before: Sales | None, doors: Doors, doors_before: Doors | None
) -> tuple[Figure, ...]:
    b, d = sold_before, doors_before

    def entering(found: Doors) -> int | Missing:
        return Missing.NOT_MEASURED if found.entering is None else found.entering

    note = "" if doors.entering is not None else "no door is counted: see calibration, lines"
    return (
        figure("transactions", sold.transactions, b.transactions if b else None),
        figure("basket_value", sold.value, b.value if b else None),
        figure("atv", sold.atv, b.atv if b else None),
        figure("upt", sold.upt, b.upt if b else None),
        figure("entering", entering(doors), entering(d) if d else None, note),
        figure(
            "conversion",
            ratio(sold.transactions, doors.entering),
            ratio(b.transactions, d.entering) if b and d else None,
        ),
        figure(
            "capture_rate",
            ratio(doors.entering, doors.passers_by),
            ratio(d.entering, d.passers_by) if d else None,
        ),
    )


def _currencies(found: list[Sales]) -> Table:
    return Table(
        "currencies",
        "By currency",
        (
            Column("currency", "Currency", "text"),
            column("transactions"),
            column("upt"),
            Column("atv", "Average transaction value", "number", "net sales / transactions"),
            Column("returns", "Returns"),
            Column("voids", "Voids"),
        ),
        tuple((s.currency, s.transactions, s.upt, s.atv, s.returns, s.voids) for s in found),
        note="Currencies are never added up.",
    )


async def _hours(ask: Ask, before: Ask | None) -> Chart:
    now = await totals.transactions_by_hour(ask)
    then = await totals.transactions_by_hour(before) if before else {}
    first = min([_OPEN_FROM, *now, *then])
    last = max([_OPEN_UNTIL, *now, *then])
    hours = range(first, last + 1)
    drawn = charts.bars(
        [Bar(f"{h}:00", now.get(h, 0), then.get(h, 0) if before else None) for h in hours]
    )
    most = max(now, key=lambda h: now[h], default=None)
    told = "no basket" if most is None else f"most at {most}:00 with {now[most]}"
    return Chart(
        "baskets-by-hour",
        "Baskets by hour of the day",
        drawn,
        f"Baskets by hour of the day: {told}.",
        "The paler bars are the week before." if before else "",
    )


async def _shelves(ask: Ask, before: Ask | None) -> Section:
    now = await totals.audiences(ask)
    then = await totals.audiences(before) if before else {}
    zones = [a for a in now.values() if a.kind == "zone"]
    whole = totals.together(zones)
    whole_before = totals.together([a for a in then.values() if a.kind == "zone"]) if then else None
    keys = ("gross_impressions", "watchers", "conversion_ratio", "attention_ms", "attraction_ratio")
    names = {zone.zone_id: zone.name for zone in ask.layout.zones}
    return Section(
        "shelves",
        "Before the shelves",
        "A person before two zones counts in both. Attention is estimated from facing.",
        figures=tuple(
            figure(key, whole.value(key), whole_before.value(key) if whole_before else None)
            for key in keys
        ),
        tables=(
            Table(
                "zones",
                "By zone",
                (Column("zone", "Zone", "text"), *(column(key) for key in keys)),
                tuple(
                    (names[a.target_id], *(a.value(key) for key in keys))
                    for a in sorted(zones, key=lambda a: -a.attention_ms)
                ),
            ),
        ),
    )
