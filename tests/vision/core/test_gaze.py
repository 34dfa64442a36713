"""Direction to targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.gaze import Direction, can_see, direction_of, face_probability, smooth

HEAD = (1.5, 2.0, 1.6)


def towards(yaw_deg: float, pitch_deg: float, sigma_deg: float = 0.0, at_ms: int = 0) -> Direction:
    return Direction(yaw_deg, pitch_deg, sigma_deg, sigma_deg, at_ms)


@pytest.mark.parametrize(
    ("vector", "yaw_deg", "pitch_deg"),
    [
        ((0.0, -1.0, 0.0), 0.0, 0.0),
        ((0.5, -0.5, 0.0), 45.0, 0.0),
        ((-0.5, -0.5, 0.0), -45.0, 0.0),
        ((0.0, -0.5, 0.5), 0.0, 45.0),
    ],
)
def test_angles_of_a_direction(
    vector: tuple[float, float, float], yaw_deg: float, pitch_deg: float
) -> None:
    seen = direction_of(vector, 1.0, 1.0, 0)
    assert (seen.yaw_deg, seen.pitch_deg) == pytest.approx((yaw_deg, pitch_deg))


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "best"),
    [(-14, -14, "tea"), (14, -14, "coffee"), (0, 14, "screen")],
)
def test_the_faced_target_is_the_most_probable(yaw_deg: float, pitch_deg: float, best: str) -> None:
    faces = {
        "tea": (0.0, 0.4, 1.5, 1.5),
        "coffee": (1.5, 0.4, 3.0, 1.5),
        "screen": (0.5, 1.7, 2.5, 2.6),
    }
    odds = {
        name: face_probability(HEAD, towards(yaw_deg, pitch_deg, 5.0), face, 6.0)
        for name, face in faces.items()
    }
    assert max(odds, key=lambda name: odds[name]) == best
    assert odds[best] > 0.5


def test_looking_at_the_seam_names_neither() -> None:
    left = face_probability(HEAD, towards(0, -14, 5.0), (0.0, 0.4, 1.5, 1.5), 6.0)
    right = face_probability(HEAD, towards(0, -14, 5.0), (1.5, 0.4, 3.0, 1.5), 6.0)
    assert left == pytest.approx(right)
    assert left < 0.5


@given(
    st.floats(-70, 70),
    st.floats(-50, 50),
    st.floats(0, 20),
    st.floats(-1, 4),
    st.floats(0.3, 4),
    st.floats(0.05, 0.95),
)
def test_parts_of_a_face_add_up(
    yaw: float, pitch: float, sigma: float, x: float, away: float, cut: float
) -> None:
    head = (x, away, 1.6)
    seam = 3 * cut
    whole = face_probability(head, towards(yaw, pitch, sigma), (0.0, 0.4, 3.0, 1.8), 6.0)
    left = face_probability(head, towards(yaw, pitch, sigma), (0.0, 0.4, seam, 1.8), 6.0)
    right = face_probability(head, towards(yaw, pitch, sigma), (seam, 0.4, 3.0, 1.8), 6.0)
    assert 0.0 <= whole <= 1.0
    assert left + right == pytest.approx(whole, abs=2e-3)


@pytest.mark.parametrize("head", [(1.5, 0.0, 1.6), (1.5, -1.0, 1.6)])
def test_nobody_behind_the_shelf_looks_at_it(head: tuple[float, float, float]) -> None:
    assert face_probability(head, towards(0, 0), (0.0, 0.0, 3.0, 2.0), 6.0) == 0.0
    assert not can_see(head, towards(0, 0), (0.0, 0.0, 3.0, 2.0), 60.0)


def test_facing_away_from_the_shelf_hits_nothing() -> None:
    assert face_probability(HEAD, towards(120, 0), (-99.0, -99.0, 99.0, 99.0), 6.0) == 0.0


@pytest.mark.parametrize(
    ("yaw_deg", "seen"), [(0.0, True), (-90.0, True), (120.0, False), (-120.0, False)]
)
def test_opportunity_ends_at_the_edge_of_sight(yaw_deg: float, seen: bool) -> None:
    assert can_see((1.5, 1.0, 1.6), towards(yaw_deg, 0), (0.0, 0.4, 3.0, 1.8), 60.0) is seen


def test_smoothing_takes_jitter_out_and_lets_turns_through() -> None:
    before = towards(10.0, 0.0, at_ms=0)
    jitter = smooth(before, towards(14.0, 0.0, at_ms=40), 120.0)
    assert 10.0 < jitter.yaw_deg < 12.0
    assert smooth(before, towards(40.0, 0.0, at_ms=40), 120.0).yaw_deg == 40.0
    assert smooth(before, towards(14.0, 0.0, at_ms=5_000), 120.0).yaw_deg == 14.0
    assert smooth(None, before, 120.0) == before


def test_smoothing_lags_little_at_five_pictures_a_second() -> None:
    before = towards(0.0, 0.0, at_ms=0)
    assert smooth(before, towards(15.0, 0.0, at_ms=200), 120.0).yaw_deg > 12.0
