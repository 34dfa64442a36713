"""The page's state from the log."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from infra.web.live import RECENT_MS, STALE_MS, Live
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Content, Creative, Decision, Play
from streams.contracts.vision import Audience, Gaze, GazeBatch, TargetAudience

_NOW = 1_700_000_000_000
_LAYOUT = StoreLayout(
    store_id="s",
    name="Shop",
    areas=(Area(area_id="a"),),
    zones=(
        Zone(zone_id="tea", area_id="a", name="Tea"),
        Zone(zone_id="coffee", area_id="a", name="Coffee"),
    ),
    screens=(Screen(screen_id="sc", area_id="a", name="Above"),),
)


def _trace(captured_at_ms: int = _NOW) -> Trace:
    return Trace(
        cause_id="g",
        captured_at_ms=captured_at_ms,
        inferred_at_ms=captured_at_ms + 50,
        sent_at_ms=captured_at_ms + 60,
    )


def _audience(camera: str, captured_at_ms: int, watchers: int, attention_ms: int = 0) -> Audience:
    return Audience(
        store_id="s",
        area_id="a",
        gateway_id="gw",
        camera_id=camera,
        seq=captured_at_ms % 1_000,
        captured_at_ms=captured_at_ms,
        inferred_at_ms=captured_at_ms,
        sent_at_ms=captured_at_ms,
        people=watchers + 1,
        targets=(
            TargetAudience(
                target_id="tea",
                target_kind="zone",
                people=watchers + 1,
                watchers=watchers,
                attention_ms=attention_ms,
            ),
        ),
    )


def _gaze(gaze_id: str, ended_at_ms: int, attention_ms: int, store_id: str = "s") -> GazeBatch:
    gaze = Gaze(
        gaze_id=gaze_id,
        phase="ended",
        track_id="t",
        camera_id="c",
        target_id="tea",
        target_kind="zone",
        probability=1.0,
        started_at_ms=ended_at_ms - attention_ms,
        ended_at_ms=ended_at_ms,
        attention_ms=attention_ms,
        calibration_version="v",
        trace=_trace(),
    )
    return GazeBatch(store_id=store_id, area_id="a", gateway_id="gw", seq=0, events=(gaze,))


def _decision(decision_id: str, decided_at_ms: int, sentence: str = "Because.") -> Decision:
    return Decision(
        decision_id=decision_id,
        store_id="s",
        area_id="a",
        screen_id="sc",
        decided_at_ms=decided_at_ms,
        slot_start_ms=0,
        arm="adaptive",
        arm_probability=0.5,
        policy_version="p",
        context=(),
        showing=None,
        candidates=(),
        creative_id="cr",
        creative_version=1,
        reason="attention",
        sentence=sentence,
        trace=_trace(),
    )


def _play(play_id: str, rendered_at_ms: int, **changes: Any) -> Play:
    play = Play(
        play_id=play_id,
        phase="started",
        player_id="pl",
        store_id="s",
        area_id="a",
        screen_id="sc",
        decision_id="d1",
        creative_id="cr",
        creative_version=1,
        scheduled_at_ms=rendered_at_ms,
        rendered_at_ms=rendered_at_ms,
        trace=_trace(),
    )
    return msgspec.structs.replace(play, **changes)


@pytest.fixture
def live() -> Live:
    return Live(_LAYOUT, since_ms=_NOW - 3_600_000)


def _tea(live: Live, now_ms: int) -> Any:
    return next(t for t in live.targets(now_ms) if t.target_id == "tea")


def test_nobody_told_is_not_nobody_there(live: Live) -> None:
    assert live.people(_NOW) is None
    assert live.watchers(_NOW) is None
    assert _tea(live, _NOW).watchers is None
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW, watchers=0))
    assert (live.people(_NOW), live.watchers(_NOW)) == (1, 0)
    assert live.people(_NOW + STALE_MS + 1) is None


def test_what_two_cameras_count_adds_up(live: Live) -> None:
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW, watchers=1))
    live.apply(topics.AUDIENCE.name, _audience("c2", _NOW, watchers=2))
    assert live.watchers(_NOW) == 3
    assert _tea(live, _NOW).watchers == 3


def test_an_older_beat_does_not_replace_a_newer_one(live: Live) -> None:
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW, watchers=2))
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW - 200, watchers=0))
    assert live.watchers(_NOW) == 2


def test_attention_is_that_of_the_last_minute_and_of_what_goes_on(live: Live) -> None:
    live.apply(topics.GAZE.name, _gaze("g1", _NOW - RECENT_MS - 1, 4_000))
    live.apply(topics.GAZE.name, _gaze("g2", _NOW - 30_000, 2_000))
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW, watchers=1, attention_ms=700))
    assert _tea(live, _NOW).attention_ms == 2_700


def test_repeats_change_nothing(live: Live) -> None:
    for _ in range(2):
        live.apply(topics.GAZE.name, _gaze("g", _NOW, 2_000))
        live.apply(topics.DECISION.name, _decision("d1", _NOW))
        live.apply(topics.PLAY.name, _play("p", _NOW + 640))
        ended = {"phase": "ended", "duration_ms": 5, "stop_reason": "finished"}
        live.apply(topics.PLAY.name, _play("p", _NOW + 640, **ended))
    counts = live.counted.counts()
    assert (counts["gaze"], counts["decisions"], counts["plays"]) == (1, 1, 1)
    assert _tea(live, _NOW).attention_ms == 2_000
    assert live.latency().plays == 1


def test_other_stores_and_earlier_days_are_not_counted(live: Live) -> None:
    live.apply(topics.GAZE.name, _gaze("other", _NOW, 100, store_id="elsewhere"))
    live.apply(topics.GAZE.name, _gaze("old", _NOW - 7_200_000, 100))
    assert live.counted.counts()["gaze"] == 0


def test_a_screen_shows_what_its_proof_says_and_why(live: Live) -> None:
    (screen,) = live.screens()
    assert (screen.creative_id, screen.sentence, screen.arm) == (None, None, None)
    creative = Creative(
        creative_id="cr",
        version=1,
        title="Slow coffee",
        alt_text="A cup",
        language="en",
        media="coffee",
        sha256="0" * 64,
        owner="us",
    )
    live.apply(topics.CREATIVE.name, creative)
    live.apply(topics.DECISION.name, _decision("d1", _NOW, "Two people look at coffee."))
    live.apply(topics.PLAY.name, _play("p1", _NOW + 640))
    (screen,) = live.screens()
    assert (screen.title, screen.sentence) == ("Slow coffee", "Two people look at coffee.")
    assert (screen.arm, screen.since_ms) == ("adaptive", _NOW + 640)
    assert screen.next_creative_id is None


def test_content_that_is_not_on_the_glass_yet_is_next(live: Live) -> None:
    live.apply(topics.PLAY.name, _play("p1", _NOW))
    content = Content(
        decision_id="d2",
        store_id="s",
        area_id="a",
        screen_id="sc",
        creative_id="cr2",
        creative_version=1,
        not_before_ms=_NOW,
        expires_at_ms=_NOW + 1,
        arm="control",
        reason="rotation",
        sentence="Its turn.",
    )
    live.apply(topics.CONTENT.name, content)
    (screen,) = live.screens()
    assert (screen.creative_id, screen.next_creative_id) == ("cr", "cr2")


def test_latency_is_from_the_frame_to_the_glass_and_adds_up(live: Live) -> None:
    assert live.latency().last_ms is None
    live.apply(topics.DECISION.name, _decision("d1", _NOW + 80))
    for i, latency_ms in enumerate((640, 500, 900)):
        captured = _NOW + i * 10_000
        play = _play(f"p{i}", captured + latency_ms, trace=_trace(captured))
        live.apply(topics.PLAY.name, play)
    live.apply(topics.PLAY.name, _play("rotation", _NOW + 60_000, trace=None))
    live.apply(topics.PLAY.name, _play("failed", _NOW + 60_000, success=False))
    latency = live.latency()
    assert latency.recent_ms == (640, 500, 900)
    assert (latency.last_ms, latency.p50_ms, latency.plays) == (900, 640, 3)


def test_the_steps_add_up_to_the_whole(live: Live) -> None:
    live.apply(topics.DECISION.name, _decision("d1", _NOW + 80))
    live.apply(topics.PLAY.name, _play("p", _NOW + 640))
    steps = live.latency().last_steps
    assert steps is not None
    assert msgspec.structs.astuple(steps) == (50, 10, 20, 560)
    assert sum(msgspec.structs.astuple(steps)) == live.latency().last_ms


def test_a_gaze_read_anew_after_its_minute_is_no_new_attention(live: Live) -> None:
    live.apply(topics.GAZE.name, _gaze("g", _NOW - RECENT_MS, 2_000))
    assert _tea(live, _NOW + 1).attention_ms == 0
    live.apply(topics.GAZE.name, _gaze("g2", _NOW, 1_000))
    live.counted.begin_again()
    live.apply(topics.GAZE.name, _gaze("g", _NOW - RECENT_MS, 2_000))
    assert _tea(live, _NOW + 1).attention_ms == 1_000


def test_a_reaction_is_told_with_the_zone_that_was_looked_at(live: Live) -> None:
    assert live.reaction() is None
    live.apply(topics.GAZE.name, _gaze("g", _NOW, 400))
    live.apply(topics.PLAY.name, _play("p", _NOW + 640))
    live.apply(topics.PLAY.name, _play("rotation", _NOW + 60_000, trace=None))
    reaction = live.reaction()
    assert reaction is not None
    assert (reaction.target_name, reaction.creative_id) == ("Tea", "cr")
    assert (reaction.latency_ms, reaction.screen_id) == (640, "sc")


def test_a_reaction_whose_gaze_was_not_read_names_no_zone(live: Live) -> None:
    live.apply(topics.PLAY.name, _play("p", _NOW + 640))
    reaction = live.reaction()
    assert reaction is not None
    assert reaction.target_name is None


def test_silence_is_counted_from_the_newest_beat(live: Live) -> None:
    assert live.silent_ms(_NOW) is None
    live.apply(topics.AUDIENCE.name, _audience("c1", _NOW, watchers=0))
    assert live.silent_ms(_NOW + 9_000) == 9_000


def test_a_simulated_basket_marks_the_store(live: Live) -> None:
    assert live.simulated is False
    line = BasketLine(sku="x", category="tea", units=Decimal(1), net_value=Decimal(2))
    basket = Basket(
        basket_id="b",
        store_id="s",
        area_id="a",
        closed_at_ms=_NOW,
        currency="EUR",
        lines=(line,),
        simulated=True,
    )
    live.apply(topics.BASKET.name, basket)
    assert live.simulated is True
    assert live.counted.counts()["baskets"] == 1
