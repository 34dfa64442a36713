"""Whether something stirs before a camera: a small picture compared with what it showed lately.

It wakes a camera whose aisle was empty, and decides nothing else, so that it may err by waking.
"""

import cv2
import numpy as np
import numpy.typing as npt

from vision.ports import Image

#: A person at 4 m is some 60 px wide in 1080p: three to four cells of this grid.
_GRID_WH = (96, 54)

#: Grey levels by which a cell must differ; noise of a dark 8-bit camera is 3 to 6 of them, less
#: after the blur.
_DIFFERENT = 14

#: Cells that must differ: part of a person at the picture's edge; a speck is fewer.
_CELLS = 8

#: What the picture's background takes on of each picture: light that drifts over seconds is
#: followed, and who comes in is not.
_LEARN_SHARE = 0.05


class Stirring:
    """The motion test of one camera; about 0.1 ms a picture."""

    def __init__(self) -> None:
        self._background: npt.NDArray[np.float32] | None = None

    def look(self, image: Image) -> bool:
        """Whether `image`, (H, W, 3) uint8 BGR, differs from those before it."""
        small = cv2.resize(image, _GRID_WH, interpolation=cv2.INTER_LINEAR)
        grey = cv2.blur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3)).astype(np.float32)
        if self._background is None:
            self._background = grey
            return False
        different = np.count_nonzero(np.abs(grey - self._background) > _DIFFERENT)
        cv2.accumulateWeighted(grey, self._background, _LEARN_SHARE)
        return bool(different >= _CELLS)
