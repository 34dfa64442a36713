"""Exposure: play x presence x pairing, whatever the order in which they are told."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.attention import Exposure
from streams.contracts.signage import Play
from streams.core.exposure import PAIRING_MS, Exposures
from streams.core.facts import Fact

HORIZON = 10**13


def play(start: int = 10_000, length: int | None = 10_000, name: str = "p") -> Play:
    ended: dict[str, Any] = {}
    if length is not None:
        ended = {"duration_ms": length, "stop_reason": "finished"}
    return Play(
        play_id=name,
        phase="started" if length is None else "ended",
        player_id="player",
        store_id="s",
        area_id="a",
        screen_id="screen",
        decision_id="d",
        creative_id="c",
        creative_version=1,
        scheduled_at_ms=start,
        rendered_at_ms=start,
        **ended,
    )


def presence(
    name: str, start: int, end: int, *, sees: int | None = 500, track: str | None = None
) -> Fact:
    return _fact("presence", name, start, end, sees, track)


def gaze(name: str, start: int, end: int, *, attention: int, track: str | None = None) -> Fact:
    return _fact("gaze", name, start, end, attention, track)


def _fact(
    kind: Any, name: str, start: int, end: int, amount: int | None, track: str | None
) -> Fact:
    return Fact(
        kind=kind,
        fact_id=name,
        store_id="s",
        area_id="a",
        target_id="screen",
        target_kind="screen",
        track_id=track or name,
        start_ms=start,
        end_ms=end,
        amount_ms=amount,
        final=True,
        told_at_ms=end,
        clock_ms=end,
        source="cam",
        log=kind,
        offset=end,
    )


def exposures(lateness: int = 5_000, keep: int = 900_000) -> Exposures:
    return Exposures(lateness_ms=lateness, keep_ms=keep)


def feed(state: Exposures, items: list[Play | Fact]) -> list[Exposure]:
    for offset, item in enumerate(items):
        if isinstance(item, Play):
            state.add_play(item, "play", offset, HORIZON)
        else:
            state.add(item)
    return state.changed()


def test_the_rungs_are_apart() -> None:
    (row,) = feed(
        exposures(lateness=60_000),
        [
            play(10_000, 10_000),
            presence("before", 1_000, 9_999),
            presence("brief", 19_500, 30_000),  # half a second of the play: present, not paired
            presence("blind", 12_000, 15_000, sees=0),
            presence("whole", 5_000, 25_000),
            gaze("look", 9_000, 11_000, attention=1_000, track="whole"),
        ],
    )
    assert (row.gross_impressions, row.verified_impressions, row.ots) == (3, 2, 1)
    assert row.exposed_ms == 3_000 + 10_000
    assert (row.watchers, row.attention_ms) == (1, 500)
    assert (row.started_at_ms, row.ended_at_ms, row.ended) == (10_000, 20_000, True)


@pytest.mark.parametrize(("overlap", "paired"), [(PAIRING_MS - 1, 0), (PAIRING_MS, 1)])
def test_a_pair_shares_a_second(overlap: int, paired: int) -> None:
    (row,) = feed(exposures(), [play(), presence("p", 0, 10_000 + overlap)])
    assert (row.gross_impressions, row.verified_impressions) == (1, paired)


def test_where_nobody_can_tell_who_looked_nobody_does() -> None:
    (row,) = feed(exposures(), [play(), presence("p", 10_000, 15_000, sees=None)])
    assert (row.watchers, row.ots) == (None, None)
    (empty,) = feed(exposures(), [play()])
    assert (empty.watchers, empty.ots) == (0, None)


def test_a_play_that_goes_on_is_told_again_at_its_end() -> None:
    state = exposures()
    (first,) = feed(state, [play(length=None), presence("p", 9_000, 14_000)])
    assert (first.ended, first.ended_at_ms, first.exposed_ms) == (False, 14_000, 4_000)
    state.add_play(play(length=3_000), "play", 9, HORIZON)
    (last,) = state.changed()
    assert (last.ended, last.ended_at_ms, last.exposed_ms) == (True, 13_000, 3_000)
    assert last.through_offset > first.through_offset


def test_repeats_change_nothing() -> None:
    state = exposures()
    feed(state, [play(), presence("p", 10_000, 15_000)])
    assert feed(state, [play(), play(length=None), presence("p", 10_000, 15_000)]) == []
    assert state.outcomes == {"added": 2, "repeated": 3}


def test_what_comes_too_late_is_counted_with_its_play() -> None:
    state = exposures(lateness=5_000)
    feed(state, [play(), presence("now", 25_000, 30_000)])
    (row,) = feed(state, [presence("late", 10_000, 20_000)])
    assert (row.gross_impressions, row.late) == (0, 1)
    assert state.outcomes["late"] == 1


def test_what_is_over_is_let_go() -> None:
    state = exposures(keep=60_000)
    for minute in range(200):
        at = minute * 60_000
        feed(state, [play(at, 10_000, f"p{minute}"), presence(f"x{minute}", at, at + 9_000)])
    screen = state._screens["screen"]  # noqa: SLF001 - that memory is bounded cannot be seen outside
    assert len(screen.plays) <= 3
    assert len(screen.facts) <= 3
    assert state.add_play(play(0, 10_000, "p-old"), "play", 1, HORIZON) == "dropped"


times = st.integers(0, 60_000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(times, st.integers(0, 20_000)), max_size=6),
    st.lists(st.tuples(times, st.integers(0, 20_000), st.booleans()), max_size=8),
    st.integers(0, 2**32),
)
def test_no_order_changes_the_last_row(
    plays: list[tuple[int, int]], facts: list[tuple[int, int, bool]], seed: int
) -> None:
    told: list[Play | Fact] = [
        play(start, length, f"p{n}") for n, (start, length) in enumerate(plays)
    ]
    told += [
        presence(f"f{n}", start, start + length, track=f"t{n % 3}")
        if present
        else gaze(f"f{n}", start, start + length, attention=length, track=f"t{n % 3}")
        for n, (start, length, present) in enumerate(facts)
    ]

    def final(items: list[Play | Fact]) -> dict[str, Any]:
        state = exposures(lateness=1_000_000)
        numbers = {id(item): number for number, item in enumerate(told)}
        for item in items:
            if isinstance(item, Play):
                state.add_play(item, "play", numbers[id(item)], HORIZON)
            else:
                state.add(item)
        return {row.play_id: row for row in state.changed()}

    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a shuffle, no secret
    assert final(shuffled) == final(told)
