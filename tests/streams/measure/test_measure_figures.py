"""What `measure` tells of its windows: counts that do not fall, nor count a memory twice."""

from typing import Any

from prometheus_client import CollectorRegistry

from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.topics import GAZE
from streams.contracts.vision import Gaze, GazeBatch
from streams.measure.figures import Measured
from streams.measure.measurer import Measurer
from streams.ports import Incoming
from streams.settings import MeasureSettings

NOW = 1_700_000_000_000
LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    areas=(Area(area_id="a"),),
    zones=(Zone(zone_id="tea", area_id="a", name="Tea"),),
    screens=(Screen(screen_id="screen", area_id="a", name="Screen"),),
)


class Box:
    async def deliver(self, records: Any) -> None:
        """Takes all."""


def gaze(offset: int, at: int, name: str, camera: str = "cam") -> Incoming:
    trace = Trace(cause_id="c", captured_at_ms=at, inferred_at_ms=at, sent_at_ms=at)
    event = Gaze(
        gaze_id=name,
        phase="ended",
        track_id="t",
        camera_id=camera,
        target_id="tea",
        target_kind="zone",
        probability=0.9,
        started_at_ms=at - 1_000,
        ended_at_ms=at,
        attention_ms=800,
        calibration_version="c",
        trace=trace,
    )
    batch = GazeBatch(store_id="s", area_id="a", gateway_id="g", seq=offset, events=(event,))
    return Incoming(GAZE.name, 3, offset, b"a", codec.encode(batch), NOW)


class World:
    def __init__(self) -> None:
        settings = MeasureSettings(kafka="127.0.0.1:9")
        experiment = Experiment(salt="x", slot_ms=3_600_000, adaptive_share=1.0)
        self.measurer = Measurer(settings, LAYOUT, experiment, Box())
        self.registry = CollectorRegistry()
        self.registry.register(Measured(self.measurer, lambda: NOW + 3_000))

    def value(self, name: str, **labels: str) -> float | None:
        told = {"consumer": "measure", **labels}
        return self.registry.get_sample_value(f"smartstore_{name}", told)


async def test_what_became_of_each_fact_and_how_much_is_kept() -> None:
    world = World()
    world.measurer.hold({3: 0}, {3: 0})
    records = [
        gaze(0, NOW, "one"),
        gaze(1, NOW, "one"),
        gaze(2, NOW - 60_000, "late"),
        gaze(3, NOW - 90_000_000, "long ago"),
        gaze(4, NOW + 10_000_000, "to come", camera="wrong clock"),
        gaze(5, NOW - 5_000, "slow", camera="slow"),
    ]
    for record in records:
        await world.measurer.on_record(record)
    assert world.value("facts_total", outcome="repeated") == 1
    assert world.value("facts_total", outcome="late") == 1
    assert world.value("facts_total", outcome="dropped") == 2  # long ago, to come
    assert world.value("facts_total", outcome="added") == 2
    assert world.value("clamped_total") == 1
    assert world.value("state_entries", kind="facts") == 2
    assert world.value("state_entries", kind="windows") >= 2
    at = {"topic": GAZE.name, "partition": "3"}
    # The wrong clock was let go no further than a minute beyond the log's own time.
    assert world.value("watermark_delay_seconds", **at) == -57
    assert world.value("watermark_spread_seconds", **at) == 65
    await world.measurer.emit()
    assert world.value("emitted_rows_total", topic="streams.attention.v1") >= 2


async def test_a_rebalance_neither_forgets_nor_counts_twice() -> None:
    world = World()
    world.measurer.hold({3: 0}, {})
    records = [gaze(0, NOW, "one"), gaze(1, NOW, "one")]
    for record in records:
        await world.measurer.on_record(record)
    for _ in range(2):
        world.measurer.hold({}, {})
        assert world.value("facts_total", outcome="repeated") == 1
        world.measurer.hold({3: 0}, {})
        for record in records:
            world.measurer.recall(record)
        world.measurer.recalled()
        assert world.value("facts_total", outcome="added") == 1
        assert world.value("facts_total", outcome="repeated") == 1
    await world.measurer.on_record(gaze(2, NOW + 100, "two"))
    assert world.value("facts_total", outcome="added") == 2
