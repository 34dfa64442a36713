"""The attention of an area at an instant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.base import Trace
from streams.contracts.vision import Audience, Gaze, GazeBatch, TargetAudience
from streams.core import attention_now
from streams.core.attention_now import AreaState, moment, newest_open_gaze, step

NOW = 1_000_000


class Events:
    """Makes events of one area; times are the event's own."""

    @staticmethod
    def gaze(
        gaze_id: str,
        zone: str,
        start: int,
        end: int | None = None,
        *,
        told: int | None = None,
        attention: int | None = None,
        track: str = "t1",
        camera: str = "cam",
    ) -> Gaze:
        at = told if told is not None else (end if end is not None else start + 300)
        return Gaze(
            gaze_id=gaze_id,
            phase="started" if end is None else "ended",
            track_id=track,
            camera_id=camera,
            target_id=zone,
            target_kind="zone",
            probability=0.9,
            started_at_ms=start,
            ended_at_ms=end,
            attention_ms=(attention if attention is not None else (end - start if end else 300)),
            calibration_version="c",
            trace=Trace(cause_id=gaze_id, captured_at_ms=at, inferred_at_ms=at, sent_at_ms=at),
        )

    @staticmethod
    def gazes(seq: int, *gazes: Gaze, gateway: str = "gw") -> GazeBatch:
        return GazeBatch(store_id="s", area_id="a", gateway_id=gateway, seq=seq, events=gazes)

    @staticmethod
    def audience(
        seq: int,
        at: int,
        people: dict[str, int],
        *,
        attention: dict[str, int] | None = None,
        camera: str = "cam",
        gateway: str = "gw",
    ) -> Audience:
        open_ms = attention or {}
        return Audience(
            store_id="s",
            area_id="a",
            gateway_id=gateway,
            camera_id=camera,
            seq=seq,
            captured_at_ms=at,
            inferred_at_ms=at,
            sent_at_ms=at,
            people=sum(people.values()),
            targets=tuple(
                TargetAudience(
                    target_id=zone,
                    target_kind="zone",
                    people=n,
                    watchers=int(zone in open_ms),
                    attention_ms=open_ms.get(zone, 0),
                )
                for zone, n in people.items()
            ),
        )


@pytest.fixture
def events() -> Events:
    return Events()


def look(state: AreaState, now: int = NOW, zones: tuple[str, ...] = ("tea", "coffee")) -> Any:
    return {
        entry.zone_id: (entry.attention_ms, entry.watchers, entry.people)
        for entry in moment(state, zones, now, window_ms=3_000, silence_ms=2_000)
    }


def test_nothing_known_gives_an_entry_for_each_zone() -> None:
    assert look(AreaState()) == {"tea": (0, 0, 0), "coffee": (0, 0, 0)}


def test_an_open_gaze_grows_with_the_instant_up_to_the_window(events: Events) -> None:
    state = step(AreaState(), events.gazes(1, events.gaze("g", "tea", NOW - 300)))
    assert look(state)["tea"] == (300, 1, 0)
    assert look(state, NOW + 500)["tea"] == (800, 1, 0)
    beat = events.audience(1, NOW + 5_000, {"tea": 2}, attention={"tea": 5_300})
    state = step(state, beat)
    assert look(state, NOW + 5_000)["tea"] == (3_000, 1, 2)


def test_an_ended_gaze_leaves_the_window_and_counts_its_facing_share(events: Events) -> None:
    gaze = events.gaze("g", "tea", NOW - 2_000, NOW - 1_000, attention=500)
    state = step(AreaState(), events.gazes(1, gaze))
    assert look(state)["tea"] == (500, 0, 0)
    assert look(state, NOW + 1_500)["tea"] == (250, 0, 0)
    assert look(state, NOW + 2_500)["tea"] == (0, 0, 0)


def test_open_gazes_end_when_their_gateway_falls_silent(events: Events) -> None:
    state = step(AreaState(), events.gazes(1, events.gaze("g", "tea", NOW - 300)))
    assert look(state, NOW + 2_000)["tea"][1] == 1
    assert look(state, NOW + 2_001)["tea"] == (300, 0, 0)
    assert newest_open_gaze(state, "tea", NOW + 2_001, silence_ms=2_000) is None


def test_a_gateway_that_started_again_has_left_nothing_open(events: Events) -> None:
    state = step(AreaState(), events.gazes(7, events.gaze("old", "tea", NOW - 900)))
    state = step(state, events.gazes(0, events.gaze("new", "coffee", NOW - 100)))
    assert look(state, NOW + 200)["tea"][1] == 0
    assert look(state, NOW + 200)["coffee"][1] == 1


def test_a_gaze_whose_end_was_lost_is_over_once_its_shopper_looks_at_something_else(
    events: Events,
) -> None:
    first = events.gaze("first", "tea", NOW - 2_000)
    other = events.gaze("other", "tea", NOW - 2_000, track="t2")
    later = events.gaze("later", "coffee", NOW - 500)
    in_order = step(step(AreaState(), events.gazes(1, first, other)), events.gazes(3, later))
    at_once = step(AreaState(), events.gazes(1, later, other, first))
    for state in (in_order, at_once):
        assert look(state)["tea"] == (1_500 + 2_000, 1, 0)
        assert look(state)["coffee"] == (500, 1, 0)


def test_a_gaze_whose_end_was_lost_is_over_once_a_heartbeat_counts_none(events: Events) -> None:
    state = step(AreaState(), events.gazes(1, events.gaze("g", "tea", NOW - 1_000)))
    early = step(state, events.audience(1, NOW - 800, {"tea": 1}))
    assert look(early)["tea"][1] == 1, "it was counted before the gaze was told"
    elsewhere = step(state, events.audience(1, NOW, {"tea": 0}, camera="another"))
    assert look(elsewhere)["tea"][1] == 1
    state = step(state, events.audience(1, NOW, {"tea": 1}))
    assert look(state, NOW + 500)["tea"] == (1_000, 0, 1)
    late = step(state, events.gazes(2, events.gaze("g", "tea", NOW - 1_000, NOW - 600)))
    assert look(late, NOW + 500)["tea"] == (400, 0, 1)


def test_an_end_holds_whatever_is_told_after(events: Events) -> None:
    ended = events.gaze("g", "tea", NOW - 900, NOW - 400)
    state = step(AreaState(), events.gazes(1, ended))
    state = step(state, events.gazes(2, events.gaze("g", "tea", NOW - 900, told=NOW)))
    assert look(state)["tea"] == (500, 0, 0)


def test_what_the_cameras_of_an_area_count_adds_up(
    events: Events,
) -> None:
    state = step(AreaState(), events.audience(1, NOW, {"tea": 2}, camera="one"))
    state = step(state, events.audience(1, NOW, {"tea": 3}, camera="two"))
    assert look(state)["tea"][2] == 5
    assert look(state, NOW + 2_001)["tea"][2] == 0


def test_the_newest_open_gaze_on_a_zone(events: Events) -> None:
    first = events.gaze("first", "tea", NOW - 900, told=NOW)
    second = events.gaze("second", "tea", NOW - 400, told=NOW, track="t2")
    other = events.gaze("other", "coffee", NOW - 100, told=NOW, track="t3")
    state = step(AreaState(), events.gazes(1, first, second, other))
    found = newest_open_gaze(state, "tea", NOW, silence_ms=2_000)
    assert found is not None
    assert found.gaze_id == "second"


def test_memory_is_bounded(events: Events) -> None:
    state = AreaState()
    for seq in range(300):
        at = NOW + seq * 10_000
        state = step(state, events.gazes(seq, events.gaze(f"g{seq}", "tea", at)))
        state = step(state, events.audience(seq, at, {"tea": 1}, camera=f"cam{seq}"))
    assert len(state.gazes) <= 62  # ten minutes of gazes that never end
    assert len(state.cameras) <= 62


@given(repeats=st.lists(st.integers(0, 11), min_size=1, max_size=6))
def test_what_was_already_told_changes_nothing(repeats: list[int]) -> None:
    batches = [
        Events.gazes(seq, Events.gaze(f"g{seq % 5}", ("tea", "coffee")[seq % 2], NOW + seq * 100))
        for seq in range(12)
    ]
    heartbeats = [Events.audience(seq, NOW + seq * 100, {"tea": seq}) for seq in range(12)]
    state = AreaState()
    for batch, heartbeat in zip(batches, heartbeats, strict=True):
        state = step(step(state, batch), heartbeat)
    for number in repeats:
        assert step(state, batches[number]) is state
        assert step(state, heartbeats[number]) is state


def test_captured_at_is_the_newest_frame(events: Events) -> None:
    batch = events.gazes(
        1, events.gaze("a", "tea", 100, told=900), events.gaze("b", "tea", 100, told=700)
    )
    assert attention_now.captured_at_ms(batch) == 900
