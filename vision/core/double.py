"""One body that a picture shows twice: a network may put two boxes round it. Pure.

Or it takes the head of whoever stands before somebody hidden for that one's own. Either way the
second box tells nothing that is true of anybody.
"""

from collections.abc import Sequence

import numpy as np

from vision.core.body import Track, width

#: The keypoints of a head and the shoulders, COCO order; so many are compared at least.
_UPPER, _FEWEST = 7, 3

#: Two boxes whose keypoints lie no further apart than this, in body widths, are of one body; heads
#: of two people who are seen so near to each other hide one another.
_SAME = 0.1


def without_doubles(tracks: Sequence[Track], aspect: float, min_confidence: float) -> list[Track]:
    """The tracks without those of a body that another one shows with a better score.

    `aspect`: the picture's height over its width.
    """
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda track: -track.score):
        if not any(_is_same(track, other, aspect, min_confidence) for other in kept):
            kept.append(track)
    return kept


def _is_same(one: Track, other: Track, aspect: float, min_confidence: float) -> bool:
    if one.box[2] < other.box[0] or other.box[2] < one.box[0]:
        return False
    a, b = one.keypoints[:_UPPER], other.keypoints[:_UPPER]
    both = np.minimum(a[:, 2], b[:, 2]) >= min_confidence
    if int(both.sum()) < _FEWEST:
        return False
    off = (a[both, :2] - b[both, :2]) * (1.0, aspect)
    return float(np.median(np.hypot(*off.T))) < _SAME * width(other.box)
