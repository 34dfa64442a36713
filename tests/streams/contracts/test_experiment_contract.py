"""The draw of the arms: fair, repeatable, and one for a whole store and slot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.experiment import Experiment


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_adaptive_slots_is_the_one_asked_for(share: float) -> None:
    experiment = Experiment(salt="s", slot_ms=1_000, adaptive_share=share)
    arms = [experiment.arm("store", slot * 1_000) for slot in range(20_000)]
    # Five standard errors of a binomial share.
    margin = 5 * (share * (1 - share) / len(arms)) ** 0.5
    assert abs(arms.count("adaptive") / len(arms) - share) < margin


@given(st.integers(0, 2**41), st.text(min_size=1, max_size=10))
def test_the_arm_is_constant_within_a_slot(at_ms: int, store: str) -> None:
    experiment = Experiment(salt="s", slot_ms=60_000, adaptive_share=0.5)
    start = experiment.slot_start_ms(at_ms)
    assert start <= at_ms < start + 60_000
    assert experiment.arm(store, start) == experiment.arm(store, at_ms)
    assert experiment.arm(store, start) == experiment.arm(store, start + 59_999)


def test_stores_and_salts_draw_apart() -> None:
    slots = range(0, 4_000_000, 1_000)

    def arms(salt: str, store: str) -> list[str]:
        experiment = Experiment(salt=salt, slot_ms=1_000, adaptive_share=0.5)
        return [experiment.arm(store, slot) for slot in slots]

    assert arms("a", "1") != arms("a", "2")
    assert arms("a", "1") != arms("b", "1")


def test_the_probabilities_of_the_arms_add_up() -> None:
    experiment = Experiment(salt="s", slot_ms=1_000, adaptive_share=0.75)
    assert experiment.probability("adaptive") + experiment.probability("control") == 1.0
