"""Which pictures are inferred: few while nobody is there, all once something moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.rate import Rate, RateRules, due, seen

RULES = RateRules(full_fps=10.0, idle_fps=2.0, awake_ms=3000)


def taken(
    rules: RateRules,
    until_ms: int,
    moves: tuple[int, ...] = (),
    people: range = range(0),
    step_ms: int = 100,
) -> list[int]:
    """The pictures that are inferred of one every `step_ms`."""
    rate, found = Rate(), []
    for at_ms in range(0, until_ms + 1, step_ms):
        rate, now = due(rate, at_ms, at_ms in moves, rules)
        if now:
            found.append(at_ms)
            rate = seen(rate, at_ms, int(at_ms in people), rules)
    return found


def test_an_empty_aisle_is_looked_at_twice_a_second() -> None:
    found = taken(RULES, 10_000)
    assert [at for at in found if at <= 3000] == list(range(0, 3001, 100))
    assert len([at for at in found if 4000 < at <= 10_000]) == 12


def test_motion_is_looked_at_in_the_very_picture_and_for_a_while() -> None:
    found = taken(RULES, 12_000, moves=(7300,))
    assert set(range(7300, 10_301, 100)) <= set(found)
    assert len([at for at in found if 10_400 < at <= 12_000]) <= 4


def test_who_stands_still_keeps_the_full_rate() -> None:
    found = taken(RULES, 20_000, people=range(2000, 15_000))
    assert set(range(2000, 17_901, 100)) <= set(found)
    assert len([at for at in found if 18_000 < at <= 20_000]) == 4


def test_who_comes_unnoticed_wakes_the_camera_at_the_next_idle_picture() -> None:
    found = taken(RULES, 9000, people=range(6050, 9001))
    first = min(at for at in found if at >= 6050)
    assert first < 6050 + 500
    assert set(range(first + 100, 9001, 100)) <= set(found)


@pytest.mark.parametrize(
    ("full", "step_ms", "per_s"), [(None, 40, 25), (5.0, 40, 5), (5.0, 100, 5)]
)
def test_without_an_idle_rate_every_due_picture_is_taken(
    full: float | None, step_ms: int, per_s: int
) -> None:
    found = taken(RateRules(full, None, 3000), 10_000, step_ms=step_ms)
    assert len(found) == pytest.approx(10 * per_s, abs=2)


def test_an_older_picture_is_not_taken() -> None:
    rate, first = due(Rate(), 500, False, RULES)
    _, again = due(rate, 500, False, RULES)
    _, before = due(rate, 400, True, RULES)
    assert (first, again, before) == (True, False, False)


@given(
    gaps=st.lists(st.integers(20, 900), min_size=1, max_size=60),
    moves=st.sets(st.integers(0, 59)),
    shown=st.sets(st.integers(0, 59)),
)
def test_no_second_passes_without_a_look(gaps: list[int], moves: set[int], shown: set[int]) -> None:
    """Whatever moves, and however the camera ticks: a picture that comes a period after the last
    look is looked at, and one that moved after a rest too."""
    rate, at_ms, looked_ms = Rate(), 0, 0
    for number, gap_ms in enumerate(gaps):
        at_ms += gap_ms
        rested = rate.idle(at_ms, RULES)
        rate, now = due(rate, at_ms, number in moves, RULES)
        assert now or at_ms - looked_ms < 1000
        assert now or not (rested and number in moves)
        if now:
            looked_ms = at_ms
            rate = seen(rate, at_ms, int(number in shown), RULES)
