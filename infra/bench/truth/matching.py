"""Who of the told tracks is who of the true shoppers. Pure.

Picture by picture, tracks and shoppers are paired by their place on the floor; a pairing is kept
while it may be, as CLEAR MOT does, and a shopper whose track is another one than before is an
identity switch. Over the whole time each track gets one shopper at the most, and each shopper one
track: the assignment with the most time together.

References: Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR
MOT metrics", 2008; Ristani et al., "Performance measures and a data set for multi-target,
multi-camera tracking" (the one-to-one assignment), 2016.
"""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from streams.contracts.layout import Point

#: A track this near to a shopper, on the floor, may be that shopper: two people hardly stand nearer
#: to each other than half of it.
GATE_M = 1.0

#: Less time together than this makes no pair: it is chance.
LEAST_TOGETHER_MS = 500

#: Between two pictures that are further apart nothing is known of who is with whom.
_LONGEST_STEP_MS = 1_000


class Follower:
    """Follows tracks and shoppers, picture by picture."""

    def __init__(self) -> None:
        self._together: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, str] = {}
        self._at_ms: int | None = None
        #: Times that a shopper went on under another track.
        self.switches = 0

    def step(
        self, at_ms: int, tracks: Mapping[str, Point], shoppers: Mapping[str, Point]
    ) -> dict[str, str]:
        """The pairs of one picture, the track by the shopper. `at_ms` must not decrease."""
        since_ms = 0 if self._at_ms is None else min(_LONGEST_STEP_MS, at_ms - self._at_ms)
        self._at_ms = at_ms
        pairs = {
            shopper: track
            for shopper, track in self._last.items()
            if shopper in shoppers
            and track in tracks
            and math.dist(shoppers[shopper], tracks[track]) <= GATE_M
        }
        free = {name: at for name, at in tracks.items() if name not in pairs.values()}
        alone = {name: at for name, at in shoppers.items() if name not in pairs}
        for shopper, track in nearest(alone, free).items():
            self.switches += shopper in self._last
            pairs[shopper] = track
        for shopper, track in pairs.items():
            self._last[shopper] = track
            self._together[track, shopper] += since_ms
        return pairs

    def matched(self) -> dict[str, str]:
        """The shopper of each track that has one."""
        together = {pair: ms for pair, ms in self._together.items() if ms >= LEAST_TOGETHER_MS}
        return assigned(together)


def nearest(shoppers: Mapping[str, Point], tracks: Mapping[str, Point]) -> dict[str, str]:
    """The pairs within reach of each other that are the nearest over all, the track by the shopper.

    >>> nearest({"ann": (0.0, 0.0), "bob": (0.6, 0.0)}, {"t": (0.4, 0.0), "u": (9.0, 0.0)})
    {'bob': 't'}
    """
    if not shoppers or not tracks:
        return {}
    rows, columns = list(shoppers), list(tracks)
    apart = np.array([[math.dist(shoppers[s], tracks[t]) for t in columns] for s in rows])
    # What is out of reach costs as much as any number of pairs within it.
    cost = np.where(apart <= GATE_M, apart, GATE_M * (1 + min(apart.shape)))
    return {
        rows[i]: columns[j]
        for i, j in zip(*linear_sum_assignment(cost), strict=True)
        if apart[i, j] <= GATE_M
    }


def assigned(together: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """The shopper of each track, one to one, with the most time together over all.

    >>> assigned({("t", "ann"): 900, ("t", "bob"): 1000, ("u", "bob"): 950})
    {'t': 'ann', 'u': 'bob'}
    """
    if not together:
        return {}
    tracks = sorted({track for track, _ in together})
    shoppers = sorted({shopper for _, shopper in together})
    row = {name: i for i, name in enumerate(tracks)}
    column = {name: j for j, name in enumerate(shoppers)}
    time = np.zeros((len(tracks), len(shoppers)))
    for (track, shopper), ms in together.items():
        time[row[track], column[shopper]] = ms
    return {
        tracks[i]: shoppers[j]
        for i, j in zip(*linear_sum_assignment(-time), strict=True)
        if time[i, j] > 0
    }
