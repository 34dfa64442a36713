"""What a camera of the simulated store sees: the aisle, and in it the shoppers, projected by the
layout's own camera model. Pure but for what it keeps; never reads a clock.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from infra.simulator.background import background
from infra.simulator.bust import TEXELS_PER_M
from infra.simulator.clothes import WARDROBE, body_atlas, head_atlas
from infra.simulator.figure import eyes_place, figure, look_of
from infra.simulator.people import Person
from infra.simulator.pixels import Floats, Image, floats, image
from infra.simulator.raster import draw, seen_px
from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, camera_model

#: A shopper nearer to the camera than this is not drawn: the face fills the picture.
NEAREST_M = 0.4

#: Cloth has no detail that a network reads: bodies are drawn with at most so many samples a metre.
_BODY_PX_PER_M = 240.0
_COARSEST = 0.3
_BODY_TEXELS_PER_M = 400.0

#: Below so many px a metre a head's mesh with rings 3 to 5 mm apart is fine enough: 1 mm is 0.4 px.
_FAR_PX_PER_M = 420.0

#: Below so many px a metre an iris is 3 px wide: nobody sees where it looks.
_EYES_PX_PER_M = 250.0

#: A shadow's half width and depth on the floor (m), and how much light it takes.
_SHADOW_M = (0.42, 0.32)
_SHADOW_DARK = 0.42


def eyes_px(camera: CameraModel, person: Person) -> tuple[float, float] | None:
    """Where the middle between a shopper's eyes is seen, px from the upper left; None: nowhere."""
    point = camera.project(eyes_place(person))
    return None if point is None else (point[0] * camera.width_px, point[1] * camera.height_px)


class ShelfCamera:
    """Draws the view of one camera. One thread at a time."""

    def __init__(self, pose: CameraPose, width_px: int, height_px: int) -> None:
        self.model = camera_model(pose, width_px, height_px)
        self._background = background(self.model)

    def warm(self, appearance: int) -> None:
        """Paint beforehand what a shopper of this appearance needs; takes up to 1 s."""
        look = WARDROBE[appearance % len(WARDROBE)]
        head_atlas(look, 0.0, 0.0)
        body_atlas(look)

    def render(self, people: Sequence[Person]) -> Image:
        """The picture, (height_px, width_px, 3) uint8 BGR, a fresh array; who is nearer hides who
        is farther."""
        frame: Image = self._background.copy()
        for person in sorted(people, key=self.distance_m, reverse=True):
            if self.distance_m(person) >= NEAREST_M:
                self._draw(frame, person)
        return frame

    def distance_m(self, person: Person) -> float:
        """From the camera to the shopper's axis, along the floor and up to the eyes."""
        place = np.array([person.x_m, person.y_m, person.eyes_m])
        return float(np.linalg.norm(place - self.model.position_m))

    def _draw(self, frame: Image, person: Person) -> None:
        px_per_m = self.model.focal_px / self.distance_m(person)
        meshes, look = figure(person, fine=px_per_m > _FAR_PX_PER_M), look_of(person)
        seen = px_per_m > _EYES_PX_PER_M
        face = head_atlas(look, seen * person.eyes_yaw_deg, seen * person.eyes_pitch_deg)
        self._shadow(frame, person)
        fineness = min(1.0, max(_COARSEST, _BODY_PX_PER_M / px_per_m))
        for mesh, atlas, texels, fine in (
            (meshes.body, body_atlas(look), _BODY_TEXELS_PER_M, fineness),
            (meshes.head, face, TEXELS_PER_M, 1.0),
        ):
            layer = draw(self.model, mesh, atlas, texels, fine)
            if layer is not None:
                layer.over(frame)

    def _shadow(self, frame: Image, person: Person) -> None:
        """Darken the floor below a shopper, softly."""
        around = np.linspace(0.0, 2.0 * np.pi, 25)[:-1]
        floor = np.column_stack(
            [
                person.x_m + _SHADOW_M[0] * np.cos(around),
                person.y_m + _SHADOW_M[1] * np.sin(around),
                0.0 * around,
            ]
        )
        px, distance = seen_px(self.model, floats(floor))
        if np.isnan(distance).any():
            return
        # Room for the soft rim.
        spread = 0.25 * (px.max(axis=0) - px.min(axis=0)) + 4
        low = np.maximum(px.min(axis=0) - spread, 0).astype(int)
        high = np.minimum(px.max(axis=0) + spread, [frame.shape[1], frame.shape[0]]).astype(int)
        (x0, y0), (x1, y1) = low.tolist(), high.tolist()
        if x1 - x0 < 4 or y1 - y0 < 4:
            return
        # A quarter of the size is enough for something that soft.
        small: Image = np.zeros(((y1 - y0) // 4 + 1, (x1 - x0) // 4 + 1), np.uint8)
        middle = px.mean(axis=0)
        for part in (1.0, 0.75, 0.5):
            ring: Floats = (middle + part * (px - middle) - [x0, y0]) / 4.0
            mask = np.zeros_like(small)
            cv2.fillConvexPoly(mask, np.round(ring * 16).astype(np.int32), 85, cv2.LINE_AA, 4)
            small = image(cv2.add(small, mask))
        soft = cv2.GaussianBlur(small, (0, 0), max(1.0, small.shape[0] / 10))
        dark = cv2.resize(soft, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        left = image(255.0 - _SHADOW_DARK * dark.astype(np.float32))
        piece = frame[y0:y1, x0:x1]
        piece[:] = cv2.multiply(piece, cv2.merge([left, left, left]), scale=1 / 255)
