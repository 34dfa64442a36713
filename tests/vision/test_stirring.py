"""What wakes an idle camera, and what does not."""

import numpy as np
import pytest

from vision.stirring import Stirring


@pytest.fixture
def aisle() -> np.ndarray:
    """A still picture with edges, 720p."""
    y, x = np.mgrid[0:720, 0:1280]
    grey = 90 + 60 * ((x // 160 + y // 120) % 2)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def noisy(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With the noise of a dark room."""
    return np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)


def test_an_empty_aisle_does_not_stir(aisle: np.ndarray) -> None:
    rng, stirring = np.random.default_rng(1), Stirring()
    assert not any(stirring.look(noisy(aisle, rng)) for _ in range(30))


@pytest.mark.parametrize(("width", "height"), [(70, 250), (200, 700), (40, 400)])
def test_somebody_at_the_edge_stirs_it_at_once(aisle: np.ndarray, width: int, height: int) -> None:
    stirring = Stirring()
    for _ in range(20):
        stirring.look(aisle)
    there = aisle.copy()
    there[720 - height :, :width] = 20
    assert stirring.look(there)


def test_light_that_drifts_does_not_stir(aisle: np.ndarray) -> None:
    stirring = Stirring()
    # Thirty grey levels in a minute, at ten pictures a second.
    pictures = (aisle + np.uint8(step // 20) for step in range(600))
    assert not any(stirring.look(picture) for picture in pictures)


def test_another_size_of_picture_is_no_other_picture(aisle: np.ndarray) -> None:
    stirring = Stirring()
    stirring.look(aisle)
    assert not stirring.look(np.ascontiguousarray(aisle[::2, ::2]))
