"""Who is who: one to one, by time and place."""

import pytest

from infra.bench.truth.matching import Follower, assigned, nearest


def test_a_track_that_stays_near_is_its_shopper() -> None:
    follower = Follower()
    for at_ms in range(0, 3_000, 200):
        x = at_ms / 1000
        follower.step(at_ms, {"t": (x, 1.0), "u": (x, 5.0)}, {"ann": (x + 0.3, 1.0)})
    assert follower.matched() == {"t": "ann"}
    assert follower.switches == 0


def test_a_shopper_who_goes_on_under_another_track_is_a_switch() -> None:
    follower = Follower()
    for at_ms in range(0, 4_000, 200):
        track = "t" if at_ms < 1_000 else "u"
        follower.step(at_ms, {track: (1.0, 1.0)}, {"ann": (1.0, 1.0)})
    assert follower.switches == 1
    # One track alone, the one with the most time, is hers; the other one is nobody's.
    assert follower.matched() == {"u": "ann"}


def test_two_who_swap_their_tracks_are_two_switches() -> None:
    follower = Follower()
    for at_ms in range(0, 4_000, 200):
        t, u = ((0.0, 1.0), (3.0, 1.0)) if at_ms < 2_000 else ((3.0, 1.0), (0.0, 1.0))
        follower.step(at_ms, {"t": t, "u": u}, {"ann": (0.0, 1.0), "bob": (3.0, 1.0)})
    assert follower.switches == 2


def test_two_who_pass_each_other_keep_their_tracks() -> None:
    follower = Follower()
    for at_ms in range(0, 4_000, 100):
        x = at_ms / 1000
        ann, bob = (x, 1.0), (4.0 - x, 1.2)
        # At their meeting each track is nearer to the other shopper for a moment.
        follower.step(at_ms, {"t": (x + 0.2, 1.0), "u": (3.8 - x, 1.2)}, {"ann": ann, "bob": bob})
    assert follower.switches == 0
    assert follower.matched() == {"t": "ann", "u": "bob"}


def test_a_moment_together_makes_no_pair() -> None:
    follower = Follower()
    follower.step(0, {"t": (0.0, 0.0)}, {"ann": (0.0, 0.0)})
    follower.step(300, {"t": (0.0, 0.0)}, {"ann": (0.0, 0.0)})
    assert follower.matched() == {}


def test_who_is_out_of_reach_takes_nobody_away_from_another() -> None:
    assert nearest({"ann": (0.0, 0.0)}, {"t": (1.5, 0.0)}) == {}
    found = nearest({"ann": (0.0, 0.0), "bob": (0.9, 0.0)}, {"t": (0.8, 0.0), "u": (1.85, 0.0)})
    assert found == {"ann": "t", "bob": "u"}


@pytest.mark.parametrize(
    ("together", "pairs"),
    [
        ({}, {}),
        ({("t", "ann"): 500}, {"t": "ann"}),
        # The most time over all, even if one of them alone would have had more.
        ({("t", "ann"): 900, ("t", "bob"): 1_000, ("u", "bob"): 950}, {"t": "ann", "u": "bob"}),
        ({("t", "ann"): 900, ("u", "ann"): 1_000}, {"u": "ann"}),
    ],
)
def test_each_track_has_one_shopper_and_each_shopper_one_track(
    together: dict[tuple[str, str], int], pairs: dict[str, str]
) -> None:
    assert assigned(together) == pairs
