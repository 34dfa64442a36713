"""Who is who from picture to picture: the package `trackers` behind random names.

ByteTrack, because it works on boxes alone, takes timestamps, and needs neither appearance (nobody
is recognised) nor torch; OC-SORT's gain is in crossings that a shelf camera rarely sees. Boxes are
compared with a buffer around them (BIoU): at 5 pictures a second a walker's boxes barely overlap.
"""

from collections.abc import Callable
from uuid import uuid4

import numpy as np
import supervision as sv
from trackers import BIoU, ByteTrackTracker

from vision.core.body import Track
from vision.core.head import reading_of
from vision.core.place import Box
from vision.ports import Detections

#: The filter's noise is tuned for pixels: boxes are given to it as in a picture this wide.
_VIRTUAL_WIDTH_PX = 1000.0

#: The buffer around a box, as a part of its size.
_BUFFER = 0.3

#: The rate the filter's noise is tuned for; real steps are measured by the frames' timestamps.
_REFERENCE_FPS = 10.0

#: A faint detection goes on with a track, and begins none: somebody half hidden.
_FAINT = 0.3

#: The tracker names a track at its second detection. A box of the picture before that overlaps the
#: new track's box by this much is its first.
_SAME_IOU = 0.1


def random_track_id() -> str:
    """A name that says nothing about anybody."""
    return uuid4().hex


class PersonTracker:
    """Tracks the people before one camera.

    Arguments:
        min_score: persons below this are not tracked.
        lost_ms: how long a lost track is remembered.
        aspect: the picture's height over its width.
        new_id: makes the names that go on the wire.
    """

    def __init__(
        self,
        min_score: float,
        lost_ms: int,
        aspect: float,
        new_id: Callable[[], str] = random_track_id,
    ) -> None:
        self._min_score = min_score
        self._scale = np.array([1.0, aspect, 1.0, aspect]) * _VIRTUAL_WIDTH_PX
        self._new_id = new_id
        self._names: dict[int, str] = {}
        self._before: tuple[int, list[Box]] = (0, [])
        self._first_ms: int | None = None
        self._tracker = ByteTrackTracker(
            lost_track_buffer=max(1, round(lost_ms / 1000 * 30)),
            frame_rate=_REFERENCE_FPS,
            track_activation_threshold=min_score,
            high_conf_det_threshold=min_score,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=0.1,
            iou=BIoU(buffer_ratio=_BUFFER),
        )

    def update(self, detections: Detections, at_ms: int) -> list[Track]:
        """The people that this picture shows: tracks, and detections that are none yet (not
        `sure`). `at_ms` must increase.
        """
        if self._first_ms is None:
            self._first_ms = at_ms
        chosen = np.flatnonzero(detections.scores >= min(self._min_score, _FAINT))
        known: set[int] = set()
        if not len(chosen) and not self._tracker.tracks:
            # An empty aisle, for most of a day: nothing to follow, nothing to spend.
            self._before, self._names = (at_ms, []), {}
            return []
        boxes = detections.boxes[chosen]
        given = sv.Detections(
            xyxy=(boxes * self._scale).astype(np.float32),
            confidence=detections.scores[chosen].astype(np.float32),
            data={"index": chosen},
        )
        tracked = self._tracker.update(given, timestamp=(at_ms - self._first_ms) / 1000)
        numbers = tracked.tracker_id if tracked.tracker_id is not None else ()
        untracked: list[Box] = []
        tracks: list[Track] = []
        for position, number in enumerate(numbers):
            index = int(tracked.data["index"][position])
            box = _box(detections.boxes[index])
            if number < 0:
                untracked.append(box)
                continue
            known.add(index)
            since_ms = at_ms
            if int(number) not in self._names:
                self._names[int(number)] = self._new_id()
                since_ms = self._since(box, at_ms)
            tracks.append(
                Track(
                    track_id=self._names[int(number)],
                    box=box,
                    keypoints=detections.keypoints[index],
                    score=float(detections.scores[index]),
                    since_ms=since_ms,
                    head=None if detections.heads is None else reading_of(detections.heads[index]),
                )
            )
        self._before = (at_ms, untracked)
        self._forget()
        loose = [index for index in chosen.tolist() if index not in known]
        return [*tracks, *(self._loose(detections, index, at_ms) for index in loose)]

    def _loose(self, detections: Detections, index: int, at_ms: int) -> Track:
        """A detection that the tracker gives to nobody, under a name of its own: a first one, or of
        somebody half hidden, whose boxes have little in common. Who it is the scene may know.
        """
        return Track(
            track_id=self._new_id(),
            box=_box(detections.boxes[index]),
            keypoints=detections.keypoints[index],
            score=float(detections.scores[index]),
            since_ms=at_ms,
            head=None if detections.heads is None else reading_of(detections.heads[index]),
            sure=False,
        )

    def _since(self, box: Box, at_ms: int) -> int:
        """When a new track was first detected: in the picture before, if a box there fits."""
        before_ms, boxes = self._before
        if any(_overlap(box, other) >= _SAME_IOU for other in boxes):
            return before_ms
        return at_ms

    def _forget(self) -> None:
        alive = {int(track.tracker_id) for track in self._tracker.tracks}
        self._names = {number: name for number, name in self._names.items() if number in alive}


def _box(row: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in row)
    return x0, y0, x1, y1


def _overlap(a: Box, b: Box) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
