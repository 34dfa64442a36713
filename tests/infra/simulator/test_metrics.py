"""What is true of each shopper and target, by the definitions."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infra.simulator.crowd
from infra.layouts import load_layout
from infra.simulator.crowd import Crowd
from infra.simulator.metrics import MetricRules, ShopperTarget, rules_of, true_metrics
from infra.simulator.truth import TrueCrossing, TrueGaze, TrueStay, TrueVisit, Truth
from infra.simulator.witness import crowd_truth
from vision.core.geometry import contains
from vision.core.targets import SceneRules

START_MS = 1_700_000_000_000
LAYOUT = load_layout(Path(infra.simulator.crowd.__file__).with_name("aisle.yaml"))
RULES = {"tea": MetricRules(2_000, 1_500, 300, 700, 60_000)}
RULES["coffee"] = RULES["tea"]

Span = tuple[int, int]


def of_tea(stays: list[Span], gazes: list[Span], *more: Truth, area: bool = False) -> ShopperTarget:
    lines: list[Truth] = [
        TrueVisit(person_id="a", entered_at_ms=0, left_at_ms=99_000, staff_area=area),
        *more,
    ]
    lines += [
        TrueStay(
            person_id="a",
            target_id="tea",
            target_kind="zone",
            entered_at_ms=begin,
            left_at_ms=end,
            opportunity_ms=10,
        )
        for begin, end in stays
    ]
    lines += [gaze("tea", begin, end) for begin, end in gazes]
    return next(v for v in true_metrics(lines, RULES) if v.target_id == "tea")


def gaze(target: str, begin: int, end: int) -> TrueGaze:
    return TrueGaze(
        person_id="a", target_id=target, target_kind="zone", started_at_ms=begin, ended_at_ms=end
    )


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([(0, 1_900)], [(0, 1_900, False)]),
        ([(0, 2_000)], [(0, 2_000, True)]),
        ([(0, 1_000), (2_500, 4_000)], [(0, 4_000, True)]),  # within the gap window
        ([(0, 1_000), (2_501, 4_000)], [(0, 1_000, False), (2_501, 4_000, False)]),
    ],
)
def test_stays_hold_within_the_gap_window(
    stays: list[Span], expected: list[tuple[int, int, bool]]
) -> None:
    found = of_tea(stays, []).stays
    assert [(s.entered_at_ms, s.left_at_ms, s.dwell) for s in found] == expected


@pytest.mark.parametrize(
    ("gazes", "expected"),
    [
        ([(100, 399)], []),  # no fixation
        ([(100, 400)], [(100, 400, 300)]),
        ([(100, 300), (900, 1_100)], [(100, 1_100, 400)]),  # away for less than the gap
        ([(100, 600), (1_400, 1_900)], [(100, 600, 500), (1_400, 1_900, 500)]),
        ([(4_800, 6_000)], []),  # only 200 ms of it present
        ([(4_000, 6_000)], [(4_000, 5_000, 1_000)]),
    ],
)
def test_gazes_need_fixation_and_presence(
    gazes: list[Span], expected: list[tuple[int, int, int]]
) -> None:
    value = of_tea([(0, 5_000)], gazes)
    found = [(g.started_at_ms, g.ended_at_ms, g.attention_ms) for g in value.gazes]
    assert found == expected
    assert value.watcher == bool(expected)
    assert value.dwell_time_ms == (5_000 if expected else 0)


def test_a_gaze_on_another_target_ends_one() -> None:
    here = TrueStay(
        person_id="a", target_id="coffee", target_kind="zone", entered_at_ms=0, left_at_ms=5_000
    )
    value = of_tea([(0, 5_000)], [(0, 1_000), (1_500, 2_500)], here, gaze("coffee", 1_050, 1_450))
    assert [g.attention_ms for g in value.gazes] == [1_000, 1_000]


@pytest.mark.parametrize(("stays", "area"), [([(0, 60_001)], False), ([(0, 5_000)], True)])
def test_staff_are_excluded_from_all_but_presence(stays: list[Span], area: bool) -> None:
    value = of_tea(stays, [(0, 1_000)], area=area)
    assert value.staff
    assert value.presence_ms > 0
    assert not value.watcher
    assert not value.opportunity
    assert not any(stay.dwell for stay in value.stays)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_attention_dwell_and_presence_of_a_crowd(seed: int) -> None:
    crowd = Crowd(LAYOUT, seed, START_MS, "busy")
    end_ms = START_MS + 45_000
    lines = list(crowd_truth(crowd, START_MS, end_ms))
    values = true_metrics(lines, rules_of(LAYOUT, SceneRules()))
    assert values
    for value in values:
        assert value.attention_ms <= value.dwell_time_ms <= value.presence_ms
        for stay in value.stays:
            assert stay.attention_ms <= stay.presence_ms
            assert stay.opportunity_ms <= stay.presence_ms
            assert value.visit.entered_at_ms <= stay.entered_at_ms
            assert stay.left_at_ms <= value.visit.left_at_ms <= end_ms
        for one in value.gazes:
            assert one.attention_ms <= one.ended_at_ms - one.started_at_ms


def test_stays_and_crossings_are_where_people_are() -> None:
    crowd = Crowd(LAYOUT, 2, START_MS, "normal")
    people = {g.person_id: g for g in crowd.guests(START_MS, START_MS + 300_000)}
    floors = dict(crowd.aisle.floors)
    lines = list(crowd_truth(crowd, START_MS, START_MS + 300_000))
    stays = [line for line in lines if isinstance(line, TrueStay)]
    assert {stay.target_kind for stay in stays} == {"zone", "screen"}
    for stay in stays:
        middle = people[stay.person_id].place((stay.entered_at_ms + stay.left_at_ms) / 2)
        if stay.left_at_ms - stay.entered_at_ms > 200:
            assert contains(floors[stay.target_id], middle)
    crossings = [line for line in lines if isinstance(line, TrueCrossing)]
    assert {line.direction for line in crossings} == {"in", "out"}
    for line in crossings:
        before = people[line.person_id].place(line.crossed_at_ms - 100)[1]
        after = people[line.person_id].place(line.crossed_at_ms + 100)[1]
        assert (before > 3.8 > after) == (line.direction == "in")
