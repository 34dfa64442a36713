"""Effective numbers, overlap, and the guard's memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.variety import Guard, effective_number, overlap

MINUTE = 60_000


@given(st.dictionaries(st.text(min_size=1), st.floats(0.001, 1_000), min_size=1, max_size=12))
def test_the_effective_number_lies_between_one_and_all(shown: dict[str, float]) -> None:
    assert 1.0 - 1e-9 <= effective_number(shown) <= len(shown) + 1e-9


@given(st.integers(1, 30), st.floats(0.1, 100))
def test_it_is_their_number_where_all_are_shown_alike(count: int, each: float) -> None:
    shown = {str(k): each for k in range(count)}
    assert effective_number(shown) == pytest.approx(count)


def test_screens_overlap_by_the_time_of_the_same() -> None:
    assert overlap([{"a": 3.0}, {"b": 9.0}]) == 0.0
    assert overlap([{"a": 3.0}, {"a": 9.0}]) == 1.0
    assert overlap([{"a": 1.0}, {"a": 1.0, "b": 1.0}, {"b": 4.0}]) == pytest.approx(1 / 3)
    assert overlap([{"a": 1.0}]) is None
    assert overlap([{"a": 1.0}, {}]) is None


def test_one_creative_everywhere_is_an_alarm_once_enough_was_shown() -> None:
    guard = Guard(10 * MINUTE)
    guard.shows("one", "tea", ("tea",), ("tea", "coffee", "us"), 0)
    assert not guard.now(4 * MINUTE).alarm
    told = guard.now(6 * MINUTE)
    assert (told.creatives, told.categories, told.possible) == (1.0, 1.0, 3)
    assert told.loss == pytest.approx(2 / 3)
    assert told.alarm


def test_a_rotation_loses_nothing() -> None:
    guard = Guard(10 * MINUTE)
    names = ("tea", "coffee", "us")
    for turn in range(200):
        for screen in ("one", "two"):
            guard.shows(screen, names[turn % 3], (), names, turn * 10_000)
    told = guard.now(200 * 10_000)
    assert told.creatives == pytest.approx(3.0)
    assert told.loss == pytest.approx(0.0, abs=1e-6)
    assert told.overlap == pytest.approx(1.0)
    assert not told.alarm


def test_what_was_shown_before_the_window_is_forgotten() -> None:
    guard = Guard(10 * MINUTE)
    guard.shows("one", "old", (), ("old", "new"), 0)
    for minute in range(1, 60):
        guard.shows("one", "new", (), ("old", "new"), minute * MINUTE)
    assert guard.now(60 * MINUTE).creatives == 1.0
    # What began before the window and goes on in it is remembered from the window's beginning.
    long = Guard(10 * MINUTE)
    long.shows("one", "tea", (), ("tea",), 0)
    long.shows("two", "us", (), ("us",), 55 * MINUTE)
    assert long.now(60 * MINUTE).creatives == pytest.approx(effective_number({"a": 10, "b": 5}))


def test_nothing_shown_is_no_variety_and_no_alarm() -> None:
    told = Guard(MINUTE).now(10 * MINUTE)
    assert (told.creatives, told.loss, told.alarm, told.overlap) == (0.0, 0.0, False, None)
