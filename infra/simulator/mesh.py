"""Triangles in space and the ways to make them: lofts of rings, and joints. Pure.

Points are metres; a mesh's own frame is said where it is made. `uv` is a place on an atlas, 0..1
from its upper left corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.simulator.pixels import Floats

Indices = npt.NDArray[np.int32]

#: (u0, v0, u1, v1) on an atlas, 0..1.
Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """`points` and unit `normals` (N, 3), `uv` (N, 2), all float32; `triangles` (M, 3) int32, seen
    from outside in one order (`grid` makes both)."""

    points: Floats
    normals: Floats
    uv: Floats
    triangles: Indices

    def moved(self, rotation: npt.NDArray[np.floating[Any]], shift: npt.ArrayLike) -> "Mesh":
        """Rotated, (3, 3) from the left, then shifted by (3,) metres."""
        turned = np.asarray(rotation, np.float32).T
        return Mesh(
            self.points @ turned + np.asarray(shift, np.float32),
            self.normals @ turned,
            self.uv,
            self.triangles,
        )


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(m.points) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.uv for m in meshes]),
        np.concatenate(
            [m.triangles + np.int32(s) for m, s in zip(meshes, starts, strict=True)]
        ).astype(np.int32),
    )


def grid(points: Floats, region: Region, *, closed: bool = True) -> Mesh:
    """A surface of rings: `points` (rows, columns, 3), laid out evenly on a region of the atlas.

    With `closed` the last column is the first one again, and its normals are joined.
    """
    rows, columns = points.shape[:2]
    u0, v0, u1, v1 = region
    u, v = np.meshgrid(np.linspace(u0, u1, columns), np.linspace(v0, v1, rows))
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate(
        [np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]
    )
    return Mesh(
        np.asarray(points, np.float32).reshape(-1, 3),
        _grid_normals(points, closed).reshape(-1, 3),
        np.stack([u, v], -1).reshape(-1, 2).astype(np.float32),
        triangles,
    )


def _grid_normals(points: Floats, closed: bool) -> Floats:
    down = np.gradient(points, axis=0)
    if closed:
        ring = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1)
        across = (ring[:, 2:] - ring[:, :-2]) / 2
    else:
        across = np.gradient(points, axis=1)
    normals = np.cross(across, down)
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), np.float32)
