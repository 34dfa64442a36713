"""Event time from a camera's timestamps: delay, drift, jumps, wraps, and clocks that are set."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.cameras.clock import CameraClock
from vision.clock import SteadyClock

NOW_MS = 1_700_000_000_000


def arrivals(n: int, rate: float = 1.0, seed: int = 1) -> Iterator[tuple[int, int, int]]:
    """True time, timestamp of a camera whose clock runs at `rate`, arrival: up to 60 ms late."""
    rng = random.Random(seed)  # noqa: S311
    for i in range(n):
        yield NOW_MS + 40 * i, round(40 * i * rate), NOW_MS + 40 * i + rng.randrange(60)


@pytest.mark.parametrize("rate", [1.0, 1.0001, 0.9999, 1.002, 0.998])
def test_jitter_is_taken_out_and_drift_is_followed(rate: float) -> None:
    clock = CameraClock()
    errors = [clock.event_ms(pts, at) - true for true, pts, at in arrivals(10_000, rate)]
    assert clock.jumps == 0
    # After the first window: within what 10 s of drift amounts to.
    assert max(abs(e) for e in errors[200:]) <= 10 + 10_000 * abs(rate - 1)


@pytest.mark.parametrize("jump_ms", [-3_600_000, -2_000, 2_000, 3_600_000])
def test_a_clock_that_is_set_is_noticed(jump_ms: int) -> None:
    clock = CameraClock()
    errors = []
    for i, (true, pts, at) in enumerate(arrivals(1_000)):
        pts += 10_000_000 + (jump_ms if i >= 500 else 0)
        errors.append(clock.event_ms(pts, at) - true)
    assert clock.jumps == 1
    assert max(abs(e) for e in errors) <= 60


def test_a_wrapped_timestamp_is_a_jump_and_a_missing_one_is_the_arrival() -> None:
    clock = CameraClock()
    wrap_ms = 2**32 * 1000 // 90_000
    stamps = [wrap_ms - 80, wrap_ms - 40, 0, 40, None, None, 160]
    events = [clock.event_ms(pts, NOW_MS + 40 * i) for i, pts in enumerate(stamps)]
    assert events == [NOW_MS + 40 * i for i in range(7)]
    assert clock.jumps == 2


def test_pictures_that_a_stall_held_back_keep_their_time() -> None:
    clock = CameraClock()
    events = [clock.event_ms(40 * i, NOW_MS + 40 * i) for i in range(100)]
    events += [clock.event_ms(40 * i, NOW_MS + 9_000 + i) for i in range(100, 200)]
    assert events == [NOW_MS + 40 * i for i in range(200)]
    assert clock.jumps == 0


def test_pictures_that_waited_for_the_connection_are_not_settled() -> None:
    clock = CameraClock()
    settled = []
    for pts, at in [(0, 0), (40, 2), (80, 4), (120, 30), (160, 70)]:
        clock.event_ms(pts, NOW_MS + at)
        settled.append(clock.settled)
    assert settled == [False, False, False, True, True]


@given(
    st.lists(
        st.tuples(st.none() | st.integers(-(10**9), 10**12), st.integers(0, 20_000)), max_size=60
    )
)
def test_event_time_increases_and_is_never_ahead(steps: list[tuple[int | None, int]]) -> None:
    clock, now_ms, before = CameraClock(), NOW_MS, 0
    for i, (pts, passed_ms) in enumerate(steps):
        now_ms += passed_ms
        event_ms = clock.event_ms(pts, now_ms)
        assert before < event_ms <= now_ms + i
        before = event_ms


def test_a_gateways_clock_that_is_set_back_runs_slower_until_it_is_right() -> None:
    wall = iter([1_000, 1_000, 2_000, 1_500, 2_500, 33_500, 90_000])
    passed = iter([0.0, 0.0, 1.0, 2.0, 3.0, 34.0, 35.0])
    clock = SteadyClock(lambda: next(wall), lambda: next(passed))
    assert [clock() for _ in range(6)] == [1_000, 2_000, 2_950, 3_900, 33_500, 90_000]
