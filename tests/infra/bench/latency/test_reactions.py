"""Reactions taken apart: which glance, which decision, which play."""

from pathlib import Path
from typing import Any

import pytest

from infra.bench.latency import figures
from infra.bench.latency.holding import Holding
from infra.bench.latency.reactions import Log, Reaction
from infra.bench.latency.scene import EVERY_MS, scenes_of
from infra.bench.latency.store import BAYS, FPS, bays_of
from infra.commands.demo import DEMO_LAYOUT
from infra.layouts import load_layout
from infra.simulator.truth import TrueGaze
from streams.contracts.base import Trace
from streams.contracts.layout import Zone
from streams.contracts.signage import Creative, Decision, Play
from streams.contracts.vision import Gaze, GazeBatch

CATEGORIES = ("coffee", "tea")


def trace(cause: str = "g", captured_ms: int = 10_500) -> Trace:
    return Trace(
        cause_id=cause,
        captured_at_ms=captured_ms,
        inferred_at_ms=captured_ms + 60,
        sent_at_ms=captured_ms + 70,
    )


def gaze(gaze_id: str = "g", **fields: Any) -> Gaze:
    values: dict[str, Any] = {
        "phase": "started",
        "track_id": "t",
        "camera_id": "c",
        "target_id": "tea",
        "target_kind": "zone",
        "probability": 0.9,
        "started_at_ms": 10_100,
        "calibration_version": "v",
        "trace": trace(gaze_id),
    }
    return Gaze(gaze_id=gaze_id, **{**values, **fields})


def batch(*gazes: Gaze, seq: int = 0) -> GazeBatch:
    return GazeBatch(store_id="s", area_id="bay-1", gateway_id="gw", seq=seq, events=gazes)


def new_log() -> Log:
    zones = [Zone(zone_id=name, area_id="bay-1", name=name, category=name) for name in CATEGORIES]
    creatives = [
        Creative(
            creative_id=name,
            version=1,
            title=name,
            alt_text=name,
            language="en",
            media=f"{name}/1/index.html",
            sha256="0" * 64,
            owner="o",
            categories=(name,),
        )
        for name in CATEGORIES
    ]
    return Log(Holding(zones, creatives))


def decision(decision_id: str, at_ms: int, cause: str = "g", **fields: Any) -> Decision:
    values: dict[str, Any] = {
        "creative_id": "tea",
        "showing": None,
        "reason": "attention",
        "trace": trace(cause),
    }
    return Decision(
        decision_id=decision_id,
        store_id="s",
        area_id="bay-1",
        screen_id="screen",
        decided_at_ms=at_ms,
        slot_start_ms=0,
        arm="adaptive",
        arm_probability=1.0,
        policy_version="p",
        context=(),
        candidates=(),
        creative_version=1,
        sentence="",
        **{**values, **fields},
    )


def play(decision_id: str, at_ms: int, cause: str = "g") -> Play:
    return Play(
        play_id=f"p-{decision_id}",
        phase="started",
        player_id="screen",
        store_id="s",
        area_id="bay-1",
        screen_id="screen",
        decision_id=decision_id,
        creative_id="tea",
        creative_version=1,
        scheduled_at_ms=at_ms,
        rendered_at_ms=at_ms,
        trace=trace(cause),
    )


def truth(target_id: str, from_ms: int, to_ms: int) -> TrueGaze:
    return TrueGaze(
        person_id="p",
        target_id=target_id,
        target_kind="zone",
        started_at_ms=from_ms,
        ended_at_ms=to_ms,
    )


def test_a_reaction_is_the_first_decision_of_a_gaze_and_its_play() -> None:
    log = new_log()
    for event in (
        batch(gaze()),
        decision("d-2", 13_000),
        decision("d-1", 10_580),
        play("d-2", 13_100),
        play("d-1", 10_700),
        play("d-1", 99_000),
    ):
        log.add(event)
    assert log.proven == 1
    looked = truth("tea", 10_000, 12_300)
    assert log.reactions({"bay-1": [truth("coffee", 9_000, 12_000), looked]}) == [
        Reaction("screen", 10_500, 10_560, 10_570, 10_580, 10_700, 10_000, 12_300, None, looked)
    ]


def test_a_gaze_at_what_nobody_looked_at_has_no_truth() -> None:
    log = new_log()
    for event in (batch(gaze()), decision("d", 10_580), play("d", 10_700)):
        log.add(event)
    for glances in ([], [truth("coffee", 10_000, 12_000)], [truth("tea", 10_600, 12_000)]):
        [found] = log.reactions({"bay-1": glances})
        assert (found.looked_ms, found.looked_away_ms) == (None, None)


def test_what_is_not_complete_is_no_reaction() -> None:
    log = new_log()
    log.add(decision("d", 10_580))
    assert (log.proven, log.reactions({})) == (0, [])


def test_what_came_before_is_not_counted() -> None:
    log = new_log()
    log.since_ms = 10_501
    for event in (batch(gaze()), decision("d", 10_580), play("d", 10_700)):
        log.add(event)
    assert (log.proven, log.reactions({}), log.unanswered({"bay-1": "screen"})) == (0, [], {})


@pytest.mark.parametrize(
    ("on_show", "reason", "since_ms", "why"),
    [
        ("coffee", "attention", 7_570, None),
        ("coffee", "attention", 7_571, "minimum display"),
        ("coffee", "rotation", 9_570, None),
        ("coffee", "rotation", 9_571, "minimum display"),
        ("tea", "rotation", 10_569, None),
        ("tea", "attention", 5_000, "on show already"),
    ],
)
def test_what_the_policy_holds_back_is_told_from_the_log_alone(
    on_show: str, reason: str, since_ms: int, why: str | None
) -> None:
    """However long it took: a free screen that followed late is free, and slow."""
    log = new_log()
    before = decision("d-0", since_ms, creative_id=on_show, reason=reason, trace=None)
    late = decision("d", 19_000, showing=on_show)
    for event in (before, batch(gaze()), late, play("d", 19_100)):
        log.add(event)
    [found] = log.reactions({})
    assert (found.held, found.decided_ms - found.sent_ms) == (why, 8_430)


def test_a_zone_that_is_still_watched_keeps_its_screen() -> None:
    log = new_log()
    other = gaze("other", track_id="u", target_id="coffee", started_at_ms=6_000)
    shown = decision("d-0", 7_000, "other", creative_id="coffee")
    for event in (batch(other), shown, batch(gaze(), seq=1)):
        log.add(event)
    assert log.unanswered({"bay-1": "screen"}) == {"another zone leads": 1}


def reaction(took_ms: int, held: Any = None) -> Reaction:
    captured = 10_500
    return Reaction(
        "screen",
        captured,
        captured + 60,
        captured + 70,
        captured + 80,
        captured + took_ms,
        10_000,
        12_000,
        held,
    )


def test_free_figures_leave_out_what_was_held_back_and_nothing_that_was_slow() -> None:
    found = [reaction(100), reaction(5_000), reaction(2_000, "minimum display")]
    free = figures.free(found, "screen", 50.0, lambda _: 550.0)
    assert (free.reactions, free.capture_to_render_ms.n) == (2, 2)
    assert free.above_floor_ms.p50 == 2_500.0
    assert free.rendered_before_gaze_end_share == 0.5
    told = {goal.figure: goal.met for goal in figures.goals(found[:1], 50.0)}
    assert told == {
        "glance to render p95": True,
        "rendered before the gaze ends": True,
        "beside the model p99": True,
        "glance to render p95, free to switch": True,
        "rendered before the gaze ends, free to switch": True,
        "beside the model p99, free to switch": True,
    }


def test_the_scene_has_a_truth_and_pictures_that_fit_it(tmp_path: Path) -> None:
    layout = bays_of(load_layout(DEMO_LAYOUT), tmp_path / "latency.yaml").layout
    scenes = scenes_of(layout, 1, 24_000)
    assert [scene.times_ms[0] for scene in scenes] == [0, 83, 167, 250]
    assert [scene.opens_ms for scene in scenes] == [n * EVERY_MS // BAYS for n in range(BAYS)]
    scene, start_ms = scenes[1], 1_000_000
    assert scene.times_ms[-1] < scene.length_ms
    assert not scene.scenario().people(scene.length_ms)
    rounds = list(scene.glances(start_ms, start_ms + 2 * scene.length_ms))
    first, second = rounds[: len(rounds) // 2], rounds[len(rounds) // 2 :]
    for one, two in zip(first, second, strict=True):
        assert two.started_at_ms - one.started_at_ms == scene.length_ms
        times = scene.pictures_of(one, start_ms)
        assert all(one.started_at_ms <= at < one.ended_at_ms for at in times)
        assert abs(len(times) - (one.ended_at_ms - one.started_at_ms) * FPS / 1_000) <= 1
        assert [at + scene.length_ms for at in times] == scene.pictures_of(two, start_ms)


def test_the_store_is_the_demo_s_shelf_four_times(tmp_path: Path) -> None:
    bays = bays_of(load_layout(DEMO_LAYOUT), tmp_path / "latency.yaml")
    assert load_layout(bays.path) == bays.layout
    assert len(bays.layout.areas) == len(bays.layout.cameras) == len(bays.layout.screens) == BAYS
    assert {camera.fps for camera in bays.layout.cameras} == {FPS}
    for area in bays.layout.areas:
        part = bays.layout.area(area.area_id)
        assert (len(part.zones), len(part.screens), len(part.cameras)) == (3, 1, 1)
