"""The same numbers three ways: the truth of a simulated store, SQL on the rows of events, and the
views that the pages read. A gateway of perfect sight tells the truth of a drawn aisle; windows and
exposures of the processor, rows of the sink and aggregates of the database do the rest.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from pydantic import SecretStr

import infra.simulator.crowd
from infra.db.migrate import migrate
from infra.layouts import load_layout
from infra.simulator.crowd import Crowd
from infra.simulator.metrics import ShopperTarget, rules_of, true_metrics
from infra.simulator.receipts import BasketMaker
from infra.simulator.truth import TrueCrossing
from infra.simulator.witness import crowd_truth
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment
from streams.contracts.pos import Basket, DoorCount
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
LENGTH_MS = 240_000
EXPERIMENT = Experiment(salt="three ways", slot_ms=60_000, adaptive_share=0.5)
AREA = LAYOUT.areas[0].area_id
SCREEN = LAYOUT.screens[0].screen_id
_FAR = 10**15
_BATCH = {"store_id": LAYOUT.store_id, "area_id": AREA, "gateway_id": "perfect", "seq": 0}


class World:
    """A few minutes of a busy aisle, its screen and its till: the truth, and what is told of it."""

    def __init__(self) -> None:
        crowd = Crowd(LAYOUT, 5, START_MS, "busy")
        lines = list(crowd_truth(crowd, START_MS, START_MS + LENGTH_MS))
        self.truth = true_metrics(lines, rules_of(LAYOUT, SceneRules()))
        self.crossings = [line for line in lines if isinstance(line, TrueCrossing)]
        self.plays = [self._play(number) for number in range(LENGTH_MS // 12_000)]
        made = BasketMaker(LAYOUT, 3, START_MS, 4.0).from_time(START_MS)
        self.baskets = [next(made) for _ in range(40)]
        self.passers_by = 57

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
        assert (await Writer(ours, "test").write(batch, {}, refused)).total() > 200


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
     (SELECT count(*) AS sold FROM baskets) AS b
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
            "transactions": len(world.baskets),
            "conversion": len(world.baskets) / counts["in"],
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
SELECT currency, count(*) AS transactions, sum(basket_units) AS basket_units,
       sum(basket_value) AS basket_value, sum(basket_units) / count(*) AS upt,
       sum(basket_value) / count(*) AS atv
FROM baskets GROUP BY currency
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
    return {"transactions": len(baskets), "basket_units": units, "basket_value": value}


async def test_baskets_categories_and_arms(empty_database: SecretStr, world: World) -> None:
    await _filled(empty_database, world)
    sums = _sums(world.baskets)
    truth = {
        LAYOUT.currency: {
            **sums,
            "upt": sums["basket_units"] / len(world.baskets),
            "atv": sums["basket_value"] / len(world.baskets),
        }
    }
    lines = [line for basket in world.baskets for line in basket.lines]
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
        for start, of in _by_slot(world.baskets).items()
    }
    told = _asked(empty_database, _ARMS_VIEW, "slot_start")
    assert len(arms) > 2
    assert [told[name] for name in sorted(told)] == [arms[start] for start in sorted(arms)]


def _by_slot(baskets: list[Basket]) -> dict[int, list[Basket]]:
    found: dict[int, list[Basket]] = {}
    for basket in baskets:
        found.setdefault(EXPERIMENT.slot_start_ms(basket.closed_at_ms), []).append(basket)
    return found
