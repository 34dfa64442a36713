"""How people move on the floor, as cameras see it that know directions better than distances."""

import math

import pytest

from vision.core import floor as floors
from vision.core.floor import Floor

AHEAD = (0.0, 1.0)


def test_a_place_is_known_better_across_the_line_of_sight() -> None:
    xx, xy, yy = floors.spread(0.4, AHEAD)
    assert (math.sqrt(xx), xy, math.sqrt(yy)) == pytest.approx((0.06, 0.0, 0.4))
    turned = floors.spread(0.4, (math.sqrt(0.5), math.sqrt(0.5)))
    assert turned[0] == pytest.approx(turned[2])
    assert turned[1] > 0
    assert floors.size(turned) == pytest.approx(floors.size((xx, xy, yy)))


def test_without_a_line_of_sight_it_is_alike_in_all_directions() -> None:
    assert floors.spread(0.4, None) == pytest.approx((0.16, 0.0, 0.16))


def test_what_is_seen_moves_the_place_only_where_it_is_known() -> None:
    stands = floors.begin((0.0, 2.0), floors.spread(0.2, None), 0)
    seen = floors.update(stands, (0.3, 2.3), floors.spread(2.0, AHEAD), 200)
    assert seen.x > 0.1
    assert seen.y == pytest.approx(2.0, abs=0.05)


def test_a_walk_is_learned_and_goes_on() -> None:
    walk = floors.begin((0.0, 2.0), floors.spread(0.1, AHEAD), 0)
    for step in range(1, 9):
        walk = floors.update(
            walk, (0.24 * step, 2.0 - 0.1 * step), floors.spread(0.1, AHEAD), 200 * step
        )
    assert (walk.vx, walk.vy) == pytest.approx((1.2, -0.5), abs=0.1)
    ahead = floors.predict(walk, 2_100)
    assert ahead.point == pytest.approx((2.52, 0.95), abs=0.1)
    assert floors.size(ahead.place) > floors.size(walk.place)


def test_nobody_walks_on_for_ever() -> None:
    walk = Floor(0.0, 0.0, 1.0, 0.0, (0.01, 0.0, 0.01), (0.0,) * 4, (0.01, 0.0, 0.01), 0)
    assert floors.predict(walk, 10_000).x == 1.5


def test_the_past_is_not_predicted() -> None:
    walk = floors.begin((1.0, 1.0), floors.spread(0.1, None), 1_000)
    assert floors.predict(walk, 500) == walk


def test_one_wild_place_is_not_believed() -> None:
    stands = floors.begin((0.0, 2.0), floors.spread(0.1, None), 0)
    for at_ms in range(200, 2_001, 200):
        stands = floors.update(stands, (0.0, 2.0), floors.spread(0.1, None), at_ms)
    wild = floors.update(stands, (4.0, 2.0), floors.spread(0.1, None), 2_200)
    assert wild.x < 0.6


def test_two_cameras_from_two_sides_place_somebody_well() -> None:
    one = ((0.0, 2.4), floors.spread(0.5, AHEAD))
    other = ((0.4, 2.0), floors.spread(0.5, (1.0, 0.0)))
    point, known = floors.together([one, other])
    assert point == pytest.approx((0.0, 2.0), abs=0.03)
    assert floors.sigma_m(known) < 0.08


@pytest.mark.parametrize("at_ms", [0, 200, 1_000, 30_000])
def test_covariances_stay_whole(at_ms: int) -> None:
    walk = floors.begin((0.0, 2.0), floors.spread(0.5, (0.6, 0.8)), 0)
    walk = floors.predict(walk, at_ms)
    walk = floors.update(walk, (0.1, 2.2), floors.spread(0.05, (0.8, -0.6)), at_ms + 1)
    for xx, xy, yy in (walk.place, walk.speed):
        assert xx >= 0
        assert yy >= 0
        assert xx * yy - xy * xy >= -1e-12
