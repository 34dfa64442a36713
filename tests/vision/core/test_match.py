"""Tracks that go on under another name, and names that were exchanged."""

from dataclasses import replace

import numpy as np
import pytest

from vision.core import join, match
from vision.core.body import Body, Sight, Track, advance
from vision.core.match import assign
from vision.core.place import Place

NOTHING = np.zeros((17, 3), dtype=np.float32)


def seen(name: str, x: float, at_ms: int, top: float = 0.2, wide: float = 0.2) -> Sight:
    track = Track(name, (x, top, x + wide, 0.9), NOTHING, 0.9, at_ms)
    return Sight(track, at_ms)


def walked(name: str, x: float, speed: float, pictures: int = 6, **size: float) -> Body:
    """Somebody who walked until 1000 ms, with `speed` in picture widths a second."""
    body: Body | None = None
    for step in range(pictures):
        at_ms = 1_000 - 200 * (pictures - 1 - step)
        body = advance(body, seen(name, x - speed * (1_000 - at_ms) / 1_000, at_ms, **size), 0.0)
    assert body is not None
    return body


def test_known_tracks_keep_their_people() -> None:
    bodies = {"ann": walked("a", 0.1, 0.0), "ben": walked("b", 0.6, 0.0)}
    matches = assign(bodies, [seen("b", 0.6, 1200), seen("a", 0.1, 1200)], 1.0)
    assert (matches.people, matches.stitched) == (("ben", "ann"), 0)


@pytest.mark.parametrize(
    ("speed", "x", "back_ms", "same"),
    [
        (0.0, 0.32, 1_600, True),  # stood, and is found where they stood
        (0.3, 0.48, 1_600, True),  # walked on as they went
        (0.3, 0.12, 1_600, False),  # would have turned on the spot
        (0.0, 0.62, 1_200, False),  # nobody is that quick
        (0.0, 0.62, 2_400, False),  # nor may it be that far
    ],
)
def test_a_lost_person_goes_on_where_the_way_led(
    speed: float, x: float, back_ms: int, same: bool
) -> None:
    matches = assign({"ann": walked("a", 0.3, speed)}, [seen("new", x, back_ms)], 1.0)
    assert matches.people == ("ann" if same else None,)
    assert matches.stitched == int(same)


def test_only_what_the_tracker_had_followed_under_another_name_is_stitched() -> None:
    """A detection that the tracker gives to nobody, at first or in between, is no track."""
    loose = seen("x", 0.3, 1_000)
    first = advance(None, Sight(replace(loose.track, sure=False), 1_000), 0.0)
    assert assign({"ann": first}, [seen("a", 0.3, 1_200)], 1.0) == match.Matches(("ann",), 0)
    between = advance(walked("a", 0.3, 0.0), Sight(replace(loose.track, sure=False), 1_200), 0.0)
    assert assign({"ann": between}, [seen("a", 0.3, 1_400)], 1.0).stitched == 0
    assert assign({"ann": between}, [seen("b", 0.3, 1_400)], 1.0).stitched == 1


def test_who_walked_out_of_the_picture_is_not_who_comes_in_there() -> None:
    gone = walked("a", 0.82, 0.5)
    assert assign({"ann": gone}, [seen("new", 0.8, 1_400)], 1.0).people == (None,)


def test_two_lost_people_are_told_apart_together() -> None:
    bodies = {"ann": walked("a", 0.3, 0.0), "ben": walked("b", 0.45, 0.0)}
    matches = assign(bodies, [seen("c", 0.44, 1_600), seen("d", 0.36, 1_600)], 1.0)
    assert (matches.people, matches.stitched) == (("ben", "ann"), 2)


def test_somebody_of_another_size_is_not_taken_first() -> None:
    bodies = {
        "child": walked("a", 0.4, 0.0, top=0.55),
        "tall": walked("b", 0.42, 0.0, top=0.2),
    }
    matches = assign(bodies, [seen("c", 0.41, 1_400, top=0.54)], 1.0)
    assert matches.people == ("child",)


def test_names_that_were_exchanged_at_a_crossing_are_given_back() -> None:
    """Two walk towards each other; where they meet the tracker exchanges their names."""
    bodies = {"ann": walked("a", 0.42, 0.5), "ben": walked("b", 0.58, -0.5)}
    crossed = [seen("a", 0.38, 1_400), seen("b", 0.62, 1_400)]
    matches = assign(bodies, crossed, 1.0)
    assert (matches.people, matches.stitched) == (("ben", "ann"), 2)


def test_who_turns_round_before_the_other_keeps_the_name() -> None:
    bodies = {"ann": walked("a", 0.42, 0.25), "ben": walked("b", 0.58, -0.25)}
    turned = [seen("a", 0.43, 1_200), seen("b", 0.57, 1_200)]
    matches = assign(bodies, turned, 1.0)
    assert (matches.people, matches.stitched) == (("ann", "ben"), 0)


def placed(sight: Sight, x_m: float, y_m: float) -> Sight:
    return Sight(sight.track, sight.at_ms, Place((x_m, y_m), 0.1, sight.at_ms))


def stood(name: str, x: float, x_m: float, y_m: float) -> Body:
    body: Body | None = None
    for at_ms in range(0, 1_001, 200):
        body = advance(body, placed(seen(name, x, at_ms), x_m, y_m), 0.0)
    assert body is not None
    return body


def test_a_name_that_jumps_to_somebody_else_begins_a_new_person() -> None:
    """One steps before another, whom the tracker then takes for the first."""
    bodies = {"ann": stood("a", 0.4, 2.0, 3.0)}
    nearer = placed(seen("a", 0.5, 1_200), 2.4, 1.5)
    assert assign(bodies, [nearer], 1.0).people == (None,)
    same = placed(seen("a", 0.42, 1_200), 2.1, 2.9)
    assert assign(bodies, [same], 1.0).people == ("ann",)


def test_two_behind_each_other_are_told_apart_by_their_places() -> None:
    """In the picture they are one above the other; on the floor they are 1.2 m apart."""
    bodies = {"near": stood("a", 0.4, 2.0, 1.6), "far": stood("b", 0.42, 2.0, 2.8)}
    sights = [
        placed(seen("a", 0.42, 1_200), 2.0, 2.8),
        placed(seen("b", 0.4, 1_200), 2.0, 1.6),
    ]
    assert assign(bodies, sights, 1.0).people == ("far", "near")


def test_who_walked_out_of_one_view_goes_on_in_another() -> None:
    elsewhere = {"ann": [stood("a", 0.9, 2.0, 1.5)]}
    here = placed(seen("new", 0.1, 1_600), 2.1, 1.5)
    assert assign({}, [here], 1.0, elsewhere=elsewhere).people == ("ann",)
    beyond = placed(seen("new", 0.1, 1_600), 3.6, 1.5)
    assert assign({}, [beyond], 1.0, elsewhere=elsewhere).people == (None,)


def test_who_is_hidden_from_the_waist_on_is_still_the_same() -> None:
    bodies = {"ann": walked("a", 0.4, 0.0), "ben": walked("b", 0.7, 0.0)}
    half = Track("new", (0.4, 0.2, 0.6, 0.45), NOTHING, 0.5, 1_200)
    assert assign(bodies, [Sight(half, 1_200)], 1.0).people == ("ann",)


def test_whom_another_camera_sees_is_known_here_at_once() -> None:
    elsewhere = {"ann": [stood("a", 0.9, 2.0, 1.5)], "ben": [stood("b", 0.5, 0.5, 1.5)]}
    here = placed(seen("new", 0.3, 1_100), 2.05, 1.55)
    assert assign({}, [here], 1.0, elsewhere).people == ("ann",)


def test_a_vague_place_tells_nobody_apart() -> None:
    elsewhere = {"ann": [stood("a", 0.9, 2.0, 1.5)]}
    sight = seen("new", 0.3, 1_100)
    vague = Sight(sight.track, sight.at_ms, Place((2.0, 1.6), 0.9, sight.at_ms))
    assert assign({}, [vague], 1.0, elsewhere).people == (None,)


def test_leaving_out_who_is_away_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortcuts of a large area against all pairs looked at, on random people and sights."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(60):
        at_ms = int(rng.integers(1_050, 3_500))
        elsewhere = {
            str(n): [stood(f"t{n}", 0.5, *rng.uniform(0.0, 5.0, 2).tolist())] for n in range(6)
        }
        sights = [
            placed(seen(f"new{n}", float(rng.uniform(0.0, 0.8)), at_ms), *rng.uniform(0, 5, 2))
            for n in range(3)
        ]
        bodies = {str(n): advance(None, sight, 0.0) for n, sight in enumerate(sights, 10)}
        for shortcut in (True, False):
            with monkeypatch.context() as patched:
                if not shortcut:
                    patched.setattr(match, "_is_away", lambda *_: False)
                    patched.setattr(join, "_is_far", lambda *_: False)
                known = join.compare({}, bodies, elsewhere, lambda *_: False, at_ms)
                found.append((assign({}, sights, 1.0, elsewhere), known))
    assert found[::2] == found[1::2]
    assert {name for matches, _ in found for name in matches.people} > {None}
    assert any(known for _, known in found)
