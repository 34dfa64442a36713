"""From slots to the answer."""

import math

import numpy as np
import pytest

from streams.uplift.analysis import Analysis, Slots, analyse
from streams.uplift.answers import Question
from streams.uplift.covariates import profile

STORES, PRE, PER_DAY = 4, 28, 8


def slots(
    seed: int, days: int, effect: float, share: float = 0.5, by_cell: float = 0.25
) -> tuple[Slots, Slots]:
    """The slots of four stores before and during an experiment."""
    rng = np.random.default_rng(seed)
    shape = (STORES, PRE + days, PER_DAY)
    store, day, part = (each.ravel() for each in np.indices(shape))
    levels = rng.normal(0.0, 0.3, STORES)[store]
    levels += rng.normal(0.0, by_cell, (7, PER_DAY))[day % 7, part]
    adaptive = (rng.random(store.size) < share) & (day >= PRE)
    base = rng.poisson(50.0, store.size).astype(float)
    amount = base * 30.0 * np.exp(levels + rng.normal(0.0, 0.25, store.size))
    amount *= 1.0 + effect * adaptive
    found = []
    for wanted, begin in ((day < PRE, 0), (day >= PRE, PRE)):
        found.append(
            Slots(
                store=store[wanted],
                day=day[wanted] - begin,
                weekday=day[wanted] % 7,
                hour=8 + part[wanted],
                adaptive=adaptive[wanted],
                amount=amount[wanted],
                base=base[wanted],
                follows=part[wanted] > 0,
                before=np.roll(adaptive[wanted], 1),
            )
        )
    return found[1], found[0]


def question(share: float = 0.5) -> Question:
    return Question("baskets", share, 0.05, 40.0 * STORES * PER_DAY)


def analysed(days: int, effect: float, seed: int = 1, share: float = 0.5) -> Analysis:
    during, before = slots(seed, days, effect, share)
    per_day = float(STORES * PER_DAY)
    return analyse(question(share), during, before, stores=STORES, days=days, slots_per_day=per_day)


def test_an_effect_is_found_and_the_checks_pass() -> None:
    found = analysed(40, 0.10)
    assert found.answer.verdict == "yes"
    assert found.answer.low < 0.10 < found.answer.high
    assert {each.name: each.verdict for each in found.checks} == dict.fromkeys(
        ("sample ratio", "A/A", "novelty", "carry-over", "days"), "passed"
    )
    assert found.e_value > 20.0
    assert len(found.looks) == 40
    assert found.control.slots + found.adaptive.slots == 40 * STORES * PER_DAY
    assert found.control.low < found.control.mean < found.control.high


def test_covariates_earn_what_the_profile_tells() -> None:
    found = analysed(40, 0.0)
    # Stores and weekly cells are 0.30^2 + 0.25^2 of the logarithm's variance, the rest 0.25^2; of
    # four stores and 56 cells that is a wide guess.
    assert 0.4 < found.explained < 0.85
    assert found.plain.high - found.plain.low > 1.3 * (found.looks[-1].high - found.looks[-1].low)
    assert found.answer.verdict == "no"


def test_too_early_it_says_how_long_still() -> None:
    found = analysed(4, 0.0)
    assert found.answer.verdict == "not yet"
    # Half width and power at 5 %, noise 0.25 a slot: some weeks.
    assert 8 < found.answer.days_left < 80


@pytest.mark.parametrize(("share", "arm"), [(1.0, "adaptive"), (0.0, "control")])
def test_without_the_other_arm_there_is_no_number(share: float, arm: str) -> None:
    found = analysed(30, 0.3, share=share)
    assert found.answer.verdict == "cannot be known here"
    assert found.answer.effect is None
    assert f"every slot is {arm}" in found.answer.sentence


def test_arms_that_were_not_followed_void_the_number() -> None:
    during, before = slots(1, 30, 0.1)
    found = analyse(
        question(), during, before, stores=STORES, days=30, slots_per_day=32.0, mismatched=2
    )
    assert found.answer.effect is None
    assert "another arm than the one drawn" in found.answer.sentence


def test_nothing_measured_yet_is_not_yet() -> None:
    during, before = slots(1, 1, 0.0)
    none = during.only(np.zeros(during.size, bool))
    found = analyse(question(), none, before, stores=STORES, days=1, slots_per_day=32.0, sigma=0.5)
    assert found.answer.verdict == "not yet"
    assert found.answer.effect is None
    empty = before.only(np.zeros(before.size, bool))
    found = analyse(question(), none, empty, stores=STORES, days=0, slots_per_day=0.0)
    assert found.answer.verdict == "cannot be known here"


def test_a_new_store_without_a_past_gets_a_number_without_covariates() -> None:
    during, before = slots(2, 40, 0.3)
    empty = before.only(np.zeros(before.size, bool))
    found = analyse(question(), during, empty, stores=STORES, days=40, slots_per_day=32.0)
    assert found.answer.verdict == "yes"
    assert found.explained == pytest.approx(0.0, abs=1e-9)
    assert next(each for each in found.checks if each.name == "A/A").verdict == "not looked at"


def test_a_profile_says_nothing_of_hours_without_a_past() -> None:
    amount, base, counts = np.zeros((1, 7, 24)), np.zeros((1, 7, 24)), np.zeros((1, 7, 24))
    amount[0, :, 10:12], base[0, :, 10:12], counts[0, :, 10:12] = 60.0, 2.0, 4.0
    amount[0, :, 11] = 120.0
    known = profile(amount, base, counts)
    assert not known[0, :, :10].any()
    assert np.isfinite(known).all()
    # By hour: 30 and 60 a basket where the mean is 45, half a basket a slot.
    assert known[0, 0, 10, 2] == pytest.approx(-0.5 / 3)
    assert known[0, 0, 11, 2] == pytest.approx(0.5 / 3)
    assert math.isclose(float(known[0, 0, 10, 0]), 0.0, abs_tol=1e-12)
