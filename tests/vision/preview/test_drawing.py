"""The annotated picture: heads first, then boxes, floors, rays and names."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from streams.contracts.layout import StoreLayout
from vision.core import scene as scenes
from vision.core.geometry import CameraModel
from vision.core.person import Track
from vision.core.scene import Scene
from vision.core.targets import SceneRules
from vision.pipeline import View
from vision.ports import Detections
from vision.preview import drawing
from vision.preview.drawing import MAX_WIDTH_PX, annotate

NAMES = {"tea": "Tea", "coffee": "Coffee", "top": "Top"}
BOX = (0.2, 0.3, 0.35, 0.9)

MakeView = Callable[..., View]


@pytest.fixture
def make_view(
    shelf: StoreLayout, camera: CameraModel, draw_face: Callable[..., np.ndarray]
) -> MakeView:
    """A view of somebody before the tea who looks at it; of nobody if not `present`."""

    def make(*, present: bool = True, image: np.ndarray | None = None, yaw_deg: float = 0) -> View:
        around = scenes.surroundings(shelf, "cam", camera, SceneRules())
        face = draw_face(camera, (0.75, 1.6, 1.55), yaw_deg, -8.0)
        tracks = [Track("a", BOX, face, 0.9, 0)] if present else []
        scene = Scene()
        for at_ms in (0, 200, 400, 600):
            scene, _ = scenes.step(scene, tracks, at_ms, around)
        count = len(tracks)
        detections = Detections(
            scores=np.full(count, 0.9, dtype=np.float32),
            boxes=np.array([t.box for t in tracks], dtype=np.float32).reshape(count, 4),
            keypoints=np.array([t.keypoints for t in tracks]).reshape(count, 17, 3),
        )
        if image is None:
            image = np.full((720, 1280, 3), 128, dtype=np.uint8)
        return View("cam", image, detections, tuple(tracks), scene, around)

    return make


def test_the_picture_is_new_and_not_too_wide(make_view: MakeView) -> None:
    view = make_view()
    before = view.image.copy()
    picture = annotate(view, NAMES)
    assert picture.shape == (MAX_WIDTH_PX * 720 // 1280, MAX_WIDTH_PX, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(view.image, before)


def test_a_small_picture_stays_small(make_view: MakeView) -> None:
    view = make_view(image=np.zeros((270, 480, 3), dtype=np.uint8))
    assert annotate(view, NAMES).shape == (270, 480, 3)
    assert annotate(make_view(image=np.zeros((16, 16, 3), np.uint8)), NAMES).shape == (16, 16, 3)


def test_heads_are_blurred_before_anything_is_drawn(
    make_view: MakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing drawn may hold a pixel of a head: a drawing under the blur would be smeared, too."""
    untouched: list[bool] = []
    real = drawing.blur

    def blur(image: np.ndarray, regions: list[object]) -> None:
        untouched.append(bool((image == 128).all()))
        assert len(regions) == 1
        real(image, regions)

    monkeypatch.setattr(drawing, "blur", blur)
    annotate(make_view(), NAMES)
    assert untouched == [True]


def test_noise_in_the_head_is_gone(make_view: MakeView) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    view = make_view(image=noise)
    x, y = (view.tracks[0].keypoints[:5, :2].mean(axis=0) * (MAX_WIDTH_PX, 540)).astype(int)
    head = annotate(replace(view, tracks=()), NAMES)[y - 15 : y + 15, x - 12 : x + 12]
    assert head.std() < 20
    elsewhere = annotate(view, NAMES)[40:80, 700:760]
    assert elsewhere.std() > 35


def warm(picture: np.ndarray) -> np.ndarray:
    """Where the colour of attention is."""
    blue, green, red = (picture[:, :, i].astype(int) for i in range(3))
    return (red > 200) & (red - blue > 100) & (red - green > 60)


def test_attention_is_shown_while_a_gaze_is_open(make_view: MakeView) -> None:
    assert warm(annotate(make_view(), NAMES)).sum() > 500
    # Somebody who looks far aside has no gaze: the same person, the same box, no warm colour.
    assert warm(annotate(make_view(yaw_deg=60), NAMES)).sum() == 0
    assert warm(annotate(make_view(present=False), NAMES)).sum() == 0


def test_the_zone_is_named_with_its_probability(
    make_view: MakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = drawing.Sheet.write

    def write(self: drawing.Sheet, text: str, *rest: object) -> None:
        written.append(text)
        real(self, text, *rest)

    monkeypatch.setattr(drawing.Sheet, "write", write)
    annotate(make_view(), NAMES)
    chips = [text for text in written if text.endswith("%")]
    assert len(chips) == 1
    name, number, _ = chips[0].split()
    assert name == "Tea"
    assert 50 <= int(number) <= 100
    assert drawing.NOTICE in written
    assert "cam" in written


def test_floors_are_drawn_where_they_are_seen(make_view: MakeView) -> None:
    view = make_view(present=False)
    plain = 128
    picture = annotate(view, NAMES)
    # The horizon of a level camera is the middle: no floor above it, floors below.
    assert (picture[:260] == plain).all()
    assert (picture[300:500] != plain).any()


def test_a_mirrored_picture_is_the_same_the_other_way_round(make_view: MakeView) -> None:
    there, back = (
        warm(annotate(make_view(), NAMES)),
        warm(annotate(make_view(), NAMES, mirrored=True)),
    )
    xs, mirrored = np.nonzero(there)[1].mean(), np.nonzero(back)[1].mean()
    assert mirrored == pytest.approx(MAX_WIDTH_PX - xs, abs=8)


def test_without_a_calibration_there_are_boxes_and_the_drawn_zone(aisle: StoreLayout) -> None:
    around = scenes.surroundings(aisle, "cam", None, SceneRules())
    face = np.zeros((17, 3), dtype=np.float32)
    track = Track("a", BOX, face, 0.9, 0)
    scene, _ = scenes.step(Scene(), [track], 0, around)
    detections = Detections(np.array([0.9], np.float32), np.array([BOX], np.float32), face[None])
    image = np.full((270, 480, 3), 128, dtype=np.uint8)
    picture = annotate(View("cam", image, detections, (track,), scene, around), {})
    assert (picture[100, :200] != 128).any()
    assert (picture[20:200, 300:] == 128).all()
