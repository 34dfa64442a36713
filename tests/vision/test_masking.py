"""What must not be measured is black before the detector sees it."""

import numpy as np

from vision.masking import NoMeasure
from vision.ports import Detections

CORNER = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))


def bright(width: int = 160, height: int = 90) -> np.ndarray:
    return np.full((height, width, 3), 200, dtype=np.uint8)


def test_the_polygon_is_black_and_the_rest_as_it_was() -> None:
    image = NoMeasure((CORNER,)).blacken(bright())
    assert not image[:44, :79].any()
    assert (image[47:] == 200).all()
    assert (image[:, 83:] == 200).all()


def test_it_follows_the_size_of_the_picture() -> None:
    parts = NoMeasure((CORNER,))
    for width, height in ((160, 90), (320, 180), (160, 90)):
        image = parts.blacken(bright(width, height))
        black = (image.sum(axis=2) == 0).mean()
        assert abs(black - 0.25) < 0.02


def test_a_picture_that_may_not_be_written_is_copied() -> None:
    image = bright()
    image.flags.writeable = False
    masked = NoMeasure((CORNER,)).blacken(image)
    assert image.all()
    assert not masked[10, 10].any()


def test_without_polygons_nothing_is_done() -> None:
    image = bright()
    assert NoMeasure(()).blacken(image) is image


def test_who_stands_there_is_not_told() -> None:
    low = ((0.0, 0.6), (0.5, 0.6), (0.5, 1.0), (0.0, 1.0))
    found = Detections(
        scores=np.array([0.9, 0.8], dtype=np.float32),
        boxes=np.array([[0.1, 0.2, 0.3, 0.9], [0.6, 0.2, 0.8, 0.9]], dtype=np.float32),
        keypoints=np.zeros((2, 17, 3), dtype=np.float32),
        heads=np.arange(12, dtype=np.float32).reshape(2, 6),
    )
    left = NoMeasure((low,)).without_hidden(found)
    assert left.scores.tolist() == [np.float32(0.8)]
    assert left.boxes.shape == (1, 4)
    assert left.heads is not None
    assert left.heads[0, 0] == 6.0
    assert NoMeasure(()).without_hidden(found) is found
