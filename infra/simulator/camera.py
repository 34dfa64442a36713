"""What a shelf camera of the simulated store sees: the aisle, and in it the shoppers, each in place
and in size by the layout's pinhole. Pure but for its caches; never reads a clock.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.simulator.background import background
from infra.simulator.clothes import SHEET_TOP_M, SHEET_WIDTH_M, STANDARD_EYES_M
from infra.simulator.figure import Figures
from infra.simulator.head import EYES_FORWARD_PX, MAX_PITCH_DEG, MAX_YAW_DEG, turn
from infra.simulator.people import Person, facing
from infra.simulator.pixels import Image, image
from infra.simulator.portrait import TEXEL_PER_M, TILE_PX
from streams.contracts.layout import CameraPose
from vision.core.geometry import PinholeCamera, Vector, pinhole

#: The eyes lie this far before the axis about which a head turns.
EYES_FORWARD_M = EYES_FORWARD_PX / TEXEL_PER_M

#: A photograph bent over a generic head reads as turned less than it is: an independent head-pose
#: network saw 0.8 of the yaw and 0.65 of the pitch. Heads are drawn turned by this much more; the
#: eyes stay where the pinhole has them.
TURN_GAIN = 1.25

#: A shopper nearer to the camera than this is not drawn: the portrait is not made for it.
_NEAREST_M = 0.4

#: Above this many px a metre the half tile would lose detail: take the whole one.
_FINE_PX_PER_M = 0.42 * TEXEL_PER_M

#: The coat as drawn is a little wide; who walks along the aisle shows its side, narrower still.
_STANDING_WIDTH = 0.93
_WALKING_WIDTH = 0.78

_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlace:
    """Where a head goes: its angles against the line of sight as drawn, and what takes an offset
    on the head (m; to the picture's right, and down) to the picture (px): `centre` + `axes` @ it.
    """

    yaw_deg: float
    pitch_deg: float
    centre: _Matrix
    axes: _Matrix


def place_head(camera: PinholeCamera, person: Person) -> HeadPlace | None:
    """The pinhole's view of a head; None where it is behind or too near the camera."""
    middle = np.array([person.x_m, person.y_m, person.eyes_m])
    sight = middle - np.asarray(camera.position_m)
    distance = float(np.linalg.norm(sight))
    if distance < _NEAREST_M or camera.rotation[:, 2] @ sight < _NEAREST_M:
        return None
    away = sight / distance
    right = np.array([away[1], -away[0], 0.0]) / math.hypot(away[0], away[1])
    up = np.cross(right, away)
    viewer = np.column_stack([right, -up, -away])
    shop = np.column_stack([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
    rotation = viewer.T @ shop @ turn(person.head_yaw_deg, person.head_pitch_deg)
    ahead = rotation[:, 2]
    yaw = math.degrees(math.atan2(ahead[0], ahead[2]))
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, -ahead[1]))))
    # The eyes are nearer than the axis: size is right at their depth, where it is measured.
    nearer = distance / (distance - EYES_FORWARD_M * max(0.0, float(ahead[2])))
    axes = nearer * _across(camera, middle, right, up) @ _tilt(rotation, turn(yaw, pitch))
    # Turned further than the portrait goes, a head is drawn as far as it goes.
    seen_yaw, seen_pitch = _within(yaw, MAX_YAW_DEG), _within(pitch, MAX_PITCH_DEG)
    drawn_yaw, drawn_pitch = TURN_GAIN * seen_yaw, TURN_GAIN * seen_pitch
    moved = turn(seen_yaw, seen_pitch)[:2, 2] - turn(drawn_yaw, drawn_pitch)[:2, 2]
    centre = _pixel(camera, middle) + EYES_FORWARD_M * axes @ moved
    return HeadPlace(drawn_yaw, drawn_pitch, centre, axes)


def _within(angle_deg: float, most_drawn_deg: float) -> float:
    most = most_drawn_deg / TURN_GAIN
    return max(-most, min(most, angle_deg))


def _across(camera: PinholeCamera, middle: _Matrix, right: _Matrix, up: _Matrix) -> _Matrix:
    """Picture px a metre to the right and down, across the line of sight at a place, (2, 2)."""
    step = 0.01
    columns = [
        _pixel(camera, middle + step * right) - _pixel(camera, middle - step * right),
        _pixel(camera, middle - step * up) - _pixel(camera, middle + step * up),
    ]
    return np.asarray(np.column_stack(columns) / (2 * step))


def _tilt(rotation: _Matrix, upright: _Matrix) -> _Matrix:
    """What turns the crown of an upright head, in the picture, to where it is, (2, 2)."""
    is_up, drawn_up = -rotation[:2, 1], -upright[:2, 1]
    angle = math.atan2(is_up[1], is_up[0]) - math.atan2(drawn_up[1], drawn_up[0])
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def eyes_px(camera: PinholeCamera, person: Person) -> tuple[float, float]:
    """Where the middle between a shopper's eyes is seen, px from the upper left: pinhole maths."""
    ahead = facing(person.head_yaw_deg, person.head_pitch_deg)
    middle = (person.x_m, person.y_m, person.eyes_m)
    x, y = _pixel(camera, np.asarray(middle) + EYES_FORWARD_M * np.asarray(ahead))
    return float(x), float(y)


def _pixel(camera: PinholeCamera, place_m: _Matrix) -> _Matrix:
    """Like `PinholeCamera.project`, in px. The place is before the camera."""
    x, y, z = camera.rotation.T @ (place_m - np.asarray(camera.position_m))
    half = np.array([camera.width_px / 2, camera.height_px / 2])
    return np.asarray(half + camera.focal_px / z * np.array([x, y]))


class ShelfCamera:
    """Draws the view of one camera. One thread at a time."""

    def __init__(self, pose: CameraPose, width_px: int, height_px: int) -> None:
        self.pinhole = pinhole(pose, width_px, height_px)
        self._background = background(self.pinhole)
        self._figures = Figures()
        self._shadow = _soft_disc()

    def warm(self, appearance: int) -> None:
        """Draw beforehand what a shopper of this appearance needs; takes about 0.3 s."""
        self._figures.warm(appearance)

    def render(self, people: Sequence[Person]) -> Image:
        """The picture, (height_px, width_px, 3) uint8 BGR, a fresh array; who is nearer hides who
        is farther."""
        frame: Image = self._background.copy()
        for person in sorted(people, key=self._depth, reverse=True):
            place = place_head(self.pinhole, person)
            if place is None:
                continue
            self._draw_shadow(frame, person)
            self._draw_body(frame, person)
            self._draw_head(frame, person, place)
        return frame

    def _depth(self, person: Person) -> float:
        x, y, _ = self.pinhole.position_m
        return math.hypot(person.x_m - x, person.y_m - y)

    def _draw_head(self, frame: Image, person: Person, place: HeadPlace) -> None:
        fine = bool(np.abs(np.linalg.det(place.axes)) > _FINE_PX_PER_M**2)
        tile, pivot = self._figures.head(person.appearance, place.yaw_deg, place.pitch_deg, fine)
        axes = place.axes / (TEXEL_PER_M * tile.shape[1] / TILE_PX)
        shift = place.centre - axes @ np.asarray(pivot)
        corners = axes @ np.array(
            [[0, tile.shape[1], 0, tile.shape[1]], [0, 0, *[tile.shape[0]] * 2]]
        )
        box = _box(frame, corners.T + shift)
        if box is not None:
            x0, y0, x1, y1 = box
            matrix = np.column_stack([axes, shift - [x0, y0]])
            layer = cv2.warpAffine(tile, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
            _over(frame[y0:y1, x0:x1], image(layer))

    def _draw_body(self, frame: Image, person: Person) -> None:
        sheet = self._figures.body(person.appearance, person.stride)
        if person.stride is not None and person.heading < 0:
            sheet = image(cv2.flip(sheet, 1))
        scale = person.eyes_m / STANDARD_EYES_M
        width = _STANDING_WIDTH if person.stride is None else _WALKING_WIDTH
        half = SHEET_WIDTH_M / 2 * scale * width
        self._lay(frame, sheet, self._upright(person, half, SHEET_TOP_M * scale))

    def _upright(self, person: Person, half_m: float, top_m: float) -> list[Vector]:
        """The corners, clockwise from the upper left, of a sheet that faces the camera."""
        x, y, _ = self.pinhole.position_m
        away = (person.x_m - x, person.y_m - y)
        length = math.hypot(*away)
        right = (away[1] / length * half_m, -away[0] / length * half_m)
        left = (person.x_m - right[0], person.y_m - right[1])
        far = (person.x_m + right[0], person.y_m + right[1])
        return [(*left, top_m), (*far, top_m), (*far, 0.0), (*left, 0.0)]

    def _draw_shadow(self, frame: Image, person: Person) -> None:
        x, y = person.x_m, person.y_m
        corners = [
            (x - 0.45, y + 0.32, 0.0),
            (x + 0.45, y + 0.32, 0.0),
            (x + 0.45, y - 0.32, 0.0),
            (x - 0.45, y - 0.32, 0.0),
        ]
        self._lay(frame, self._shadow, corners)

    def _lay(self, frame: Image, sheet: Image, corners: Sequence[Vector]) -> None:
        """Lay a flat premultiplied picture on four places of the world, clockwise."""
        target = np.array([_pixel(self.pinhole, np.asarray(c)) for c in corners], np.float32)
        box = _box(frame, target)
        if box is None:
            return
        x0, y0, x1, y1 = box
        h, w = sheet.shape[:2]
        source = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
        warp = cv2.getPerspectiveTransform(source, target - np.array([x0, y0], np.float32))
        _over(frame[y0:y1, x0:x1], image(cv2.warpPerspective(sheet, warp, (x1 - x0, y1 - y0))))


def _box(frame: Image, corners: npt.NDArray[np.floating]) -> tuple[int, int, int, int] | None:
    """The part of the frame that holds the corners: x0, y0, x1, y1; None if there is none."""
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
    x1, y1 = min(frame.shape[1], int(high[0]) + 1), min(frame.shape[0], int(high[1]) + 1)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _over(below: Image, layer: Image) -> None:
    """Put a premultiplied BGRA layer over a piece of the frame, in place."""
    blue, green, red, alpha = cv2.split(layer)
    left = cv2.bitwise_not(alpha)
    kept = cv2.multiply(below, cv2.merge([left, left, left]), scale=1 / 255)
    below[:] = cv2.add(kept, cv2.merge([blue, green, red]))


def _soft_disc() -> Image:
    """A shadow: black, soft, premultiplied BGRA."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    alpha = 120.0 * np.clip(1.0 - (x**2 + y**2), 0.0, 1.0) ** 1.5
    disc: Image = np.zeros((64, 64, 4), np.uint8)
    disc[..., 3] = alpha.astype(np.uint8)
    return disc
