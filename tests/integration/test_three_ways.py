"""The same numbers three ways: the truth of a simulated store, SQL on the rows of events, and the
views and pages as they are served. A gateway of perfect sight tells the truth of a drawn aisle;
windows and exposures of the processor, rows of the sink and aggregates of the database do the rest.
"""

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from pydantic import SecretStr

import infra.simulator.crowd
from infra.db.migrate import migrate
from infra.layouts import load_layout
from infra.pages.builders import BUILDERS
from infra.pages.definitions import DEFINITIONS
from infra.pages.model import FEWEST, Unit
from infra.pages.routes import Pages, add_pages
from infra.pages.words import said
from infra.simulator.crowd import Crowd
from infra.simulator.metrics import GazeValue, ShopperTarget, rules_of, true_metrics
from infra.simulator.population import Shares
from infra.simulator.receipts import BasketMaker
from infra.simulator.truth import TrueCrossing
from infra.simulator.witness import crowd_truth
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.pos import Basket, DoorCount, ReceiptKind
from streams.contracts.signage import Play
from streams.contracts.vision import (
    Audience,
    Crossing,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
)
from streams.core import facts
from streams.core.baskets import BasketWindows
from streams.core.exposure import PAIRING_MS, Exposures
from streams.sink.rows import units
from streams.sink.writer import Writer
from vision.core.targets import SceneRules

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

LAYOUT = load_layout(Path(infra.simulator.crowd.__file__).with_name("aisle.yaml"))
START_MS = 1_795_169_000_000  # within one UTC day and within three hours of it
LENGTH_MS = 900_000
EXPERIMENT = Experiment(salt="three ways", slot_ms=60_000, adaptive_share=0.5)
PLAN = ExperimentPlan(
    experiment_id="three-ways",
    store_id=LAYOUT.store_id,
    unit="store-slot",
    salt=EXPERIMENT.salt,
    slot_ms=EXPERIMENT.slot_ms,
    washout_ms=0,
    adaptive_share=EXPERIMENT.adaptive_share,
    outcome="basket_value",
    starts_at_ms=START_MS - START_MS % EXPERIMENT.slot_ms,
    ends_at_ms=None,
    approved_by="Ada Lovelace",
    approved_at_ms=START_MS - 60_000,
    hypothesis="The numbers are the same three ways.",
    simulated=True,
    true_effect=0.0,
)
AREA = LAYOUT.areas[0].area_id
SCREEN = LAYOUT.screens[0].screen_id
_FAR = 10**15
_BATCH = {"store_id": LAYOUT.store_id, "area_id": AREA, "gateway_id": "perfect", "seq": 0}


class World:
    """A few minutes of a busy aisle, its screen and its till: the truth, and what is told of it."""

    def __init__(self) -> None:
        crowd = Crowd(LAYOUT, 5, START_MS, "busy", shares=Shares(staff=1.0))
        lines = list(crowd_truth(crowd, START_MS, START_MS + LENGTH_MS))
        self.truth = true_metrics(lines, rules_of(LAYOUT, SceneRules()))
        self.crossings = [line for line in lines if isinstance(line, TrueCrossing)]
        self.plays = [self._play(number) for number in range(LENGTH_MS // 12_000)]
        made = BasketMaker(LAYOUT, 3, START_MS, 4.0).from_time(START_MS)
        self.baskets = [next(made) for _ in range(160)]
        #: One brings something back, and one receipt is taken back.
        self.baskets += [
            _turned(self.baskets[7], "return", START_MS + 300_500, None),
            _turned(self.baskets[9], "void", self.baskets[9].closed_at_ms, self.baskets[9]),
        ]
        self.passers_by = 57

    @property
    def standing(self) -> list[Basket]:
        """Sales and returns, without what was taken back."""
        gone = {basket.voids for basket in self.baskets}
        return [b for b in self.baskets if b.kind != "void" and b.basket_id not in gone]

    @property
    def sales(self) -> int:
        """Transactions."""
        return sum(basket.kind == "sale" for basket in self.standing)

    def _play(self, number: int) -> Play:
        at_ms = START_MS + 12_000 * number + 400
        return Play(
            play_id=f"play-{number}",
            phase="ended",
            player_id="player",
            store_id=LAYOUT.store_id,
            area_id=AREA,
            screen_id=SCREEN,
            decision_id=f"decision-{number}",
            creative_id=f"creative-{number % 3}",
            creative_version=1,
            scheduled_at_ms=at_ms,
            rendered_at_ms=at_ms,
            duration_ms=11_000,
            stop_reason="finished",
        )

    def events(self) -> Iterator[tuple[topics.Topic, Any]]:
        """What a gateway that sees everything, the player, the till and a counter tell; then what
        the processor makes of it.
        """
        yield topics.EXPERIMENT, PLAN
        measured = list(self._seen())
        yield from measured
        for play in self.plays:
            yield topics.PLAY, play
        for basket in self.baskets:
            yield topics.BASKET, basket
        counts = Counter(line.direction for line in self.crossings)
        yield (
            topics.DOOR_COUNT,
            DoorCount(
                store_id=LAYOUT.store_id,
                counter_id="gate",
                from_ms=START_MS,
                until_ms=START_MS + LENGTH_MS,
                entering=counts["in"],
                leaving=counts["out"],
                passers_by=self.passers_by,
                told_at_ms=START_MS + LENGTH_MS,
            ),
        )
        exposures = Exposures(lateness_ms=_FAR, keep_ms=_FAR)
        for offset, play in enumerate(self.plays):
            exposures.add_play(play, topics.PLAY.name, offset, _FAR)
        for offset, (topic, event) in enumerate(measured):
            of = {topics.GAZE: facts.of_gazes, topics.AUDIENCE: facts.of_audience}.get(topic)
            for fact in of(event, topic.name, offset, _FAR) if of else ():
                if fact.target_kind == "screen":
                    exposures.add(fact)
        for exposure in exposures.changed():
            yield topics.EXPOSURE, exposure
        windows = BasketWindows(EXPERIMENT, window_ms=60_000, lateness_ms=_FAR, keep_ms=_FAR)
        for offset, basket in enumerate(self.baskets):
            windows.add(basket, topics.BASKET.name, offset, _FAR)
        for window in windows.changed():
            yield topics.BASKET_METRICS, window

    def _seen(self) -> Iterator[tuple[topics.Topic, Any]]:
        for n, value in enumerate(self.truth):
            who, target, kind = value.visit.person_id, value.target_id, value.target_kind
            for m, gaze in enumerate(value.gazes):
                yield (
                    topics.GAZE,
                    GazeBatch(
                        **_BATCH,
                        events=(
                            Gaze(
                                gaze_id=f"gaze-{n}-{m}",
                                phase="ended",
                                track_id=who,
                                camera_id="shelf-1",
                                target_id=target,
                                target_kind=kind,
                                probability=1.0,
                                started_at_ms=gaze.started_at_ms,
                                ended_at_ms=gaze.ended_at_ms,
                                attention_ms=gaze.attention_ms,
                                calibration_version="drawn-1",
                                trace=_trace(gaze.ended_at_ms),
                            ),
                        ),
                    ),
                )
            for m, stay in enumerate(value.stays):
                watched = not value.staff and any(
                    stay.entered_at_ms <= g.started_at_ms <= stay.left_at_ms for g in value.gazes
                )
                presence = Presence(
                    presence_id=f"presence-{n}-{m}",
                    track_id=who,
                    target_id=target,
                    target_kind=kind,
                    entered_at_ms=stay.entered_at_ms,
                    left_at_ms=stay.left_at_ms,
                    opportunity_ms=stay.opportunity_ms,
                    watched=watched,
                )
                at_ms = stay.left_at_ms
                yield (
                    topics.AUDIENCE,
                    Audience(
                        store_id=LAYOUT.store_id,
                        area_id=AREA,
                        gateway_id="perfect",
                        camera_id="shelf-1",
                        seq=0,
                        captured_at_ms=at_ms,
                        inferred_at_ms=at_ms,
                        sent_at_ms=at_ms,
                        people=1,
                        targets=(),
                        presences=(presence,),
                    ),
                )
                if stay.dwell and kind == "zone":
                    yield (
                        topics.DWELL,
                        DwellBatch(
                            **_BATCH,
                            events=(
                                Dwell(
                                    dwell_id=f"dwell-{n}-{m}",
                                    phase="ended",
                                    track_id=who,
                                    camera_id="shelf-1",
                                    zone_id=target,
                                    entered_at_ms=stay.entered_at_ms,
                                    left_at_ms=stay.left_at_ms,
                                    calibration_version="drawn-1",
                                    trace=_trace(stay.left_at_ms),
                                ),
                            ),
                        ),
                    )
        for n, line in enumerate(self.crossings):
            yield (
                topics.CROSSING,
                Crossing(
                    crossing_id=f"crossing-{n}",
                    store_id=LAYOUT.store_id,
                    area_id=AREA,
                    camera_id="shelf-1",
                    line_id=line.line_id,
                    direction=line.direction,
                    crossed_at_ms=line.crossed_at_ms,
                ),
            )


def _turned(of: Basket, kind: ReceiptKind, closed_at_ms: int, voids: Basket | None) -> Basket:
    """A return of what was bought, or what takes the receipt back."""
    lines = tuple(replace(li, units=-li.units, net_value=-li.net_value) for li in of.lines)
    return replace(
        of,
        basket_id=f"{kind}-{of.basket_id}",
        kind=kind,
        closed_at_ms=closed_at_ms,
        lines=lines if voids else lines[:1],
        voids=voids.basket_id if voids else None,
    )


def _trace(at_ms: int) -> Trace:
    return Trace(cause_id="c", captured_at_ms=at_ms, inferred_at_ms=at_ms, sent_at_ms=at_ms)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


Rows = list[dict[str, Any]]


async def _filled(dsn: SecretStr, world: World) -> None:
    migrate(dsn, lambda _: None)
    batch = [units(topic.name, event, 0) for topic, event in world.events()]

    async def refused(_: int, error: Exception) -> None:
        raise error

    async with await AsyncConnection.connect(dsn.get_secret_value(), autocommit=True) as ours:
        writer = Writer(ours, "test")
        assert (await writer.write(writer.ready(batch), {}, refused)).total() > 200


def _asked(dsn: SecretStr, query: Any, key: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(dsn.get_secret_value(), row_factory=dict_row) as connection:
        rows = connection.execute(query).fetchall()
    return {str(row.pop(key)): row for row in rows}


_AUDIENCE_RAW = """
SELECT p.target_id, p.gross_impressions, p.ots, p.watchers, p.presence_ms, p.dwell_ms,
       coalesce(g.attention_ms, 0)::bigint AS attention_ms,
       p.watchers::float / nullif(p.ots, 0) AS conversion_ratio,
       coalesce(g.attention_ms, 0)::float / nullif(p.dwell_ms, 0) AS attraction_ratio
FROM (SELECT target_id, count(*) AS gross_impressions,
             count(*) FILTER (WHERE opportunity_ms > 0) AS ots,
             count(*) FILTER (WHERE watched) AS watchers,
             sum(extract(epoch FROM left_at - entered_at) * 1000)::bigint AS presence_ms,
             coalesce(sum(extract(epoch FROM left_at - entered_at) * 1000)
                      FILTER (WHERE watched), 0)::bigint AS dwell_ms
      FROM presence GROUP BY target_id) AS p
LEFT JOIN (SELECT target_id, sum(attention_ms) AS attention_ms FROM gaze GROUP BY target_id) AS g
USING (target_id)
"""

_AUDIENCE_VIEW = """
SELECT target_id, gross_impressions, ots, watchers, presence_ms, dwell_ms, attention_ms,
       conversion_ratio, attraction_ratio
FROM v_audience_by_day
"""


def _true_audience(truth: list[ShopperTarget]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for target in {value.target_id for value in truth}:
        values = [value for value in truth if value.target_id == target]
        stays = [(value, stay) for value in values for stay in value.stays]
        looked = [
            stay
            for value, stay in stays
            if any(stay.entered_at_ms <= g.started_at_ms <= stay.left_at_ms for g in value.gazes)
        ]
        ots = sum(stay.opportunity_ms > 0 for _, stay in stays)
        dwell_ms = sum(stay.presence_ms for stay in looked)
        attention_ms = sum(value.attention_ms for value in values)
        found[target] = {
            "gross_impressions": len(stays),
            "ots": ots,
            "watchers": len(looked),
            "presence_ms": sum(value.presence_ms for value in values),
            "dwell_ms": dwell_ms,
            "attention_ms": attention_ms,
            "conversion_ratio": len(looked) / ots if ots else None,
            "attraction_ratio": attention_ms / dwell_ms if dwell_ms else None,
        }
    return found


_EXPOSURES_RAW = """
WITH paired AS (
    SELECT p.play_id, p.creative_id, r.track_id, r.opportunity_ms,
           extract(epoch FROM least(r.left_at, p.rendered_at + p.duration_ms * interval '1 ms')
                   - greatest(r.entered_at, p.rendered_at)) * 1000 AS shared_ms
    FROM plays p JOIN presence r ON r.target_id = p.screen_id AND r.entered_at
         < p.rendered_at + p.duration_ms * interval '1 ms' AND r.left_at > p.rendered_at
)
SELECT c.creative_id, c.plays,
       (SELECT count(DISTINCT (play_id, track_id)) FROM paired x
        WHERE x.creative_id = c.creative_id) AS gross_impressions,
       (SELECT count(DISTINCT (play_id, track_id)) FROM paired x
        WHERE x.creative_id = c.creative_id AND shared_ms >= 1000) AS verified_impressions,
       (SELECT coalesce(sum(shared_ms), 0)::bigint FROM paired x
        WHERE x.creative_id = c.creative_id AND shared_ms >= 1000) AS exposed_ms
FROM (SELECT creative_id, count(*) AS plays FROM plays GROUP BY creative_id) AS c
"""

_EXPOSURES_VIEW = """
SELECT creative_id, plays, gross_impressions, verified_impressions, exposed_ms
FROM v_exposures_by_day
"""


def _true_exposures(world: World) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    stays = [
        (value.visit.person_id, stay)
        for value in world.truth
        if value.target_id == SCREEN
        for stay in value.stays
    ]
    for play in world.plays:
        begin, end = play.rendered_at_ms, play.rendered_at_ms + (play.duration_ms or 0)
        shared = [
            (who, min(end, stay.left_at_ms) - max(begin, stay.entered_at_ms)) for who, stay in stays
        ]
        row = found.setdefault(
            play.creative_id,
            {"plays": 0, "gross_impressions": 0, "verified_impressions": 0, "exposed_ms": 0},
        )
        row["plays"] += 1
        row["gross_impressions"] += len({who for who, ms in shared if ms > 0})
        row["verified_impressions"] += len({who for who, ms in shared if ms >= PAIRING_MS})
        row["exposed_ms"] += sum(ms for _, ms in shared if ms >= PAIRING_MS)
    return found


_STAYS_RAW = """
SELECT zone_id, count(*) AS stays,
       sum(extract(epoch FROM left_at - entered_at) * 1000)::bigint AS stay_ms,
       count(*) FILTER (WHERE left_at - entered_at < interval '5 s') AS under_5_s
FROM dwell GROUP BY zone_id
"""


_STAYS_VIEW = "SELECT zone_id, stays, stay_ms, under_5_s FROM v_dwell_by_day"


def _true_stays(truth: list[ShopperTarget]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for value in truth:
        for stay in value.stays:
            if stay.dwell and value.target_kind == "zone":
                row = found.setdefault(value.target_id, {"stays": 0, "stay_ms": 0, "under_5_s": 0})
                row["stays"] += 1
                row["stay_ms"] += stay.presence_ms
                row["under_5_s"] += stay.presence_ms < 5_000
    return found


_STORE_RAW = """
SELECT 'store' AS store, n_in AS entering, n_out AS leaving, passers_by, sold AS transactions,
       sold::float / n_in AS conversion, n_in::float / passers_by AS capture_rate
FROM (SELECT count(*) FILTER (WHERE direction = 'in') AS n_in,
             count(*) FILTER (WHERE direction = 'out') AS n_out FROM crossings) AS c,
     (SELECT sum(passers_by)::bigint AS passers_by FROM door_counts) AS d,
     (SELECT count(*) FILTER (WHERE kind = 'sale') - count(*) FILTER (WHERE kind = 'void') AS sold
      FROM baskets) AS b
"""

_STORE_VIEW = """
SELECT 'store' AS store, entering, leaving, passers_by, transactions, conversion, capture_rate
FROM v_store_by_day
"""


def _true_store(world: World) -> dict[str, dict[str, Any]]:
    counts = Counter(line.direction for line in world.crossings)
    return {
        "store": {
            "entering": counts["in"],
            "leaving": counts["out"],
            "passers_by": world.passers_by,
            "transactions": world.sales,
            "conversion": world.sales / counts["in"],
            "capture_rate": counts["in"] / world.passers_by,
        }
    }


_TRAFFIC_RAW = """
SELECT target_id, count(*)::float / (SELECT count(*) FROM crossings WHERE direction = 'in')
       AS exposure_rate
FROM presence WHERE target_kind = 'zone' GROUP BY target_id
"""

_TRAFFIC_VIEW = "SELECT zone_id AS target_id, exposure_rate FROM v_exposure_rate_by_day"


def _true_traffic(world: World) -> dict[str, dict[str, Any]]:
    entering = sum(line.direction == "in" for line in world.crossings)
    stays = Counter(
        value.target_id for value in world.truth if value.target_kind == "zone" for _ in value.stays
    )
    return {name: {"exposure_rate": count / entering} for name, count in stays.items()}


async def test_audience_stays_and_exposures(empty_database: SecretStr, world: World) -> None:
    await _filled(empty_database, world)
    audience = _true_audience(world.truth)
    assert sum(row["watchers"] for row in audience.values()) > 10
    exposures = _true_exposures(world)
    assert sum(row["verified_impressions"] for row in exposures.values()) > 10
    for truth, raw, view, key in (
        (audience, _AUDIENCE_RAW, _AUDIENCE_VIEW, "target_id"),
        (exposures, _EXPOSURES_RAW, _EXPOSURES_VIEW, "creative_id"),
        (_true_stays(world.truth), _STAYS_RAW, _STAYS_VIEW, "zone_id"),
        (_true_store(world), _STORE_RAW, _STORE_VIEW, "store"),
        (_true_traffic(world), _TRAFFIC_RAW, _TRAFFIC_VIEW, "target_id"),
    ):
        assert _asked(empty_database, raw, key) == truth
        assert _asked(empty_database, view, key) == truth


_BASKETS_RAW = """
SELECT currency, sold AS transactions, basket_units, basket_value, basket_units / sold AS upt,
       basket_value / sold AS atv
FROM (SELECT currency, sum(basket_units) AS basket_units, sum(basket_value) AS basket_value,
             count(*) FILTER (WHERE kind = 'sale') - count(*) FILTER (WHERE kind = 'void') AS sold
      FROM baskets GROUP BY currency) AS b
"""

_BASKETS_VIEW = """
SELECT currency, transactions, basket_units, basket_value, upt, atv FROM v_baskets_by_day
"""

_CATEGORIES_RAW = """
SELECT category, sum(units) AS units, sum(net_value) AS net_value,
       sum(units) / (SELECT sum(units) FROM basket_lines) AS units_share
FROM basket_lines GROUP BY category
"""

_CATEGORIES_VIEW = "SELECT category, units, net_value, units_share FROM v_categories_by_day"

_ARMS_VIEW = """
SELECT slot_start, arm, transactions, basket_units, basket_value FROM v_arms_by_slot
"""


def _sums(baskets: list[Basket]) -> dict[str, Any]:
    lines = [line for basket in baskets for line in basket.lines]
    units = sum((line.units for line in lines), Decimal())
    value = sum((line.net_value for line in lines), Decimal())
    sold = sum(basket.kind == "sale" for basket in baskets)
    return {"transactions": sold, "basket_units": units, "basket_value": value}


def _true_baskets(world: World) -> dict[str, dict[str, Any]]:
    sums = _sums(world.standing)
    upt, atv = sums["basket_units"] / world.sales, sums["basket_value"] / world.sales
    return {LAYOUT.currency: {**sums, "upt": upt, "atv": atv}}


async def test_baskets_categories_and_arms(empty_database: SecretStr, world: World) -> None:
    await _filled(empty_database, world)
    truth = _true_baskets(world)
    sums = truth[LAYOUT.currency]
    lines = [line for basket in world.standing for line in basket.lines]
    categories = {
        name: {
            "units": sum(line.units for line in lines if line.category == name),
            "net_value": sum(line.net_value for line in lines if line.category == name),
        }
        for name in {line.category for line in lines}
    }
    for row in categories.values():
        row["units_share"] = row["units"] / sums["basket_units"]
    for expected, raw, view, key in (
        (truth, _BASKETS_RAW, _BASKETS_VIEW, "currency"),
        (categories, _CATEGORIES_RAW, _CATEGORIES_VIEW, "category"),
    ):
        for found in (_asked(empty_database, raw, key), _asked(empty_database, view, key)):
            assert found.keys() == expected.keys()
            for name, row in expected.items():
                assert found[name] == pytest.approx(row, rel=Decimal("1e-15"))
    arms = {
        start: {"arm": EXPERIMENT.arm(LAYOUT.store_id, start), **_sums(of)}
        for start, of in _by_slot(world.standing).items()
    }
    told = _asked(empty_database, _ARMS_VIEW, "slot_start")
    assert len(arms) > 2
    assert [told[name] for name in sorted(told)] == [arms[start] for start in sorted(arms)]


def _by_slot(baskets: list[Basket]) -> dict[int, list[Basket]]:
    found: dict[int, list[Basket]] = {}
    for basket in baskets:
        found.setdefault(EXPERIMENT.slot_start_ms(basket.closed_at_ms), []).append(basket)
    return found


# ── the pages, as they are served ────────────────────────────────────────────────────────────────

NOW = datetime.fromtimestamp(START_MS / 1_000, UTC) + timedelta(days=1)
DAY = datetime.fromtimestamp(START_MS / 1_000, ZoneInfo(LAYOUT.time_zone)).date()

#: What each page tells: its figures, and of its tables the first column and the metrics.
SALES = ("transactions", "basket_value", "atv", "upt", "entering", "conversion")
RUNGS = ("gross_impressions", "ots", "watchers")
TIMES = ("presence_ms", "dwell_ms", "attention_ms", "conversion_ratio", "attraction_ratio")
FIGURES = {
    "today": (
        *SALES, "capture_rate", "gross_impressions", "watchers", "conversion_ratio",
        "attention_ms", "attraction_ratio",
    ),
    "shelf": (),
    "screens": ("plays", "shown_ms", "failed", "caused"),
    "audience": (
        "traffic", *RUNGS, "verified_impressions", "plays", "impression_multiplier", *TIMES,
    ),
    "monday": (*SALES, "gross_impressions", "watchers", "attention_ms"),
}  # fmt: skip
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "today": {
        "zones": (
            "zone", "gross_impressions", "watchers", "conversion_ratio", "attention_ms",
            "attraction_ratio",
        ),
    },
    "shelf": {
        "targets": ("target", *RUNGS, *TIMES, "exposure_rate"),
        "stays": ("zone", "stays", "mean_stay_ms"),
    },
    "screens": {
        "creatives": (
            "creative", "plays", "failed", "shown_ms", "caused", "gross_impressions",
            "verified_impressions", "watchers", "attention_ms", "impression_multiplier",
        ),
    },
    "audience": {
        "screens": (
            "screen", "plays", *RUNGS, "verified_impressions", "exposed_ms",
            "impression_multiplier",
        ),
        "days": ("day", *RUNGS),
    },
    "monday": {},
}  # fmt: skip


async def _served(dsn: SecretStr, path: str) -> str:
    """A page, from the application that serves it."""
    app = FastAPI()
    add_pages(app, Pages(dsn, LAYOUT, "simulated", lambda: NOW), BUILDERS)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
        answer = await client.get(path, params={"from": str(DAY), "to": str(DAY)})
    assert answer.status_code == 200, answer.text
    return answer.text.removeprefix("\ufeff")


def _blocks(text: str) -> tuple[dict[str, str], dict[str, list[dict[str, str]]]]:
    """Figures by name, and tables by their columns, of a CSV file."""
    figures: dict[str, str] = {}
    tables: dict[str, list[dict[str, str]]] = {}
    for block in text.split("\r\n\r\n")[1:]:
        rows = list(csv.reader(io.StringIO(block)))
        if rows[0][0] == "figure":
            figures |= {row[0]: row[1] for row in rows[1:]}
        elif len(rows) > 1:
            found = [dict(zip(rows[1], row, strict=True)) for row in rows[2:]]
            tables[",".join(rows[1])] = found
    return figures, tables


def _in_html(text: str) -> tuple[dict[str, str], dict[str, list[list[str]]]]:
    """Figures by name, and the cells of tables by their key, of a document."""
    found = re.findall(r'data-testid="figure-([^"]+)">([^<]*)<', text)
    tables = {
        key: [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in body.split("</tr>")[1:-1]]
        for key, body in re.findall(r'data-testid="table-([^"]+)">(.*?)</table>', text, re.DOTALL)
    }
    return {key: html.unescape(value) for key, value in found}, tables


def _true_figures(world: World) -> dict[str, dict[str, Any]]:
    """Of the till and the door, of all zones together, of all screens, of all plays."""
    audience, plays = _true_audience(world.truth), _true_plays(world)
    store = {**_true_store(world)["store"], **_true_baskets(world)[LAYOUT.currency]}
    screen = {**audience[SCREEN], "traffic": store["entering"]}
    zones = [row for name, row in audience.items() if name != SCREEN]
    keys = (*RUNGS, "presence_ms", "dwell_ms", "attention_ms")
    shelf = {key: sum(row[key] for row in zones) for key in keys}
    shelf["conversion_ratio"] = shelf["watchers"] / shelf["ots"]
    shelf["attraction_ratio"] = shelf["attention_ms"] / shelf["dwell_ms"]
    shown = {key: sum(row[key] for row in plays.values()) for key in next(iter(plays.values()))}
    shown["impression_multiplier"] = shown["people"] / shown["plays"]
    counts = {key: shown[key] for key in ("plays", "verified_impressions", "impression_multiplier")}
    return {
        "today": {**store, **shelf},
        "shelf": {},
        "screens": shown,
        "audience": {**screen, **counts},
        "monday": {**store, **shelf},
    }


def _true_plays(world: World) -> dict[str, dict[str, Any]]:
    """Beside `_true_exposures`: what the plays' own proofs say, and who looked at them."""
    found = _true_exposures(world)
    gazes = [
        (value.visit.person_id, gaze)
        for value in world.truth
        if value.target_id == SCREEN
        for gaze in value.gazes
    ]
    for play in world.plays:
        begin, end = play.rendered_at_ms, play.rendered_at_ms + (play.duration_ms or 0)
        row = found[play.creative_id]
        looked = [
            (who, gaze)
            for who, gaze in gazes
            if gaze.started_at_ms < end and gaze.ended_at_ms > begin
        ]
        for key in ("watchers", "attention_ms", "shown_ms", "failed", "caused"):
            row.setdefault(key, 0)
        row["watchers"] += len({who for who, _ in looked})
        row["attention_ms"] += sum(_spread(gaze, begin, end) for _, gaze in looked)
        row["shown_ms"] += end - begin
    for row in found.values():
        row["people"] = row["gross_impressions"]
        row["impression_multiplier"] = row["gross_impressions"] / row["plays"]
    return found


def _spread(gaze: GazeValue, begin: int, end: int) -> int:
    """The part of a gaze's attention in a stretch, spread evenly over its length."""
    length = gaze.ended_at_ms - gaze.started_at_ms
    until = min(end, gaze.ended_at_ms) - gaze.started_at_ms
    since = max(begin, gaze.started_at_ms) - gaze.started_at_ms
    return gaze.attention_ms * until // length - gaze.attention_ms * since // length


def _true_rows(world: World) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """By page, table and name of the row."""
    audience, plays, stays = (
        _true_audience(world.truth), _true_plays(world), _true_stays(world.truth)
    )  # fmt: skip
    zone_names = {zone.zone_id: zone.name for zone in LAYOUT.zones}
    screen_name = LAYOUT.screens[0].name
    zones = {zone_names[name]: row for name, row in audience.items() if name != SCREEN}
    for name, row in _true_traffic(world).items():
        zones[zone_names[name]] |= row
    figures = _true_figures(world)["audience"]
    exposed_ms = sum(row["exposed_ms"] for row in plays.values())
    nothing = {"exposure_rate": None}
    return {
        "today": {"zones": zones},
        "shelf": {
            "targets": {**zones, f"{screen_name} (screen)": {**audience[SCREEN], **nothing}},
            "stays": {
                zone_names[name]: {**row, "mean_stay_ms": row["stay_ms"] / row["stays"]}
                for name, row in stays.items()
            },
        },
        "screens": {"creatives": plays},
        "audience": {
            "screens": {screen_name: {**figures, "exposed_ms": exposed_ms}},
            "days": {str(DAY): audience[SCREEN]},
        },
        "monday": {},
    }


def _is_told(told: str, true: Any, people: int) -> bool:
    """Whether a cell says the truth: exactly, or nothing where it tells of too few people."""
    if true is None or 0 < people < FEWEST:
        return told == ""
    return told != "" and (
        Decimal(told) == true
        if isinstance(true, int)
        else float(told) == pytest.approx(float(true), rel=1e-12)
    )


async def test_the_pages_tell_what_rows_and_truth_do(
    empty_database: SecretStr, world: World
) -> None:
    """Each figure and each cell of each page, in its CSV file and in its document."""
    await _filled(empty_database, world)
    audience = _true_audience(world.truth)
    assert any(value.staff for value in world.truth), "staff were there"
    for truth, raw, key in (
        (audience, _AUDIENCE_RAW, "target_id"),
        (_true_exposures(world), _EXPOSURES_RAW, "creative_id"),
        (_true_stays(world.truth), _STAYS_RAW, "zone_id"),
        (_true_store(world), _STORE_RAW, "store"),
        (_true_traffic(world), _TRAFFIC_RAW, "target_id"),
    ):
        assert _asked(empty_database, raw, key) == truth
    figures, rows = _true_figures(world), _true_rows(world)
    for page, names in FIGURES.items():
        told, tables = _blocks(await _served(empty_database, f"/{page}.csv"))
        shown, drawn = _in_html(await _served(empty_database, f"/{page}"))
        assert set(names) == set(told) == set(shown), page
        for name in names:
            true = figures[page][name]
            assert _is_told(told[name], true, FEWEST), (page, name, told[name], true)
            assert shown[name] == said(true, _unit(name), LAYOUT.currency), (page, name)
        for key, (by, *metrics) in TABLES[page].items():
            (table,) = (t for head, t in tables.items() if {by, *metrics} <= set(head.split(",")))
            assert {row[by] for row in table} == set(rows[page][key]), (page, key)
            for row, cells in zip(table, drawn[key], strict=True):
                true = rows[page][key][row[by]]
                people = true.get("gross_impressions", FEWEST)
                at = dict(zip(row, cells, strict=True))
                for name in metrics:
                    where = (page, key, row[by], name, row[name], true[name])
                    assert _is_told(row[name], true[name], people), where
                    if true[name] is not None and people >= FEWEST:
                        assert at[name] == said(true[name], _unit(name)), where


def _unit(name: str) -> Unit:
    return "count" if name == "traffic" else DEFINITIONS[name][1]


async def test_the_experiment_page_tells_the_same(empty_database: SecretStr, world: World) -> None:
    """Receipts that were taken back are in no arm, and what was brought back is taken off."""
    await _filled(empty_database, world)
    _, tables = _blocks(await _served(empty_database, "/experiment.csv"))
    arms = {row["arm"]: row for head, rows in tables.items() if head.startswith("arm,")
            for row in rows}  # fmt: skip
    raw = _asked(empty_database, _ARMS_RAW, "slot_start")
    for arm in ("adaptive", "control"):
        slots = {
            start: _sums(of)
            for start, of in _by_slot(world.standing).items()
            if EXPERIMENT.arm(LAYOUT.store_id, start) == arm
        }
        sold = sum(row["transactions"] for row in slots.values())
        value = sum(row["basket_value"] for row in slots.values())
        assert int(arms[arm]["slots"]) == len(slots) > 2
        assert int(arms[arm]["base"]) == sold
        assert float(arms[arm]["mean"]) == pytest.approx(float(value) / sold)
        rows = [raw[start] for start in sorted(raw) if int(start) in slots]
        assert sum(row["transactions"] for row in rows) == sold
        assert sum(row["basket_value"] for row in rows) == value


_ARMS_RAW = """
SELECT (extract(epoch FROM date_bin('1 minute', closed_at, '1970-01-01 00:00+00')) * 1000)::bigint
       AS slot_start,
       count(*) FILTER (WHERE kind = 'sale')
       - count(*) FILTER (WHERE kind = 'void') AS transactions, sum(basket_value) AS basket_value
FROM baskets GROUP BY 1
"""
