"""Plays the policy benchmark's store with another bandit; runs in the peers' environment.

    python -m infra.bench.policy.peers.play river|vw SEED ROUNDS SECONDS

One JSON line: what was captured, microseconds a decision and a reward, and how many rounds there
was time for (a program that is too slow is stopped, and its rounds are said).
"""

import heapq
import json
import sys
import time
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from infra.bench.policy.world import CREATIVES, World, captured, make, rotation


class Player(Protocol):
    """Another bandit."""

    def decide(self, x: NDArray[np.float64]) -> tuple[int, Any]:
        """The arm for a moment, and what must be kept until its reward is known."""
        ...

    def learn(self, x: NDArray[np.float64], arm: int, kept: Any, reward: float) -> None:
        """The reward of a decision; `kept` is None where another made it."""
        ...


class River:
    """river's LinUCBDisjoint with its default parameters."""

    def __init__(self, seed: int) -> None:
        from river import bandit

        self._bandit = bandit.LinUCBDisjoint(seed=seed)
        self._arms = list(range(CREATIVES))

    def decide(self, x: NDArray[np.float64]) -> tuple[int, Any]:
        """See `Player`."""
        return self._bandit.pull(self._arms, context=_named(x)), None

    def learn(self, x: NDArray[np.float64], arm: int, kept: Any, reward: float) -> None:
        """See `Player`."""
        self._bandit.update(arm, _named(x), reward)


class VowpalWabbit:
    """Vowpal Wabbit: SquareCB with its default scale on features crossed with the arm."""

    def __init__(self, seed: int) -> None:
        import vowpalwabbit

        self._vw = vowpalwabbit.Workspace(
            "--cb_explore_adf --squarecb --cb_type mtr -q sa --ignore_linear s --noconstant "
            f"--quiet --random_seed {seed + 1}"
        )
        self._rng = np.random.default_rng([seed, 7])

    def decide(self, x: NDArray[np.float64]) -> tuple[int, Any]:
        """See `Player`."""
        chances = np.array(self._vw.predict(self._example(x)))
        arm = int((chances.cumsum() <= self._rng.random()).sum().clip(0, CREATIVES - 1))
        return arm, float(chances[arm])

    def learn(self, x: NDArray[np.float64], arm: int, kept: Any, reward: float) -> None:
        """See `Player`. What the rotation chose, it chose for certain."""
        self._vw.learn(self._example(x, arm, -reward, 1.0 if kept is None else kept))

    def _example(
        self, x: NDArray[np.float64], arm: int = -1, cost: float = 0.0, chance: float = 1.0
    ) -> list[str]:
        moment = " ".join(f"f{i}:{value:.5f}" for i, value in enumerate(x))
        lines = [f"shared |s {moment}"]
        for each in range(CREATIVES):
            label = f"0:{cost:.5f}:{chance:.5f} " if each == arm else ""
            lines.append(f"{label}|a c{each}")
        return lines


def main(program: str, seed: int, rounds: int, seconds: float) -> None:
    """Plays until the rounds or the seconds of processor time are over."""
    world = make(seed, rounds)
    player: Player = River(seed) if program == "river" else VowpalWabbit(seed)
    turns, chosen = rotation(rounds), np.zeros(rounds, dtype=np.int64)
    waiting: list[tuple[int, int, Any]] = []
    decide_us, learn_us = [], []
    ends = time.process_time() + seconds
    played = 0
    for t in range(rounds):
        if t % 256 == 0 and time.process_time() > ends:
            break
        while waiting and waiting[0][0] <= t:
            _, at, kept = heapq.heappop(waiting)
            began = time.perf_counter()
            player.learn(world.x[at], int(chosen[at]), kept, float(world.reward[at, chosen[at]]))
            learn_us.append((time.perf_counter() - began) * 1e6)
        kept = None
        chosen[t] = turns[t]
        if world.adaptive[t]:
            began = time.perf_counter()
            arm, kept = player.decide(world.x[t])
            decide_us.append((time.perf_counter() - began) * 1e6)
            chosen[t] = arm
        heapq.heappush(waiting, (t + int(world.late[t]), t, kept))
        played = t + 1
    print(
        json.dumps(
            {
                "captured": captured(chosen[:played], _first(world, played)),
                "rounds": played,
                "decide_us": [float(v) for v in np.percentile(decide_us, [50, 99])],
                "learn_us": float(np.median(learn_us)),
            }
        )
    )


def _first(world: World, played: int) -> World:
    return replace(world, mean=world.mean[:played], adaptive=world.adaptive[:played])


def _named(x: NDArray[np.float64]) -> dict[str, float]:
    return {f"f{i}": float(value) for i, value in enumerate(x)}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
