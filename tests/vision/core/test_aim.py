"""What is looked at, picture after picture."""

import math

import numpy as np
import pytest

from vision.core import aim
from vision.core.aim import Bearing, Belief, Goals, believe, goals_of
from vision.core.gaze import Direction, corners_of

NAMES = ("tea", "coffee", "top")


@pytest.fixture
def goals() -> Goals:
    """Two zones side by side, and a screen above the first."""
    return goals_of(
        (
            ("tea", corners_of((0.0, 0.5, 0.8, 1.7))),
            ("coffee", corners_of((0.8, 0.5, 1.6, 1.7))),
            ("top", corners_of((0.0, 1.85, 0.8, 2.4))),
        )
    )


def bearing(
    yaw_deg: float,
    at_ms: int = 0,
    *,
    x: float = 0.8,
    pitch_deg: float = -6.0,
    sigma_deg: float = 3.0,
    velocity: tuple[float, float] = (0.0, 0.0),
) -> Bearing:
    """A head 2 m before the shelf."""
    return Bearing(
        (x, 2.0, 1.6), Direction(yaw_deg, pitch_deg, sigma_deg, 3.0, at_ms), 0.0, velocity
    )


def test_all_odds_and_nothing_are_one(goals: Goals) -> None:
    belief = believe(None, bearing(3.0), goals, 6.0)
    assert set(belief.odds) == set(NAMES)
    assert 0.0 < sum(belief.odds.values()) < 1.0
    assert belief.carried.sum() == pytest.approx(1.0)


def test_the_side_and_the_height_of_the_head_tell_the_target(goals: Goals) -> None:
    # Who looks at the shelf has +x to the left of its viewers, so a yaw + is towards + x.
    right = believe(None, bearing(9.0), goals, 6.0).odds
    left = believe(None, bearing(-9.0), goals, 6.0).odds
    up = believe(None, bearing(-5.0, pitch_deg=6.0), goals, 6.0).odds
    assert max(right, key=right.__getitem__) == "coffee"
    assert max(left, key=left.__getitem__) == "tea"
    assert max(up, key=up.__getitem__) == "top"


def test_a_steady_head_makes_sure_and_a_turn_lets_go(goals: Goals) -> None:
    belief: Belief | None = None
    sure = []
    for number in range(5):
        belief = believe(belief, bearing(9.0, 200 * number), goals, 6.0)
        sure.append(belief.odds["coffee"])
    assert sure == sorted(sure)
    assert sure[-1] > sure[0] + 0.05
    turned = believe(belief, bearing(-12.0, 1_000), goals, 6.0)
    assert turned.odds["tea"] > 0.5 > turned.odds["coffee"]


def test_what_was_long_ago_says_nothing(goals: Goals) -> None:
    before = believe(None, bearing(-9.0, 0), goals, 6.0)
    alone = believe(None, bearing(9.0, 60_000), goals, 6.0)
    after = believe(before, bearing(9.0, 60_000), goals, 6.0)
    assert after.odds == pytest.approx(alone.odds, abs=1e-6)


def test_a_walker_looks_further_out_than_the_head_points(goals: Goals) -> None:
    """Along the shelf, the head half turned to it: the eyes go on to what is abreast."""
    far = goals_of(
        tuple((f"zone-{n}", corners_of((0.8 * n, 0.5, 0.8 * (n + 1), 1.7))) for n in range(6))
    )
    walker = bearing(45.0, x=1.0, velocity=(1.2, 0.0))
    odds = believe(None, walker, far, 6.0).odds
    middle = sum(odds[f"zone-{n}"] * (0.8 * n + 0.4) for n in range(6)) / sum(odds.values())
    along_head_m = 1.0 + 2.0 * math.tan(math.radians(45.0))
    assert middle < along_head_m - 0.3


def test_eyes_that_do_not_stray_leave_the_head_where_it_points(goals: Goals) -> None:
    pitch = math.degrees(math.atan2(1.1 - 1.6, 2.0))
    odds = believe(None, bearing(12.0, pitch_deg=pitch), goals, 0.5).odds
    assert odds["coffee"] > 0.9


def test_from_behind_nothing_is_seen(goals: Goals) -> None:
    behind = Bearing((0.8, -1.0, 1.6), Direction(180.0, 0.0, 3.0, 3.0, 0))
    assert believe(None, behind, goals, 6.0).odds == dict.fromkeys(NAMES, 0.0)


def test_a_head_that_nothing_explains_looks_at_nothing(goals: Goals) -> None:
    straight_up = Bearing((0.8, 2.0, 1.6), Direction(0.0, 89.0, 0.1, 0.1, 0))
    belief = believe(None, straight_up, goals, 0.1)
    assert all(value == 0.0 for value in belief.odds.values())
    assert np.isfinite(belief.carried).all()


def test_targets_may_come_and_go(goals: Goals) -> None:
    before = believe(None, bearing(9.0, 0), goals, 6.0)
    fewer = goals_of((("tea", corners_of((0.0, 0.5, 0.8, 1.7))),))
    after = believe(before, bearing(9.0, 200), fewer, 6.0)
    assert set(after.odds) == {"tea"}
    assert 0.0 <= after.odds["tea"] <= 1.0
    back = believe(after, bearing(9.0, 400), goals, 6.0)
    assert set(back.odds) == set(NAMES)
    assert back.odds["coffee"] > 0.0


def test_a_head_that_is_measured_badly_is_believed_less(
    goals: Goals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odds(sigma_deg: float) -> dict[str, float]:
        return dict(believe(None, bearing(9.0, sigma_deg=sigma_deg), goals, 6.0).odds)

    well, badly = odds(3.0), odds(9.0)
    monkeypatch.setattr(aim, "_SOFTEN", ((0.0,), (0.9,)))
    assert odds(3.0) == well
    before = odds(9.0)
    # Pulled together: the most probable is less so, the least more, and none overtakes another.
    order = sorted(before, key=before.__getitem__)
    assert sorted(badly, key=badly.__getitem__) == order
    assert badly[order[-1]] < before[order[-1]]
    assert badly[order[0]] > before[order[0]]
