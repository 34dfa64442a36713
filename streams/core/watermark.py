"""How far each source has told in its log: what is late is judged by this, never by a clock.
Pure."""

#: More than the cameras and tills of one partition; the one that told least far is forgotten.
_MOST_SOURCES = 10_000


class Watermarks:
    """The newest event time of each (log, source).

    A log is one topic's partition, so that the order in which several topics are read changes
    nothing; a source is a camera or a till, so that a clock that goes wrong makes no others late.

    >>> marks = Watermarks()
    >>> marks.observe("vision.gaze.v1", "cam-1", 20_000)
    20000
    >>> marks.is_late("vision.gaze.v1", "cam-1", window_end_ms=10_000, lateness_ms=5_000)
    True
    >>> marks.is_late("vision.gaze.v1", "cam-2", window_end_ms=10_000, lateness_ms=5_000)
    False
    """

    def __init__(self) -> None:
        self._newest_ms: dict[tuple[str, str], int] = {}

    def observe(self, log: str, source: str, at_ms: int) -> int:
        """An event of `source` with event time `at_ms` was read from `log`; its newest time."""
        key = (log, source)
        newest_ms = self._newest_ms.get(key, -1)
        if at_ms <= newest_ms:
            return newest_ms
        if newest_ms < 0 and len(self._newest_ms) >= _MOST_SOURCES:
            del self._newest_ms[min(self._newest_ms, key=self._newest_ms.__getitem__)]
        self._newest_ms[key] = at_ms
        return at_ms

    def spans_ms(self) -> dict[str, tuple[int, int]]:
        """For each log, the newest time of the source that told least far and of the one that
        told furthest.
        """
        spans: dict[str, tuple[int, int]] = {}
        for (log, _), at_ms in self._newest_ms.items():
            oldest_ms, newest_ms = spans.get(log, (at_ms, at_ms))
            spans[log] = min(oldest_ms, at_ms), max(newest_ms, at_ms)
        return spans

    def is_late(self, log: str, source: str, *, window_end_ms: int, lateness_ms: int) -> bool:
        """Whether `source` has told of a time at which a window that ended then takes no more."""
        return self._newest_ms.get((log, source), 0) >= window_end_ms + lateness_ms
