"""The stream bench's figures: from looks at a program to rates, from rows to waits, from costs to
how they grow.
"""

import math

import pytest

from infra.bench.stream_pace import _deep_size, _waits
from infra.bench.stream_programs import Look, steady
from infra.bench.stream_report import Growth, exponent
from infra.errors import UserError

TOLD = {"gaze": [0, 10, 20, 30, 40], "audience": [0, 1, 2]}


def test_rates_are_of_the_work_after_the_first_look_with_any() -> None:
    looks = [
        Look(5.0, {}),
        Look(6.0, {"gaze": 1}),
        Look(6.5, {"gaze": 3, "audience": 1}),
        Look(7.0, {"gaze": 4, "audience": 2}),
    ]
    events, messages = steady(looks, TOLD)
    assert events == pytest.approx(32.0)
    assert messages == pytest.approx(5.0)


def test_who_was_through_at_once_is_measured_from_the_last_look_before() -> None:
    events, messages = steady([Look(5.0, {}), Look(5.5, {"gaze": 4})], TOLD)
    assert (events, messages) == (pytest.approx(80.0), pytest.approx(8.0))


def test_two_looks_within_a_moment_tell_no_rate_of_their_own() -> None:
    looks = [Look(5.0, {}), Look(5.5, {"gaze": 4}), Look(5.500001, {"gaze": 4, "audience": 2})]
    events, messages = steady(looks, TOLD)
    assert (events, messages) == (pytest.approx(84.0, rel=1e-3), pytest.approx(12.0, rel=1e-3))


def test_too_little_work_is_no_figure() -> None:
    with pytest.raises(UserError, match="too little"):
        steady([Look(5.0, {"gaze": 4})], TOLD)
    with pytest.raises(UserError, match="too little"):
        steady([Look(5.0, {})], TOLD)


def test_a_probe_waits_for_the_first_row_beyond_it() -> None:
    rows = [(3, 10.020), (5, 10.045), (5, 10.070)]
    logged = [(1, 10.000), (2, 10.015), (4, 10.030), (9, 10.050)]
    assert _waits(logged, rows) == [
        pytest.approx(20.0),
        pytest.approx(5.0),
        pytest.approx(15.0),
        math.inf,
    ]


def test_a_row_that_was_seen_before_the_acknowledgement_is_no_negative_wait() -> None:
    assert _waits([(1, 10.0)], [(2, 9.999)]) == [0.0]


def test_twice_the_cost_a_camera_at_ten_times_the_cameras_shows() -> None:
    def row(cameras: int, cost: float, workers: int = 1) -> Growth:
        return Growth(
            cameras=cameras,
            workers=workers,
            cpu_per_camera=cost,
            idle_cpu=0.0,
            state_bytes_per_area=1,
        )

    assert exponent([row(10, 1.0), row(100, 2.0), row(1_000, 4.0)]) == pytest.approx(1.301)
    assert exponent([row(10, 1.0), row(100, 1.0), row(100, 9.0, workers=2)]) == 1.0
    assert exponent([row(10, 1.0)]) is None


def test_what_is_held_twice_is_counted_once() -> None:
    held = "x" * 1_000
    assert _deep_size([held, held]) < 1_200
    assert _deep_size([held, "y" * 1_000]) > 2_000
