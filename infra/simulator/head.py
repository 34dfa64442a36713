"""A head that turns: a depth for every pixel of the portrait, and the portrait seen from any side.

The surface is a face with a nose on a skull under hair; a pose is drawn by marching rays through it
and kept, so that a frame costs one look-up. Pure: pixels and angles in, pixels out.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.pixels import Floats, Image, blur, floats, image
from infra.simulator.portrait import PIVOT_PX, TILE_PX, Portrait

#: Poses are kept in steps of this size: finer than the eye sees in a turn, coarse enough to keep.
STEP_DEG = 2.0

#: Beyond these the portrait has no more to tell (the back of the head is not in the picture).
MAX_YAW_DEG = 76.0
MAX_PITCH_DEG = 46.0

#: Poses kept; one takes about 0.14 MB.
KEPT_POSES = 256

#: The portrait looks a little past its camera. Found by measuring: with these a head-pose network
#: sees the same yaw to both sides.
SOURCE_YAW_DEG = -1.5
SOURCE_PITCH_DEG = 0.0

#: The eyes lie this far before the axis about which a head turns (85 mm).
EYES_FORWARD_PX = 58.0

#: Rays are marched on every second pixel and in steps of 4 px (6 mm), then refined.
_RAY_STEP_PX = 2
_MARCH_PX = 4.0
_NEAR_PX, _FAR_PX = 108.0, -104.0

#: Light from above and from the viewer's side, in the viewer's frame (x right, y down, z to us).
_LIGHT = np.array([0.0, -0.38, 0.925])

#: An ear, drawn by its light: from its middle (0) to its rim (1).
_EAR_RIM = (0.0, 0.45, 0.6, 0.86, 0.95, 1.0)
_EAR_LIGHT = (0.62, 0.74, 0.98, 0.98, 0.7, 0.55)

#: A pose: x and y in the portrait, brightness times alpha, and alpha.
Maps = tuple[Floats, Floats, Image, Image]


_Points = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Surface:
    """Depth of the head in px of the tile, + towards the viewer, 0 at the ears: `front`, `back` and
    the head's `alpha` are (TILE_PX, TILE_PX) float32; `normal` is the front's, with a third axis of
    x, y, z, unit length."""

    front: Floats
    back: Floats
    normal: Floats
    alpha: Floats


def surface_of(portrait: Portrait) -> Surface:
    """A generic head laid under the portrait: skull and hair as ellipses by row, a face, a nose."""
    u, v = _grid()
    half, middle = _rows(portrait.alpha)
    across = np.clip(1.0 - ((u - middle[:, None]) / half[:, None]) ** 2, 0.0, 1.0)
    crown = np.interp(v, [-93, -88, -80, -66, -46, -26, -12, 6], [0, 20, 38, 58, 69, 71, 61, 20])
    hair = crown * across**0.45
    sides = 20.0 * np.sqrt(np.clip(1.0 - ((np.abs(u) - 48.0) / 18.0) ** 2, 0.0, 1.0))
    hair = np.maximum(hair, np.where((v > -46) & (v < 26) & (np.abs(u) > 44), sides, 0.0))
    face = _face(u, v)
    front = np.where(portrait.hair > 0.5, np.maximum(hair, face * (np.abs(u) < 50)), face)
    front = blur(front, 1.6)
    depth = np.interp(v, [-93, -88, -78, -58, -20, 10, 28, 50], [2, 24, 46, 68, 78, 66, 30, 0])
    back = -(depth * across**0.5).astype(np.float32)
    return Surface(front, back, _normals(front), portrait.alpha)


def _face(u: Floats, v: Floats) -> Floats:
    """The face's depth: a rounded front, a nose, eye sockets, a chin that recedes."""
    profile = np.interp(
        v, [-40, -20, -8, 2, 30, 50, 66, 76, 84], [60, 62, 61, 58, 60, 60, 57, 46, 20]
    )
    width = np.interp(v, [-40, 0, 25, 50, 66, 80], [56, 55, 53, 48, 42, 30])
    flat = np.clip(1.0 - (np.abs(u) / width) ** 2.0, 0.0, 1.0)
    ridge = np.interp(v, [-8, 2, 24, 31, 37, 42], [0, 4, 19, 21, 8, 0])
    aside = u - np.interp(v, [0, 27], [0.0, -1.9])  # the portrait looks a little to its side
    nose = ridge * np.exp(-((aside / np.interp(v, [0, 28], [6.0, 10.5])) ** 2))
    sockets = 5.0 * np.exp(-(((np.abs(u) - 21.5) / 10.0) ** 2) - (v / 7.0) ** 2)
    depth: Floats = (profile * flat**0.6 + nose - sockets).astype(np.float32)
    return depth


def _normals(front: Floats) -> Floats:
    soft = blur(front, 1.5)
    dx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    normal = np.dstack([-dx, -dy, np.ones_like(dx)])
    return np.asarray(normal / np.linalg.norm(normal, axis=2, keepdims=True), np.float32)


def _grid() -> tuple[Floats, Floats]:
    """Offsets from the pivot, (TILE_PX, TILE_PX) float32: to the right, and down."""
    v, u = np.mgrid[0:TILE_PX, 0:TILE_PX].astype(np.float32)
    return u - PIVOT_PX[0], v - PIVOT_PX[1]


def _rows(alpha: Floats) -> tuple[Floats, Floats]:
    """Half width and middle of the outline, row by row, in px from the pivot, smoothed."""
    inside = alpha > 0.3
    used = inside.any(axis=1)
    left = np.where(used, inside.argmax(axis=1), TILE_PX / 2)
    right = np.where(used, TILE_PX - 1 - inside[:, ::-1].argmax(axis=1), TILE_PX / 2)
    half = cv2.GaussianBlur(((right - left) / 2.0 + 1.0).astype(np.float32), (1, 9), 0).ravel()
    middle = cv2.GaussianBlur(((right + left) / 2.0).astype(np.float32), (1, 9), 0).ravel()
    return np.maximum(half, 1.0), middle - np.float32(PIVOT_PX[0])


def turn(yaw_deg: float, pitch_deg: float) -> npt.NDArray[np.float64]:
    """The rotation of a head, (3, 3): x to the picture's right, y down, z to the viewer.

    Yaw + turns the face to the picture's right, pitch + upwards.
    """
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]])
    return np.asarray(about_y @ about_x)


class TurningHead:
    """The portrait's poses, made when first asked for. Not for several threads at a time."""

    def __init__(self, portrait: Portrait) -> None:
        self._portrait = portrait
        self._surface = surface_of(portrait)
        half, middle = _rows(portrait.alpha)
        self._outline = (half, middle)
        self._poses: OrderedDict[tuple[int, int], Maps] = OrderedDict()
        self._source = turn(SOURCE_YAW_DEG, SOURCE_PITCH_DEG)
        eyes = np.array([0.0, 0.0, EYES_FORWARD_PX])
        self._offset = (eyes - self._source @ eyes)[:, None]
        # Outside the outline nothing is between front and back.
        outside = self._surface.alpha <= 0.4
        self._front = np.where(outside, -1e3, self._surface.front).astype(np.float32).ravel()
        self._back = np.where(outside, 1e3, self._surface.back).astype(np.float32).ravel()

    def maps(self, yaw_deg: float, pitch_deg: float) -> Maps:
        """Where each pixel of the turned head comes from: x, y (h, w) float32 in the portrait, its
        brightness and its alpha uint8, on a tile of half the portrait's size (TILE_PX / 2)."""
        yaw = max(-MAX_YAW_DEG, min(MAX_YAW_DEG, yaw_deg))
        pitch = max(-MAX_PITCH_DEG, min(MAX_PITCH_DEG, pitch_deg))
        key = (round(yaw / STEP_DEG), round(pitch / STEP_DEG))
        found = self._poses.get(key)
        if found is None:
            found = self._pose(key[0] * STEP_DEG, key[1] * STEP_DEG)
            self._poses[key] = found
            if len(self._poses) > KEPT_POSES:
                self._poses.popitem(last=False)
        else:
            self._poses.move_to_end(key)
        return found

    def _pose(self, yaw_deg: float, pitch_deg: float) -> Maps:
        """March the rays of one pose. The portrait's own pose is taken off first."""
        rotation = turn(yaw_deg, pitch_deg) @ self._source.T
        n = TILE_PX // _RAY_STEP_PX
        rows, columns = np.mgrid[0:n, 0:n].astype(np.float64) * _RAY_STEP_PX
        eye = np.stack([columns - PIVOT_PX[0], rows - PIVOT_PX[1]]).reshape(2, -1)
        # A ray is all z at one x, y of the picture; rotated back, it runs through the portrait.
        base = rotation.T[:, :2] @ eye + self._offset
        step = rotation.T[:, 2]
        depth = np.full(eye.shape[1], np.nan)
        # The head lies within this of its pivot, whatever its pose: no ray outside can hit it.
        waiting = np.flatnonzero((eye[0] / 92.0) ** 2 + (eye[1] / 104.0) ** 2 < 1.0)
        x, y, z = base[:, waiting].astype(np.float32)
        for at in np.arange(_NEAR_PX, _FAR_PX, -_MARCH_PX, dtype=np.float32):
            hit = self._inside(x + step[0] * at, y + step[1] * at, z + step[2] * at)
            if hit.any():
                depth[waiting[hit]] = at
                missed = ~hit
                waiting, x, y, z = waiting[missed], x[missed], y[missed], z[missed]
        found = np.flatnonzero(~np.isnan(depth))
        depth[found] = self._refine(base[:, found], step, depth[found])
        return self._textured(base, step, depth, rotation, n)

    def _inside(self, x: _Numbers, y: _Numbers, z: _Numbers) -> npt.NDArray[np.bool_]:
        """Which places lie within the head: between its front and its back."""
        column = np.clip(x + (PIVOT_PX[0] + 0.5), 0, TILE_PX - 1).astype(np.int32)
        place = np.clip(y + (PIVOT_PX[1] + 0.5), 0, TILE_PX - 1).astype(np.int32) * TILE_PX
        place += column
        return np.asarray((z <= self._front[place]) & (z >= self._back[place]))

    def _refine(
        self,
        base: npt.NDArray[np.float64],
        step: npt.NDArray[np.float64],
        depth: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        """Halve the last step four times: from 6 mm to under 1 mm."""
        outside, inside = depth + _MARCH_PX, depth.copy()
        for _ in range(4):
            middle = (outside + inside) / 2.0
            hit = self._inside(*(base + step[:, None] * middle))
            inside = np.where(hit, middle, inside)
            outside = np.where(hit, outside, middle)
        return inside

    def _textured(
        self, base: _Points, step: _Points, depth: _Points, rotation: _Points, n: int
    ) -> Maps:
        """The portrait's pixel for each ray's hit, with its light; alpha says where one hit."""
        hit = ~np.isnan(depth)
        place = base + step[:, None] * np.where(hit, depth, 0.0)
        u, v, shade = self._skin(place, rotation)
        alpha = np.clip((_softened(hit, n) - 0.25) * 2, 0.0, 1.0)
        return (
            floats(u + PIVOT_PX[0]).reshape(n, n),
            floats(v + PIVOT_PX[1]).reshape(n, n),
            image(_softened(shade, n) * alpha * 255),
            image(alpha * 255),
        )

    def _skin(self, place: _Points, rotation: _Points) -> tuple[_Points, _Points, _Points]:
        """Where a place on the surface, (3, N), takes its colour from, and how light it is: the
        front from itself, sides and back from the hair beside the face, ears and jaw from a cheek.
        """
        x, y, z = place
        row = np.clip(y + PIVOT_PX[1], 0, TILE_PX - 1).astype(np.intp)
        column = np.clip(x + PIVOT_PX[0], 0, TILE_PX - 1).astype(np.intp)
        half, middle = self._outline[0][row], self._outline[1][row]
        reach = (x - middle) / half
        lower = y > 24.0
        side = np.where(z < 0.0, 1.0, (np.abs(reach) > 0.89) & (z < 30.0)) > 0.5
        side &= ~lower
        nape = lower & (z < -14.0)
        rim = np.sqrt(((z + 3.0) / 13.0) ** 2 + ((y - 14.0) / 21.0) ** 2)
        ear = (np.abs(x) > 38.0) & (rim < 1.0)
        # The hair's strip beside the face, run through to and fro with depth: no streaks, no seam.
        fold = np.abs((z / 14.0) % 4.0 - 2.0) - 1.0
        strip = middle + np.sign(reach) * (half - 12.0 + 7.0 * fold)
        u = np.where(side | nape, strip, np.where(lower, np.clip(x, -34.0, 34.0), x))
        u = np.where(ear, np.sign(x) * (34.0 + 0.1 * z), u)
        v = np.where(lower & (np.abs(x) > 34.0), 30.0 + 0.35 * (np.minimum(y, 60.0) - 24.0), y)
        v = np.where(ear, 24.0 + 0.2 * y, np.where(nape, 10.0 - 0.4 * (y - 24.0), v))
        front = np.clip(self._surface.normal[row, column] @ (rotation.T @ _LIGHT), 0.0, 1.0)
        shade = np.where((z < 4.0) | side, 0.86, 0.62 + 0.42 * front)
        relief = np.interp(rim, _EAR_RIM, _EAR_LIGHT)
        return u, v, np.where(ear, relief, shade)


def _softened(values: npt.NDArray[Any], n: int) -> Floats:
    return floats(cv2.GaussianBlur(floats(values).reshape(n, n), (3, 3), 0))


def turned(texture: Image, maps: Maps, fine: bool) -> tuple[Image, tuple[float, float]]:
    """The turned head from a (coloured) texture: premultiplied BGRA, and its pivot in px.

    The tile is (TILE_PX, TILE_PX) when `fine`, else half of that.
    """
    x, y, light, alpha = maps
    pivot = (PIVOT_PX[0] / _RAY_STEP_PX, PIVOT_PX[1] / _RAY_STEP_PX)
    if fine:
        size = (TILE_PX, TILE_PX)
        x, y = (floats(cv2.resize(m, size, interpolation=cv2.INTER_LINEAR)) for m in (x, y))
        light, alpha = (image(cv2.resize(m, size)) for m in (light, alpha))
        # OpenCV aligns pixel borders, the maps pixel centres: half a pixel between them.
        pivot = (PIVOT_PX[0] + 0.5, PIVOT_PX[1] + 0.5)
    bgr = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.merge([light, light, light])
    blue, green, red = cv2.split(cv2.multiply(bgr, seen, scale=1 / 255))
    return image(cv2.merge([blue, green, red, alpha])), pivot
