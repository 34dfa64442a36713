"""Event time of a camera's pictures, on the gateway's clock. Pure: arrival times are arguments.

A camera's own wall clock is never asked: only how much time its timestamps say passed *between* two
pictures is used, and only while that is credible.
"""

from dataclasses import dataclass

#: The least delayed picture of this long tells where the timestamps lie: a camera whose clock is
#: wrong by 100 ppm drifts by 1 ms meanwhile.
_WINDOW_MS = 5_000

#: Timestamps that claim more than this beyond the time that passed here have jumped: network and
#: camera delay pictures, but nothing brings them early.
_EARLY_MS = 1_000

#: What waited for a new connection has been here after this long.
_SETTLE_MS = 1_000

#: A picture that is this late cannot be told from one whose camera's clock stood still.
_LATE_MS = 10_000


@dataclass(slots=True)
class CameraClock:
    """Maps timestamps to event time; strictly increasing, never later than the arrival.

    `jumps`: how often the timestamps jumped, went back, wrapped or were missing, and the mapping
    was made anew. `settled`: whether the pictures come at their own pace; those before waited for
    the connection, and are older than can be told.

    >>> clock = CameraClock()
    >>> [clock.event_ms(pts, now) for pts, now in [(0, 1000), (40, 1090), (80, 1080)]]
    [1000, 1040, 1080]
    """

    jumps: int = 0
    settled: bool = False
    _began_ms: int | None = None
    _arrived_ms: int = 0
    _offset_ms: int | None = None
    _next_ms: int | None = None
    _window_ms: int = 0
    _pts_ms: int = 0
    _event_ms: int = -1

    def reconnected(self) -> None:
        """Timestamps begin anew, as they may; not a jump."""
        self._offset_ms = self._began_ms = None
        self.settled = False

    def event_ms(self, pts_ms: int | None, arrived_ms: int) -> int:
        """When the picture was taken, UTC epoch ms.

        Arguments:
            pts_ms: the camera's timestamp, from any beginning; None where it has none.
            arrived_ms: when the picture was here, on a clock that does not go back.
        """
        if pts_ms is None:
            self.jumps += self._offset_ms is not None
            self._offset_ms = None
            self.settled = True
            return self._told(arrived_ms)
        self._settle(pts_ms, arrived_ms)
        fresh_ms = arrived_ms - pts_ms
        if self._offset_ms is not None and self._jumped(pts_ms, fresh_ms):
            self.jumps += 1
            self._offset_ms = None
        if self._offset_ms is None or self._next_ms is None:
            self._offset_ms = self._next_ms = fresh_ms
            self._window_ms = arrived_ms
        elif arrived_ms - self._window_ms >= _WINDOW_MS:
            # The last window's least replaces the one before: a slow clock is followed so.
            self._offset_ms, self._next_ms = min(self._next_ms, fresh_ms), fresh_ms
            self._window_ms = arrived_ms
        self._offset_ms = min(self._offset_ms, fresh_ms)
        self._next_ms = min(self._next_ms, fresh_ms)
        self._pts_ms = pts_ms
        return self._told(pts_ms + self._offset_ms)

    def _settle(self, pts_ms: int, arrived_ms: int) -> None:
        if self._began_ms is None:
            self._began_ms = arrived_ms
        elif 2 * (arrived_ms - self._arrived_ms) >= pts_ms - self._pts_ms:
            self.settled = True
        self.settled = self.settled or arrived_ms - self._began_ms >= _SETTLE_MS
        self._arrived_ms = arrived_ms

    def _jumped(self, pts_ms: int, fresh_ms: int) -> bool:
        lateness_ms = fresh_ms - (self._offset_ms or 0)
        return pts_ms <= self._pts_ms or not -_EARLY_MS <= lateness_ms <= _LATE_MS

    def _told(self, event_ms: int) -> int:
        self._event_ms = max(event_ms, self._event_ms + 1)
        return self._event_ms
