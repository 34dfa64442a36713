"""A glance is whole when the screen, its row, its decision and its window are there."""

import pytest

from infra.bench.glances import Whole, begun_between, recovered, whole_glances
from infra.bench.rows import GazeRow, WindowRow
from infra.bench.screens import Screens

GAZES = {"g": GazeRow("g", "tea", 1_000, 3_500)}
DECIDED = {"g": {"d": 2_000}}
WINDOWS = [WindowRow("tea", 0, 10_000, 1, 4_000)]
RENDERED = {"d": 1_700}


def test_a_glance_is_whole_when_its_last_trace_is_there() -> None:
    assert whole_glances(500, GAZES, DECIDED, WINDOWS, RENDERED) == [Whole(1_000, 1_700, 4_000)]


@pytest.mark.parametrize(
    ("after_ms", "decided", "windows", "rendered"),
    [
        pytest.param(1_000, DECIDED, WINDOWS, RENDERED, id="it began before"),
        pytest.param(500, {}, WINDOWS, RENDERED, id="no decision"),
        pytest.param(500, DECIDED, WINDOWS, {}, id="not rendered"),
        pytest.param(500, DECIDED, [], RENDERED, id="not measured"),
        pytest.param(
            500, DECIDED, [WindowRow("tea", 0, 10_000, 0, 4_000)], RENDERED, id="nobody in it"
        ),
        pytest.param(
            500, DECIDED, [WindowRow("tea", 0, 10_000, 1, 900)], RENDERED, id="told before"
        ),
        pytest.param(
            500, DECIDED, [WindowRow("tea", 10_000, 20_000, 1, 4_000)], RENDERED, id="a later one"
        ),
        pytest.param(
            500, DECIDED, [WindowRow("coffee", 0, 10_000, 1, 4_000)], RENDERED, id="elsewhere"
        ),
    ],
)
def test_what_lacks_a_trace_is_not_whole(
    after_ms: int,
    decided: dict[str, dict[str, int]],
    windows: list[WindowRow],
    rendered: dict[str, int],
) -> None:
    assert whole_glances(after_ms, GAZES, decided, windows, rendered) == []


def test_recovered_is_the_first_that_went_the_whole_way_not_the_first_that_began() -> None:
    slow, quick = Whole(1_000, 1_500, 9_000), Whole(4_000, 4_500, 8_000)
    assert recovered([slow, quick]) == quick
    assert recovered([]) is None
    assert begun_between([slow, quick], 2_000, 4_001)
    assert not begun_between([slow, quick], 2_000, 4_000)


def test_a_page_is_dark_until_it_has_painted_and_never_after() -> None:
    screens = Screens()
    screens.add("s", {"decision_id": "d-1"}, 500)
    screens.add("s", {"decision_id": "d-2"}, 6_500)
    assert screens.dark_ms(["s"], 1_000, 10_000) == 0
    assert screens.dark_ms(["s"], 0, 10_000) == 500
    assert screens.dark_ms(["s", "never"], 1_000, 10_000) == 9_000
    assert screens.still_longest_ms(10_000) == 6_000
    assert screens.rendered == {"d-1": 500, "d-2": 6_500}
