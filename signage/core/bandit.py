"""A contextual bandit with closed-form propensities: inverse gap weighting on linear regression.

Pure numpy: the sums of each arm are A = sum of x x^T and b = sum of r x; leading axes are batches
(several stores, or several seeds of a benchmark) and pass through every function.

References: D. Foster, A. Rakhlin, Beyond UCB, ICML 2020 (SquareCB, inverse gap weighting);
N. Abe, P. Long, Associative reinforcement learning using linear probabilistic concepts, ICML 1999.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.contracts.learning import ArmSums, PolicySnapshot

Floats: TypeAlias = NDArray[np.float64]

#: Keeps the equations solvable while nothing was learned. Small beside one reward (features are
#: of the order of 1), so that it never holds an estimate back.
_RIDGE = 0.01

#: How fast exploring gives way: gamma = GAMMA_SCALE * sqrt(rewards). The root is the theory's; the
#: scale is from `smartstore bench policy` (4 to 128 tried; docs/policy.md).
GAMMA_SCALE = 32.0


@dataclass(frozen=True, slots=True)
class Sums:
    """What was learned: `a` (..., K, d, d), `b` (..., K, d), `n` (..., K) rewards of each arm."""

    a: Floats
    b: Floats
    n: Floats

    @classmethod
    def nothing(cls, *shape: int) -> "Sums":
        """Sums of no reward; `shape` is (..., K, d)."""
        return cls(np.zeros((*shape, shape[-1])), np.zeros(shape), np.zeros(shape[:-1]))


def weights(sums: Sums, prior: float) -> Floats:
    """What a feature adds to the reward, by arm: (..., K, d).

    An arm's regression starts from that of all arms together, which counts as `prior` rewards of
    its own: a creative that nobody has seen yet is estimated by what all others taught.
    """
    d = sums.b.shape[-1]
    ridge = _RIDGE * np.eye(d)
    whole_a, whole_b = sums.a.sum(axis=-3), sums.b.sum(axis=-2)
    rewards = np.maximum(1.0, sums.n.sum(axis=-1))[..., None, None]
    shared = np.linalg.solve(whole_a + ridge, whole_b[..., None])
    pull = (prior * whole_a / rewards + ridge)[..., None, :, :]
    known = sums.b[..., None] + pull @ shared[..., None, :, :]
    solved: Floats = np.linalg.solve(sums.a + pull, known)[..., 0]
    return solved


def inverse_gap(estimates: Floats, gamma: Floats | float, floor: float) -> Floats:
    """The probability of each arm (..., K) from its estimated reward.

    The best gets what the others leave; each other 1 / (K + gamma * gap). Of all that, `floor` is
    dealt out evenly, so that no arm is ever below floor / K.

    >>> inverse_gap(np.array([1.0, 0.5]), 8.0, 0.02).round(4).tolist()
    [0.8267, 0.1733]
    """
    arms = estimates.shape[-1]
    best = estimates.argmax(axis=-1)[..., None]
    gaps = np.take_along_axis(estimates, best, -1) - estimates
    p = 1.0 / (arms + np.asarray(gamma)[..., None] * gaps)
    np.put_along_axis(p, best, 0.0, -1)
    np.put_along_axis(p, best, 1.0 - p.sum(axis=-1, keepdims=True), -1)
    dealt: Floats = (1.0 - floor) * p + floor / arms
    return dealt


def gamma_after(rewards: float) -> float:
    """How much a gap counts once so many rewards were learned."""
    return GAMMA_SCALE * float(np.sqrt(max(0.0, rewards)))


def uniform(identity: str) -> float:
    """A number in [0, 1) that is the same for the same identity, on every machine.

    >>> 0.0 <= uniform("screen-1") < 1.0, uniform("a") == uniform("a")
    (True, True)
    """
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64


def drawn(probabilities: Sequence[float], identity: str) -> int:
    """Which of them is drawn for `identity`.

    >>> drawn([0.0, 1.0], "any")
    1
    """
    left = uniform(identity)
    for index, probability in enumerate(probabilities):
        left -= probability
        if left < 0.0:
            return index
    return int(np.argmax(probabilities))  # rounding left a hair above the last


def sums_of(snapshot: PolicySnapshot) -> Sums:
    """The sums that a snapshot carries, (K, d, d), in the order of its arms."""
    d, arms = len(snapshot.features), len(snapshot.arms)
    rows, columns = np.triu_indices(d)
    a = np.zeros((arms, d, d))
    for index, arm in enumerate(snapshot.arms):
        a[index, rows, columns] = arm.a
        a[index, columns, rows] = arm.a
    b = np.array([arm.b for arm in snapshot.arms]).reshape(arms, d)
    return Sums(a, b, np.array([float(arm.rewards) for arm in snapshot.arms]))


def arms_of(sums: Sums, creative_ids: Sequence[str]) -> tuple[ArmSums, ...]:
    """The sums (K, d, d) as a snapshot carries them."""
    rows, columns = np.triu_indices(sums.b.shape[-1])
    return tuple(
        ArmSums(
            creative_id=creative_id,
            rewards=int(sums.n[index]),
            a=tuple(sums.a[index][rows, columns].tolist()),
            b=tuple(sums.b[index].tolist()),
        )
        for index, creative_id in enumerate(creative_ids)
    )


class Model:
    """A snapshot made ready to estimate: one small solve, and then a product a decision."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        self._index = {arm.creative_id: i for i, arm in enumerate(snapshot.arms)}
        sums = sums_of(snapshot)
        d = len(snapshot.features)
        # One arm more, of which nothing is known, stands for every creative that is new.
        new = Sums(
            np.concatenate([sums.a, np.zeros((1, d, d))]),
            np.concatenate([sums.b, np.zeros((1, d))]),
            np.append(sums.n, 0.0),
        )
        self._weights = weights(new, snapshot.prior)
        self._gamma, self._floor = snapshot.gamma, snapshot.floor

    def probabilities(self, creative_ids: Sequence[str], features: Floats) -> tuple[Floats, Floats]:
        """Estimated rewards (K,) and probabilities (K,) for `features` (K, d)."""
        new = len(self._index)
        rows = [self._index.get(creative_id, new) for creative_id in creative_ids]
        estimates: Floats = np.einsum("kd,kd->k", self._weights[rows], features)
        return estimates, inverse_gap(estimates, self._gamma, self._floor)
