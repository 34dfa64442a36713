"""Where heads are in a picture, and their making unrecognisable. Pure.

Whoever is in doubt blurs more: a faint detection counts, a head that cannot be found takes the top
of its person's box with it, and a head that was there a moment ago is blurred where it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vision.ports import Detections, Image

Floats = npt.NDArray[np.float32]

#: COCO keypoints: nose, eyes and ears come first; then the shoulders.
_HEAD = 5
_EYES, _EARS, _SHOULDERS = (1, 2), (3, 4), (5, 6)

#: Keypoints below the first are noise; a head is sure to be where several are above the second.
_FAINT, _SURE = 0.3, 0.5

#: The breadth of a head in terms of what is seen of it (breadth 0.15 m, pupils 63 mm apart, nose to
#: ear 0.12 m, shoulder joints 0.34 m apart), and at the least as a part of the person's box, its
#: breadth and its height: a head in profile shows its keypoints close together.
_PER_EYES, _PER_SPAN, _PER_SHOULDERS, _PER_BOX, _PER_HEIGHT = 2.4, 1.25, 0.45, 0.33, 0.12

#: What is blurred, in breadths of the head to each side of its middle: half a head more than
#: there is of it, and room for a hat.
_BESIDE, _BEHIND, _ABOVE_AND_BELOW, _HIGHEST = 0.95, 0.8, 1.3, 2.0

#: The top of a box that holds the head of somebody who stands (a third of it), or of whom the
#: picture shows the upper body alone (as high as three quarters of its breadth).
_TOP_OF_STANDING, _TOP_OF_UPPER = 1 / 3, 0.75

#: Nobody goes further than this, in heights of the own body: 1.7 m in a second, and the jitter of a
#: box. A detection of a moment ago with none of now so near is somebody who is hidden, or missed.
_STRIDE, _STRIDE_PER_S = 0.4, 1.0

#: Who is no longer detected is blurred for so long where he was, and the more around it the longer
#: ago that is.
REMEMBERED_MS = 1_500
_GROWS_AT_ONCE, _GROWS_PER_S = 1.2, 0.4

#: Who passes behind somebody (no further aside than this, in heights of the body) may show a part
#: of the head on either side of that one's: for a second all around it is blurred.
_ASIDE, _HIDES_S, _BESIDE_ANOTHER = 0.2, 1.0, 1.4

#: No head is taken to be smaller than this, however little of it is found.
_SMALLEST_PX = 4.0

#: Squares across the breadth of a blurred head: so few that they tell nobody from another.
_SQUARES = 2.5

#: From an outline of this power on a region is a rectangle with round corners; 2 is an ellipse.
_ROUND, _SQUARE = 2.0, 8.0

#: The blur fades out beyond a region's edge, over this part of its half axes.
_FADE = 0.15


class Region(NamedTuple):
    """A part of the picture to blur, in pixels: centre and half axes, the breadth of the head in it
    and the power of its outline."""

    x: float
    y: float
    half_width: float
    half_height: float
    breadth: float
    power: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the detector saw in one picture; without the picture."""

    at_ms: int
    detections: Detections


def head_regions(now: Seen, before: Iterable[Seen], size_px: tuple[int, int]) -> list[Region]:
    """All that has to be blurred in the picture of `now`.

    Arguments:
        now: all detections of the picture, also those that are not tracked.
        before: the pictures just before; who was seen there and is not seen now is blurred too.
        size_px: width and height of the picture.
    """
    regions = [
        region
        for box, keypoints in zip(now.detections.boxes, now.detections.keypoints, strict=True)
        for region in person_regions(box, keypoints, size_px)
    ]
    for seen in before:
        age_s = (now.at_ms - seen.at_ms) / 1000
        if 0 < age_s <= REMEMBERED_MS / 1000:
            regions += _hidden(seen.detections, now.detections, age_s, size_px)
    return regions


def _hidden(
    before: Detections, now: Detections, age_s: float, size_px: tuple[int, int]
) -> list[Region]:
    """What has to be blurred for those who were detected before and are not now."""
    by, stride = _GROWS_AT_ONCE + _GROWS_PER_S * age_s, _STRIDE + _STRIDE_PER_S * age_s
    apart = _apart(before.boxes, now.boxes, size_px)
    regions: list[Region] = []
    for index in _missing(apart, stride):
        found = person_regions(before.boxes[index], before.keypoints[index], size_px)
        regions += [_grown(region, by) for region in found]
        if age_s <= _HIDES_S:
            others = now.boxes[_beside(before.boxes[index], now.boxes, size_px)]
            tops = (_top(other.reshape(2, 2) * np.array(size_px, np.float32)) for other in others)
            regions += [_grown(top, _BESIDE_ANOTHER) for top in tops]
    return regions


def _beside(box: Floats, others: Floats, size_px: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which of `others`, (M, 4), one step could bring behind each other with `box`, (4,)."""
    gap_px = np.maximum(others[:, 0] - box[2], box[0] - others[:, 2]) * size_px[0]
    return np.asarray(gap_px <= _ASIDE * max(float(box[3] - box[1]), 0.0) * size_px[1])


def _missing(apart: Floats, stride: float) -> list[int]:
    """Which people of a moment ago none of now goes on, nearest first; each can go on one.

    Arguments:
        apart: (N, M) distances from each of N to each of M, in heights of the body.

    >>> _missing(np.array([[0.1, 0.9], [0.3, 2.0]], dtype=np.float32), 0.5)
    [1]
    """
    missing, free = set(range(apart.shape[0])), set(range(apart.shape[1]))
    for flat in np.argsort(apart, axis=None):
        old, new = divmod(int(flat), apart.shape[1])
        if apart[old, new] <= stride and old in missing and new in free:
            missing.discard(old)
            free.discard(new)
    return sorted(missing)


def _apart(before: Floats, now: Floats, size_px: tuple[int, int]) -> Floats:
    """Between the middles of boxes (N, 4) and (M, 4), in heights of the former: (N, M)."""
    size = np.array(size_px, dtype=np.float32)
    here, there = (boxes.reshape(-1, 2, 2).mean(axis=1) * size for boxes in (before, now))
    height = np.maximum((before[:, 3] - before[:, 1]) * size[1], 1.0)
    away = np.linalg.norm(here[:, None] - there[None, :], axis=2) / height[:, None]
    return np.asarray(away, dtype=np.float32)


def person_regions(box: Floats, keypoints: Floats, size_px: tuple[int, int]) -> list[Region]:
    """What has to be blurred of one person: the head, or all of where it may be.

    Arguments:
        box: (4,) float32 xyxy, normalised.
        keypoints: (17, 3) float32, x and y normalised, confidence; COCO order.
    """
    size = np.array(size_px, dtype=np.float32)
    corners = box.reshape(2, 2) * size
    points, confidence = keypoints[:, :2] * size, keypoints[:, 2]
    head = _head(points, confidence, corners)
    sure = int((confidence[:_HEAD] >= _SURE).sum()) >= 2
    if head is not None and sure and _within(head, corners):
        return [head]
    return [_top(corners), *([] if head is None else [head])]


def _head(points: Floats, confidence: Floats, corners: Floats) -> Region | None:
    """The head by its own keypoints; None if there are none."""
    seen = points[:_HEAD][confidence[:_HEAD] >= _FAINT]
    if not len(seen):
        return None
    width, height = corners[1] - corners[0]

    def apart(pair: tuple[int, int]) -> float:
        if min(confidence[pair[0]], confidence[pair[1]]) < _FAINT:
            return 0.0
        return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))

    span = float(np.linalg.norm(np.ptp(seen, axis=0)))
    breadth = max(
        apart(_EARS),
        _PER_EYES * apart(_EYES),
        _PER_SPAN * span,
        # A keypoint gone astray makes no head larger than its person.
        min(_PER_SHOULDERS * apart(_SHOULDERS), float(max(width, height))),
        _PER_BOX * float(min(width, height)),
        _PER_HEIGHT * float(height),
        _SMALLEST_PX,
    )
    x, y = (float(value) for value in (seen.min(axis=0) + seen.max(axis=0)) / 2)
    # A box begins at the crown, unless a hand is held above it.
    up = min(y - float(corners[0, 1]), _HIGHEST * breadth)
    tall = max(_ABOVE_AND_BELOW * breadth, up)
    wide = _BESIDE * breadth
    if float(confidence[list(_EARS)].min()) < _SURE:
        # In profile all keypoints lie in the front half.
        wide = max(wide, float(np.ptp(seen[:, 0])) / 2 + _BEHIND * breadth)
    return Region(x, y, wide, tall, breadth, _ROUND)


def _top(corners: Floats) -> Region:
    """The top of a person's box, and a little around it."""
    (x0, y0), (x1, y1) = corners.tolist()
    width, height = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    deep = min(height, max(_TOP_OF_STANDING * height, _TOP_OF_UPPER * width))
    margin = 0.12 * min(width, height)
    return Region(
        x=(x0 + x1) / 2,
        y=y0 + (deep - margin) / 2,
        half_width=width / 2 + margin,
        half_height=(deep + margin) / 2 + margin / 2,
        breadth=_PER_BOX * min(width, height),
        power=_SQUARE,
    )


def _within(head: Region, corners: Floats) -> bool:
    """Whether the head's middle lies in its person's box, or hardly outside."""
    (x0, y0), (x1, y1) = corners.tolist()
    slack = head.breadth / 2
    return bool(x0 - slack <= head.x <= x1 + slack and y0 - slack <= head.y <= y1 + slack)


def _grown(region: Region, by: float) -> Region:
    return region._replace(half_width=region.half_width * by, half_height=region.half_height * by)


def blur(image: Image, regions: Iterable[Region]) -> None:
    """Make the regions of `image` unrecognisable, in place: a few squares, smoothly joined."""
    for region in regions:
        _blur(image, region)


def _blur(image: Image, region: Region) -> None:
    height_px, width_px = image.shape[:2]
    across, down = region.half_width * (1 + _FADE), region.half_height * (1 + _FADE)
    x0, x1 = max(0, int(region.x - across)), min(width_px, int(region.x + across) + 2)
    y0, y1 = max(0, int(region.y - down)), min(height_px, int(region.y + down) + 2)
    if x1 - x0 < 1 or y1 - y0 < 1:
        return
    part = image[y0:y1, x0:x1]
    square = max(region.breadth / _SQUARES, _SMALLEST_PX)
    squares = (max(1, round((x1 - x0) / square)), max(1, round((y1 - y0) / square)))
    coarse = cv2.resize(part, squares, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    x = (np.arange(x0, x1, dtype=np.float32) - region.x) / region.half_width
    y = (np.arange(y0, y1, dtype=np.float32) - region.y) / region.half_height
    away = (np.abs(x[None, :]) ** region.power + np.abs(y[:, None]) ** region.power) ** (
        1 / region.power
    )
    share = np.clip((1 + _FADE - away) / _FADE, 0.0, 1.0).astype(np.float32)
    part[:] = cv2.blendLinear(smooth, part, share, 1 - share)
