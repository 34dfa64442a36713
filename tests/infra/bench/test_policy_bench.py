"""The policy benchmark's store, and that our bandit learns in it what can be learned."""

from dataclasses import replace

import numpy as np
import pytest

from infra.bench.policy import ours, timing, world

ROUNDS = 4_000


@pytest.fixture(scope="module")
def store() -> world.World:
    return world.make(3, ROUNDS)


def test_a_seed_is_a_store(store: world.World) -> None:
    again = world.make(3, ROUNDS)
    assert (store.reward == again.reward).all()
    assert not (store.mean == world.make(4, ROUNDS).mean).all()
    assert store.x.shape == (ROUNDS, world.FEATURES)
    assert store.mean.shape == (ROUNDS, world.CREATIVES)
    assert (store.late >= world.LEAST_LATE).all()
    assert (store.late <= world.MOST_LATE).all()
    assert store.reward.mean() == pytest.approx(store.mean.mean(), abs=0.01)


def test_captured_is_none_of_chance_and_all_of_the_best(store: world.World) -> None:
    assert world.captured(store.mean.argmax(axis=1), store) == pytest.approx(1.0)
    by_chance = np.random.default_rng(1).integers(0, world.CREATIVES, ROUNDS)
    assert world.captured(by_chance, store) == pytest.approx(0.0, abs=0.1)
    assert world.captured(store.mean.argmin(axis=1), store) < -0.3


def test_ours_learns_from_late_rewards_and_leaves_control_alone(store: world.World) -> None:
    store = replace(store, adaptive=np.arange(ROUNDS) // 100 % 5 > 0)
    (chosen,) = ours.play([store], [3], "pooled")
    turns = world.rotation(ROUNDS)
    assert (chosen[~store.adaptive] == turns[~store.adaptive]).all()
    rule, rotation = world.rule(store), world.rotation(ROUNDS)
    mine = world.captured(chosen, store)
    assert mine > 0.6
    assert mine > world.captured(rule, store) > world.captured(rotation, store)


def test_nothing_is_known_before_the_first_reward_can_have_come(store: world.World) -> None:
    (one,) = ours.play([store], [3], "pooled")
    other = world.make(3, ROUNDS)
    other.reward[:] = 1.0 - other.reward
    (two,) = ours.play([other], [3], "pooled")
    assert (one[: world.LEAST_LATE] == two[: world.LEAST_LATE]).all()
    assert not (one == two).all()


def test_a_decision_is_timed_by_the_products_own_functions(store: world.World) -> None:
    snapshot = timing.learned(store, world.rotation(ROUNDS), [f"f{k}" for k in range(12)])
    assert sum(arm.rewards for arm in snapshot.arms) == ROUNDS
    assert 0.0 < timing.decide_us(snapshot, store, 50).p50
    assert 0.0 < timing.choose_us(20).p50
