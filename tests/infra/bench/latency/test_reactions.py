"""Reactions taken apart: which glance, which decision, which play."""

from pathlib import Path
from typing import Any

from infra.bench.latency.reactions import Log, Reaction
from infra.bench.latency.store import BAYS, FPS, bays_of
from infra.commands.demo import DEMO_LAYOUT
from infra.layouts import load_layout
from infra.simulator.truth import TrueGaze
from streams.contracts.base import Trace
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Gaze


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


def decision(decision_id: str, at_ms: int, cause: str = "g") -> Decision:
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
        showing=None,
        candidates=(),
        creative_id="tea",
        creative_version=1,
        reason="attention",
        sentence="",
        trace=trace(cause),
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
    log = Log()
    for event in (
        gaze(),
        decision("d-2", 13_000),
        decision("d-1", 10_580),
        play("d-2", 13_100),
        play("d-1", 10_700),
        play("d-1", 99_000),
    ):
        log.add(event)
    assert log.proven == 1
    assert log.reactions(
        {"bay-1": [truth("coffee", 9_000, 12_000), truth("tea", 10_000, 12_300)]}
    ) == [Reaction("screen", 10_500, 10_560, 10_570, 10_580, 10_700, 10_000, 12_300)]


def test_a_gaze_at_what_nobody_looked_at_has_no_truth() -> None:
    log = Log()
    for event in (gaze(), decision("d", 10_580), play("d", 10_700)):
        log.add(event)
    for glances in ([], [truth("coffee", 10_000, 12_000)], [truth("tea", 10_600, 12_000)]):
        [found] = log.reactions({"bay-1": glances})
        assert (found.looked_ms, found.looked_away_ms) == (None, None)


def test_what_is_not_complete_is_no_reaction() -> None:
    log = Log()
    log.add(decision("d", 10_580))
    assert (log.proven, log.reactions({})) == (0, [])


def test_the_store_is_the_demo_s_shelf_four_times(tmp_path: Path) -> None:
    bays = bays_of(load_layout(DEMO_LAYOUT), tmp_path / "latency.yaml")
    assert load_layout(bays.path) == bays.layout
    assert len(bays.layout.areas) == len(bays.layout.cameras) == len(bays.layout.screens) == BAYS
    assert {camera.fps for camera in bays.layout.cameras} == {FPS}
    for area in bays.layout.areas:
        part = bays.layout.area(area.area_id)
        assert (len(part.zones), len(part.screens), len(part.cameras)) == (3, 1, 1)
