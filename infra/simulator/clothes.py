"""What simulated shoppers wear: a coat, trousers, shoes and a scarf, drawn as shapes and shaded as
if they were stuffed. Pure: colours in, pixels out.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from infra.simulator.pixels import Floats, Image, blur, image

#: Pixels a metre: at 1.8 m from a camera of 960 px and 80 degrees a metre is 318 px.
CLOTH_PX_PER_M = 320.0

#: The sheet that a body is drawn on, in metres: its width, and its top above the floor, which is
#: the sheet's lower edge. Sized for a shopper of `STANDARD_EYES_M`; others are scaled.
SHEET_WIDTH_M = 1.0
SHEET_TOP_M = 1.56
STANDARD_EYES_M = 1.58

#: Positions of the legs in a stride of two steps; 0 is standing.
STRIDE_PHASES = 8

#: Light from the ceiling, a little from the left, in the sheet's frame (x right, y down, z to us).
_LIGHT = np.array([-0.28, -0.62, 0.73], np.float32)

Colour = tuple[int, int, int]
Shape = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a shopper looks; colours are BGR 0..255. `skin` and `hair` multiply the portrait's blue,
    green and red."""

    name: str
    coat: Colour
    trousers: Colour
    scarf: Colour
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    mirrored: bool


#: Enough that two shoppers who meet rarely look alike. Light enough that a face keeps its contrast.
WARDROBE: tuple[Appearance, ...] = (
    Appearance(
        "rust",
        (52, 92, 190),
        (84, 60, 44),
        (196, 208, 216),
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
        False,
    ),
    Appearance(
        "forest",
        (84, 104, 58),
        (52, 52, 58),
        (72, 158, 214),
        (0.8, 0.86, 0.92),
        (0.42, 0.4, 0.44),
        True,
    ),
    Appearance(
        "navy",
        (118, 74, 40),
        (96, 104, 112),
        (86, 78, 190),
        (0.98, 1.0, 1.03),
        (1.24, 1.12, 1.06),
        False,
    ),
    Appearance(
        "camel",
        (110, 158, 196),
        (64, 44, 36),
        (112, 96, 66),
        (0.58, 0.68, 0.8),
        (0.3, 0.28, 0.3),
        True,
    ),
    Appearance(
        "plum",
        (106, 56, 112),
        (70, 64, 62),
        (178, 176, 150),
        (1.0, 1.0, 1.0),
        (0.55, 0.62, 0.86),
        True,
    ),
    Appearance(
        "stone",
        (168, 172, 170),
        (104, 70, 40),
        (58, 70, 158),
        (0.88, 0.93, 0.97),
        (0.62, 0.6, 0.6),
        False,
    ),
)


@lru_cache(maxsize=len(WARDROBE) * (STRIDE_PHASES + 1))
def body(look: Appearance, phase: int) -> Image:
    """A body without its head, (h, w, 4) uint8 BGRA, premultiplied by alpha.

    `phase` 0 stands; 1 to `STRIDE_PHASES` walk.
    """
    sheet = _Sheet()
    swing = 0.0 if phase == 0 else float(np.sin(2 * np.pi * phase / STRIDE_PHASES))
    for side, forward in ((-1, -swing), (1, swing)):
        sheet.paint(_shoe(side, forward, phase), (46, 42, 44), 0.03, 0.0)
        sheet.paint(_leg(side, forward, phase), look.trousers, 0.075, 0.5)
    legs, coat = sheet.premultiplied(), _upper(look)
    seen = cv2.merge([255 - coat[..., 3]] * 4)
    return image(cv2.add(cv2.multiply(legs, seen, scale=1 / 255), coat))


@lru_cache(maxsize=len(WARDROBE))
def _upper(look: Appearance) -> Image:
    """Neck, coat and scarf, premultiplied like `body`."""
    sheet, coat = _Sheet(), look.coat
    skin = tuple(int(c * s * 0.82) for c, s in zip((140, 165, 214), look.skin, strict=True))
    sheet.paint(((-0.055, 1.5), (0.055, 1.5), (0.062, 1.37), (-0.062, 1.37)), skin, 0.05, 0.0)
    sheet.paint(_TORSO, coat, 0.13, 1.0)
    for side in (-1, 1):
        sheet.paint(tuple((side * x, z) for x, z in _ARM), coat, 0.055, 1.0, edge=0.35)
    sheet.line(((0.0, 1.36), (0.004, 0.74)), coat, 0.008)
    for z in (1.24, 1.1, 0.96, 0.84):
        sheet.dot((0.022, z), coat, 0.010)
    for points, thick in _SCARF:
        sheet.paint(points, look.scarf, thick, 0.7, edge=0.45)
    return sheet.premultiplied()


_TORSO: Shape = (
    (-0.07, 1.425), (-0.13, 1.395), (-0.192, 1.35), (-0.205, 1.25), (-0.178, 1.06), (-0.2, 0.86),
    (-0.215, 0.72), (0.215, 0.72), (0.2, 0.86), (0.178, 1.06), (0.205, 1.25), (0.192, 1.35),
    (0.13, 1.395), (0.07, 1.425),
)  # fmt: skip

#: Two turns round the neck and an end that hangs down.
_SCARF: tuple[tuple[Shape, float], ...] = (
    (((0.03, 1.39), (0.1, 1.36), (0.115, 1.13), (0.04, 1.12)), 0.035),
    (tuple((0.128 * np.cos(a), 1.375 + 0.05 * np.sin(a)) for a in np.linspace(0, 6.2, 24)), 0.045),
    (tuple((0.1 * np.cos(a), 1.425 + 0.036 * np.sin(a)) for a in np.linspace(0, 6.2, 24)), 0.035),
)


#: The right sleeve, which ends in the coat's pocket, so that no hand need be drawn.
_ARM: Shape = (
    (0.15, 1.385), (0.2, 1.355), (0.236, 1.26), (0.262, 1.08), (0.252, 1.0), (0.2, 0.885),
    (0.142, 0.905), (0.16, 0.965), (0.178, 1.06), (0.168, 1.22),
)  # fmt: skip


def _leg(side: int, forward: float, phase: int) -> Shape:
    """A trouser leg from under the coat to the ankle; `forward` -1..1 is its part in the stride."""
    hip, foot = 0.075 * side, _foot(side, forward, phase)
    lift = 0.03 * max(0.0, forward) if phase else 0.0
    knee = (hip + foot) / 2 + (0.03 * forward if phase else 0.0)
    return (
        (hip - 0.085, 0.9), (hip + 0.085, 0.9), (knee + 0.068, 0.5), (foot + 0.055, 0.07 + lift),
        (foot - 0.055, 0.07 + lift), (knee - 0.068, 0.5),
    )  # fmt: skip


def _shoe(side: int, forward: float, phase: int) -> Shape:
    foot = _foot(side, forward, phase)
    lift = 0.03 * max(0.0, forward) if phase else 0.0
    toe = 0.09 if phase else 0.055 + 0.01 * side
    return (
        (foot - 0.06, 0.005 + lift), (foot - 0.055, 0.09 + lift), (foot + 0.04, 0.09 + lift),
        (foot + toe, 0.04 + lift), (foot + toe, 0.005 + lift),
    )  # fmt: skip


def _foot(side: int, forward: float, phase: int) -> float:
    return 0.1 * side if phase == 0 else 0.04 * side + 0.24 * forward


class _Sheet:
    """A sheet of BGR and alpha that shapes are painted on, back to front."""

    def __init__(self) -> None:
        self._width = round(SHEET_WIDTH_M * CLOTH_PX_PER_M)
        self._height = round(SHEET_TOP_M * CLOTH_PX_PER_M)
        self._bgr: Floats = np.zeros((self._height, self._width, 3), np.float32)
        self._alpha: Floats = np.zeros((self._height, self._width), np.float32)
        self._folds = _folds(self._height, self._width)

    def paint(
        self, shape: Shape, colour: Colour | tuple[int, ...], round_m: float, folds: float,
        edge: float = 0.2,
    ) -> None:  # fmt: skip
        """A shape stuffed to a rim of `round_m`, with cloth folds, and its shadow on others."""
        box, mask = self._mask(shape)
        radius = round_m * CLOTH_PX_PER_M
        inner = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        inner = blur(np.minimum(inner, radius), 1.0 + radius / 9)
        height = np.sqrt(np.maximum(radius**2 - (radius - inner) ** 2, 0.0))
        height = blur(height + folds * self._folds[box], 1.2)
        dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
        dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
        slope = np.sqrt(dx * dx + dy * dy + 1.0)
        light = (-_LIGHT[0] * dx - _LIGHT[1] * dy + _LIGHT[2]) / slope
        shade = 0.42 + 0.78 * np.clip(light, 0.0, 1.2)
        below = blur(mask, 4.0)[..., None]
        self._bgr[box] *= 1.0 - edge * below
        painted = np.asarray(colour, np.float32) * shade[..., None]
        self._bgr[box] += (painted - self._bgr[box]) * mask[..., None]
        self._alpha[box] += (1.0 - self._alpha[box]) * mask

    def line(self, points: Shape, colour: Colour, width_m: float) -> None:
        """A seam: darker than the cloth."""
        for (x0, z0), (x1, z1) in pairwise(points):
            half = width_m / 2
            seam = ((x0 - half, z0), (x0 + half, z0), (x1 + half, z1), (x1 - half, z1))
            self._blend(seam, colour, 0.5)

    def dot(self, at: tuple[float, float], colour: Colour, radius_m: float) -> None:
        """A button: lighter than the cloth."""
        circle = np.linspace(0, 2 * np.pi, 13)
        shape = tuple((at[0] + radius_m * np.cos(a), at[1] + radius_m * np.sin(a)) for a in circle)
        self._blend(shape, colour, 1.5)

    def premultiplied(self) -> Image:
        """The sheet as BGRA uint8, colours multiplied by alpha."""
        grain = 1.0 + 0.012 * np.random.default_rng(3).standard_normal(self._alpha.shape)
        bgr = self._bgr * (grain * self._alpha)[..., None]
        sheet = np.dstack([bgr, self._alpha * 255.0])
        return image(sheet)

    def _blend(self, shape: Shape, colour: Colour, factor: float) -> None:
        box, mask = self._mask(shape)
        target = np.asarray(colour, np.float32) * factor
        self._bgr[box] += (target - self._bgr[box]) * (0.8 * mask)[..., None]

    def _mask(self, shape: Shape) -> tuple[tuple[slice, slice], Floats]:
        """The box of the sheet round a shape given as (x, z) in metres, and the shape's coverage of
        it, 0..1, its corners rounded."""
        points = np.array(shape) * [CLOTH_PX_PER_M, -CLOTH_PX_PER_M]
        points += [self._width / 2, SHEET_TOP_M * CLOTH_PX_PER_M]
        x0, y0 = np.maximum(points.min(axis=0).astype(int) - 20, 0)
        x1, y1 = np.minimum(points.max(axis=0).astype(int) + 20, [self._width, self._height])
        mask: Floats = np.zeros((y1 - y0, x1 - x0), np.float32)
        corners = np.round((points - [x0, y0]) * 16).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1.0, cv2.LINE_8, 4)
        smooth = blur(mask, 3.2)
        return np.s_[y0:y1, x0:x1], np.clip((smooth - 0.5) * 4 + 0.5, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)
def _folds(height: int, width: int) -> Floats:
    """Gentle folds of cloth: smooth noise, longer than wide, in px of height."""
    rng = np.random.default_rng(7)
    coarse = rng.standard_normal((height, width)).astype(np.float32)
    long = blur(coarse, 7.0, 22.0)
    fine = blur(coarse[::-1], 9.0, 5.0)
    folds: Floats = 2.4 * long / long.std() + 0.9 * fine / fine.std()
    return folds
