"""A picture to draw on: smooth lines, translucent areas and legible text, by OpenCV. Pure."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Point
from vision.core.place import Box
from vision.ports import Image

Floats = npt.NDArray[np.float64]

#: Blue, green, red.
Colour = tuple[int, int, int]

#: Coordinates are given to OpenCV in sixteenths of a pixel.
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Style:
    """Letters: their height in units of the sheet, and their weight (400 regular, 700 bold)."""

    size: float
    weight: int


@dataclass(slots=True, eq=False)
class Sheet:
    """Draws on `image`, (H, W, 3) uint8 BGR, in place; points are in pixels, x first.

    Measures of lines and letters are in units: 1 px in a picture of 480 px, the narrowest at which
    it is looked at.
    """

    image: Image
    font: cv2.FontFace = field(default_factory=lambda: cv2.FontFace("sans"))

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def unit_px(self) -> float:
        """The measure of lines and letters."""
        return max(1.0, self.size_px[0] / 480)

    def tint(self, polygon: Floats, colour: Colour, share: float) -> None:
        """Lay `colour` over a polygon, (N, 2), so that `share` of it is seen."""
        low = np.maximum(np.floor(polygon.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 2, self.size_px)
        if (high <= low).any():
            return
        part = self.image[low[1] : high[1], low[0] : high[0]]
        laid = part.copy()
        cv2.fillPoly(laid, [_fixed(polygon - low)], colour, cv2.LINE_AA, _SHIFT)
        cv2.addWeighted(laid, share, part, 1 - share, 0, dst=part)

    def line(
        self, points: Floats, colour: Colour, thickness: float, *, closed: bool = False
    ) -> None:
        """A line through points, (N, 2)."""
        width_px = max(1, round(thickness * self.unit_px))
        cv2.polylines(self.image, [_fixed(points)], closed, colour, width_px, cv2.LINE_AA, _SHIFT)

    def dot(self, at: Floats, radius: float, colour: Colour) -> None:
        """A filled circle."""
        x, y = _fixed(at).tolist()
        around = round(radius * self.unit_px * 2**_SHIFT)
        cv2.circle(self.image, (x, y), around, colour, -1, cv2.LINE_AA, _SHIFT)

    def pill(self, box: Box, colour: Colour, share: float) -> None:
        """A label's ground: a box in pixels with round corners."""
        x0, y0, x1, y1 = box
        radius = min((y1 - y0) / 2, 5 * self.unit_px)
        corners = (
            (x1 - radius, y0 + radius, -90),
            (x1 - radius, y1 - radius, 0),
            (x0 + radius, y1 - radius, 90),
            (x0 + radius, y0 + radius, 180),
        )
        rim = [
            (x + radius * math.cos(angle), y + radius * math.sin(angle))
            for x, y, start in corners
            for angle in np.radians(start + np.arange(0, 91, 15)).tolist()
        ]
        self.tint(np.array(rim), colour, share)

    def measure(self, text: str, style: Style) -> tuple[float, float]:
        """Width and height of a text, in pixels."""
        _, _, width, height = self._extent(text, style)
        return float(width), float(height)

    def write(self, text: str, middle: Point, style: Style, colour: Colour) -> None:
        """A text around its middle."""
        x, y, width, height = self._extent(text, style)
        at = (round(middle[0] - width / 2 - x), round(middle[1] - height / 2 - y))
        cv2.putText(self.image, text, at, colour, self.font, self._letters(style), style.weight)

    def _extent(self, text: str, style: Style) -> tuple[int, int, int, int]:
        x, y, width, height = cv2.getTextSize(
            self.size_px, text, (0, 0), self.font, self._letters(style), style.weight
        )
        return int(x), int(y), int(width), int(height)

    def _letters(self, style: Style) -> int:
        return round(style.size * self.unit_px)


def _fixed(points: Floats) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(points * 2**_SHIFT), dtype=np.int32)
