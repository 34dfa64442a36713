"""Lines over the picture by which a person sees at once whether a calibration fits. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from streams.contracts.layout import CameraPose, Place, Point, StoreLayout
from vision.core.geometry import CameraModel, Vector, camera_model

#: Floor lines this far along the shelf from the camera, and away from it.
_ALONG_M, _AWAY_M = 4.0, (0.5, 1.0, 2.0, 3.0, 4.0)

#: A post as tall as a person, at these distances: stand there, and it has to end at your crown.
_POST_M = 1.70

#: A straight line becomes so many pieces, which a lens bends.
_PIECES = 24

Kind = Literal["floor", "post", "zone", "screen", "given"]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line over the picture: normalised points, and what is written at its middle."""

    kind: Kind
    points: tuple[Point, ...]
    label: str = ""


def overlay(
    pose: CameraPose, aspect: float, layout: StoreLayout, area_id: str, given: list[list[Place]]
) -> list[Stroke]:
    """Floor grid, posts, faces and screens, and the rectangles that were given, as the camera would
    show them."""
    camera = camera_model(pose, 1_000, round(1_000 * aspect))
    strokes: list[Stroke] = []
    x = pose.position_m[0]
    for y in _AWAY_M:
        ends = ((x - _ALONG_M, y, 0.0), (x + _ALONG_M, y, 0.0))
        strokes += _strokes("floor", camera, [*ends], f"{y:g} m")
    for step in range(-4, 5):
        across = round(x) + step
        strokes += _strokes("floor", camera, [(across, 0.3, 0.0), (across, _AWAY_M[-1], 0.0)])
    for y in (1.0, 2.0, 3.0):
        strokes += _strokes("post", camera, [(x, y, 0.0), (x, y, _POST_M)], f"{_POST_M:g} m tall")
    # A camera on the shelf looks away from it: what hangs there is in no picture of its.
    sees_shelf = camera.rotation[1, 2] < 0
    for zone in layout.zones:
        if sees_shelf and zone.area_id == area_id and zone.face is not None:
            strokes += _face("zone", camera, zone.face, zone.name)
    for screen in layout.screens:
        if screen.area_id == area_id and screen.corners is not None:
            strokes += _strokes("screen", camera, [*screen.corners, screen.corners[0]], screen.name)
        elif sees_shelf and screen.area_id == area_id and screen.face is not None:
            strokes += _face("screen", camera, screen.face, screen.name)
    for corners in given:
        strokes += _strokes("given", camera, [*corners, corners[0]])
    return strokes


def _face(
    kind: Kind, camera: CameraModel, face: tuple[float, float, float, float], name: str
) -> list[Stroke]:
    x0, z0, x1, z1 = face
    corners: list[Vector] = [(x0, 0, z1), (x1, 0, z1), (x1, 0, z0), (x0, 0, z0), (x0, 0, z1)]
    return _strokes(kind, camera, corners, name)


def _strokes(
    kind: Kind, camera: CameraModel, places: list[Vector], label: str = ""
) -> list[Stroke]:
    """A line through places, in as many pieces as the picture shows of it."""
    found: list[Stroke] = []
    piece: list[Point] = []
    for point in _shown(camera, places):
        if point is not None:
            piece.append((round(point[0], 5), round(point[1], 5)))
            continue
        if len(piece) > 1:
            found.append(Stroke(kind, tuple(piece), label))
        piece = []
    if len(piece) > 1:
        found.append(Stroke(kind, tuple(piece), label))
    return found


def _shown(camera: CameraModel, places: list[Vector]) -> Iterator[Point | None]:
    for start, end in pairwise(np.array(places, dtype=float)):
        for part in np.linspace(0.0, 1.0, _PIECES + 1):
            x, y, z = start + part * (end - start)
            point = camera.project((float(x), float(y), float(z)))
            # What is far outside is drawn nowhere: near the camera's plane it would fly off.
            near = point is not None and all(-0.3 <= side <= 1.3 for side in point)
            yield point if near else None
