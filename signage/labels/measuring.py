"""Finds the explicit label in the pixels and measures it: what is on the picture, not what was
meant to be.

The label's picture is looked for in all sizes along the edges; where it is, the text's height is
that of the bright rows on the dark plate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from signage.labels.drawing import TEXT, plate

Grey = NDArray[np.uint8]
_Box = tuple[int, int, int, int]

#: The texts that are looked for, ours first.
TEXTS = (TEXT, "AI合成", "人工智能生成", "人工智能合成")
#: The search is made in a small copy: a label of 5 % is 16 pixels high in it, enough to be told.
_SEARCH_SHORT_PX = 320
#: Capitals from 3 % to 16 % of the shortest side, each size a sixteenth larger: half of that is
#: what the likeness bears.
_SMALLEST, _LARGEST = 0.03, 0.16
#: Correlation of what is found with the label's picture; text that is none stays below 0.55.
_MIN_LIKENESS = 0.72
#: The plate may be this far from an edge, by the shortest side: "at an edge or a corner".
_EDGE_SHARE = 0.15
#: Of the plate's height: what is left out on each side. Its own padding is 18 %.
_BORDER = 0.08
#: WCAG 2.2, 1.4.3: what counts as legible.
_MIN_CONTRAST = 4.5


@dataclass(frozen=True, slots=True)
class Explicit:
    """An explicit label that was found.

    `text_px` is the height of its text in pixels, `capitals_px` that of its lowest letters (equal
    where it has no Latin ones), `short_px` the picture's shortest side, `box` the plate as
    (x0, y0, x1, y1), `contrast` the ratio of luminances (WCAG).
    """

    text: str
    text_px: int
    capitals_px: int
    short_px: int
    box: _Box
    contrast: float

    @property
    def height_share(self) -> float:
        """The lowest letters' height by the picture's shortest side."""
        return self.capitals_px / self.short_px


def find(rgb: NDArray[np.uint8]) -> Explicit | None:
    """The explicit label of a picture, (H, W, 3) uint8; None where there is none to be read."""
    grey = np.ascontiguousarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).astype(np.uint8)
    for text in (TEXTS[0], TEXTS[2]):  # one of each length
        found = _search(grey, text)
        if found is not None:
            return found
    return None


def is_at(rgb: NDArray[np.uint8], label: Explicit) -> bool:
    """Whether the label that was found in one frame is at the same place in this one."""
    x0, y0, x1, y1 = label.box
    grey = cv2.cvtColor(rgb[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY).astype(np.uint8)
    drawn = cv2.resize(_drawn(label.text, label.capitals_px), (x1 - x0, y1 - y0))
    return _likeness(grey, drawn.astype(np.uint8)) >= _MIN_LIKENESS


def _search(grey: Grey, text: str) -> Explicit | None:
    height, width = grey.shape
    short = min(height, width)
    scale = min(1.0, _SEARCH_SHORT_PX / short)
    small = _scaled(grey, scale)
    best: tuple[float, _Box] = (0.0, (0, 0, 0, 0))
    for capitals in _sizes(min(small.shape)):
        mark = _drawn(text, capitals)
        if mark.shape[0] >= small.shape[0] or mark.shape[1] >= small.shape[1]:
            break
        likeness = _by_the_edge(cv2.matchTemplate(small, mark, cv2.TM_CCOEFF_NORMED), small)
        _, top, _, (x, y) = cv2.minMaxLoc(likeness)
        if top > best[0]:
            best = (float(top), (x, y, x + mark.shape[1], y + mark.shape[0]))
    if best[0] < _MIN_LIKENESS:
        return None
    x0, y0, x1, y1 = (round(value / scale) for value in best[1])
    slack = max(3, round(3 / scale))
    around = (
        max(0, x0 - slack),
        max(0, y0 - slack),
        min(width, x1 + slack),
        min(height, y1 + slack),
    )
    # Texts of one length look alike in the small copy; in the full picture they do not.
    alike = [each for each in TEXTS if len(each) == len(text)]
    refined = {each: _refined(grey, each, around) for each in alike}
    truly = max(alike, key=lambda each: refined[each][0])
    surely, box = refined[truly]
    return _measure(grey, truly, box) if surely >= _MIN_LIKENESS else None


def _sizes(short_px: int) -> Iterator[int]:
    """The heights of capitals that are tried, in pixels of the small copy."""
    size = max(6, round(_SMALLEST * short_px))
    while size <= _LARGEST * short_px:
        yield size
        size += max(1, size // 16)


def _refined(grey: Grey, text: str, around: _Box) -> tuple[float, _Box]:
    """How like the text it is, and where the plate is to the pixel, in the piece of the full
    picture that was found.
    """
    x0, y0, x1, y1 = around
    piece = grey[y0:y1, x0:x1]
    best: tuple[float, _Box] = (-1.0, around)
    largest = piece.shape[0] / _drawn(text, 100).shape[0] * 100
    step = max(1, round(0.005 * largest))
    for capitals in range(max(4, round(0.75 * largest)), round(largest) + 1, step):
        mark = _drawn(text, capitals)
        if mark.shape[0] > piece.shape[0] or mark.shape[1] > piece.shape[1]:
            break
        _, top, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(piece, mark, cv2.TM_CCOEFF_NORMED))
        if top > best[0]:
            left, upper = x0 + int(x), y0 + int(y)
            best = (float(top), (left, upper, left + mark.shape[1], upper + mark.shape[0]))
    return best


def _by_the_edge(likeness: NDArray[Any], small: Grey) -> NDArray[np.float32]:
    """The likeness with all places blotted out that are not at an edge."""
    near = round(_EDGE_SHARE * min(small.shape))
    kept = np.full(likeness.shape, -1.0, np.float32)
    rows, columns = likeness.shape
    for part in (
        (slice(0, near), slice(None)),
        (slice(max(0, rows - near), rows), slice(None)),
        (slice(None), slice(0, near)),
        (slice(None), slice(max(0, columns - near), columns)),
    ):
        kept[part] = likeness[part]
    return kept


def _measure(grey: Grey, text: str, box: _Box) -> Explicit | None:
    """Measures the text on the plate in the full picture; None where it is not legible."""
    x0, y0, x1, y1 = box
    # Within the plate's border: what is beside it, and a codec's ringing there, is no ink.
    trim = max(1, round(_BORDER * (y1 - y0)))
    on_plate = grey[y0 + trim : y1 - trim, x0 + trim : x1 - trim]
    level, _ = cv2.threshold(on_plate, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = on_plate > level
    contrast = _contrast(on_plate[ink], on_plate[~ink])
    if contrast < _MIN_CONTRAST:
        return None
    rows = np.flatnonzero(ink.any(axis=1))
    columns = np.flatnonzero(ink.any(axis=0))
    text_px = int(rows[-1] - rows[0] + 1)
    capitals = _capitals(ink, columns) if text.startswith("AI") else text_px
    return Explicit(text, text_px, capitals, min(grey.shape), box, contrast)


def _capitals(ink: NDArray[np.bool_], columns: NDArray[np.intp]) -> int:
    """The height of the first letter: the ink of the columns up to the first gap."""
    gaps = np.flatnonzero(np.diff(columns) > 1)
    last = columns[gaps[0]] if gaps.size else columns[-1]
    rows = np.flatnonzero(ink[:, columns[0] : last + 1].any(axis=1))
    return int(rows[-1] - rows[0] + 1)


def _contrast(ink: Grey, ground: Grey) -> float:
    if ink.size == 0 or ground.size == 0:
        return 1.0
    bright, dark = (_luminance(float(np.median(each))) for each in (ink, ground))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(level: float) -> float:
    """Of a grey of 0 to 255. Reference: WCAG 2.2, relative luminance."""
    share = level / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _likeness(piece: Grey, mark: Grey) -> float:
    return float(cv2.matchTemplate(piece, mark, cv2.TM_CCOEFF_NORMED)[0, 0])


@lru_cache(maxsize=512)
def _drawn(text: str, capitals_px: int) -> Grey:
    """The label's picture in one size: drawn large and made small, as a picture's own was."""
    large = np.asarray(plate(text, 4 * capitals_px).convert("L"))
    return _scaled(large, 0.25)


def _scaled(grey: Grey, share: float) -> Grey:
    scaled = cv2.resize(grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return scaled.astype(np.uint8)
