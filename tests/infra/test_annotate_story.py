"""What happened in a video, put together from events; the page that tells it; and the video."""

from pathlib import Path

import av
import msgspec
import numpy as np

from infra.annotate.page import page_of
from infra.annotate.story import Story, Summary, write_json
from infra.annotate.video import AnnotatedVideo
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.layout import StoreLayout
from streams.contracts.vision import Dwell, DwellBatch, Gaze, GazeBatch
from vision.core import scene as scenes
from vision.core.scene import Scene
from vision.core.targets import SceneRules
from vision.pipeline import View
from vision.ports import Detections

TRACE = Trace(cause_id="c", captured_at_ms=0, inferred_at_ms=0, sent_at_ms=0)
LAYOUT = msgspec.convert(
    {
        "store_id": "s",
        "name": "S",
        "areas": [{"area_id": "a"}],
        "zones": [{"zone_id": "tea", "area_id": "a", "name": "Tea <b>"}],
        "cameras": [{"camera_id": "c", "area_id": "a"}],
    },
    StoreLayout,
)


def dwell(track: str, entered_ms: int, left_ms: int | None) -> DwellBatch:
    event = Dwell(
        dwell_id=f"d-{track}-{entered_ms}",
        phase="started" if left_ms is None else "ended",
        track_id=track,
        camera_id="c",
        zone_id="tea",
        entered_at_ms=entered_ms,
        left_at_ms=left_ms,
        calibration_version="v",
        trace=TRACE,
    )
    return DwellBatch(store_id="s", area_id="a", gateway_id="g", seq=0, events=(event,))


def gaze(track: str, started_ms: int, ended_ms: int) -> GazeBatch:
    event = Gaze(
        gaze_id=f"g-{track}",
        phase="ended",
        track_id=track,
        camera_id="c",
        target_id="tea",
        target_kind="zone",
        probability=0.9,
        started_at_ms=started_ms,
        ended_at_ms=ended_ms,
        attention_ms=ended_ms - started_ms,
        calibration_version="v",
        trace=TRACE,
    )
    return GazeBatch(store_id="s", area_id="a", gateway_id="g", seq=0, events=(event,))


def told() -> Summary:
    story = Story(1_000)
    story.see("ann", 2_000)
    story.publish(topics.DWELL, dwell("ann", 2_000, None))
    story.see("bob", 3_000)
    assert story.labels(6_500) == {"ann": "1 · 4 s", "bob": "2"}
    story.see("ann", 9_000)
    story.publish(topics.DWELL, dwell("ann", 2_000, 9_000))
    story.publish(topics.GAZE, gaze("ann", 4_000, 6_000))
    assert story.labels(9_500)["ann"] == "1"
    persons = story.persons()
    return Summary(
        video="a <video>.mp4",
        detector="net",
        seconds=10.0,
        frames=100,
        people=len(persons),
        dwells=1,
        gazes=1,
        stitched=0,
        staff_excluded=0,
        persons=persons,
    )


def test_people_are_numbered_and_their_times_told() -> None:
    ann, bob = told().persons
    assert (ann.number, ann.first_seen_ms, ann.last_seen_ms) == (1, 1_000, 8_000)
    assert [(s.from_ms, s.until_ms) for s in ann.dwells] == [(1_000, 8_000)]
    assert [(s.from_ms, s.until_ms, s.attention_ms) for s in ann.gazes] == [(3_000, 5_000, 2_000)]
    assert (bob.number, bob.dwells) == (2, [])


def test_the_page_tells_all_of_it_and_holds_no_picture_and_no_track_id() -> None:
    page = page_of(told(), {"tea": "Tea <b>"})
    assert "person 1" in page
    assert "0:01.0" in page
    assert "Tea &lt;b&gt;" in page
    assert "a &lt;video&gt;.mp4" in page
    assert "<img" not in page
    assert "base64" not in page
    assert "ann" not in page
    assert msgspec.json.decode(write_json(told()))["persons"][0]["number"] == 1


def view(at_ms: int, found: bool, image: np.ndarray) -> View:
    """A picture; somebody is found in its middle, or nobody."""
    keypoints = np.zeros((int(found), 17, 3), np.float32)
    keypoints[:, :7] = (0.5, 0.3, 0.9)
    keypoints[:, 1, 0], keypoints[:, 2, 0] = 0.52, 0.48
    boxes = np.array([[0.3, 0.1, 0.7, 0.9]] * int(found), np.float32).reshape(-1, 4)
    detections = Detections(np.full(int(found), 0.9, np.float32), boxes, keypoints)
    around = scenes.surroundings(LAYOUT, "c", None, SceneRules())
    return View("c", image, detections, (), Scene(cameras={"c": at_ms}), around)


def test_a_head_is_blurred_before_it_is_found_and_after_it_was_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (240, 320, 3)).astype(np.uint8)
    path = tmp_path / "out.mp4"
    with AnnotatedVideo(path, {}, 0) as video:
        for number in range(50):
            # Found from 2.0 s to 2.8 s of five seconds.
            video.take(view(100 * number, 20 <= number <= 28, image), {})
    with av.open(str(path)) as container:
        frames = [(f.time, f.to_ndarray(format="bgr24")) for f in container.decode(video=0)]
    assert len(frames) == 50
    contrast = {round(at, 1): float(f[55:90, 140:180].std()) for at, f in frames if at is not None}
    sharp = contrast[0.2]
    assert contrast[4.8] > 0.6 * sharp
    for at in (1.4, 1.9, 2.0, 2.5, 2.8, 3.3):
        assert contrast[at] < 0.3 * sharp, at


def test_half_a_video_is_none(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    try:
        with AnnotatedVideo(path, {}, 0) as video:
            video.take(view(0, True, np.zeros((240, 320, 3), np.uint8)), {})
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert not path.exists()
