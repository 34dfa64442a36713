"""The skin of the head: scikit-image's `astronaut` (NASA, public domain) laid on the head's surface
from the photograph's own point of view, and continued where it shows nothing. Pixels in, pixels
out: no clock, no files of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from skimage import data

from infra.simulator import head
from infra.simulator.atlas import ATLAS_PX, box_px, region
from infra.simulator.mesh import grid
from infra.simulator.pixels import Floats, Image, blur, floats, image

#: How the photograph was taken: rotation (Rodrigues, degrees) and shift (m) of the head frame, its
#: z turned away, in front of a camera of that focal length and centre. By `cv2.solvePnP` from nine
#: landmarks marked by hand (pupils, corners of eyes and mouth, tip and base of the nose, chin) and
#: `head.LANDMARKS_MM`; the largest misfit is 1.7 px.
_TURN_DEG = (1.07, -0.74, 3.41)
_SHIFT_M = (-0.0007, -0.0287, 2.0562)
_FOCAL_PX = 1362.0
_CENTRE_PX = (225.0, 120.0)

#: The photograph tells the skin where it looks at it less aslant than this (cosine), and up to this
#: angle from straight ahead; the last of each fade out.
_ASLANT = (0.22, 0.42)
_ASIDE_DEG = (60.0, 48.0)

#: The chin hides what is below this (mm); the photograph has a collar there.
_BELOW_MM = (111.0, 105.0)

#: Above this (mm) the photograph's hair ends sooner than the head's.
_ABOVE_MM = (-98.0, -86.0)

#: A piece of the photograph that is all hair: y0, y1, x0, x1.
_HAIR_BOX = (28, 70, 200, 285)


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """The head's part of the atlas. `bgr` (h, w, 3) uint8; `hair` (h, w) float32, 1 where hair is.
    Columns and rows as `head.angles_rad` and `head.rows_mm` space them."""

    bgr: Image
    hair: Floats


@lru_cache(maxsize=1)
def skin() -> Skin:
    """The head's skin and hair; the first call costs about 0.2 s, the next ones nothing."""
    astronaut: Callable[[], Image] = data.astronaut
    photo = image(np.ascontiguousarray(astronaut()[..., ::-1]))
    angle, y = texels()
    points = head.surface_m(angle, y)
    normals = grid(points, region("face")).normals.reshape(points.shape)
    x, y_photo, aslant = _photographed(points, normals)
    seen = floats(cv2.remap(photo, x, y_photo, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    hair = head.hair_mask(angle, y)
    known = np.clip((aslant - _ASLANT[0]) / (_ASLANT[1] - _ASLANT[0]), 0.0, 1.0)
    degrees = np.abs(np.degrees(angle))
    known *= np.clip((_ASIDE_DEG[0] - degrees) / (_ASIDE_DEG[0] - _ASIDE_DEG[1]), 0.0, 1.0)
    known *= np.clip((_BELOW_MM[0] - y) / (_BELOW_MM[0] - _BELOW_MM[1]), 0.0, 1.0)
    known *= np.clip((y - _ABOVE_MM[0]) / (_ABOVE_MM[1] - _ABOVE_MM[0]), 0.0, 1.0)
    plain = hair[..., None] * _strands(photo, hair.shape)
    plain += (1.0 - hair[..., None]) * _continued(seen, known * (hair < 0.1) * (degrees < 54.0))
    mixed = plain + (seen - plain) * known[..., None]
    return Skin(image(mixed), floats(hair))


@lru_cache(maxsize=1)
def texels() -> tuple[Floats, Floats]:
    """Angle (rad) and height (mm) of each texel of the head's part, (h, w) each."""
    x0, y0, x1, y1 = box_px("face")
    u0, v0, u1, v1 = region("face")
    u = ((np.arange(x0, x1) + 0.5) / ATLAS_PX[0] - u0) / (u1 - u0)
    v = ((np.arange(y0, y1) + 0.5) / ATLAS_PX[1] - v0) / (v1 - v0)
    angles, rows = head.angles_rad(), head.rows_mm()
    angle = np.interp(u, np.linspace(0, 1, len(angles)), angles)
    y = np.interp(v, np.linspace(0, 1, len(rows)), rows)
    across, down = np.meshgrid(angle, y)
    return floats(across), floats(down)


def photo_px(points_m: Floats) -> Floats:
    """Where the photograph shows places of the head, (N, 3) metres, as (N, 2) px."""
    matrix = np.array([[_FOCAL_PX, 0, _CENTRE_PX[0]], [0, _FOCAL_PX, _CENTRE_PX[1]], [0, 0, 1]])
    away = np.asarray(points_m, float).reshape(-1, 3) * [1.0, 1.0, -1.0]
    turn, shift = np.radians(_TURN_DEG), np.array(_SHIFT_M)
    return floats(cv2.projectPoints(away, turn, shift, matrix, None)[0][:, 0])


def _photographed(points: Floats, normals: Floats) -> tuple[Floats, Floats, Floats]:
    """The photograph's x and y for each texel, and the cosine between its normal and the view."""
    at = photo_px(points).reshape(*points.shape[:2], 2)
    turn = cv2.Rodrigues(np.radians(_TURN_DEG))[0]
    facing = (normals * [1.0, 1.0, -1.0]) @ turn.T
    return floats(at[..., 0]), floats(at[..., 1]), floats(-facing[..., 2])


def _strands(photo: Image, shape: tuple[int, ...]) -> Floats:
    """Hair to fill with: a piece of the photograph's, mirrored on and on."""
    y0, y1, x0, x1 = _HAIR_BOX
    piece = cv2.resize(floats(photo[y0:y1, x0:x1]), None, fx=1.6, fy=2.2)
    around = np.hstack([piece, piece[:, ::-1]])
    around = np.vstack([around, around[::-1]])
    across = -(-shape[1] // around.shape[1])
    down = -(-shape[0] // around.shape[0])
    strands = np.tile(around, (down, across, 1))[: shape[0], : shape[1]] * np.float32(0.9)
    # Both halves alike, so that they meet at the back.
    half = shape[1] // 2
    strands[:, -half:] = strands[:, half - 1 :: -1]
    return floats(strands)


def _continued(seen: Floats, known: Floats) -> Floats:
    """The known skin's colours carried on into what is not known, ever more softly."""
    weight = floats(known > 0.9)
    colour = seen * weight[..., None]
    filled, out = weight > 0, colour.copy()
    for sigma in (4.0, 10.0, 24.0, 60.0, 160.0):
        near = blur(weight, sigma)
        spread = blur(colour, sigma) / np.maximum(near, 1e-6)[..., None]
        take = ~filled & (near > 0.02)
        out[take] = spread[take]
        filled |= take
    soft = blur(out, 5.0)
    return floats(np.where((known > 0.9)[..., None], out, soft))
