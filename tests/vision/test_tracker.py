"""Names for people, from picture to picture."""

from itertools import count

import numpy as np
import pytest

from vision.core.body import Track
from vision.ports import Detections
from vision.tracker import PersonTracker, random_track_id

Box = tuple[float, float, float, float]


def seen(*boxes: Box, score: float = 0.9) -> Detections:
    return Detections(
        scores=np.full(len(boxes), score, dtype=np.float32),
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        keypoints=np.zeros((len(boxes), 17, 3), dtype=np.float32),
    )


@pytest.fixture
def tracker() -> PersonTracker:
    names = count(1)
    return PersonTracker(0.5, 1000, 9 / 16, lambda: f"t{next(names)}")


def at(x: float) -> Box:
    return x, 0.2, x + 0.2, 0.9


def followed(tracks: list[Track]) -> list[Track]:
    """Those that the tracker knows from another picture."""
    return [track for track in tracks if track.sure]


def test_a_track_begins_with_its_second_detection_and_knows_its_first(
    tracker: PersonTracker,
) -> None:
    (first,) = tracker.update(seen(at(0.1)), 1000)
    assert (first.sure, first.since_ms) == (False, 1000)
    (track,) = tracker.update(seen(at(0.12)), 1200)
    assert (track.sure, track.since_ms) == (True, 1000)
    name = track.track_id
    (track,) = tracker.update(seen(at(0.14)), 1400)
    assert (track.track_id, track.since_ms) == (name, 1400)
    assert track.box == pytest.approx(at(0.14), abs=1e-6)


def test_a_walker_at_five_pictures_a_second_stays_one(tracker: PersonTracker) -> None:
    names = set()
    for i in range(12):
        tracks = tracker.update(seen(at(0.06 * i)), 200 * i)
        names |= {track.track_id for track in followed(tracks)}
    assert len(names) == 1


def test_two_people_keep_their_names_and_their_own_keypoints(tracker: PersonTracker) -> None:
    names = set()
    for i in range(4):
        detections = seen(at(0.1 + 0.01 * i), at(0.6 - 0.01 * i))
        detections.keypoints[1] = 7.0
        tracks = tracker.update(detections, 200 * i)
        names |= {track.track_id for track in followed(tracks)}
    assert {track.track_id for track in tracks} == names
    assert len(names) == 2
    right = next(t for t in tracks if t.box[0] > 0.4)
    assert float(right.keypoints[0, 0]) == 7.0


def test_a_short_loss_keeps_the_name_and_a_long_one_forgets_it(tracker: PersonTracker) -> None:
    for i in range(3):
        (known,) = tracker.update(seen(at(0.1)), 200 * i)
    for i in range(3, 6):
        assert tracker.update(seen(), 200 * i) == []
    (back,) = tracker.update(seen(at(0.1)), 1200)
    assert back.track_id == known.track_id
    for i in range(10):
        tracker.update(seen(), 1400 + 200 * i)
    tracker.update(seen(at(0.1)), 4000)
    (other,) = tracker.update(seen(at(0.1)), 4200)
    assert (other.track_id != known.track_id, other.since_ms) == (True, 4000)


def test_low_scores_are_not_people(tracker: PersonTracker) -> None:
    for i in range(5):
        tracks = tracker.update(seen(at(0.1), score=0.4), 200 * i)
        assert followed(tracks) == []
        assert tracker.update(seen(at(0.1), score=0.2), 200 * i + 100) == []


def test_whom_the_tracker_gives_to_nobody_is_handed_on(tracker: PersonTracker) -> None:
    """Half hidden, with another box: the scene may know who it is."""
    for i in range(3):
        (known,) = tracker.update(seen(at(0.1)), 200 * i)
    (loose,) = tracker.update(seen((0.7, 0.2, 0.8, 0.4), score=0.35), 600)
    assert (loose.sure, loose.since_ms) == (False, 600)
    assert loose.track_id != known.track_id


def test_a_faint_detection_goes_on_with_a_track(tracker: PersonTracker) -> None:
    for i in range(3):
        (known,) = tracker.update(seen(at(0.1)), 200 * i)
    (track,) = tracker.update(seen(at(0.1), score=0.35), 600)
    assert track.track_id == known.track_id
    assert tracker.update(seen(at(0.1), score=0.2), 800) == []


def test_names_are_random() -> None:
    assert random_track_id() != random_track_id()


def test_what_a_network_says_of_a_head_goes_with_its_track(tracker: PersonTracker) -> None:
    for i in range(2):
        found = seen(at(0.1), at(0.6))
        heads = np.array([[0, 0, 0, 0, 0, 0], [12, -5, 1, 6, 5, 40]], dtype=np.float32)
        found = Detections(found.scores, found.boxes, found.keypoints, heads)
        tracks = tracker.update(found, 200 * i)
    left, right = sorted(tracks, key=lambda track: track.box[0])
    assert left.head is None
    assert right.head is not None
    assert (right.head.yaw_deg, right.head.size_px) == (12.0, 40.0)
