"""What `measure` does with records, with an outbox of a few lines."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment
from streams.contracts.layout import Area, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.topics import ATTENTION, AUDIENCE, BASKET, BASKET_METRICS, DWELL, GAZE
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch, Presence
from streams.errors import DeliveryError
from streams.measure.measurer import Measurer
from streams.ports import Incoming
from streams.settings import MeasureSettings

NOW = 1_700_000_000_000
SETTINGS = MeasureSettings(kafka="127.0.0.1:9")
LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    areas=(Area(area_id="a"),),
    zones=(Zone(zone_id="tea", area_id="a", name="Tea"),),
)
EXPERIMENT = Experiment(salt="x", slot_ms=3_600_000, adaptive_share=1.0)


class Box:
    """An outbox that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.refuses = False

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        await asyncio.sleep(0)
        if self.refuses:
            raise DeliveryError("the broker is away")
        self.records.extend(records)

    def of(self, topic: str) -> list[Any]:
        return [codec.decode(topic, r["value"]) for r in self.records if r["topic"] == topic]


def trace(at: int) -> Trace:
    return Trace(cause_id="c", captured_at_ms=at, inferred_at_ms=at, sent_at_ms=at)


def gaze(zone: str = "tea", at: int = NOW, *, name: str = "g") -> GazeBatch:
    event = Gaze(
        gaze_id=name,
        phase="ended",
        track_id="t",
        camera_id="cam",
        target_id=zone,
        target_kind="zone",
        probability=0.9,
        started_at_ms=at - 1_000,
        ended_at_ms=at,
        attention_ms=800,
        calibration_version="c",
        trace=trace(at),
    )
    return GazeBatch(store_id="s", area_id="a", gateway_id="gw", seq=1, events=(event,))


def dwell(at: int = NOW) -> DwellBatch:
    event = Dwell(
        dwell_id="d",
        phase="ended",
        track_id="t",
        camera_id="cam",
        zone_id="tea",
        entered_at_ms=at - 2_000,
        left_at_ms=at,
        calibration_version="c",
        trace=trace(at),
    )
    return DwellBatch(store_id="s", area_id="a", gateway_id="gw", seq=1, events=(event,))


def audience(at: int = NOW) -> Audience:
    presence = Presence(
        presence_id="p",
        track_id="t",
        target_id="tea",
        target_kind="zone",
        entered_at_ms=at - 3_000,
        left_at_ms=at,
        opportunity_ms=1,
    )
    return Audience(
        store_id="s",
        area_id="a",
        gateway_id="gw",
        camera_id="cam",
        seq=1,
        captured_at_ms=at,
        inferred_at_ms=at,
        sent_at_ms=at,
        people=0,
        targets=(),
        presences=(presence,),
    )


def basket(at: int = NOW, *, store: str = "s", value: str = "2.50") -> Basket:
    line = BasketLine(sku="x", category="tea", units=Decimal(1), net_value=Decimal(value))
    return Basket(
        basket_id=f"b{at}",
        store_id=store,
        area_id="a",
        closed_at_ms=at,
        currency="EUR",
        lines=(line,),
    )


class World:
    def __init__(self) -> None:
        self.box = Box()
        self.measurer = Measurer(SETTINGS, LAYOUT, EXPERIMENT, self.box)
        self.measurer.hold({3: 0}, {3: 0})
        self.offset = 0

    def record(self, topic: Any, event: Any) -> Incoming:
        self.offset += 1
        value = event if isinstance(event, bytes | None) else codec.encode(event)
        return Incoming(topic.name, 3, self.offset, b"a", value, NOW)


@pytest.fixture
def world() -> World:
    return World()


async def test_three_topics_make_one_window(world: World) -> None:
    for topic, event in ((GAZE, gaze()), (DWELL, dwell()), (AUDIENCE, audience())):
        await world.measurer.on_record(world.record(topic, event))
    await world.measurer.emit()
    rows = world.box.of(ATTENTION.name)
    assert sum(row.attention_ms for row in rows) == 800
    assert sum(row.dwell_ms for row in rows) == 2_000
    assert {(row.gross_impressions, row.ots, row.watchers) for row in rows} <= {
        (1, 1, 1),
        (1, 1, 0),
    }


async def test_sliding_windows_are_told_beside_the_others() -> None:
    settings = SETTINGS.model_copy(update={"sliding_window_ms": 30_000, "sliding_hop_ms": 10_000})
    box = Box()
    measurer = Measurer(settings, LAYOUT, EXPERIMENT, box)
    measurer.hold({3: 0}, {})
    await measurer.on_record(
        Incoming(DWELL.name, 3, 0, b"a", codec.encode(dwell(NOW + 5_000)), NOW)
    )
    await measurer.emit()
    spans = [
        (row.window_end_ms - row.window_start_ms, row.dwell_ms) for row in box.of(ATTENTION.name)
    ]
    assert sorted(spans) == [(10_000, 2_000), (30_000, 2_000), (30_000, 2_000), (30_000, 2_000)]


async def test_baskets_make_metrics_and_nothing_new_is_told_twice(world: World) -> None:
    await world.measurer.on_record(world.record(BASKET, basket()))
    await world.measurer.emit()
    await world.measurer.emit()
    (row,) = world.box.of(BASKET_METRICS.name)
    assert (row.transactions, row.basket_value, row.arm) == (1, Decimal("2.50"), "adaptive")


async def test_windows_that_the_broker_does_not_take_wait(world: World) -> None:
    await world.measurer.on_record(world.record(GAZE, gaze()))
    await world.measurer.on_record(world.record(BASKET, basket()))
    world.box.refuses = True
    await world.measurer.emit()
    world.box.refuses = False
    await world.measurer.emit()
    assert sum(row.attention_ms for row in world.box.of(ATTENTION.name)) == 800
    assert len(world.box.of(BASKET_METRICS.name)) == 1


async def test_what_was_read_back_is_told_as_it_would_have_been(world: World) -> None:
    records = [world.record(GAZE, gaze()), world.record(BASKET, basket())]
    for record in records:
        await world.measurer.on_record(record)
    await world.measurer.emit()
    again = World()
    for record in records:
        again.measurer.recall(record)
    again.measurer.recall(world.record(GAZE, b"broken"))
    again.measurer.recalled()
    await again.measurer.emit()
    assert again.box.records == world.box.records


@pytest.mark.parametrize(
    ("topic", "event", "reason"),
    [
        (GAZE, b"no", "not a valid message"),
        (DWELL, None, "empty"),
        (AUDIENCE, b"[]", "not a valid message"),
        (BASKET, basket(store="other"), "'other' is not in the layout"),
        (GAZE, gaze("nowhere"), "'nowhere' is not in the layout"),
        (BASKET, basket(value="1E+20"), "no till prints"),
    ],
)
async def test_what_cannot_be_handled_becomes_a_dead_letter(
    world: World, topic: Any, event: Any, reason: str
) -> None:
    record = world.record(topic, event)
    await world.measurer.on_record(record)
    await world.measurer.on_record(world.record(GAZE, gaze(name="good")))
    await world.measurer.emit()
    letter = world.box.records[0]
    assert (letter["topic"], letter["value"]) == ("measure.dlq.v1", record.value)
    assert reason in dict(letter["headers"])["reason"].decode()
    assert sum(row.attention_ms for row in world.box.of(ATTENTION.name)) == 800
