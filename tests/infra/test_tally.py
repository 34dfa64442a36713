"""The count of a run: distinct ids, steps of a latency, and nothing undecodable passed over."""

from typing import Any

import pytest

from infra.report import percentiles
from infra.tally import Tally
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.codec import encode
from streams.contracts.signage import Content, Decision, Play
from streams.contracts.vision import Dwell, DwellBatch, Gaze, GazeBatch

TRACE = Trace(cause_id="g1", captured_at_ms=1_000, inferred_at_ms=1_040, sent_at_ms=1_050)
PLACE: dict[str, Any] = {"store_id": "s", "area_id": "a"}
SCREEN: dict[str, Any] = PLACE | {"screen_id": "sc", "creative_id": "tea", "creative_version": 1}


def gazes(*phases: str) -> bytes:
    events = tuple(
        Gaze(
            gaze_id="g1",
            phase=phase,  # type: ignore[arg-type]
            track_id="t",
            camera_id="c",
            target_id="tea",
            target_kind="zone",
            probability=0.9,
            started_at_ms=900,
            ended_at_ms=2_000 if phase == "ended" else None,
            calibration_version="v",
            trace=TRACE,
        )
        for phase in phases
    )
    return encode(GazeBatch(gateway_id="gw", seq=0, events=events, **PLACE))


def content(creative: str, decision: str) -> bytes:
    return encode(
        Content(
            decision_id=decision,
            not_before_ms=1,
            expires_at_ms=2,
            arm="adaptive",
            reason="attention",
            sentence="why",
            **(SCREEN | {"creative_id": creative}),
        )
    )


def play(phase: str, **more: Any) -> bytes:
    return encode(
        Play(
            play_id="p1",
            phase=phase,  # type: ignore[arg-type]
            player_id="pl",
            decision_id="d1",
            scheduled_at_ms=1_100,
            rendered_at_ms=1_400,
            trace=TRACE,
            **SCREEN,
            **more,
        )
    )


def test_a_repeat_is_counted_once() -> None:
    tally = Tally()
    for _ in range(2):
        tally.add(topics.GAZE.name, gazes("started", "ended"), 0)
        tally.add(topics.PLAY.name, play("started"), 0)
        tally.add(topics.PLAY.name, play("ended", duration_ms=5, stop_reason="finished"), 0)
    assert tally.events().gaze == 1
    assert tally.plays_started == tally.plays_ended == {"p1"}


def test_a_gaze_that_only_began_is_no_ended_gaze() -> None:
    tally = Tally()
    tally.add(topics.GAZE.name, gazes("started"), 0)
    assert tally.events().gaze == 0


def test_latency_runs_from_capture_to_each_step() -> None:
    tally = Tally()
    tally.add(topics.GAZE.name, gazes("started"), 0)
    decision = Decision(
        decision_id="d1",
        decided_at_ms=1_100,
        slot_start_ms=0,
        arm="adaptive",
        arm_probability=1.0,
        policy_version="v",
        context=(),
        showing=None,
        candidates=(),
        reason="attention",
        sentence="why",
        trace=TRACE,
        **SCREEN,
    )
    tally.add(topics.DECISION.name, encode(decision), 0)
    tally.add(topics.PLAY.name, play("started"), 0)
    latency = tally.latency()
    steps = [
        latency.capture_to_infer,
        latency.capture_to_event,
        latency.capture_to_decision,
        latency.capture_to_render,
    ]
    assert [step.p50 for step in steps] == [40.0, 50.0, 100.0, 400.0]


def test_the_same_creative_again_is_no_change_and_the_first_is_not_the_first_change() -> None:
    tally = Tally()
    for creative, decision, at_ms in (("tea", "1", 10), ("tea", "2", 20), ("coffee", "3", 30)):
        tally.add(topics.CONTENT.name, content(creative, decision), at_ms)
    assert tally.content_changes == 2
    assert tally.first_change_ms == 30


def test_stays_are_told_in_seconds_since_the_beginning() -> None:
    dwell = Dwell(
        dwell_id="d",
        phase="ended",
        track_id="t",
        camera_id="c",
        zone_id="z",
        entered_at_ms=6_500,
        left_at_ms=9_000,
        calibration_version="v",
        trace=TRACE,
    )
    tally = Tally()
    batch = DwellBatch(gateway_id="gw", seq=0, events=(dwell,), **PLACE)
    tally.add(topics.DWELL.name, encode(batch), 0)
    (stay,) = tally.stays(500)
    assert (stay.begin_s, stay.end_s) == (6.0, 8.5)


@pytest.mark.parametrize("consumer", topics.CONSUMERS)
def test_dead_letters_and_broken_records_are_counted_apart(consumer: str) -> None:
    tally = Tally()
    tally.add(topics.dead_letter_topic(consumer), b"whatever", 0)
    tally.add(topics.GAZE.name, b"broken", 0)
    assert (tally.dead_letters, tally.undecodable) == (1, 1)


def test_percentiles_of_nothing_say_so() -> None:
    assert percentiles([]).n == 0
    assert percentiles([]).p99 is None
