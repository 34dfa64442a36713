"""Direction to targets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.gaze import (
    Direction,
    can_see,
    corners_of,
    corners_probability,
    direction_of,
    face_probability,
    gazes_of,
    smooth,
)

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


def test_a_strip_has_the_analytic_share() -> None:
    """Of a strip without top and bottom the share is that of two normal distributions of yaw."""
    eyes = gazes_of(towards(10.0, 0.0, 3.0), 6.0)
    left, right = (math.degrees(math.atan2(x - 1.5, 2.0)) - 10.0 for x in (1.4, 2.2))

    def within(sigma: float) -> float:
        return (math.erf(right / sigma / 2**0.5) - math.erf(left / sigma / 2**0.5)) / 2

    expected = 0.85 * within(eyes.near_deg) + 0.15 * within(eyes.far_deg)
    strip = (1.4, -999.0, 2.2, 999.0)
    share = face_probability(HEAD, towards(10.0, 0.0, 3.0), strip, 6.0)
    assert share == pytest.approx(expected, abs=1e-3)


@given(st.floats(-180, 180), st.floats(-40, 40), st.floats(0.5, 4), st.floats(-1.5, 1.5))
def test_a_plane_may_hang_anywhere(turn: float, yaw: float, away: float, aside: float) -> None:
    """The whole scene turned about the upright axis: the share stays what it was."""
    corners = corners_of((0.0, 0.5, 1.0, 1.7))
    head = (0.5 + aside, away, 1.6)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))

    def turned(place: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = place
        return c * x - s * y, s * x + c * y, z

    before = corners_probability(head, towards(yaw, -5.0, 4.0), corners, 6.0)
    a, b, d, e = (turned(corner) for corner in corners)
    looking = (yaw + turn + 180.0) % 360.0 - 180.0
    after = corners_probability(turned(head), towards(looking, -5.0, 4.0), (a, b, d, e), 6.0)
    assert after == pytest.approx(before, abs=2e-3)


def test_the_back_of_a_plane_is_not_seen() -> None:
    front = corners_of((0.0, 0.0, 3.0, 2.0))
    behind = (front[1], front[0], front[3], front[2])
    assert corners_probability(HEAD, towards(0, 0), front, 6.0) > 0.5
    assert corners_probability(HEAD, towards(0, 0), behind, 6.0) == 0.0


def test_nearer_to_the_middle_is_more_probable_and_less_certain_heads_less() -> None:
    face = (1.1, 0.4, 1.9, 1.7)
    odds = [face_probability(HEAD, towards(yaw, -4.0, 3.0), face, 6.0) for yaw in (0, 6, 12, 20)]
    assert odds == sorted(odds, reverse=True)
    odds = [face_probability(HEAD, towards(0.0, -4.0, s), face, 6.0) for s in (1, 4, 9, 16)]
    assert odds == sorted(odds, reverse=True)


def test_probabilities_of_normal_errors_mean_what_they_say() -> None:
    """Looks drawn from the very model: of those with a share of p, the part p is right."""
    rng = np.random.default_rng(1900)
    looks: list[tuple[float, bool]] = []
    face = (1.0, 0.4, 2.0, 1.8)
    for _ in range(700):
        direction = towards(float(rng.uniform(-25, 25)), float(rng.uniform(-12, 4)), 3.0)
        eyes = gazes_of(direction, 6.0)
        wide = eyes.far_deg if rng.random() < eyes.aside else eyes.near_deg
        yaw = math.radians(rng.normal(eyes.yaw_deg, wide))
        pitch = math.radians(rng.normal(eyes.pitch_deg, eyes.pitch_sigma_deg))
        x = HEAD[0] + HEAD[1] * math.tan(yaw)
        z = HEAD[2] + HEAD[1] / math.cos(yaw) * math.tan(pitch)
        hit = abs(yaw) < math.pi / 2 and face[0] <= x < face[2] and face[1] <= z < face[3]
        looks.append((face_probability(HEAD, direction, face, 6.0), hit))
    odds, hits = np.array(looks).T
    bins = np.minimum((odds * 5).astype(int), 4)
    error = sum(
        abs(odds[bins == b].mean() - hits[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    )
    assert error < 0.05


def test_eyes_look_further_down_than_the_head() -> None:
    low, level = gazes_of(towards(0, -20.0), 6.0), gazes_of(towards(0, 0.0), 6.0)
    assert low.pitch_deg < -20.0
    assert level.pitch_deg - low.pitch_deg > 20.0
