"""The head that every simulated shopper wears: cut out of scikit-image's `astronaut` (NASA, public
domain) once and set upright. Pixels in, pixels out: no clock, no files of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from skimage import data

from infra.simulator.pixels import Floats, Image, blur, floats, image

#: Pixels a metre on the texture: the portrait's eyes are 42.9 px apart, an adult's 63 mm.
TEXEL_PER_M = 681.0

#: The tile holds the head with room to turn; its pivot is the middle between the eyes.
TILE_PX = 224
PIVOT_PX = (112.0, 118.0)

#: Measured on the portrait (pose network, then by eye): the middle between the eyes, and the roll.
_EYES_XY = (224.7, 104.7)
_ROLL_DEG = 5.1

#: A crop of the portrait with the head, so that the cut takes 0.1 s and not 1 s: (y0, y1, x0, x1).
_CROP = (0, 240, 110, 350)


@dataclass(frozen=True, slots=True)
class Portrait:
    """The head's texture.

    `bgr` is (TILE_PX, TILE_PX, 3) uint8; `alpha` (TILE_PX, TILE_PX) float32 0..1, head without
    neck; `hair` the part of it that is hair, 0..1. Upright, eyes' middle at `PIVOT_PX`.
    """

    bgr: Image
    alpha: Floats
    hair: Floats


@lru_cache(maxsize=1)
def portrait() -> Portrait:
    """The cut-out head; the first call costs about 0.2 s, the next ones nothing."""
    y0, y1, x0, x1 = _CROP
    astronaut: Callable[[], Image] = data.astronaut
    picture = image(np.ascontiguousarray(astronaut()[y0:y1, x0:x1, ::-1]))
    eyes = (_EYES_XY[0] - x0, _EYES_XY[1] - y0)
    mask = _cut(picture, eyes)
    upright = cv2.getRotationMatrix2D(eyes, _ROLL_DEG, 1.0)
    upright[0, 2] += PIVOT_PX[0] - eyes[0]
    upright[1, 2] += PIVOT_PX[1] - eyes[1]
    size = (TILE_PX, TILE_PX)
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    bgr = image(cv2.warpAffine(picture, upright, size, flags=flags, borderMode=border))
    alpha = floats(cv2.warpAffine(mask, upright, size, flags=cv2.INTER_LINEAR))
    alpha = np.minimum(alpha, _outline())
    return Portrait(_bleed(bgr, alpha), alpha, _hair(bgr, alpha))


def _cut(picture: Image, eyes: tuple[float, float]) -> Floats:
    """Foreground 0..1 of the crop: GrabCut from an ellipse round the eyes, its edge softened."""
    mask: Image = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8)
    ex, ey = round(eyes[0]), round(eyes[1])
    mask[8:215, ex - 85 : ex + 91] = cv2.GC_PR_BGD
    cv2.ellipse(mask, (ex + 2, ey - 10), (74, 84), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    cv2.ellipse(mask, (ex + 1, ey - 10), (50, 65), 0, 0, 360, int(cv2.GC_FGD), -1)
    back: Any = np.zeros((1, 65))
    fore: Any = np.zeros((1, 65))
    cv2.setRNGSeed(1)  # GrabCut clusters colours by k-means: the same head in every run
    no_box = (0, 0, 1, 1)  # not read in this mode
    cv2.grabCut(picture, mask, no_box, back, fore, 5, cv2.GC_INIT_WITH_MASK)
    solid = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.float32)
    return blur(cv2.erode(solid, np.ones((3, 3), np.uint8)), 1.1)


def _outline() -> Floats:
    """1 where a head may be, (TILE_PX, TILE_PX): above the jaw, and hair no wider than 18 cm.

    The portrait's own hair stands 3 cm off the ears, which a pose network takes for an ear.
    """
    jaw: Floats = np.zeros((TILE_PX, TILE_PX), np.float32)
    x, y = round(PIVOT_PX[0]), round(PIVOT_PX[1])
    cv2.ellipse(jaw, (x, y + 20), (46, 58), 0, 0, 360, 1.0, -1)
    cv2.ellipse(jaw, (x + 1, y - 26), (64, 74), 0, 0, 360, 1.0, -1)
    return blur(jaw, 1.2)


def _hair(bgr: Image, alpha: Floats) -> Floats:
    """What is neither face nor background: everything outside the face's oval and the fringe."""
    face: Floats = np.zeros((TILE_PX, TILE_PX), np.float32)
    x, y = round(PIVOT_PX[0]), round(PIVOT_PX[1])
    cv2.ellipse(face, (x, y + 22), (45, 58), 0, 0, 360, 1.0, -1)
    face[: y - 18] = 0.0
    brightness = bgr.astype(np.float32).mean(axis=2)
    lobes = (brightness > 150) & (np.arange(TILE_PX)[:, None] > y + 5)
    face[lobes] = 1.0
    return blur(1.0 - face, 2.0) * alpha


def _bleed(bgr: Image, alpha: Floats) -> Image:
    """The texture with the head's own colours continued outwards, so that no studio backdrop
    shows at its edge when the head turns."""
    solid = (alpha > 0.97).astype(np.float32)
    colour = bgr.astype(np.float32) * solid[..., None]
    weight = solid
    out = colour.copy()
    filled = solid > 0
    for sigma in (2.0, 4.0, 10.0, 30.0):
        near = blur(weight, sigma)
        spread = blur(colour, sigma) / np.maximum(near, 1e-6)[..., None]
        take = ~filled & (near > 1e-3)
        out[take] = spread[take]
        filled |= take
    return image(out)
