"""The script is the same for the same seed, at any time, and its truth is consistent."""

import itertools
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import infra.simulator.scenario
from infra.simulator.errors import StageError, TruthFileError
from infra.simulator.people import angles_towards, facing
from infra.simulator.scenario import VISIT_EVERY_MS, Scenario
from infra.simulator.truth import (
    TrueGaze,
    TrueRun,
    TrueStay,
    TrueVisit,
    TruthWriter,
    read_truth,
    truth_of,
)
from infra.simulator.visit import Visit
from streams.contracts.layout import StoreLayout
from vision.core.geometry import contains, meet_shelf

START_MS = 1_700_000_000_000
LAYOUT_FILE = Path(infra.simulator.scenario.__file__).with_name("store.yaml")

seeds = st.integers(0, 2**31)


def layout() -> StoreLayout:
    return msgspec.convert(yaml.safe_load(LAYOUT_FILE.read_text()), StoreLayout)


def visits(scenario: Scenario, count: int = 5) -> list[Visit]:
    return [visit for n in range(count) if (visit := scenario.visit(n)) is not None]


@settings(max_examples=12, deadline=None)
@given(seed=seeds, offsets=st.lists(st.integers(0, 200_000), min_size=1, max_size=8))
def test_any_time_in_any_order_gives_the_same_people(seed: int, offsets: list[int]) -> None:
    one, other = Scenario(layout(), seed, START_MS), Scenario(layout(), seed, START_MS)
    forwards = {at: one.people(START_MS + at) for at in sorted(offsets)}
    backwards = {at: other.people(START_MS + at) for at in sorted(offsets, reverse=True)}
    assert forwards == backwards


def test_other_seeds_are_other_scripts() -> None:
    first = Scenario(layout(), 1, START_MS).visit(0)
    assert first != Scenario(layout(), 2, START_MS).visit(0)


@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_one_or_two_shoppers_and_no_visit_is_cut_short(seed: int) -> None:
    scenario = Scenario(layout(), seed, START_MS)
    for visit in visits(scenario):
        assert visit.leave_ms - visit.enter_ms < 2 * VISIT_EVERY_MS
    for at in range(0, 5 * VISIT_EVERY_MS, 500):
        assert len(scenario.people(START_MS + at)) <= 2


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_somebody_is_in_the_picture_within_three_seconds(seed: int) -> None:
    scenario = Scenario(layout(), seed, START_MS)
    (person,) = scenario.people(START_MS + 2_000)
    left, right = scenario.stage.reach(person.y_m)
    assert left < person.x_m < right


def test_a_glance_begins_every_three_to_six_seconds() -> None:
    scenario = Scenario(layout(), 7, START_MS)
    begins = sorted(g.from_ms for v in visits(scenario, 200) for g in v.gazes)
    mean_ms = (begins[-1] - begins[0]) / (len(begins) - 1)
    assert 3_000 <= mean_ms <= 6_000


@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_gazes_lie_in_the_visit_do_not_overlap_and_hit_their_target(seed: int) -> None:
    scenario = Scenario(layout(), seed, START_MS)
    faces = {t.target_id: t.face for t in (*scenario.stage.zones, *scenario.stage.screens)}
    for visit in visits(scenario):
        last_ms = visit.enter_ms
        assert visit.gazes
        for gaze in visit.gazes:
            assert last_ms < gaze.from_ms < gaze.to_ms <= visit.leave_ms
            last_ms = gaze.to_ms
            person = visit.person((gaze.from_ms + gaze.to_ms) // 2)
            assert person.target_id == gaze.target_id
            place = (person.x_m, person.y_m, person.eyes_m)
            hit = meet_shelf(place, facing(person.head_yaw_deg, person.head_pitch_deg))
            assert hit is not None
            x0, z0, x1, z1 = faces[str(gaze.target_id)]
            assert x0 < hit[0] < x1
            assert z0 < hit[1] < z1


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_stays_are_where_the_shopper_stands(seed: int) -> None:
    scenario = Scenario(layout(), seed, START_MS)
    floors = dict(scenario.stage.floors)
    for visit in visits(scenario, 3):
        stays = scenario.stays(visit)
        assert stays
        for stay in stays:
            assert visit.enter_ms <= stay.from_ms < stay.to_ms <= visit.leave_ms
            middle = visit.place((stay.from_ms + stay.to_ms) // 2)
            assert contains(floors[stay.target_id], middle)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_heads_turn_smoothly_and_shoppers_do_not_jump(seed: int) -> None:
    (visit,) = visits(Scenario(layout(), seed, START_MS), 1)
    before = visit.person(visit.enter_ms)
    for at in range(visit.enter_ms + 20, visit.leave_ms, 20):
        now = visit.person(at)
        # 150 degrees in 300 ms, at the steepest 1.5 times the mean: 15 degrees in 20 ms.
        assert abs(now.head_yaw_deg - before.head_yaw_deg) <= 16.0
        assert abs(now.x_m - before.x_m) <= 0.05
        before = now


@pytest.mark.parametrize("aim", [(0.0, 0.0, 1.0), (2.5, 0.0, 2.2), (1.0, 0.0, 1.5)])
def test_angles_and_facing_are_inverse(aim: tuple[float, float, float]) -> None:
    direction = facing(*angles_towards(1.0, 1.4, 1.5, aim))
    assert meet_shelf((1.0, 1.4, 1.5), direction) == pytest.approx((aim[0], aim[2]))


def test_nobody_comes_after_the_end() -> None:
    scenario = Scenario(layout(), 1, START_MS, duration_ms=VISIT_EVERY_MS)
    assert scenario.visit(1) is None
    assert scenario.people(START_MS + 3 * VISIT_EVERY_MS) == []


def test_a_layout_without_a_pose_is_refused_with_the_way_to_mend_it() -> None:
    bare = msgspec.structs.replace(layout(), cameras=())
    with pytest.raises(StageError, match="give it one"):
        Scenario(bare, 1, START_MS)
    blank = msgspec.structs.replace(layout(), zones=())
    with pytest.raises(StageError, match="give a zone its face"):
        Scenario(blank, 1, START_MS)


def test_the_truth_file_says_what_the_scenario_says(tmp_path: Path) -> None:
    scenario = Scenario(layout(), 3, START_MS)
    path, end_ms = tmp_path / "new" / "truth.jsonl", START_MS + 60_000
    with TruthWriter(path, scenario, START_MS) as writer:
        for at in range(START_MS, end_ms, 1_000):
            writer.write_until(at)
        writer.finish(end_ms)
    lines = read_truth(path)
    assert b'"simulated":true' in path.read_bytes().splitlines()[-1]
    assert isinstance(lines[0], TrueRun)
    assert lines[0].signage_effect == 0.0
    expected = [line for v in visits(scenario, 10) for line in truth_of(scenario, v, end_ms)]
    assert sorted(map(repr, lines[1:])) == sorted(map(repr, expected))
    assert any(isinstance(line, TrueVisit) and line.censored for line in lines)
    assert any(isinstance(line, TrueStay) for line in lines)
    kinds = {line.target_kind for line in lines if isinstance(line, TrueGaze)}
    assert kinds == {"zone", "screen"}


def test_a_restarted_simulator_goes_on_with_the_truth(tmp_path: Path) -> None:
    scenario, path = Scenario(layout(), 3, START_MS), tmp_path / "truth.jsonl"
    with TruthWriter(path, scenario, START_MS + 100_000) as writer:
        writer.write_until(START_MS + 130_000)
    ends = [line.left_at_ms for line in read_truth(path) if isinstance(line, TrueVisit)]
    assert ends
    assert min(ends) > START_MS + 100_000


def test_a_truth_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    writer = TruthWriter(tmp_path / "file" / "truth.jsonl", Scenario(layout(), 1, 0), 0)
    with pytest.raises(TruthFileError, match="SMARTSTORE_TRUTH_FILE"), writer:
        pass


@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_the_restless_shopper_looks_at_the_next_zone_every_few_seconds(seed: int) -> None:
    scenario = Scenario(layout(), seed, START_MS, restless=True)
    first, second = visits(scenario, 2)
    assert second.enter_ms <= first.leave_ms <= second.enter_ms + 8_000
    glances = first.gazes
    between = [b.from_ms - a.from_ms for a, b in itertools.pairwise(glances)]
    assert 3_000 < min(between) <= max(between) < 4_500
    assert all(a.target_id != b.target_id for a, b in itertools.pairwise(glances))
    for glance in glances[:20]:
        assert len(scenario.people(glance.from_ms)) == 1
