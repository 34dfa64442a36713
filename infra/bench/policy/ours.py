"""Our bandit in the simulated store: all seeds at once, by the very functions that decide."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from infra.bench.policy.world import CREATIVES, FEATURES, World, rotation
from signage.core.bandit import GAMMA_SCALE, Floats, Sums, inverse_gap, uniform, weights

#: How often a snapshot is made, in rounds: what came since is not known to any decision.
SNAPSHOT_ROUNDS = 60

FLOOR = 0.02

#: `pooled` is the product's; `arms` lets no creative learn from another; `shared` has one
#: regression on the products of what is known of the creative and of the moment.
Form = Literal["pooled", "arms", "shared"]

#: As good as nothing, and the product's.
_PRIORS: dict[Form, float] = {"arms": 1e-6, "pooled": 1.0, "shared": 1.0}

_RIDGE = 0.01


def play(
    worlds: Sequence[World], seeds: Sequence[int], form: Form, scale: float = GAMMA_SCALE
) -> NDArray[np.int64]:
    """What was chosen, (S, T). The control rounds follow the rotation and are learned from too."""
    x = np.stack([world.x for world in worlds])
    reward = np.stack([world.reward for world in worlds])
    adaptive = np.stack([world.adaptive for world in worlds])
    stores, rounds = adaptive.shape
    turns = rotation(rounds)
    due = _arrivals(worlds)
    learning = _Shared(worlds) if form == "shared" else _Arms(stores, _PRIORS[form])
    chosen = np.empty((stores, rounds), dtype=np.int64)
    gamma = np.zeros(stores)
    for t in range(rounds):
        if t % SNAPSHOT_ROUNDS == 0:
            store, at = _between(due, t - SNAPSHOT_ROUNDS, t)
            if len(at):
                arm = chosen[store, at]
                learning.learn(store, arm, x[store, at], reward[store, at, arm])
            gamma = scale * np.sqrt(learning.rewards)
        chances = inverse_gap(learning.estimates(x[:, t]), gamma, FLOOR)
        draws = np.array([uniform(f"{seed}/{t}") for seed in seeds])
        picked = (chances.cumsum(axis=1) <= draws[:, None]).sum(axis=1).clip(0, CREATIVES - 1)
        chosen[:, t] = np.where(adaptive[:, t], picked, turns[t])
    return chosen


class _Arms:
    """A regression for each creative, pulled towards that of all."""

    def __init__(self, stores: int, prior: float) -> None:
        self._sums = Sums.nothing(stores, CREATIVES, FEATURES)
        self._prior = prior
        self._weights = weights(self._sums, prior)
        self.rewards = np.zeros(stores)

    def learn(self, store: NDArray[np.int64], arm: NDArray[np.int64], x: Floats, r: Floats) -> None:
        """Rewards of several stores."""
        np.add.at(self._sums.a, (store, arm), x[:, :, None] * x[:, None, :])
        np.add.at(self._sums.b, (store, arm), r[:, None] * x)
        np.add.at(self._sums.n, (store, arm), 1.0)
        np.add.at(self.rewards, store, 1.0)
        self._weights = weights(self._sums, self._prior)

    def estimates(self, x: Floats) -> Floats:
        """(S, K) of moments (S, d)."""
        estimated: Floats = (self._weights @ x[:, :, None])[:, :, 0]
        return estimated


class _Shared:
    """One regression on kinds x moment."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self._kinds = np.stack([world.kinds for world in worlds])
        stores, d = len(worlds), self._kinds.shape[2] * FEATURES
        self._a: Floats = np.tile(_RIDGE * np.eye(d), (stores, 1, 1))
        self._b: Floats = np.zeros((stores, d))
        self._weights: Floats = np.zeros((stores, self._kinds.shape[2], FEATURES))
        self.rewards = np.zeros(stores)

    def learn(self, store: NDArray[np.int64], arm: NDArray[np.int64], x: Floats, r: Floats) -> None:
        """Rewards of several stores."""
        phi = (self._kinds[store, arm][:, :, None] * x[:, None, :]).reshape(len(x), -1)
        for each in np.unique(store):
            mine = store == each
            self._a[each] += phi[mine].T @ phi[mine]
            self._b[each] += r[mine] @ phi[mine]
        np.add.at(self.rewards, store, 1.0)
        solved = np.linalg.solve(self._a, self._b[..., None])
        self._weights = np.asarray(solved, dtype=np.float64).reshape(len(solved), -1, FEATURES)

    def estimates(self, x: Floats) -> Floats:
        """(S, K) of moments (S, d)."""
        estimated: Floats = np.einsum("skc,scd,sd->sk", self._kinds, self._weights, x)
        return estimated


def _arrivals(worlds: Sequence[World]) -> tuple[NDArray[np.int64], ...]:
    """When rewards come: sorted times, and the store and round of each."""
    rounds = len(worlds[0].late)
    when = np.concatenate([np.arange(rounds) + world.late for world in worlds])
    store = np.repeat(np.arange(len(worlds)), rounds)
    at = np.tile(np.arange(rounds), len(worlds))
    order = np.argsort(when, kind="stable")
    return when[order], store[order], at[order]


def _between(
    due: tuple[NDArray[np.int64], ...], begin: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Store and round of the rewards that came from `begin` on and before `end`."""
    when, store, at = due
    first, last = np.searchsorted(when, [begin, end])
    return store[first:last], at[first:last]
