"""Where does attention rest? The shelf as a picture, and each zone in figures."""

from infra.pages import charts, totals
from infra.pages.charts import Bar, Facing
from infra.pages.model import Chart, Column, Missing, Page, Section, Table, Value, of_people, ratio
from infra.pages.reading import Ask
from infra.pages.totals import Audience, column
from infra.pages.words import said

_KEYS = (
    "gross_impressions",
    "ots",
    "watchers",
    "conversion_ratio",
    "presence_ms",
    "dwell_ms",
    "attention_ms",
    "attraction_ratio",
)

_DWELLS = """
SELECT zone_id, sum(stays)::bigint AS stays, sum(stay_ms)::bigint AS stay_ms,
       sum(under_5_s)::bigint AS under_5_s, sum(under_10_s)::bigint AS under_10_s,
       sum(under_20_s)::bigint AS under_20_s, sum(under_30_s)::bigint AS under_30_s,
       sum(under_60_s)::bigint AS under_60_s, sum(under_120_s)::bigint AS under_120_s,
       sum(under_300_s)::bigint AS under_300_s, sum(from_300_s)::bigint AS from_300_s
FROM dwell_between(%(since)s, %(until)s)
WHERE store_id = %(store)s
GROUP BY zone_id
"""

#: The lengths of stays, as the database counts them.
_LENGTHS = (
    ("under_5_s", "under 5 s"),
    ("under_10_s", "5 to 10 s"),
    ("under_20_s", "10 to 20 s"),
    ("under_30_s", "20 to 30 s"),
    ("under_60_s", "30 to 60 s"),
    ("under_120_s", "1 to 2 min"),
    ("under_300_s", "2 to 5 min"),
    ("from_300_s", "5 min and more"),
)


async def build(ask: Ask) -> Page:
    """The page for the period of `ask`."""
    now = await totals.audiences(ask)
    doors = await totals.doors(ask)
    sold = await totals.sales(ask)
    dwells = {row["zone_id"]: row for row in await ask.rows(_DWELLS)}
    zones = {zone.zone_id: zone.name for zone in ask.layout.zones}
    first = max(
        (a for a in now.values() if a.kind == "zone"), key=lambda a: a.attention_ms, default=None
    )
    return Page(
        path="/shelf",
        title="Shelf",
        period=ask.period,
        lead=_lead(first, zones),
        sections=(
            Section(
                "heat",
                "The shelf, as one stands before it",
                "Warmer is more attention. It is estimated from facing, and zones narrower than "
                "60 cm cannot be told apart well.",
                charts=(_picture(ask, now),),
                tables=(_zones(ask, now, doors.entering),),
            ),
            Section(
                "dwell",
                "How long people stay",
                "A zone dwell is a stay longer than the zone's own minimum.",
                charts=tuple(_lengths(zones[z], dwells[z]) for z in zones if z in dwells),
                tables=(_stays(zones, dwells),),
            ),
        ),
        currency=ask.layout.currency,
        simulated=totals.label(ask, *(s.simulated for s in sold)),
        compared=False,
    )


def _lead(first: Audience | None, zones: dict[str, str]) -> str:
    if first is None or first.attention_ms == 0 or first.watchers is None:
        return "No attention was measured in these days."
    value = first.value("attention_ms")
    if isinstance(value, Missing):
        return "Too few people came to say where attention rests."
    return f"{zones[first.target_id]} held the most attention: {said(value, 'ms')}."


def _picture(ask: Ask, now: dict[str, Audience]) -> Chart:
    shown = {name: a.value("attention_ms") for name, a in now.items()}
    most = max((float(v) for v in shown.values() if isinstance(v, int)), default=0.0)

    def heat(name: str) -> float | None:
        value = shown[name]
        return float(value) / most if isinstance(value, int) and most else None

    facings = [
        Facing(z.face, z.name, said(shown[z.zone_id], "ms"), heat(z.zone_id))
        for z in ask.layout.zones
        if z.face is not None
    ]
    facings += [
        Facing(s.face, s.name, said(shown[s.screen_id], "ms"), heat(s.screen_id), screen=True)
        for s in ask.layout.screens
        if s.face is not None
    ]
    told = ", ".join(f"{f.name} {f.words}" for f in facings)
    return Chart(
        "shelf",
        "Attention on the planogram",
        charts.planogram(_mirrored(facings)),
        f"Attention on the shelf: {told or 'the layout places no zone on a shelf'}.",
    )


def _mirrored(facings: list[Facing]) -> list[Facing]:
    """The layout's x runs to the right as the camera on the shelf sees it; who stands before the
    shelf sees it the other way round."""
    return [
        Facing((-f.face[2], f.face[1], -f.face[0], f.face[3]), f.name, f.words, f.heat, f.screen)
        for f in facings
    ]


def _zones(ask: Ask, now: dict[str, Audience], entering: int | None) -> Table:
    names = {zone.zone_id: zone.name for zone in ask.layout.zones}
    names |= {screen.screen_id: f"{screen.name} (screen)" for screen in ask.layout.screens}
    places = {zone.zone_id: zone.store_zone for zone in ask.layout.zones}
    rows: list[tuple[Value, ...]] = []
    for name, audience in now.items():
        rate = ratio(audience.gross_impressions, entering) if name in places else Missing.NONE
        rows.append(
            (
                names[name],
                places.get(name, "screen"),
                *(audience.value(key) for key in _KEYS),
                of_people(rate, audience.gross_impressions),
            )
        )
    return Table(
        "targets",
        "Every zone and screen",
        (
            Column("target", "Zone or screen", "text"),
            Column("store_zone", "Store zone", "text"),
            *(column(key) for key in _KEYS),
            column("exposure_rate"),
        ),
        tuple(rows),
    )


def _lengths(name: str, row: dict[str, int]) -> Chart:
    stays = row["stays"]
    bars = []
    for key, label in _LENGTHS:
        shown = of_people(row[key], row[key])
        few = isinstance(shown, Missing)
        bars.append(Bar(label, None if few else row[key], why=Missing.FEW.value if few else ""))
    told = ", ".join(f"{b.label}: {b.why or b.value}" for b in bars)
    return Chart(
        f"dwell-{name}",
        f"{name}: zone dwells by length",
        charts.rows(bars, row=26),
        f"{said(stays, 'count')} zone dwells before {name} by length. {told}.",
    )


def _stays(zones: dict[str, str], dwells: dict[str, dict[str, int]]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for zone, name in zones.items():
        stays = dwells[zone]["stays"] if zone in dwells else 0
        mean = ratio(dwells[zone]["stay_ms"], stays) if stays else Missing.NONE
        rows.append((name, of_people(stays, stays), of_people(mean, stays)))
    return Table(
        "stays",
        "Zone dwells",
        (Column("zone", "Zone", "text"), column("stays"), column("mean_stay_ms")),
        tuple(rows),
    )
