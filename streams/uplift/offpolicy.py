"""What another policy would have earned, by the log of one that drew at known odds. Pure.

Inverse propensity scoring (IPS) has no bias and may have a wide error; self-normalised (SNIPS)
trades a little bias for less; doubly robust (DR) adds a model of the reward, and is right where
either the model or the probabilities are. None is believed without its effective sample size: how
many drawn straight from the other policy would tell as much.

References: D. Horvitz, D. Thompson, JASA 1952; A. Swaminathan, T. Joachims, The self-normalized
estimator for counterfactual learning, NeurIPS 2015; M. Dudik, J. Langford, L. Li, Doubly robust
policy evaluation and learning, ICML 2011; A. Owen, Monte Carlo theory, 9.3 (effective sample size).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.uplift.errors import UpliftError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

#: Two-sided 95 %.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward with its standard error, and the effective sample size `ess` of `n`."""

    value: float
    error: float
    ess: float
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by the normal approximation: not to be believed where `ess` is a few dozen."""
        return self.value - _Z * self.error, self.value + _Z * self.error


@dataclass(frozen=True, slots=True)
class Logged:
    """A log of n decisions: which of K arms (n,), its reward (n,), the probability with which the
    logging policy drew it (n,), and the probabilities that the other policy gives all arms (n, K).
    """

    arm: Ints
    reward: Floats
    propensity: Floats
    other: Floats

    def __post_init__(self) -> None:
        n = len(self.arm)
        if n == 0 or {len(self.reward), len(self.propensity), len(self.other)} != {n}:
            raise UpliftError(
                "a log of decisions needs as many rewards and probabilities as decisions, at least "
                "one; give them in the same order"
            )
        if not (self.propensity > 0.0).all():
            raise UpliftError(
                "a decision with the probability 0 cannot have been drawn; leave out what was not "
                "drawn by chance"
            )

    @property
    def weights(self) -> Floats:
        """How much more likely the other policy is to have drawn each: (n,)."""
        drawn: Floats = self.other[np.arange(len(self.arm)), self.arm] / self.propensity
        return drawn

    @property
    def ess(self) -> float:
        """Effective sample size: (sum w)^2 / sum w^2.

        >>> drawn = np.array([0, 1, 0, 1])
        >>> even = np.full((4, 2), 0.5)
        >>> Logged(drawn, np.ones(4), np.full(4, 0.5), even).ess
        4.0
        """
        weights = self.weights
        square = float((weights**2).sum())
        return float(weights.sum()) ** 2 / square if square > 0.0 else 0.0


def ips(log: Logged) -> Estimate:
    """Inverse propensity scoring."""
    return _mean(log.weights * log.reward, log)


def snips(log: Logged) -> Estimate:
    """Self-normalised inverse propensity scoring; its error by the delta method.

    Raises:
        UpliftError: the other policy would never have drawn what was drawn.
    """
    weights = log.weights
    whole = float(weights.sum())
    if whole <= 0.0:
        raise UpliftError(
            "the other policy would have drawn none of what the log holds, which says nothing of it"
        )
    value = float((weights * log.reward).sum()) / whole
    error = float(np.sqrt((weights**2 * (log.reward - value) ** 2).sum())) / whole
    return Estimate(value, error, log.ess, len(weights))


def doubly_robust(log: Logged, model: Floats) -> Estimate:
    """Doubly robust; `model` (n, K): the reward that a model expects of each arm.

    The model must not have seen the decision that it is asked about (see `cross_fitted`).
    """
    expected = (log.other * model).sum(axis=1)
    missed = log.reward - model[np.arange(len(log.arm)), log.arm]
    return _mean(expected + log.weights * missed, log)


def cross_fitted(x: Floats, log: Logged, ridge: float, folds: int = 2) -> Floats:
    """The reward expected of each arm (n, K) by ridge regression on its features `x` (n, K, d),
    each decision by a model of the other folds. Decisions are dealt out in turn.
    """
    rows = np.arange(len(log.arm))
    mine = x[rows, log.arm]
    expected = np.empty(log.other.shape)
    for fold in range(folds):
        asked = rows % folds == fold
        known, reward = mine[~asked], log.reward[~asked]
        mean = reward.mean() if len(reward) else 0.0
        a = known.T @ known + ridge * np.eye(x.shape[2])
        weights = np.linalg.solve(a, known.T @ (reward - mean))
        expected[asked] = x[asked] @ weights + mean
    return expected


def _mean(values: Floats, log: Logged) -> Estimate:
    spread = float(values.std(ddof=1)) if len(values) > 1 else float("inf")
    return Estimate(float(values.mean()), spread / len(values) ** 0.5, log.ess, len(values))
