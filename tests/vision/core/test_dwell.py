"""The state machine of stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.dwell import (
    DwellBegan,
    Sighting,
    StaffFound,
    Stay,
    StayEvent,
    StayOver,
    StayRules,
    close,
    expire,
    step,
)

RULES = StayRules(min_dwell_ms=1_000, gap_ms=500, staff_limit_ms=10_000)


def walk(sightings: list[Sighting], rules: StayRules = RULES) -> list[StayEvent]:
    """All that a row of detections tells, with the end censored."""
    stay: Stay | None = None
    told: list[StayEvent] = []
    for sighting in sightings:
        stay, events = step(stay, sighting, rules)
        told.extend(events)
    return [*told, *close(stay)]


def row(*times: int, sees: bool = False) -> list[Sighting]:
    return [Sighting(at, True, sees) for at in times]


@pytest.mark.parametrize(
    ("times", "kinds", "stays"),
    [
        ((0,), ["StayOver"], [(0, 0)]),
        ((0, 500, 1000), ["DwellBegan", "StayOver"], [(0, 1000)]),  # a gap equal to the window
        ((0, 500, 1001), ["StayOver", "StayOver"], [(0, 500), (1001, 1001)]),  # one above it
        ((0, 400, 800, 999), ["StayOver"], [(0, 999)]),  # just short of the minimum
        ((0, 400, 400, 400, 300, 0), ["StayOver"], [(0, 400)]),  # repeated and late ones
    ],
)
def test_stays(times: tuple[int, ...], kinds: list[str], stays: list[tuple[int, int]]) -> None:
    told = walk(row(*times))
    assert [type(event).__name__ for event in told] == kinds
    over = [e.stay for e in told if isinstance(e, StayOver)]
    assert [(stay.entered_at_ms, stay.seen_at_ms) for stay in over] == stays


def test_only_the_end_that_was_not_seen_is_censored() -> None:
    told = [e for e in walk(row(0, 400, 2000)) if isinstance(e, StayOver)]
    assert [event.censored for event in told] == [False, True]


def test_leaving_the_zone_ends_the_stay_after_the_gap_window() -> None:
    stay, _ = step(None, Sighting(0, True), RULES)
    stay, events = step(stay, Sighting(500, False), RULES)
    assert (stay is not None, events) == (True, ())
    stay, events = step(stay, Sighting(501, False), RULES)
    assert stay is None
    assert isinstance(events[0], StayOver)
    assert events[0].stay.seen_at_ms == 0


def test_expiry_without_detections() -> None:
    stay, _ = step(None, Sighting(0, True), RULES)
    assert expire(stay, 500, RULES) == (stay, ())
    assert expire(stay, 501, RULES)[0] is None
    assert expire(None, 501, RULES) == (None, ())


def test_staff_is_found_once_and_marked() -> None:
    told = walk(row(*range(0, 12_001, 400)))
    assert [type(e).__name__ for e in told] == ["DwellBegan", "StaffFound", "StayOver"]
    assert isinstance(told[1], StaffFound)
    assert isinstance(told[2], StayOver)
    assert told[2].stay.staff


def test_screens_tell_no_dwell() -> None:
    rules = StayRules(0, 500, 10_000, tells_dwell=False)
    assert [type(e) for e in walk(row(0, 400), rules)] == [StayOver]


def test_opportunity_counts_from_a_sighting_that_sees() -> None:
    told = walk([Sighting(0, True, True), Sighting(300, True, False), Sighting(600, True, True)])
    assert isinstance(told[-1], StayOver)
    assert told[-1].stay.opportunity_ms == 300


@given(
    st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.booleans()), max_size=80),
    st.integers(1, 3),
)
def test_whatever_comes_the_stays_are_sound(
    raw: list[tuple[int, bool, bool]], repeats: int
) -> None:
    """Gaps, repeats and misses: stays are disjoint, in order, made of detections; each dwell
    begins before it is over, once."""
    at_ms, sightings = 0, []
    for wait_ms, inside, sees in raw:
        at_ms += wait_ms
        sightings.extend([Sighting(at_ms, inside, sees)] * repeats)
    told = walk(sightings)
    seen = {s.at_ms for s in sightings if s.inside}
    last = -1
    dwelling = False
    for event in told:
        stay = event.stay
        assert stay.entered_at_ms <= stay.seen_at_ms
        assert stay.opportunity_ms <= stay.seen_at_ms - stay.entered_at_ms
        assert {stay.entered_at_ms, stay.seen_at_ms} <= seen
        assert stay.entered_at_ms > last
        if isinstance(event, DwellBegan):
            assert not dwelling
            dwelling = True
        if isinstance(event, StayOver):
            length_ms = stay.seen_at_ms - stay.entered_at_ms
            assert stay.dwelling is dwelling
            assert not stay.dwelling or length_ms >= RULES.min_dwell_ms
            assert stay.staff is (length_ms > RULES.staff_limit_ms)
            last, dwelling = stay.seen_at_ms, False


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=80, unique=True))
def test_in_order_the_stays_are_the_runs_without_a_gap(times: list[int]) -> None:
    times.sort()
    runs: list[list[int]] = []
    for at in times:
        if runs and at - runs[-1][-1] <= RULES.gap_ms:
            runs[-1].append(at)
        else:
            runs.append([at])
    over = [e.stay for e in walk(row(*times)) if isinstance(e, StayOver)]
    assert [(s.entered_at_ms, s.seen_at_ms) for s in over] == [(r[0], r[-1]) for r in runs]
