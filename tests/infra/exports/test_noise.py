"""The integer Laplace noise is the distribution that it claims to be."""

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from scipy import stats

from infra.exports import noise


def _below(seed: int) -> Callable[[int], int]:
    return random.Random(seed).randrange  # noqa: S311 - a test wants the same draws each time


def test_the_draws_are_discrete_laplace() -> None:
    scale = Fraction(7, 2)
    below = _below(5)
    draws = [noise.integer_laplace(scale, below) for _ in range(20_000)]
    p = math.exp(-1 / float(scale))
    span = range(-15, 16)
    expected = [(1 - p) / (1 + p) * p ** abs(x) for x in span]
    seen = [draws.count(x) for x in span]
    total = sum(seen)
    whole = sum(expected)
    result = stats.chisquare(seen, [total * e / whole for e in expected])
    assert result.pvalue > 1e-4


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(8), Fraction(80)])
def test_the_standard_error_is_that_of_the_distribution(scale: Fraction) -> None:
    p = math.exp(-1 / float(scale))
    variance = sum(x * x * (1 - p) / (1 + p) * p ** abs(x) for x in range(-4000, 4001))
    assert noise.standard_error(scale) == pytest.approx(math.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_the_error_bound_holds_and_is_the_smallest(confidence: float) -> None:
    scale = Fraction(8)
    p = math.exp(-1 / float(scale))

    def outside(bound: int) -> float:
        return 2 * p ** (bound + 1) / (1 + p)

    bound = noise.error_bound(scale, confidence)
    assert outside(bound) <= 1 - confidence + 1e-12
    assert outside(bound - 1) > 1 - confidence


def test_a_cell_of_one_visit_shows_up_with_probability_delta_at_the_most() -> None:
    scale, delta = Fraction(8), 1e-6
    p = math.exp(-1 / float(scale))
    least = noise.threshold(scale, delta)

    def shows(t: int) -> float:  # P(1 + x >= t)
        return p ** (t - 1) / (1 + p)

    assert shows(least) <= delta
    assert shows(least - 1) > delta


def test_no_scale_below_zero() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        noise.integer_laplace(Fraction(0), _below(1))
