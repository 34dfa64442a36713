"""The score of hand-made cases, whose figures are known beforehand."""

import pytest

from infra.bench.truth import figures
from infra.bench.truth.facts import Shopper, Span, Told, ToldGaze
from infra.bench.truth.reliability import expected_error, reliability
from infra.bench.truth.score import Outcome, Sample, attention_errors, compare, dwell_errors

BUSY = {"density": "busy", "kind": "adult"}


def shopper(name: str, *, stay_ms: int = 0, look_ms: int = 0, target: str = "tea") -> Shopper:
    return Shopper(
        name,
        BUSY,
        {target: stay_ms} if stay_ms else {},
        {target: look_ms} if look_ms else {},
        {target: (Span(1_000, 1_000 + look_ms),)} if look_ms else {},
        frozenset(),
    )


def told(name: str, *, stay_ms: int = 0, attention_ms: int = 0, target: str = "tea") -> Told:
    gazes = {"g": ToldGaze(target, 1_100, 1_400, attention_ms)} if attention_ms else {}
    dwells = {"d": (target, Span(0, stay_ms))} if stay_ms else {}
    return Told(name, gazes, dwells, set())


def scored(*cases: tuple[Shopper | None, Told | None]) -> Outcome:
    """Cases of who goes with whom."""
    return compare(
        [s for s, _ in cases if s is not None],
        {t.track_id: t for _, t in cases if t is not None},
        {t.track_id: s.shopper_id for s, t in cases if s is not None and t is not None},
        {"density": "busy"},
    )


def test_nothing_wrong() -> None:
    outcome = scored(
        (shopper("ann", stay_ms=4_000, look_ms=2_000), told("t", stay_ms=4_000, attention_ms=2_000))
    )
    assert figures.watchers(outcome.pairs).recall == 1.0
    assert figures.watchers(outcome.pairs).precision == 1.0
    assert dwell_errors(outcome.pairs) == [0.0]
    assert attention_errors(outcome.pairs) == [0.0]
    assert [glance.told_after_ms for glance in outcome.glances] == [400]


def test_errors_are_relative_and_a_miss_is_one() -> None:
    outcome = scored(
        (
            shopper("ann", stay_ms=4_000, look_ms=2_000),
            told("t", stay_ms=3_000, attention_ms=3_000),
        ),
        (shopper("bob", stay_ms=4_000, look_ms=2_000), told("u")),
        (shopper("eve", stay_ms=4_000, look_ms=2_000), None),
    )
    assert dwell_errors(outcome.pairs) == [0.25, 1.0, 1.0]
    assert attention_errors(outcome.pairs) == [0.5, 1.0, 1.0]
    found = figures.errors(dwell_errors(outcome.pairs))
    assert (found.p50, found.p90, found.count, found.missed) == (1.0, 1.0, 3, 0.6667)
    assert outcome.unmatched_shoppers == 1
    assert figures.watchers(outcome.pairs).recall == 0.3333
    assert figures.dwell_bias(outcome) == -0.25


def test_a_watcher_of_another_zone_is_both_missed_and_too_many() -> None:
    outcome = scored(
        (shopper("ann", look_ms=2_000), told("t", attention_ms=2_000, target="coffee"))
    )
    found = figures.watchers(outcome.pairs)
    assert (found.recall, found.precision) == (0.0, 0.0)
    # Of anything at all she is a watcher.
    anything = figures.watchers_of_anything(outcome)
    assert (anything.recall, anything.precision) == (1.0, 1.0)


def test_a_track_that_is_nobodys_is_a_watcher_too_many() -> None:
    outcome = scored(
        (shopper("ann", look_ms=2_000), told("t", attention_ms=2_000)),
        (None, told("ghost", attention_ms=500, stay_ms=2_000)),
    )
    found = figures.watchers(outcome.pairs)
    assert (found.recall, found.precision) == (1.0, 0.5)
    assert outcome.unmatched_tracks == 1
    # It has no truth, so it makes no error of time.
    assert dwell_errors(outcome.pairs) == []


def test_staff_that_is_told_of_is_too_many() -> None:
    staff = Shopper("sam", BUSY, {}, {}, {}, frozenset(), staff=True)
    outcome = scored((staff, told("t", attention_ms=500)))
    assert figures.watchers(outcome.pairs).precision == 0.0
    assert outcome.shoppers == []


def test_opportunities_are_counted() -> None:
    one = Shopper("ann", BUSY, {}, {}, {}, frozenset({"tea", "coffee", "screen"}))
    outcome = scored((one, Told("t", opportunities={"tea", "screen"})))
    assert figures.ots_error(outcome) == 0.3333


def test_each_gaze_tells_one_look() -> None:
    looks = {"tea": (Span(1_000, 2_000), Span(5_000, 6_000), Span(9_000, 10_000))}
    one = Shopper("ann", BUSY, {}, {"tea": 3_000}, looks, frozenset())
    track = Told(
        "t",
        gazes={
            "early": ToldGaze("tea", 400, 900, 100),
            "first": ToldGaze("tea", 1_100, 1_500, 100),
            "again": ToldGaze("tea", 1_700, 1_900, 100),
            "late": ToldGaze("tea", 9_700, 10_100, 100),
        },
    )
    assert [g.told_after_ms for g in scored((one, track)).glances] == [500, None, 1_100]


def sample(at: str | None, fixating: bool = True, far: str = "2.0 m", **said: float) -> Sample:
    return Sample({"distance": far}, at, said or None, fixating)


def test_zones_named_and_right() -> None:
    found = figures.zones(
        [
            sample("tea", tea=0.9, coffee=0.1),
            sample("tea", tea=0.1, coffee=0.85),
            sample("tea", tea=0.6, coffee=0.4),
            sample("tea"),
            sample("tea", far="1.0 m", tea=0.8),
            sample(None, fixating=False, tea=0.2),
        ]
    )
    assert found.share_named == {"1.0": 1.0, "2.0": 0.5, "3.0": None}
    assert found.right_when_named == {"1.0": 1.0, "2.0": 0.5, "3.0": None}
    assert found.right == {"1.0": 1.0, "2.0": 0.5, "3.0": None}
    assert found.right_overall == 0.6
    assert found.face_found == 0.8
    assert found.pictures == {"1.0": 1, "2.0": 4, "3.0": 0}
    # Said .9 .85 .6 .8 .2, right 1 0 1 1 0: bins of .2, .6, two of .8 and one of .9.
    assert found.ece == pytest.approx((0.2 + 0.4 + 2 * abs(0.825 - 0.5) + 0.1) / 5)


def test_probabilities_that_are_what_they_say_have_no_error() -> None:
    said = [0.75] * 4 + [0.25] * 4
    right = [True, True, True, False, True, False, False, False]
    assert expected_error(reliability(said, right)) == 0.0
    assert expected_error(reliability([0.95, 1.0], [False, False])) == 0.975
    assert expected_error([]) is None


def test_groups_hold_their_own_shoppers_alone() -> None:
    traits = {"density": "busy", "kind": "child"}
    child = Shopper("kim", traits, {}, {"tea": 900}, {"tea": (Span(0, 900),)}, frozenset())
    outcome = scored((shopper("ann", look_ms=900), told("t", attention_ms=900)), (child, None))
    groups = figures.by_group(outcome)["kind"]
    assert groups["adult"].watchers.recall == 1.0
    assert groups["child"].watchers.recall == 0.0
    assert (groups["adult"].shoppers, groups["child"].shoppers) == (1, 1)


def test_runs_are_put_together() -> None:
    one = scored((shopper("ann", look_ms=900), told("t", attention_ms=900)))
    other = scored((shopper("ann", look_ms=900), None))
    one.switches, one.minutes, other.minutes = 2, 10.0, 20.0
    both = one + other
    assert figures.an_hour(both) == 4.0
    assert figures.watchers(both.pairs).recall == 0.5
