"""Lines at a door."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.crossing import Crossed, Crosser, DoorLine, step

#: A door of two metres; inside is where y is greater.
DOOR = DoorLine("door", (0.0, 0.0), (2.0, 0.0), (1.0, 3.0), 0.2, False)
REVERSED = DoorLine("door", (2.0, 0.0), (0.0, 0.0), (1.0, 3.0), 0.2, False)


def cross(points: list[tuple[float, float]], line: DoorLine = DOOR) -> list[Crossed]:
    crosser: Crosser | None = None
    told = []
    for index, point in enumerate(points):
        crosser, crossed = step(crosser, line, point, 200 * index)
        if crossed is not None:
            told.append(crossed)
    return told


@pytest.mark.parametrize("line", [DOOR, REVERSED])
@pytest.mark.parametrize(
    ("depths", "told"),
    [
        ([-0.6, -0.2, 0.2, 0.6], [("in", 300)]),
        ([0.6, 0.2, -0.2, -0.6], [("out", 300)]),
        ([-0.6, 0.6], [("in", 100)]),
        ([-0.6, -0.1, 0.1, -0.1, 0.1, -0.1], []),  # stands on the line
        ([-0.6, 0.1, -0.6, 0.15, -0.6], []),  # over it and back within the band
        ([-0.6, 0.6, -0.6, 0.6], [("in", 100), ("out", 300), ("in", 500)]),
        ([0.1, -0.1, 0.6], []),  # first seen on the line: from which side is not known
        ([-0.6, 0.1, 0.1, 0.1, 0.6], [("in", 171)]),  # crossed before the pause
    ],
)
def test_crossings(line: DoorLine, depths: list[float], told: list[tuple[str, int]]) -> None:
    crossed = cross([(1.0, depth) for depth in depths], line)
    assert [(c.direction, c.at_ms) for c in crossed] == told


@pytest.mark.parametrize(("x", "times"), [(0.1, 1), (1.9, 1), (-0.5, 0), (2.5, 0)])
def test_only_between_the_ends(x: float, times: int) -> None:
    assert len(cross([(x, -0.6), (x, 0.6)])) == times


def test_a_way_around_the_end_is_none_and_the_way_back_through_is_one() -> None:
    around = [(1.0, -0.6), (-1.0, -0.6), (-1.0, 0.6), (1.0, 0.6)]
    assert cross(around) == []
    assert [c.direction for c in cross([*around, (1.0, -0.6)])] == ["out"]


def test_a_vague_place_must_be_further_over() -> None:
    crosser, _ = step(None, DOOR, (1.0, -0.6), 0)
    assert step(crosser, DOOR, (1.0, 0.3), 200, sigma=0.35)[1] is None
    assert step(crosser, DOOR, (1.0, 0.3), 200, sigma=0.1)[1] is not None


def test_a_detection_from_the_past_changes_nothing() -> None:
    crosser, _ = step(None, DOOR, (1.0, -0.6), 400)
    assert step(crosser, DOOR, (1.0, 0.6), 400) == (crosser, None)


@given(st.lists(st.tuples(st.floats(-1, 3), st.floats(-1, 1)), max_size=60))
def test_crossings_alternate_and_lie_between_detections(points: list[tuple[float, float]]) -> None:
    inside = [(1.0, y) for _, y in points]
    told = cross(inside)
    assert all(a.direction != b.direction for a, b in itertools.pairwise(told))
    assert all(a.at_ms <= b.at_ms for a, b in itertools.pairwise(told))
    assert all(0 <= c.at_ms <= 200 * len(points) for c in told)
    cross(points)  # wherever the ways lead, nothing breaks
