"""Notices a picture that stands still. Pure.

A sensor is never quite still: its noise changes some pixels from picture to picture. A camera that
hangs repeats one picture, at most with a clock drawn into a corner of it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Sample = npt.NDArray[np.uint8]

#: Every so many rows and columns are compared: 32,000 pixels of a 1080p picture.
STEP = 8

#: A pixel has changed if by more than this: an encoder repeats a still picture almost exactly.
_LEVELS = 2

#: Less of the picture than this may change: a clock's digits are .05 % of a picture, a person at
#: 6 m is 1 %.
_SHARE = 0.001


@dataclass(slots=True)
class StillWatch:
    """How long the picture has been the same.

    >>> watch, grey = StillWatch(), np.zeros((4, 4), dtype=np.uint8)
    >>> [watch.still_ms(grey, 0), watch.still_ms(grey, 700), watch.still_ms(grey + 9, 900)]
    [0, 700, 0]
    """

    _first: Sample | None = None
    _since_ms: int = 0

    def still_ms(self, sample: Sample, at_ms: int) -> int:
        """Since when, in ms, nothing has changed.

        Arguments:
            sample: (H, W) uint8, brightness of every eighth pixel or so.
            at_ms: event time.
        """
        if self._first is None or changed(self._first, sample):
            self._first, self._since_ms = sample.copy(), at_ms
        return at_ms - self._since_ms


def changed(before: Sample, now: Sample) -> bool:
    """Whether more differs than a hung camera's pictures do."""
    if before.shape != now.shape:
        return True
    levels = np.maximum(before, now) - np.minimum(before, now)
    return bool(np.count_nonzero(levels > _LEVELS) > _SHARE * levels.size)
