"""The names of all figures are those of the documentation, and the alerts ask for no others."""

import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client.metrics_core import Metric

from streams.contracts.experiment import Experiment
from streams.contracts.layout import Area, StoreLayout
from streams.faust_app import Consumed
from streams.measure.figures import Measured
from streams.measure.measurer import Measurer
from streams.metrics import Handled, Standing
from streams.react.figures import Reacted
from streams.react.reactor import Reactor
from streams.settings import MeasureSettings, ReactSettings
from streams.sink.figures import SinkCounts, Sunk
from vision.figures import GatewayFigures

ROOT = Path(__file__).parents[2]
KAFKA = "127.0.0.1:9"
LAYOUT = StoreLayout(store_id="s", name="Store", areas=(Area(area_id="a"),))
EXPERIMENT = Experiment(salt="x", slot_ms=3_600_000, adaptive_share=1.0)
NOTHING: Any = None


def families() -> Iterable[Metric]:
    consumer: Any = SimpleNamespace(
        conf=SimpleNamespace(id="measure"),
        storing=SimpleNamespace(lags=dict),
        standing=Standing(),
    )
    measurer = Measurer(MeasureSettings(kafka=KAFKA), LAYOUT, EXPERIMENT, NOTHING)
    reactor = Reactor(ReactSettings(kafka=KAFKA), NOTHING, LAYOUT, EXPERIMENT, NOTHING, int)
    queue: Any = SimpleNamespace(dropped=0, unsent=0)
    for collector in (
        Consumed(consumer, Handled()),
        Measured(measurer, int),
        Reacted(reactor),
        Sunk(SinkCounts(), dict),
        GatewayFigures(queue),
    ):
        yield from collector.collect()


def told() -> set[str]:
    return {f.name + "_total" * (f.type == "counter") for f in families()}


def test_the_page_names_what_is_told_and_nothing_else() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert set(re.findall(r"`(smartstore_[a-z_]+)`", page)) == told()


def test_the_alerts_ask_for_what_is_told() -> None:
    alerts = (ROOT / "infra" / "prometheus" / "alerts.yml").read_text()
    named = set(re.findall(r"\bsmartstore_[a-z_]+\b", alerts))
    assert named
    assert named <= told()


def test_a_name_says_its_unit() -> None:
    units = ("seconds", "records", "messages", "entries", "areas", "up")
    units += ("creatives", "categories", "ratio", "alarm")
    unnamed = [f.name for f in families() if f.type != "counter" and not f.name.endswith(units)]
    assert unnamed == []
