"""Inverse gap weighting, its floor, pooled regressions, draws that a replay repeats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signage.core.bandit import (
    Model,
    Sums,
    arms_of,
    drawn,
    gamma_after,
    inverse_gap,
    sums_of,
    uniform,
    weights,
)
from streams.contracts.learning import PolicySnapshot

FEATURES = ("one", "x")


def snapshot(sums: Sums, names: tuple[str, ...], gamma: float = 0.0) -> PolicySnapshot:
    return PolicySnapshot(
        policy_id="bandit",
        version=1,
        algorithm="bandit",
        made_at_ms=0,
        store_id="s",
        features=FEATURES,
        arms=arms_of(sums, names),
        gamma=gamma,
    )


def taught(*lessons: tuple[int, tuple[float, float], float], arms: int = 2) -> Sums:
    sums = Sums.nothing(arms, 2)
    for arm, x, reward in lessons:
        sums.a[arm] += np.outer(x, x)
        sums.b[arm] += reward * np.array(x)
        sums.n[arm] += 1
    return sums


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0, 10_000), st.floats(0, 0.5))
def test_probabilities_are_ones_with_the_floor_under_each(
    estimates: list[float], gamma: float, floor: float
) -> None:
    p = inverse_gap(np.array(estimates), gamma, floor)
    assert p.sum() == pytest.approx(1.0)
    assert (p >= floor / len(estimates) - 1e-12).all()
    assert p.argmax() == np.argmax(estimates) or p.max() == pytest.approx(p[np.argmax(estimates)])


def test_each_other_arm_has_the_probability_of_the_paper() -> None:
    estimates, gamma = np.array([0.2, 0.7, 0.5]), 20.0
    p = inverse_gap(estimates, gamma, 0.0)
    assert p[0] == pytest.approx(1 / (3 + gamma * 0.5))
    assert p[2] == pytest.approx(1 / (3 + gamma * 0.2))
    assert p[1] == pytest.approx(1 - p[0] - p[2])


def test_batches_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    estimates, gamma = rng.random((4, 6)), rng.random(4) * 50
    together = inverse_gap(estimates, gamma, 0.02)
    alone = [inverse_gap(e, float(g), 0.02) for e, g in zip(estimates, gamma, strict=True)]
    assert np.allclose(together, alone)


def test_much_taught_arms_are_least_squares() -> None:
    rng = np.random.default_rng(2)
    x = np.stack([np.ones(500), rng.random(500)], axis=1)
    reward = x @ [0.3, 0.5] + rng.normal(scale=0.1, size=500)
    sums = taught(*((0, tuple(row), r) for row, r in zip(x, reward, strict=True)))
    exact = np.linalg.lstsq(x, reward, rcond=None)[0]
    assert weights(sums, 1.0)[0] == pytest.approx(exact, abs=0.01)


def test_a_creative_nobody_knows_is_estimated_by_what_all_taught() -> None:
    sums = taught(*((0, (1.0, k / 10), 0.4 + 0.02 * k) for k in range(10)))
    assert weights(sums, 1.0)[1] == pytest.approx(weights(sums, 1.0)[0], abs=0.02)
    model = Model(snapshot(sums, ("known", "other")))
    estimates, _ = model.probabilities(["known", "new"], np.ones((2, 2)))
    assert estimates[1] == pytest.approx(estimates[0], abs=0.05)


def test_a_snapshot_carries_the_sums_exactly() -> None:
    sums = taught((0, (1.0, 0.1), 0.3), (1, (1.0, 1 / 3), 0.7), (1, (1.0, 0.9), 0.2))
    again = sums_of(snapshot(sums, ("a", "b")))
    for one, other in ((sums.a, again.a), (sums.b, again.b), (sums.n, again.n)):
        assert (one == other).all()


def test_more_rewards_explore_less() -> None:
    sums = taught(*((k % 2, (1.0, 0.5), float(k % 2)) for k in range(40)))
    shares = [
        Model(snapshot(sums, ("a", "b"), gamma_after(n))).probabilities(
            ["a", "b"], np.array([[1.0, 0.5], [1.0, 0.5]])
        )[1][1]
        for n in (0, 100, 10_000)
    ]
    assert shares[0] == pytest.approx(0.5)
    assert shares == sorted(shares)
    assert 0.98 < shares[2] <= 0.99


def test_draws_are_those_of_the_probabilities_and_the_same_for_the_same_identity() -> None:
    p = [0.2, 0.5, 0.3]
    counts = np.bincount([drawn(p, f"screen/{k}") for k in range(20_000)], minlength=3) / 20_000
    assert counts == pytest.approx(p, abs=0.015)
    assert drawn(p, "screen/1") == drawn(p, "screen/1")
    assert uniform("a") != uniform("b")
