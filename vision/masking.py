"""What must not be measured is blackened before the detector sees it."""

from collections.abc import Sequence

import cv2
import numpy as np

from streams.contracts.layout import Polygon
from vision.core.geometry import contains
from vision.core.place import anchor
from vision.ports import Detections, Image

#: Polygons are drawn to a sixteenth of a pixel.
_FRACTION_BITS = 4


class NoMeasure:
    """The parts of one camera's picture that are not measured (normalised polygons)."""

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self._polygons = tuple(polygons)
        self._size = (0, 0)
        self._corners: list[np.ndarray[tuple[int, ...], np.dtype[np.int32]]] = []

    def blacken(self, image: Image) -> Image:
        """`image`, (H, W, 3) uint8 BGR, with those parts black: in place where it can be written,
        so that nothing after it, people's previews included, gets to see them.
        """
        if not self._polygons:
            return image
        if not image.flags.writeable:
            image = image.copy()
        for corners in self._drawn(image):
            cv2.fillPoly(image, [corners], (0, 0, 0), shift=_FRACTION_BITS)
        return image

    def without_hidden(self, detections: Detections) -> Detections:
        """The detections of those who stand elsewhere: half a body may show beside a black part."""
        if not self._polygons or len(detections) == 0:
            return detections
        keep = np.array([not self._hides(row) for row in detections.boxes.tolist()])
        if keep.all():
            return detections
        heads = detections.heads
        return Detections(
            scores=detections.scores[keep],
            boxes=detections.boxes[keep],
            keypoints=detections.keypoints[keep],
            heads=None if heads is None else heads[keep],
        )

    def _hides(self, box: list[float]) -> bool:
        foot = anchor((box[0], box[1], box[2], box[3]))
        return any(contains(polygon, foot) for polygon in self._polygons)

    def _drawn(self, image: Image) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int32]]]:
        """The polygons in pixels of this size, worked out once."""
        height, width = image.shape[:2]
        if self._size != (width, height):
            scale = np.array([width, height], dtype=float) * (1 << _FRACTION_BITS)
            self._corners = [
                np.round(np.array(polygon) * scale).astype(np.int32) for polygon in self._polygons
            ]
            self._size = (width, height)
        return self._corners
