"""Meshes into pictures: every corner through the camera's own lens, every pixel by a depth buffer.

OpenCV rasterises; what lies between two corners is as far as a mesh is finer than the lens bends.
Pure. Reference: docs.opencv.org, 3d module, `triangleRasterize`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.mesh import Mesh
from infra.simulator.pixels import Floats, Image, floats, image
from vision.core.geometry import CameraModel

#: Nearer than this to the camera nothing is drawn (m), and nothing farther.
NEAREST_M = 0.15
_FARTHEST_M = 60.0

#: The rasteriser's own camera: any that holds the picture would do; its half height is half a unit.
_FOV_RAD = 2.0 * float(np.arctan(0.5))

#: Light of a shop: bright from the ceiling, less from the walls and the floor, none from one side.
_FROM_ABOVE = 0.16
_EVENLY = 0.84
#: A face squarely before the camera is as bright as in its photograph.
_TOWARDS_VIEWER = 0.10

#: Brightness is carried in 0..1 of this.
_SHADE_SCALE = 2.0

#: The drawn edge is as soft as the camera's own picture, one sigma in px.
_SOFT_PX = 0.55
_COARSE_SOFT_PX = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A drawn mesh: premultiplied `bgr` (h, w, 3) and `alpha` (h, w), uint8, at `x`, `y` of the
    picture."""

    x: int
    y: int
    bgr: Image
    alpha: Image

    def over(self, frame: Image) -> None:
        """Put it over a picture, in place."""
        height, width = self.alpha.shape
        below = frame[self.y : self.y + height, self.x : self.x + width]
        left = cv2.bitwise_not(self.alpha)
        kept = cv2.multiply(below, cv2.merge([left, left, left]), scale=1 / 255)
        below[:] = cv2.add(kept, self.bgr)


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """An atlas picture and its coarser copies, each half of the one before."""

    levels: tuple[Image, ...]

    @classmethod
    def of(cls, picture: Image) -> "Atlas":
        """With three coarser copies."""
        levels = [picture]
        for _ in range(3):
            levels.append(image(cv2.pyrDown(levels[-1])))
        return cls(tuple(levels))

    def level(self, reduction: float) -> Image:
        """The copy for a picture with `reduction` times fewer px a metre."""
        step = round(float(np.log2(max(reduction, 1.0))) - 0.3)
        return self.levels[min(max(step, 0), len(self.levels) - 1)]


def seen_px(camera: CameraModel, points: Floats) -> tuple[Floats, Floats]:
    """Where a camera sees places of the world, (N, 3) metres: (N, 2) px from the picture's upper
    left corner, and their distance (N,); NaN where the lens shows nothing."""
    place = np.asarray(points, float) - np.asarray(camera.position_m)
    local = place @ camera.rotation
    if camera.lens.ideal:
        z = np.where(local[:, 2] > NEAREST_M, local[:, 2], np.nan)
        centre = np.array([camera.centre[0] * camera.width_px, camera.centre[1] * camera.height_px])
        return floats(local[:, :2] * (camera.focal_px / z)[:, None] + centre), floats(z)
    distance = np.linalg.norm(local, axis=1)
    px = camera.picture(local) * [camera.width_px, camera.height_px]
    far = np.isfinite(px).all(axis=1) & (distance > NEAREST_M)
    return floats(px), floats(np.where(far, distance, np.nan))


def draw(
    camera: CameraModel, mesh: Mesh, atlas: Atlas, texels_per_m: float, fineness: float = 1.0
) -> Layer | None:
    """Draw a mesh of the world; None where the picture shows nothing of it.

    `texels_per_m`: of the atlas on the mesh. `fineness`: samples a px in each direction.
    """
    px, distance = seen_px(camera, mesh.points)
    triangles = mesh.triangles
    lost = np.isnan(distance)
    if lost.any():
        triangles = triangles[~lost[triangles].any(axis=1)]
        px, distance = np.nan_to_num(px), np.where(lost, 1.0, distance).astype(np.float32)
    if not len(triangles):
        return None
    box = _box(camera, px[~lost] if lost.any() else px)
    if box is None:
        return None
    x0, y0, x1, y1 = box
    shape = (max(1, round((y1 - y0) * fineness)), max(1, round((x1 - x0) * fineness)))
    scale = np.array([shape[1] / (x1 - x0), shape[0] / (y1 - y0)], np.float32)
    colours = np.column_stack([mesh.uv, _shade(camera, mesh) / _SHADE_SCALE])
    found, depth = _rasterised(
        (px - np.array([x0, y0], np.float32)) * scale, distance, triangles, colours, shape
    )
    drawn = depth < _FARTHEST_M
    if not drawn.any():
        return None
    px_per_m = fineness * camera.focal_px / float(distance.mean())
    return _layer(found, drawn, atlas.level(texels_per_m / px_per_m), box)


def _box(camera: CameraModel, px: Floats) -> tuple[int, int, int, int] | None:
    """The part of the picture that holds places, and a little more: x0, y0, x1, y1."""
    x, y = px[:, 0], px[:, 1]
    x0, y0 = max(int(x.min()) - 2, 0), max(int(y.min()) - 2, 0)
    x1, y1 = min(int(x.max()) + 3, camera.width_px), min(int(y.max()) + 3, camera.height_px)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _rasterised(
    px: Floats, distance: Floats, triangles: Any, colours: Floats, shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Colours (h, w, 3) and depth (h, w) of triangles whose corners are at `px`."""
    height, width = shape
    reach = distance / np.float32(height)
    corners = np.column_stack(
        [
            (px[:, 0] - np.float32(width / 2)) * reach,
            (np.float32(height / 2) - px[:, 1]) * reach,
            -distance,
        ]
    )
    found: Floats = np.zeros((height, width, 3), np.float32)
    depth: Floats = np.full((height, width), 2 * _FARTHEST_M, np.float32)
    cv2.triangleRasterize(
        floats(corners), triangles, floats(colours), found, depth,
        np.eye(4, dtype=np.float32), _FOV_RAD, NEAREST_M / 2, 2 * _FARTHEST_M, _settings(),
    )  # fmt: skip
    return found, depth


@lru_cache(maxsize=1)
def _settings() -> Any:
    settings = cv2.TriangleRasterizeSettings()
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    settings.setCullingMode(cv2.RASTERIZE_CULLING_CCW)
    return settings


def _shade(camera: CameraModel, mesh: Mesh) -> Floats:
    """Brightness of each corner by the shop's light, (N,); about 1 for a face before the camera."""
    towards = np.asarray(camera.position_m, np.float32) - mesh.points[len(mesh.points) // 2]
    towards *= np.float32(_TOWARDS_VIEWER / np.linalg.norm(towards))
    towards[2] += np.float32(_FROM_ABOVE)
    return floats(np.clip(mesh.normals @ towards + np.float32(_EVENLY), 0.0, _SHADE_SCALE))


def _layer(
    found: Floats, drawn: npt.NDArray[np.bool_], texture: Image, box: tuple[int, int, int, int]
) -> Layer:
    """Look the texture up, light it, soften the edge, and bring it to the picture's size."""
    height, width = texture.shape[:2]
    u, v, shade = cv2.split(found)
    x = u * np.float32(width) - np.float32(0.5)
    y = v * np.float32(height) - np.float32(0.5)
    bgr = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    solid = image(drawn) * np.uint8(255)
    light = image(shade * np.float32(127.0 * _SHADE_SCALE)) & solid
    lit = cv2.multiply(bgr, cv2.merge([light, light, light]), scale=1 / 127)
    size = (box[2] - box[0], box[3] - box[1])
    resized = solid.shape != size[::-1]
    soft_px = _COARSE_SOFT_PX if resized else _SOFT_PX
    lit, solid = (image(cv2.GaussianBlur(p, (3, 3), soft_px)) for p in (lit, solid))
    if resized:
        lit, solid = (
            image(cv2.resize(p, size, interpolation=cv2.INTER_LINEAR)) for p in (lit, solid)
        )
    return Layer(box[0], box[1], lit, solid)
