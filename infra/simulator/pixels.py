"""Types of pictures, and the few OpenCV calls whose results mypy would not know."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

#: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, uint8.
Image = npt.NDArray[np.uint8]

#: Float pictures: masks 0..1, depths in px, colours 0..255.
Floats = npt.NDArray[np.float32]


def image(values: Any) -> Image:
    """As uint8, clipped to 0..255; no copy where it is that already."""
    array = np.asarray(values)
    if array.dtype != np.uint8:
        array = np.clip(array, 0, 255)
    return np.asarray(array, np.uint8)


def floats(values: Any) -> Floats:
    """As float32; no copy where it is that already."""
    return np.asarray(values, np.float32)


def blur(values: Any, sigma_px: float, sigma_y_px: float | None = None) -> Floats:
    """Gaussian blur of a float picture."""
    across = floats(values)
    return floats(cv2.GaussianBlur(across, (0, 0), sigmaX=sigma_px, sigmaY=sigma_y_px or sigma_px))
