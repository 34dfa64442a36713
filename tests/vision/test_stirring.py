"""What wakes an idle camera, and what does not."""

import numpy as np
import pytest

from vision.stirring import Stirring


@pytest.fixture
def aisle() -> np.ndarray:
    """A still picture with edges, 360p."""
    y, x = np.mgrid[0:360, 0:640]
    grey = 90 + 60 * ((x // 80 + y // 60) % 2)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def noisy(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With the noise of a dark room."""
    return np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)


def test_an_empty_aisle_does_not_stir(aisle: np.ndarray) -> None:
    rng, stirring = np.random.default_rng(1), Stirring()
    assert not any(stirring.look(noisy(aisle, rng)) for _ in range(30))


@pytest.mark.parametrize(("width", "height"), [(35, 125), (100, 350), (20, 200)])
def test_somebody_at_the_edge_stirs_it_at_once(aisle: np.ndarray, width: int, height: int) -> None:
    stirring = Stirring()
    for _ in range(20):
        stirring.look(aisle)
    there = aisle.copy()
    there[360 - height :, :width] = 20
    assert stirring.look(there)


def test_light_that_drifts_does_not_stir(aisle: np.ndarray) -> None:
    stirring = Stirring()
    # Thirty grey levels in half a minute, at ten pictures a second.
    pictures = (aisle + np.uint8(step // 10) for step in range(300))
    assert not any(stirring.look(picture) for picture in pictures)


def test_another_size_of_picture_is_no_other_picture(aisle: np.ndarray) -> None:
    stirring = Stirring()
    stirring.look(aisle)
    assert not stirring.look(np.ascontiguousarray(aisle[::2, ::2]))
