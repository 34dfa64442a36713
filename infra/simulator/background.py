"""The aisle that the shoppers are in: floor, the shelf and the one on the other side with their
products, walls, ceiling and lights, drawn once for a camera. Pure: a camera in, a picture out.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.pixels import Floats, Image, blur, floats, image
from vision.core.geometry import CameraModel

#: The store is the same in every run and for every camera.
_SEED = 20_240_501

#: The shop's box in metres, in the area's frame: the other shelf's face, the shelves' height, the
#: walls behind both, the ceiling, and the ends of the aisle.
SHELF_Y_M = 4.4
SHELF_TOP_M = 2.05
WALL_Y_M = 5.4
OTHER_WALL_Y_M = -1.0
CEILING_M = 3.1
_ENDS_M = (-30.0, 40.0)

#: Textures repeat after so many metres along the aisle: a whole number of tiles, lamps and bays.
_PERIOD_M = 18.0

#: A camera this near to a plane, or on its back, does not see it.
_NEAREST_M = 0.02

#: Pixels a metre of the flat textures that are laid into the picture.
_TEXTURE_PX_PER_M = 110

#: Rays a pixel, at these places of it: products far away would flicker otherwise.
_SAMPLES_PX = ((0.3, 0.2), (0.8, 0.3), (0.2, 0.7), (0.7, 0.8))

#: The lens is asked for every eighth ray.
_STEP_PX = 8

_BOARDS_M = (0.12, 0.5, 0.88, 1.26, 1.64)

#: Packaging colours, BGR: muted, so that people stand out before them.
_PACKS = (
    (86, 116, 176), (70, 132, 120), (148, 108, 74), (92, 82, 148), (150, 150, 96), (70, 150, 190),
    (128, 128, 134), (176, 186, 192), (60, 84, 108), (122, 150, 176), (90, 140, 96), (72, 72, 128),
)  # fmt: skip


def background(camera: CameraModel) -> Image:
    """The empty aisle as the camera sees it, (height_px, width_px, 3) uint8 BGR; the same in every
    run, and the same store for every camera."""
    planes = _planes()
    shape = (camera.height_px, camera.width_px, 3)
    total: Floats = np.zeros(shape, np.float32)
    for across, down in _SAMPLES_PX:
        total += _sample(camera, planes, across, down)
    return _lens(np.random.default_rng(_SEED), total / np.float32(len(_SAMPLES_PX)))


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """A flat thing across one axis of the world at `at_m`, seen by who looks along `sign` of it.

    Its texture's columns run along `u` and its rows along `v` (axis, start in metres, direction);
    along `v` it ends with the texture, along `u` it goes on for ever.
    """

    axis: int
    at_m: float
    sign: int
    u: int
    v: tuple[int, float, int]
    texture: Image


@lru_cache(maxsize=1)
def _planes() -> list[_Plane]:
    rng = np.random.default_rng(_SEED)
    depth = WALL_Y_M - OTHER_WALL_Y_M
    ceiling = image(_ceiling(_PERIOD_M, depth))
    wall = image(_wall(_PERIOD_M, CEILING_M))
    floor = image(_floor(rng, _PERIOD_M, depth))
    return [
        _Plane(2, CEILING_M, 1, 0, (1, WALL_Y_M, -1), ceiling),
        _Plane(2, 0.0, -1, 0, (1, WALL_Y_M, -1), floor),
        _Plane(1, WALL_Y_M, 1, 0, (2, CEILING_M, -1), wall),
        _Plane(1, OTHER_WALL_Y_M, -1, 0, (2, CEILING_M, -1), wall),
        _Plane(1, SHELF_Y_M, 1, 0, (2, SHELF_TOP_M, -1), image(_shelf(rng, _PERIOD_M))),
        _Plane(1, 0.0, -1, 0, (2, SHELF_TOP_M, -1), image(_shelf(rng, _PERIOD_M))),
        _Plane(0, _ENDS_M[0], -1, 1, (2, CEILING_M, -1), wall),
        _Plane(0, _ENDS_M[1], 1, 1, (2, CEILING_M, -1), wall),
    ]


def _sample(camera: CameraModel, planes: list[_Plane], across: float, down: float) -> Image:
    """What each pixel's ray meets first; the ray goes through that part of the pixel."""
    rays = _rays(camera, across, down)
    picture: Image = np.full((camera.height_px, camera.width_px, 3), (150, 156, 158), np.uint8)
    nearest: Floats = np.full(picture.shape[:2], np.inf, np.float32)
    origin = camera.position_m
    for plane in planes:
        gap = plane.at_m - origin[plane.axis]
        if gap * plane.sign <= _NEAREST_M:
            continue  # seen from behind, or the camera hangs on it
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.float32(gap) / rays[plane.axis]
            axis, start, direction = plane.v
            row = (origin[axis] + reach * rays[axis] - start) * direction * _TEXTURE_PX_PER_M
            column = (origin[plane.u] + reach * rays[plane.u]) * _TEXTURE_PX_PER_M
            height, width = plane.texture.shape[:2]
            seen = (reach > 0) & (reach < nearest) & (row >= 0) & (row < height)
            column = np.mod(column, width)
        if not seen.any():
            continue
        nearest[seen] = reach[seen]
        # What is not seen is looked up anywhere.
        x, y = (floats(np.where(seen, values, 0.0)) for values in (column, row))
        laid = cv2.remap(plane.texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(laid, image(seen), picture)
    return picture


def _rays(camera: CameraModel, across: float, down: float) -> tuple[Floats, Floats, Floats]:
    """The direction, in the world, of each pixel's ray: x, y and z, (height_px, width_px) each.

    The lens is asked on every eighth pixel; between them it bends no more than a straight line.
    """
    width, height = camera.width_px, camera.height_px
    columns, rows = -(-width // _STEP_PX) + 1, -(-height // _STEP_PX) + 1
    x, y = np.meshgrid(np.arange(columns) * _STEP_PX, np.arange(rows) * _STEP_PX)
    points = np.column_stack([(x.ravel() + across) / width, (y.ravel() + down) / height])
    coarse = (camera.directions(points) @ camera.rotation.T).reshape(rows, columns, 3)
    px, py = np.meshgrid(
        np.arange(width, dtype=np.float32) / _STEP_PX,
        np.arange(height, dtype=np.float32) / _STEP_PX,
    )
    fine = cv2.remap(floats(coarse), px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fx, fy, fz = cv2.split(fine)
    return floats(fx), floats(fy), floats(fz)


def _canvas(width_m: float, height_m: float, colour: tuple[int, int, int]) -> Floats:
    shape = (round(height_m * _TEXTURE_PX_PER_M), round(width_m * _TEXTURE_PX_PER_M), 3)
    return np.full(shape, colour, np.float32)


def _fill(
    canvas: Floats, x0: float, y0: float, x1: float, y1: float, colour: npt.ArrayLike
) -> None:
    """A rectangle in metres from the texture's upper left corner."""
    s = _TEXTURE_PX_PER_M
    canvas[round(y0 * s) : max(round(y1 * s), round(y0 * s) + 1),
           round(x0 * s) : max(round(x1 * s), round(x0 * s) + 1)] = colour  # fmt: skip


def _floor(rng: np.random.Generator, width_m: float, depth_m: float) -> Floats:
    """Pale tiles of 60 cm with thin joints and a soft mirror of the lights; row 0 is far away."""
    floor = _canvas(width_m, depth_m, (164, 178, 188))
    for x in np.arange(0.0, width_m, 0.6):
        for y in np.arange(0.0, depth_m, 0.6):
            _fill(floor, x, y, x + 0.592, y + 0.592, np.array((170, 186, 198)) + rng.normal(0, 3.5))
    far = np.linspace(0.0, 1.0, floor.shape[0], dtype=np.float32)[:, None, None]
    floor *= 0.8 + 0.28 * far  # the shelf's foot lies in its own shade
    shine = np.exp(-(((far * depth_m) - 1.7) ** 2) / 0.5)
    floor += 26.0 * shine
    floor += cv2.resize(rng.normal(0, 3, (60, 240)).astype(np.float32), floor.shape[1::-1])[
        ..., None
    ]
    return floor


def _ceiling(width_m: float, depth_m: float) -> Floats:
    """Grey panels with rows of bright lights."""
    ceiling = _canvas(width_m, depth_m, (196, 198, 198))
    for x in np.arange(0.0, width_m, 0.6):
        _fill(ceiling, x, 0.0, x + 0.015, depth_m, (176, 178, 178))
    for x in np.arange(0.3, width_m - 1.3, 2.4):
        for y in (0.8, 2.9):
            if y + 0.3 < depth_m:
                _fill(ceiling, x, y, x + 1.2, y + 0.3, (250, 252, 252))
    glow = blur(ceiling, 28)
    return np.maximum(ceiling, 0.6 * ceiling + 0.45 * glow)


def _wall(width_m: float, height_m: float) -> Floats:
    """A plain wall above the shelf with a broad coloured band, as shops have."""
    wall = _canvas(width_m, height_m, (168, 176, 182))
    _fill(wall, 0.0, 0.25, width_m, 0.75, (104, 118, 74))
    _fill(wall, 0.0, 0.75, width_m, 0.79, (210, 214, 214))
    return wall


def _shelf(rng: np.random.Generator, width_m: float) -> Floats:
    """The other shelf's face: five boards of products in facings, price rails, uprights."""
    shelf = _canvas(width_m, SHELF_TOP_M, (54, 56, 58))
    for board, above in zip(_BOARDS_M, (*_BOARDS_M[1:], SHELF_TOP_M + 0.02), strict=True):
        floor_y, gap = SHELF_TOP_M - board, above - board
        x = 0.02
        while x < width_m - 0.3:
            x = _facing(rng, shelf, x, floor_y, gap)
        _fill(shelf, 0.0, floor_y, width_m, floor_y + 0.035, (206, 210, 210))
        for tag in np.arange(0.1, width_m, 0.24) + rng.uniform(-0.04, 0.04):
            _fill(shelf, tag, floor_y + 0.004, tag + 0.05, floor_y + 0.031, (242, 246, 246))
    for x in np.arange(0.0, width_m, 1.25):
        _fill(shelf, x, 0.0, x + 0.03, SHELF_TOP_M, (176, 180, 180))
    _fill(shelf, 0.0, 0.0, width_m, 0.05, (196, 200, 200))
    return shelf


def _facing(rng: np.random.Generator, shelf: Floats, x: float, floor_y: float, gap: float) -> float:
    """A few equal packs side by side; returns where the next facing begins."""
    wide = float(rng.uniform(0.07, 0.15))
    tall = float(rng.uniform(0.55, 0.86)) * gap
    colour = np.array(_PACKS[rng.integers(len(_PACKS))], np.float32) * rng.uniform(0.8, 1.12)
    label = colour * 0.35 + np.array((225, 230, 232)) * 0.65
    band = float(rng.uniform(0.2, 0.55))
    for _ in range(int(rng.integers(2, 5))):
        top = floor_y - tall
        _fill(shelf, x, top, x + wide - 0.006, floor_y, colour * rng.uniform(0.94, 1.04))
        _fill(
            shelf,
            x + 0.15 * wide,
            top + band * tall,
            x + 0.8 * wide,
            top + (band + 0.3) * tall,
            label,
        )
        _fill(shelf, x + 0.8 * wide, top, x + wide - 0.006, floor_y, colour * 0.72)
        _fill(shelf, x, top - 0.03, x + wide, top, (34, 35, 37))
        x += wide
    return x + float(rng.uniform(0.0, 0.03))


def _lens(rng: np.random.Generator, picture: Floats) -> Image:
    """A little out of focus (the shoppers are in it), dimmer in the corners, a little noise."""
    height, width = picture.shape[:2]
    soft = blur(picture, width / 700)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1.0 - 0.16 * (x**2 + y**2) ** 1.2
    noise = rng.normal(0, 1.6, (height, width, 1))
    return image(soft * vignette[..., None] * 1.06 + noise)
