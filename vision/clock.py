"""The gateway's clocks, for whoever is not given another."""

import time
from collections.abc import Callable

#: A clock that was set back is waited for by running this much slower: durations stay right to 5 %,
#: and event time does not stand still.
_SLOWER = 0.05


def wall_ms() -> int:
    """Now, in UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """The wall clock in UTC epoch ms, but never back: for event time.

    Set forward, it follows at once; set back, it runs slower until the wall clock has caught up.
    For one thread.
    """

    def __init__(
        self,
        wall: Callable[[], int] = wall_ms,
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._elapsed_s = elapsed_s
        self._at_s = elapsed_s()
        self._now_ms = float(wall())

    def __call__(self) -> int:
        """Now."""
        at_s, wall = self._elapsed_s(), float(self._wall())
        passed_ms = 1000 * (at_s - self._at_s)
        self._now_ms = max(wall, self._now_ms + (1 - _SLOWER) * passed_ms)
        self._at_s = at_s
        return int(self._now_ms)
