"""The four answers, in words."""

import math

import pytest

from streams.uplift.answers import Look, Question, answer, no_number

QUESTION = Question("baskets", 0.5, 0.05, 1_000.0)
NAN = math.nan


@pytest.mark.parametrize(
    ("effect", "low", "high", "days_left", "verdict"),
    [
        (0.08, 0.02, 0.14, 5.0, "yes"),
        (-0.08, -0.14, -0.02, 5.0, "no"),
        (0.01, -0.02, 0.04, 5.0, "no"),
        (0.03, -0.02, 0.08, 5.0, "not yet"),
        (0.03, -0.02, 0.08, 900.0, "cannot be known here"),
        (NAN, NAN, NAN, 5.0, "not yet"),
        (NAN, NAN, NAN, math.inf, "cannot be known here"),
    ],
)
def test_the_verdict_is_what_the_interval_says(
    effect: float, low: float, high: float, days_left: float, verdict: str
) -> None:
    told = answer(QUESTION, [Look(0, 400, effect, low, high)], days_left)
    assert told.verdict == verdict
    assert told.sentence.lower().startswith(verdict)
    assert (told.effect is None) == math.isnan(effect)
    assert (told.days_left is not None) == (verdict == "not yet")


def test_a_yes_stands_though_the_newest_interval_is_wider() -> None:
    looks = [Look(4, 400, 0.08, 0.01, 0.15), Look(5, 480, 0.06, -0.01, 0.13)]
    told = answer(QUESTION, looks, 3.0)
    assert told.verdict == "yes"
    assert "certain on day 5" in told.sentence


def test_no_number_says_why() -> None:
    told = no_number("every slot is adaptive")
    assert (told.effect, told.low, told.high) == (None, None, None)
    assert told.sentence == "Cannot be known here: every slot is adaptive."
