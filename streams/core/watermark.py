"""How far each source has told in its log: what is late is judged by this, never by a clock.
Pure."""

from collections import OrderedDict

#: More than the cameras and tills of one partition; the one unheard for longest is forgotten.
_MOST_SOURCES = 10_000


class Watermarks:
    """The newest event time of each (log, source).

    A log is one topic's partition, so that the order in which several topics are read changes
    nothing; a source is a camera or a till, so that a clock that goes wrong makes no others late.

    >>> marks = Watermarks()
    >>> marks.observe("vision.gaze.v1", "cam-1", 20_000)
    >>> marks.is_late("vision.gaze.v1", "cam-1", window_end_ms=10_000, lateness_ms=5_000)
    True
    >>> marks.is_late("vision.gaze.v1", "cam-2", window_end_ms=10_000, lateness_ms=5_000)
    False
    """

    def __init__(self) -> None:
        self._newest_ms: OrderedDict[tuple[str, str], int] = OrderedDict()

    def observe(self, log: str, source: str, at_ms: int) -> None:
        """An event of `source` with event time `at_ms` was read from `log`."""
        key = (log, source)
        self._newest_ms[key] = max(self._newest_ms.get(key, 0), at_ms)
        self._newest_ms.move_to_end(key)
        if len(self._newest_ms) > _MOST_SOURCES:
            self._newest_ms.popitem(last=False)

    def is_late(self, log: str, source: str, *, window_end_ms: int, lateness_ms: int) -> bool:
        """Whether `source` has told of a time at which a window that ended then takes no more."""
        return self._newest_ms.get((log, source), 0) >= window_end_ms + lateness_ms
