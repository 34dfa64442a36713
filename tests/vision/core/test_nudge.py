import numpy as np
import pytest

from vision.core.geometry import Floats
from vision.core.nudge import Match, NudgeRules, NudgeState, match, steady, step

RULES = NudgeRules(limit_deg=0.8, for_ms=4_000, lost_ms=60_000)
RNG = np.random.default_rng(7)
LANDMARKS: Floats = RNG.uniform((0.05, 0.05), (0.95, 0.5), (200, 2))

#: A degree of a 75 degree lens, in widths.
DEGREE = 0.0114


def turned(points: Floats, dx: float, dy: float, roll_deg: float = 0.0) -> Floats:
    angle = np.radians(roll_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([0.5, 0.28])
    return np.asarray((points - middle) @ rotation.T + middle + [dx, dy])


def of_now(points: Floats, seed: int = 1, hidden: float = 0.3, foreign: int = 80) -> Floats:
    """Corners of a picture: some landmarks hidden, a jitter, and corners of people."""
    rng = np.random.default_rng(seed)
    kept = points[rng.random(len(points)) > hidden]
    people = rng.uniform((0.3, 0.1), (0.6, 0.56), (foreign, 2))
    return np.concatenate([kept + rng.normal(0, 0.0008, kept.shape), people])


@pytest.mark.parametrize(
    ("dx", "dy", "roll_deg"),
    [(1, 0, 0), (-2, 0, 0), (5, 1, 0), (0, -1.5, 0), (0, 0, 1.5), (3, -2, 2), (-11, 4, 0)],
)
def test_a_nudge_is_found_with_its_angle(dx: float, dy: float, roll_deg: float) -> None:
    corners = of_now(turned(LANDMARKS, dx * DEGREE, dy * DEGREE, roll_deg))
    found = match(LANDMARKS, corners, 75.0)
    assert found is not None
    assert found.moved > 0.4
    assert found.still < 0.2
    assert found.angle_deg == pytest.approx(np.hypot(dx, dy), abs=0.35 + 0.1 * abs(roll_deg))
    assert found.roll_deg == pytest.approx(abs(roll_deg), abs=0.1)
    state = NudgeState()
    for at_ms in range(0, 12_000, 3_000):
        state = step(state, found, at_ms, RULES)
    assert state.nudged


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("hidden", [0.0, 0.4, 0.7])
def test_people_in_front_are_no_nudge(seed: int, hidden: float) -> None:
    state = NudgeState()
    for at_ms in range(0, 15_000, 3_000):
        corners = of_now(LANDMARKS, seed * 100 + at_ms, hidden, foreign=150)
        state = step(state, match(LANDMARKS, corners, 75.0), at_ms, RULES)
    assert not state.nudged


def test_a_small_shift_is_tolerated() -> None:
    found = match(LANDMARKS, of_now(turned(LANDMARKS, 0.5 * DEGREE, 0)), 75.0)
    assert found is not None
    assert step(NudgeState(contrary_since_ms=0), found, 9_000, RULES) == NudgeState()


def test_it_takes_time_both_ways() -> None:
    moved = Match(0.03, 0.6, 2.0, 0.0, 1.0)
    still = Match(0.7, 0.7, 0.0, 0.0, 1.0)
    state = step(NudgeState(), moved, 0, RULES)
    assert not state.nudged
    assert not step(state, still, 2_000, RULES).nudged
    assert step(step(state, still, 2_000, RULES), moved, 4_500, RULES).contrary_since_ms == 4_500
    state = step(state, moved, 4_000, RULES)
    assert (state.nudged, state.angle_deg) == (True, 2.0)
    state = step(state, still, 7_000, RULES)
    assert state.nudged
    assert not step(state, still, 11_000, RULES).nudged


def test_darkness_says_nothing_and_another_view_does_after_a_minute() -> None:
    state = NudgeState()
    for at_ms in range(0, 200_000, 3_000):
        state = step(state, None, at_ms, RULES)
    assert not state.nudged
    elsewhere = match(LANDMARKS, RNG.uniform(0, 0.56, (200, 2)), 75.0)
    assert elsewhere is not None
    assert elsewhere.moved < 0.16
    for at_ms in range(200_000, 260_000, 3_000):
        state = step(state, elsewhere, at_ms, RULES)
    assert not state.nudged
    assert step(state, elsewhere, 260_000, RULES).nudged


def test_too_few_corners_say_nothing() -> None:
    assert match(LANDMARKS[:5], LANDMARKS, 75.0) is None
    assert match(LANDMARKS, LANDMARKS[:5], 75.0) is None


def test_what_stands_still_is_learned() -> None:
    pictures = [of_now(LANDMARKS, seed, hidden=0.1, foreign=60) for seed in range(8)]
    learned = steady(pictures)
    apart = np.abs(learned[:, None] - LANDMARKS[None]).max(axis=2).min(axis=1)
    assert len(learned) > 120
    assert (apart < 0.004).mean() > 0.95
    assert len(steady([])) == 0
