"""The wardrobe, and the two atlases of each of its appearances: skin, hair, cloth, what is worn on
the head, a wheelchair. Pure: colours in, pixels out.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.atlas import ATLAS_PX, box_px
from infra.simulator.irises import move
from infra.simulator.pixels import Floats, blur, floats, image
from infra.simulator.portrait import skin, texels
from infra.simulator.raster import Atlas

Colour = tuple[int, int, int]
Tint = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a shopper looks; colours are BGR 0..255. `skin` and `hair` multiply the portrait's blue,
    green and red."""

    name: str
    coat: Colour
    trousers: Colour
    scarf: Colour
    skin: Tint
    hair: Tint
    mirrored: bool


_AS_IS: Tint = (1.0, 1.0, 1.0)

#: Enough that two shoppers who meet rarely look alike. Light enough that a face keeps its contrast.
WARDROBE: tuple[Appearance, ...] = (
    Appearance("rust", (52, 92, 190), (84, 60, 44), (196, 208, 216), _AS_IS, _AS_IS, False),
    Appearance(
        "forest", (84, 104, 58), (52, 52, 58), (72, 158, 214), (0.8, 0.86, 0.92),
        (0.42, 0.4, 0.44), True,
    ),
    Appearance(
        "navy", (118, 74, 40), (96, 104, 112), (86, 78, 190), (0.98, 1.0, 1.03),
        (1.24, 1.12, 1.06), False,
    ),
    Appearance(
        "camel", (110, 158, 196), (64, 44, 36), (112, 96, 66), (0.58, 0.68, 0.8),
        (0.3, 0.28, 0.3), True,
    ),
    Appearance(
        "plum", (106, 56, 112), (70, 64, 62), (178, 176, 150), _AS_IS, (0.55, 0.62, 0.86), True,
    ),
    Appearance(
        "stone", (168, 172, 170), (104, 70, 40), (58, 70, 158), (0.88, 0.93, 0.97),
        (0.62, 0.6, 0.6), False,
    ),
)  # fmt: skip

_APRON: Colour = (62, 118, 44)
_MASK: Colour = (214, 196, 158)
_METAL: Colour = (176, 176, 172)
_TYRE: Colour = (52, 52, 54)
_SEAT: Colour = (74, 66, 60)
_SHOE: Colour = (46, 42, 44)

#: Where the face's texture shows skin and nothing else: cheeks (angle in degrees, mm below eyes).
_CHEEK = ((15.0, 40.0), (16.0, 34.0))

#: Neck and hands are seen in more shade than a face.
_SHADED = 0.9

#: Eyes are kept in steps of this size: a face before a camera shows no less.
_EYES_STEP_DEG = 4.0

#: An ear by its distance from the middle: light against the skin's.
_EAR_AT = (0.0, 0.3, 0.5, 0.7, 0.86, 1.0)
_EAR_LIGHT = (0.68, 0.74, 0.93, 0.8, 1.0, 0.94)


def head_atlas(look: Appearance, eyes_yaw_deg: float, eyes_pitch_deg: float) -> Atlas:
    """The head of an appearance, its eyes turned against it (to the nearest `_EYES_STEP_DEG`); the
    first one costs about 1 s, another look 50 ms, other eyes 2 ms."""
    if look.mirrored:
        eyes_yaw_deg = -eyes_yaw_deg
    steps = round(eyes_yaw_deg / _EYES_STEP_DEG), round(eyes_pitch_deg / _EYES_STEP_DEG)
    return _head_atlas(look, *steps)


@lru_cache(maxsize=24)
def _head_atlas(look: Appearance, across: int, up: int) -> Atlas:
    if across or up:
        page = _head_atlas(look, 0, 0).levels[0].copy()
        x0, y0, x1, y1 = box_px("face")
        drawn = page[y0:y1, x0:x1]
        step = _EYES_STEP_DEG
        move(drawn[:, ::-1] if look.mirrored else drawn, across * step, up * step)
        return Atlas.of(page)
    canvas, face = _canvas(), _face(look)
    _put(canvas, "face", face[:, ::-1] if look.mirrored else face)
    _put(canvas, "ear", _flesh(look) * _ear()[..., None])
    _put(canvas, "hat", _cloth("hat", look.scarf))
    _put(canvas, "brim", _cloth("brim", look.scarf))
    _put(canvas, "mask", _pleats(_MASK))
    return Atlas.of(image(canvas))


@lru_cache(maxsize=len(WARDROBE))
def body_atlas(look: Appearance) -> Atlas:
    """The body of an appearance, and a wheelchair."""
    canvas = _canvas()
    _put(canvas, "skin", np.broadcast_to(_SHADED * _flesh(look), (128, 128, 3)))
    _put(canvas, "coat", _coat(look.coat, look.scarf))
    _put(canvas, "apron", _apron(_coat(look.coat, look.coat)))
    for part, colour in (
        ("trousers", look.trousers), ("shoe", _SHOE), ("sleeve", look.coat), ("metal", _METAL),
        ("tyre", _TYRE), ("seat", _SEAT),
    ):  # fmt: skip
        _put(canvas, part, _cloth(part, colour))
    return Atlas.of(image(canvas))


def _canvas() -> Floats:
    width, height = ATLAS_PX
    return np.zeros((height, width, 3), np.float32)


def _put(canvas: Floats, part: str, picture: Floats) -> None:
    x0, y0, x1, y1 = box_px(part)
    canvas[y0:y1, x0:x1] = cv2.resize(np.ascontiguousarray(picture), (x1 - x0, y1 - y0))


@lru_cache(maxsize=len(WARDROBE))
def _face(look: Appearance) -> Floats:
    """The portrait with this shopper's hair and skin, not mirrored."""
    source = skin()
    bgr = floats(source.bgr)
    hair = source.hair[..., None]
    # Eyes and teeth keep their white: there only what is as red as skin takes the skin's colour.
    redness = blur(np.clip((bgr[..., 2] - bgr[..., 0] - 8.0) / 30.0, 0.0, 1.0), 1.0)
    redness = np.where(_eyes_or_mouth(), redness, 1.0)[..., None]
    flesh = 1.0 + (np.array(look.skin, np.float32) - 1.0) * (0.35 + 0.65 * redness)
    return floats(bgr * (hair * np.array(look.hair, np.float32) + (1.0 - hair) * flesh))


def _eyes_or_mouth() -> npt.NDArray[np.bool_]:
    angle, y = texels()
    x = np.abs(95.0 * np.sin(angle))
    eyes = (np.abs(x - 31.5) < 15.0) & (np.abs(y) < 7.0)
    return np.asarray(eyes | ((x < 30.0) & (y > 52.0) & (y < 76.0)))


def _flesh(look: Appearance) -> Floats:
    """The colour of the skin, (3,) BGR: the median of both cheeks."""
    angle, y = texels()
    (near, far), (top, bottom) = _CHEEK
    degrees = np.abs(np.degrees(angle))
    cheeks = (degrees > near) & (degrees < far) & (y > top) & (y < bottom)
    return floats(np.median(_face(look)[cheeks], axis=0))


def _ear() -> Floats:
    """Rim, hollow and lobe, (128, 128), as brightness."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    # The outer face is the middle half of the ellipsoid's turn; rows run from top to bottom.
    across = np.clip(x / 0.5, -2.0, 2.0)
    away = np.hypot(across, y)
    return floats(np.interp(away, _EAR_AT, _EAR_LIGHT))


def _cloth(part: str, colour: Colour) -> Floats:
    """A colour with soft folds and a little grain, 256 x 256."""
    folds = _folds(sum(part.encode()))
    strength = 0.09 if part in ("coat", "trousers", "sleeve") else 0.03
    return floats(np.array(colour, np.float32) * (1.0 + strength * folds)[..., None])


def _coat(colour: Colour, scarf: Colour) -> Floats:
    """Cloth with a seam and buttons in front (the middle), and a scarf round its top."""
    coat = _cloth("coat", colour)
    shade = np.array(colour, np.float32)
    coat[60:, 126:129] = shade * 0.55
    for y in range(86, 250, 34):
        cv2.circle(coat, (134, y), 4, tuple(float(c) * 1.5 for c in colour), -1)
    for x in (92, 164):
        coat[205:208, x - 14 : x + 14] = shade * 0.6
    coat[:34] = _cloth("scarf", scarf)[:34]
    return coat


def _apron(coat: Floats) -> Floats:
    """A work apron before the coat: bib, waist, a badge."""
    apron = _cloth("apron", _APRON)
    out = coat.copy()
    out[84:240, 66:190] = apron[84:240, 66:190]
    out[46:84, 96:160] = apron[46:84, 96:160]
    out[118:124] = apron[118:124] * np.float32(0.8)
    out[62:74, 136:154] = (236, 240, 240)
    return out


def _pleats(colour: Colour) -> Floats:
    """A surgical mask's cloth: three folds across, pale edges, 256 x 256."""
    y = np.linspace(0.0, 1.0, 256)[:, None]
    light = 1.0 - 0.16 * np.exp(-(((y * 4.0) % 1.0 - 0.5) ** 2) / 0.006) * (np.abs(y - 0.5) < 0.38)
    cloth = np.array(colour, np.float32) * light[..., None] * np.ones((1, 256, 1))
    cloth[:8] = cloth[-8:] = (228, 226, 220)
    return floats(cloth)


def _folds(seed: int) -> Floats:
    """Smooth noise, longer than wide, of unit spread, 256 x 256."""
    noise = np.random.default_rng(seed).standard_normal((256, 256)).astype(np.float32)
    long, fine = blur(noise, 6.0, 22.0), blur(noise[::-1], 1.2)
    return floats(long / long.std() + 0.3 * fine / fine.std())
