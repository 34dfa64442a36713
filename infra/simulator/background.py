"""The aisle behind the shoppers: floor, the shelf on the other side with its products, wall,
ceiling and lights, drawn once for a camera. Pure: a camera in, a picture out.
"""

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.pixels import Floats, Image, blur, floats, image
from vision.core.geometry import PinholeCamera

#: The shop's box in metres, in the area's frame: the other shelf's face, its height, the ceiling.
SHELF_Y_M = 4.4
SHELF_TOP_M = 2.05
WALL_Y_M = 5.4
CEILING_M = 3.1

#: How far the aisle runs to both sides of the camera: more than 80 degrees see at the far shelf.
_REACH_M = 8.0

#: Pixels a metre of the flat textures that are laid into the picture.
_TEXTURE_PX_PER_M = 110

_BOARDS_M = (0.12, 0.5, 0.88, 1.26, 1.64)

#: Packaging colours, BGR: muted, so that people stand out before them.
_PACKS = (
    (86, 116, 176), (70, 132, 120), (148, 108, 74), (92, 82, 148), (150, 150, 96), (70, 150, 190),
    (128, 128, 134), (176, 186, 192), (60, 84, 108), (122, 150, 176), (90, 140, 96), (72, 72, 128),
)  # fmt: skip


def background(camera: PinholeCamera) -> Image:
    """The empty aisle as the camera sees it, (height_px, width_px, 3) uint8 BGR; the same in every
    run."""
    rng = np.random.default_rng(20_240_501)
    x0 = camera.position_m[0] - _REACH_M
    x1 = camera.position_m[0] + _REACH_M
    picture: Floats = np.full((camera.height_px, camera.width_px, 3), (150, 156, 158), np.float32)
    near = 0.7  # a plane that reached the camera itself would have no picture
    _lay(
        picture,
        camera,
        _ceiling(x1 - x0, WALL_Y_M - near),
        [
            (x0, WALL_Y_M, CEILING_M),
            (x1, WALL_Y_M, CEILING_M),
            (x1, near, CEILING_M),
            (x0, near, CEILING_M),
        ],
    )
    _lay(
        picture,
        camera,
        _wall(x1 - x0, CEILING_M - 1.5),
        [
            (x0, WALL_Y_M, CEILING_M),
            (x1, WALL_Y_M, CEILING_M),
            (x1, WALL_Y_M, 1.5),
            (x0, WALL_Y_M, 1.5),
        ],
    )
    _lay(
        picture,
        camera,
        _floor(rng, x1 - x0, SHELF_Y_M - near),
        [(x0, SHELF_Y_M, 0.0), (x1, SHELF_Y_M, 0.0), (x1, near, 0.0), (x0, near, 0.0)],
    )
    _lay(
        picture,
        camera,
        _shelf(rng, x1 - x0),
        [
            (x0, SHELF_Y_M, SHELF_TOP_M),
            (x1, SHELF_Y_M, SHELF_TOP_M),
            (x1, SHELF_Y_M, 0.0),
            (x0, SHELF_Y_M, 0.0),
        ],
    )
    return _lens(rng, picture)


def _lay(
    picture: Floats,
    camera: PinholeCamera,
    texture: Floats,
    corners: list[tuple[float, float, float]],
) -> None:
    """Lay a flat texture into the picture, its corners at four places of the world, clockwise."""
    seen = [camera.project(place) for place in corners]
    size = (camera.width_px, camera.height_px)
    target = np.array([(p[0] * size[0], p[1] * size[1]) for p in seen if p is not None], np.float32)
    if len(target) < 4:
        return  # partly behind the camera: not in its picture
    h, w = texture.shape[:2]
    source = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    # Two samples a pixel in each direction: products far away would flicker otherwise.
    twice = np.diag([2.0, 2.0, 1.0])
    big = (2 * size[0], 2 * size[1])
    laid = cv2.warpPerspective(image(texture), twice @ warp, big, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full((h, w), 255, np.uint8), twice @ warp, big)
    laid = cv2.resize(laid, size, interpolation=cv2.INTER_AREA)
    mask = floats(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))[..., None] / 255
    picture *= 1.0 - mask
    picture += laid * (mask > 0)


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
