"""A store whose creatives have known worth: what the policy benchmark plays in. numpy alone.

Simulated, and known to be: 20 creatives, 12 features of a moment, one decision a second, rewards
that come 30 to 600 s late. The mean reward is no linear function of the features, as none is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CREATIVES = 20
FEATURES = 12
ZONES = 4

#: Seconds from a decision to its reward, as rounds: one decision a second.
LEAST_LATE, MOST_LATE = 30, 600

#: A tenth of the slots of ten minutes is control; they are learned from, and not counted.
CONTROL_SHARE, SLOT_ROUNDS = 0.1, 600

_DAY_ROUNDS = 86_400

#: How the log-odds of a reward spread: by what creatives have in common (their kind, and whether
#: the shelf that they are made for is watched), and by what each has of its own.
_DESCRIPTORS, _COMMON, _OWN, _MATCH = 4, 0.25, 0.35, 1.0

#: A reward is drawn from Beta(m s, (1 - m) s): with 2 it is wide (uniform where m is a half).
_SPREAD = 2.0


@dataclass(frozen=True, slots=True)
class World:
    """One seed's store, for T rounds and K creatives.

    `x` (T, d) the moments; `mean` (T, K) true mean rewards; `reward` (T, K) what each creative
    would have earned; `late` (T,) rounds until it is known; `adaptive` (T,); `kinds` (K, c) what is
    known of the creatives; `zone` (K,) the shelf of each.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    reward: NDArray[np.float64]
    late: NDArray[np.int64]
    adaptive: NDArray[np.bool_]
    kinds: NDArray[np.float64]
    zone: NDArray[np.int64]


def make(seed: int, rounds: int) -> World:
    """The store of a seed."""
    rng = np.random.default_rng([seed, 20_06])
    x = _moments(rng, rounds)
    zone = np.arange(CREATIVES) % ZONES
    kinds = np.concatenate(
        [np.ones((CREATIVES, 1)), rng.normal(size=(CREATIVES, _DESCRIPTORS))], axis=1
    )
    common = rng.normal(size=(_DESCRIPTORS, FEATURES)) * _COMMON
    own = rng.normal(size=(CREATIVES, FEATURES)) * _OWN
    odds = x @ (kinds[:, 1:] @ common + own).T + _MATCH * x[:, 1 + zone] - 2.0
    mean = 1.0 / (1.0 + np.exp(-odds))
    reward = rng.beta(mean * _SPREAD, (1.0 - mean) * _SPREAD)
    late = rng.integers(LEAST_LATE, MOST_LATE + 1, size=rounds)
    slots = rng.random(rounds // SLOT_ROUNDS + 1) >= CONTROL_SHARE
    adaptive = slots[np.arange(rounds) // SLOT_ROUNDS]
    return World(x, mean, reward, late, adaptive, kinds, zone)


def _moments(rng: np.random.Generator, rounds: int) -> NDArray[np.float64]:
    """One, attention and crowd of four shelves, hour, weekend: (T, d)."""
    attention = rng.random((rounds, ZONES)) * (rng.random((rounds, ZONES)) < 0.4)
    crowd = rng.random((rounds, ZONES)) ** 2
    turn = 2.0 * np.pi * np.arange(rounds) / _DAY_ROUNDS + rng.random() * 2.0 * np.pi
    clock = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    weekend = (rng.random((rounds // 3_600 + 1, 1)) < 2 / 7)[np.arange(rounds) // 3_600]
    return np.concatenate([np.ones((rounds, 1)), attention, crowd, clock, weekend], axis=1)


def captured(chosen: NDArray[np.int64], world: World) -> float:
    """(policy - random) / (best - random) in mean true reward, over the last quarter of the rounds
    and of those over the policy's own alone. `chosen` (T,).
    """
    rounds = len(chosen)
    counted = np.flatnonzero(world.adaptive & (np.arange(rounds) >= rounds * 3 // 4))
    mean = world.mean[counted]
    policy = mean[np.arange(len(counted)), chosen[counted]].mean()
    by_chance, best = mean.mean(), mean.max(axis=1).mean()
    return float((policy - by_chance) / (best - by_chance))


def rotation(rounds: int) -> NDArray[np.int64]:
    """Each creative for ten rounds, in turn."""
    return np.arange(rounds) // 10 % CREATIVES


def rule(world: World) -> NDArray[np.int64]:
    """Those of the shelf that is watched most, in turn; the rotation where none is watched."""
    turns = rotation(len(world.x))
    attention = world.x[:, 1 : 1 + ZONES]
    made = np.stack([np.flatnonzero(world.zone == zone) for zone in range(ZONES)])
    chosen = made[attention.argmax(axis=1), turns % made.shape[1]]
    return np.where(attention.max(axis=1) > 0.1, chosen, turns)
