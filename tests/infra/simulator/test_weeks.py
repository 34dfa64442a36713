"""Simulated days: the same each time, nothing that lies ahead, and the true effect."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import pytest

from infra.layouts import load_layout
from infra.simulator.weeks import SimulatedWeeks
from signage.catalogue import load_catalogue
from streams.contracts import topics

LAYOUT = load_layout(Path(__file__).parents[3] / "examples" / "store.yaml")
CREATIVES = load_catalogue().creatives
MONDAY = date(2026, 3, 2)


def weeks(**changed: Any) -> SimulatedWeeks:
    given: dict[str, Any] = {"first": MONDAY, "days": 1, "seed": 5, "effect": 0.0}
    return SimulatedWeeks(LAYOUT, CREATIVES, **given | changed)


def told(of: SimulatedWeeks) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for topic, event in of.events():
        found[topic.name].append(event)
    return found


@pytest.fixture(scope="module")
def monday() -> dict[str, list[Any]]:
    return told(weeks())


def test_a_day_is_the_same_each_time_and_another_seed_another(
    monday: dict[str, list[Any]],
) -> None:
    assert msgspec.json.encode(told(weeks())) == msgspec.json.encode(monday)
    assert told(weeks(seed=6))[topics.BASKET.name] != monday[topics.BASKET.name]


def test_a_day_has_events_of_every_kind(monday: dict[str, list[Any]]) -> None:
    named = (topics.AUDIENCE, topics.DWELL, topics.GAZE, topics.BASKET, topics.PLAY)
    assert all(len(monday[topic.name]) > 50 for topic in named)


def test_every_play_was_decided_and_has_its_exposure(monday: dict[str, list[Any]]) -> None:
    plays = monday[topics.PLAY.name]
    decided = {each.decision_id for each in monday[topics.DECISION.name]}
    exposed = [each.play_id for each in monday[topics.EXPOSURE.name]]
    assert {play.decision_id for play in plays} == decided
    assert [play.play_id for play in plays] == exposed
    assert any(each.watchers for each in monday[topics.EXPOSURE.name])


def test_nobody_looks_for_longer_than_they_stay(monday: dict[str, list[Any]]) -> None:
    stays = {
        presence.track_id + presence.target_id: presence.left_at_ms - presence.entered_at_ms
        for each in monday[topics.AUDIENCE.name]
        for presence in each.presences
    }
    looks = [gaze for each in monday[topics.GAZE.name] for gaze in each.events]
    assert looks
    assert all(g.attention_ms <= stays[g.track_id + g.target_id] for g in looks)


def test_on_sunday_the_store_is_closed() -> None:
    found = told(weeks(first=MONDAY - timedelta(days=1)))
    assert found.keys() == {topics.EXPERIMENT.name, topics.CREATIVE.name}


def test_nothing_lies_ahead() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until_ms = int(noon.timestamp() * 1000)
    found = told(weeks(until=noon))
    assert all(play.rendered_at_ms + 10_000 <= until_ms for play in found[topics.PLAY.name])
    assert all(b.closed_at_ms <= until_ms for b in found[topics.BASKET.name])
    assert found[topics.BASKET.name]


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_baskets_of_adaptive_slots_alone_grow_by_the_true_effect(effect: float) -> None:
    plan = weeks().plan
    values: dict[str, list[float]] = defaultdict(list)
    for basket in told(weeks(effect=effect, days=2))[topics.BASKET.name]:
        arm, _ = plan.arm(basket.closed_at_ms)
        values[arm].append(float(sum(line.net_value for line in basket.lines)))
    assert min(map(len, values.values())) > 100
    # Baskets vary by about two thirds of their mean: five standard errors of the ratio.
    assert fmean(values["adaptive"]) / fmean(values["control"]) == pytest.approx(
        1.0 + effect, rel=5 * 0.67 * sum(1 / len(each) for each in values.values()) ** 0.5
    )
