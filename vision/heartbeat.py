"""When a camera tells of its audience: soon where that has changed, else once a second. Pure."""

from collections.abc import Sequence

from vision.core.scene import TargetCount

#: Without news there is a heartbeat this often all the same: who reads them knows by it that the
#: camera lives, and takes it for silent after 3 s.
_LONGEST_MS = 1_000


class Heartbeat:
    """One camera's.

    Arguments:
        per_s: at the most so many a second, however much changes.
    """

    def __init__(self, per_s: float) -> None:
        self._shortest_ms = round(1000 / per_s)
        self._told_ms: int | None = None
        self._told: tuple[object, ...] = ()

    def may_be(self, at_ms: int) -> bool:
        """Whether one at this event time would not come too soon after the last."""
        return self._told_ms is None or at_ms >= self._told_ms + self._shortest_ms

    def is_due(
        self, at_ms: int, people: int, counts: Sequence[TargetCount], *, over: bool, nudged: bool
    ) -> bool:
        """Whether one is to be told now; then it counts as told.

        `over`: presences have ended since the last one. How long the looks have gone on so far is
        no news: it grows by itself.
        """
        if not self.may_be(at_ms):
            return False
        told = (
            people,
            nudged,
            *((c.target.measured, c.people, c.watchers, c.attention_ms > 0) for c in counts),
        )
        quiet = self._told_ms is not None and at_ms < self._told_ms + _LONGEST_MS
        if quiet and not over and told == self._told:
            return False
        self._told_ms, self._told = at_ms, told
        return True
