"""What is blurred, and that nothing is left of it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from vision.core.geometry import CameraModel
from vision.ports import Detections, Image
from vision.preview.heads import REMEMBERED_MS, Region, Seen, blur, head_regions, person_regions

SIZE = (1280, 720)
STANDING = (0.4, 0.2, 0.5, 0.9)


def keypoints(*points: tuple[int, float, float, float]) -> np.ndarray:
    """(17, 3) with the given (index, x, y, confidence)."""
    found = np.zeros((17, 3), dtype=np.float32)
    for index, x, y, confidence in points:
        found[index] = (x, y, confidence)
    return found


FRONTAL = keypoints(
    (0, 0.45, 0.26, 0.9),
    (1, 0.457, 0.25, 0.9),
    (2, 0.443, 0.25, 0.9),
    (3, 0.466, 0.255, 0.8),
    (4, 0.434, 0.255, 0.8),
)


def seen(
    at_ms: int, *people: tuple[tuple[float, float, float, float], np.ndarray], score: float = 0.9
) -> Seen:
    count = len(people)
    return Seen(
        at_ms,
        Detections(
            scores=np.full(count, score, dtype=np.float32),
            boxes=np.array([box for box, _ in people], dtype=np.float32).reshape(count, 4),
            keypoints=np.array([points for _, points in people]).reshape(count, 17, 3),
        ),
    )


def covered(regions: list[Region], x: float, y: float) -> bool:
    """Whether a point, normalised, is wholly blurred."""
    dx, dy = x * SIZE[0], y * SIZE[1]
    return any(
        abs((dx - r.x) / r.half_width) ** r.power + abs((dy - r.y) / r.half_height) ** r.power <= 1
        for r in regions
    )


def holds_top_third(regions: list[Region], box: tuple[float, float, float, float]) -> bool:
    xs = np.linspace(box[0], box[2], 7)
    ys = np.linspace(box[1], box[1] + (box[3] - box[1]) / 3, 7)
    return all(covered(regions, float(x), float(y)) for x in xs for y in ys)


def test_a_head_is_covered_with_room_to_spare() -> None:
    regions = head_regions(seen(0, (STANDING, FRONTAL)), (), SIZE)
    # Crown, chin and sides of a head whose ears are 41 px apart; half as far again around it.
    for x, y in ((0.45, 0.20), (0.45, 0.315), (0.427, 0.255), (0.473, 0.255)):
        assert covered(regions, x, y)
    assert not covered(regions, 0.45, 0.5)


def test_a_real_heads_outline_is_covered_whichever_way_it_looks(
    camera: CameraModel, draw_face: Callable[..., np.ndarray]
) -> None:
    for yaw in (-70, -40, 0, 40, 70):
        middle = np.array([1.2, 1.5, 1.5])
        points = draw_face(camera, tuple(middle), yaw)
        crown, feet = camera.project((1.2, 1.5, 1.63)), camera.project((1.2, 1.5, 0.0))
        assert crown is not None
        assert feet is not None
        box = (crown[0] - 0.1, crown[1], crown[0] + 0.1, min(1.0, feet[1]))
        regions = head_regions(seen(0, (box, points)), (), SIZE)
        for angle in np.linspace(0, 2 * np.pi, 24):
            # 9 cm to each side of the middle, 12 cm up and down: a large head.
            place = middle + np.array([0.09 * np.cos(angle), 0.0, 0.12 * np.sin(angle)])
            shown = camera.project(tuple(place))
            assert shown is not None
            assert covered(regions, *shown), (yaw, angle)


@pytest.mark.parametrize("score", [0.05, 0.3, 0.9])
def test_a_faint_detection_is_blurred_like_any_other(score: float) -> None:
    regions = head_regions(seen(0, (STANDING, FRONTAL), score=score), (), SIZE)
    assert covered(regions, 0.45, 0.25)


@pytest.mark.parametrize(
    "points",
    [
        keypoints(),
        keypoints((0, 0.45, 0.26, 0.2), (1, 0.45, 0.26, 0.2)),
        keypoints((0, 0.45, 0.26, 0.9)),
        keypoints((0, 0.45, 0.26, 0.4), (1, 0.46, 0.25, 0.4), (2, 0.44, 0.25, 0.4)),
        # Keypoints of somebody else, far from the box.
        keypoints((0, 0.9, 0.8, 0.9), (1, 0.91, 0.79, 0.9), (2, 0.89, 0.79, 0.9)),
    ],
)
def test_where_the_head_is_not_sure_the_top_of_the_person_goes(points: np.ndarray) -> None:
    regions = head_regions(seen(0, (STANDING, points)), (), SIZE)
    assert holds_top_third(regions, STANDING)


def test_of_an_upper_body_more_than_a_third_goes() -> None:
    close_up = (0.2, 0.1, 0.8, 1.0)
    regions = head_regions(seen(0, (close_up, keypoints())), (), SIZE)
    assert covered(regions, 0.5, 0.7)


def test_who_vanishes_stays_blurred_for_a_while() -> None:
    before = [seen(0, (STANDING, FRONTAL))]
    assert covered(head_regions(seen(200), before, SIZE), 0.45, 0.25)
    assert covered(head_regions(seen(REMEMBERED_MS), before, SIZE), 0.45, 0.25)
    assert head_regions(seen(REMEMBERED_MS + 1), before, SIZE) == []


def test_who_walks_on_leaves_no_blur_behind() -> None:
    def at(x: float) -> tuple[tuple[float, float, float, float], np.ndarray]:
        moved = FRONTAL.copy()
        moved[:5, 0] += x - 0.45
        return (x - 0.05, 0.2, x + 0.05, 0.9), moved

    before = [seen(t, at(0.2 + 0.1 * t / 200)) for t in (0, 200, 400)]
    regions = head_regions(seen(600, at(0.5)), before, SIZE)
    assert len(regions) == 1
    assert covered(regions, 0.5, 0.25)


def test_who_passes_behind_somebody_is_blurred_beside_that_head() -> None:
    behind = (0.48, 0.2, 0.58, 0.9)
    hidden = FRONTAL.copy()
    hidden[:5, 0] += 0.08
    before = [seen(0, (STANDING, FRONTAL), (behind, hidden))]
    regions = head_regions(seen(200, (STANDING, FRONTAL)), before, SIZE)
    for x in (0.39, 0.45, 0.51, 0.53):
        assert covered(regions, x, 0.25), x


def test_a_person_outside_the_picture_or_without_size_does_no_harm() -> None:
    image = np.zeros((72, 128, 3), dtype=np.uint8)
    for box in ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.99, 1.0, 1.0)):
        blur(image, head_regions(seen(0, (box, keypoints())), (), (128, 72)))
    far_out = keypoints((0, 3.0, -2.0, 0.9), (1, 3.1, -2.0, 0.9), (2, 2.9, -2.0, 0.9))
    blur(image, head_regions(seen(0, ((0.9, 0.0, 1.0, 0.3), far_out)), (), (128, 72)))


def face(breadth_px: int) -> Image:
    """A drawing with the contrasts of a face, on noise."""
    side = 4 * breadth_px
    noise = np.random.default_rng(7).integers(0, 256, (side, side, 3), dtype=np.uint8)
    middle = (side // 2, side // 2)
    cv2.ellipse(noise, middle, (breadth_px // 2, 6 * breadth_px // 10), 0, 0, 360, (170,) * 3, -1)
    for dx in (-1, 1):
        eye = (middle[0] + dx * breadth_px // 5, middle[1] - breadth_px // 10)
        cv2.circle(noise, eye, breadth_px // 12, (20, 20, 20), -1)
    return noise


@pytest.mark.parametrize("breadth_px", [12, 60, 240])
def test_nothing_finer_than_a_third_of_the_head_is_left(breadth_px: int) -> None:
    image = face(breadth_px)
    side = image.shape[0]
    middle = side / 2
    corners = np.array([0.25, 0.3, 0.75, 1.0], dtype=np.float32)
    points = keypoints(
        (0, 0.5, 0.52, 0.9),
        (1, 0.5 + 0.05, 0.475, 0.9),
        (2, 0.5 - 0.05, 0.475, 0.9),
        (3, 0.5 + 0.125, 0.49, 0.9),
        (4, 0.5 - 0.125, 0.49, 0.9),
    )
    regions = person_regions(corners, points, (side, side))
    before = image.copy()
    blur(image, regions)
    half = breadth_px // 2
    head = np.s_[int(middle) - half : int(middle) + half, int(middle) - half : int(middle) + half]

    def fine(picture: Image) -> float:
        """Energy of what is finer than a third of the head's breadth."""
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
        return float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), breadth_px / 6))[head].mean())

    assert fine(image) < 0.2 * fine(before)
    # Far from the head the picture is as it was.
    assert np.array_equal(image[:, : side // 10], before[:, : side // 10])
