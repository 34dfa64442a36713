"""When rows are told: at each interval, and less often while a worker catches up. Pure.

What is told is the same, for a row says all that is known of its window: only steps on the way
there are left out.
"""


class Turns:
    """Asked once in an interval; `behind_after_s`, `behind_each_s`: who has not been at the end of
    the log for so long tells only once in so long.

    >>> turns = Turns(behind_after_s=1.0, behind_each_s=1.0)
    >>> [turns.due(s, caught_up=False) for s in (0.0, 0.5, 1.0, 1.5)]
    [True, False, True, False]
    >>> [turns.due(s, caught_up=True) for s in (1.6, 1.7)]
    [True, True]
    >>> [turns.due(s, caught_up=False) for s in (1.8, 2.6, 2.8, 3.6, 4.0)]
    [True, True, False, True, False]
    """

    def __init__(self, behind_after_s: float, behind_each_s: float) -> None:
        self._behind_after_s = behind_after_s
        self._behind_each_s = behind_each_s
        self._caught_up_s: float | None = None
        self._told_s: float | None = None

    def due(self, now_s: float, *, caught_up: bool) -> bool:
        """Whether to tell now; it is taken to be done. Until it was at the end, one is behind."""
        if caught_up:
            self._caught_up_s = now_s
        seen_s, told_s = self._caught_up_s, self._told_s
        behind = seen_s is None or now_s - seen_s >= self._behind_after_s
        if behind and told_s is not None and now_s - told_s < self._behind_each_s:
            return False
        self._told_s = now_s
        return True
