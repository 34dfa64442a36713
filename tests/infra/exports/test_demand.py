"""The demand signal: the clipping really bounds what one visit can change."""

import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.exports.demand import DELTA, MOST_CELLS, Cell, clip, publish
from infra.exports.noise import standard_error

_CELLS = [Cell("2026-03-09", f"zone-{i}", f"category-{i % 5}") for i in range(20)]
_VISITS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(_CELLS)), min_size=0, max_size=120)


def _below(seed: int) -> Callable[[int], int]:
    return random.Random(seed).randrange  # noqa: S311 - a test wants the same draws each time


def _distance(a: Counter[Cell], b: Counter[Cell]) -> int:
    return sum(abs(a[cell] - b[cell]) for cell in set(a) | set(b))


@given(_VISITS, st.integers(0, 12))
@settings(max_examples=200, deadline=None)
def test_one_visit_more_or_less_changes_the_counts_by_the_sensitivity_at_the_most(
    visits: list[tuple[int, Cell]], gone: int
) -> None:
    whole, _ = clip(visits)
    without, _ = clip((visit, cell) for visit, cell in visits if visit != gone)
    assert _distance(whole, without) <= MOST_CELLS


def test_the_sensitivity_is_reached_so_less_noise_would_not_do() -> None:
    busy = [("somebody", cell) for cell in _CELLS]
    counts, clipped = clip(busy)
    assert _distance(counts, Counter()) == MOST_CELLS
    assert clipped == len(_CELLS) - MOST_CELLS


@given(_VISITS)
@settings(max_examples=50, deadline=None)
def test_order_and_repeats_change_nothing(visits: list[tuple[int, Cell]]) -> None:
    assert clip(visits) == clip([*reversed(visits), *visits])


def test_the_noise_has_the_scale_that_the_sensitivity_asks_for() -> None:
    signal = publish([], _CELLS, Fraction(1), _below(3))
    assert signal.sensitivity == MOST_CELLS
    assert signal.standard_error == pytest.approx(standard_error(Fraction(MOST_CELLS)))
    assert publish([], _CELLS, Fraction(1, 2), _below(3)).standard_error > 20


def test_what_is_published_is_the_noised_count_above_the_threshold() -> None:
    full, empty = _CELLS[0], _CELLS[1]
    visits = [(i, full) for i in range(5_000)] + [(9_999, empty)]
    signal = publish(visits, _CELLS, Fraction(1), _below(4))
    assert set(signal.counts) == {full}
    assert signal.counts[full] != 5_000
    assert abs(signal.counts[full] - 5_000) < 8 * signal.standard_error
    assert signal.threshold > 1
    assert signal.delta == DELTA


def test_cells_outside_the_layout_are_never_published() -> None:
    strange = Cell("2026-03-09", "nowhere", "none")
    signal = publish([(i, strange) for i in range(5_000)], _CELLS, Fraction(1), _below(1))
    assert strange not in signal.counts


def test_the_error_falls_with_epsilon_as_it_should() -> None:
    """Over many draws the published count is right on average, and as wrong as is said."""
    cell, below = _CELLS[0], _below(11)
    visits = [(i, cell) for i in range(1_000)]
    signals = [publish(visits, [cell], Fraction(2), below) for _ in range(400)]
    errors = [signal.counts[cell] - 1_000 for signal in signals]
    spread = (sum(e * e for e in errors) / len(errors)) ** 0.5
    assert abs(sum(errors) / len(errors)) < 4 * signals[0].standard_error / 20
    assert spread == pytest.approx(signals[0].standard_error, rel=0.2)
    within = sum(abs(e) <= signals[0].error_95 for e in errors) / len(errors)
    assert within > 0.91


def test_no_epsilon_no_export() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        publish([], _CELLS, Fraction(0), _below(1))
