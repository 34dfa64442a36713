"""The picture that a person may look at: every head blurred first, then what was made of it. Pure.

Cool colours are places, the warm one is attention.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Point
from vision.core.geometry import CameraModel
from vision.core.person import Person, Surroundings, Track
from vision.core.place import Box
from vision.core.targets import Target
from vision.pipeline import View
from vision.ports import Image
from vision.preview.heads import Seen, blur, head_regions
from vision.preview.projection import cut_to_picture, floor_in_picture, ray_in_picture
from vision.preview.sheet import Colour, Floats, Sheet, Style

#: What stands at the foot of every picture.
NOTICE = "heads blurred on this device; nothing is stored"

#: No picture is wider: the page shows it smaller, and a wider one says more than it needs to.
MAX_WIDTH_PX = 960

_PLACE: Colour = (191, 212, 45)
_ATTENTION: Colour = (61, 122, 255)
_PERSON: Colour = (239, 237, 232)
_DARK: Colour = (22, 19, 14)

_SMALL, _LABEL = Style(9.5, 450), Style(12, 650)
_FOOT = 17.0

#: A target is shown as what somebody may be looking at from this probability on.
_WORTH_SAYING = 0.3

#: Nose, eyes and ears.
_HEAD = 5


class _Chip(NamedTuple):
    """A label: where its lower middle should be, and whether it is a gaze or may become one."""

    text: str
    at: Point
    certain: bool


@dataclass(slots=True, eq=False)
class _Picture:
    """A view being drawn; all that goes on the sheet passes here, so that it may be mirrored."""

    sheet: Sheet
    around: Surroundings
    names: Mapping[str, str]
    mirrored: bool
    labels: Mapping[str, str]
    chips: list[_Chip] = field(default_factory=list)

    @property
    def ground_px(self) -> float:
        """Where the strip at the foot begins."""
        return self.sheet.size_px[1] - _FOOT * self.sheet.unit_px

    def name(self, target_id: str) -> str:
        return self.names.get(target_id, target_id)

    def place(self, points: npt.ArrayLike) -> Floats:
        """Points of the camera's picture, (N, 2) normalised, as pixels of the sheet."""
        return self.flip(np.asarray(points, dtype=np.float64) * self.sheet.size_px)

    def flip(self, points_px: Floats) -> Floats:
        """Pixels of the camera's picture as pixels of the sheet."""
        return points_px * (-1, 1) + (self.sheet.size_px[0], 0) if self.mirrored else points_px


def annotate(
    view: View,
    names: Mapping[str, str],
    before: Iterable[Seen] = (),
    *,
    mirrored: bool = False,
    labels: Mapping[str, str] | None = None,
    notice: str = NOTICE,
) -> Image:
    """The view for people to look at, a new (H, W, 3) uint8 BGR of at most 960 px width.

    Arguments:
        names: of the targets, by their id.
        before: what was detected just before; heads that were there are blurred too.
        mirrored: as in a mirror, which is what people expect of a camera on their own screen.
        labels: of the people, by their id.
        notice: what stands at the foot.
    """
    image = _fitted(view.image)
    now = Seen(view.scene.cameras.get(view.camera_id, -1), view.detections)
    blur(image, head_regions(now, before, (image.shape[1], image.shape[0])))
    sheet = Sheet(np.ascontiguousarray(image[:, ::-1]) if mirrored else image)
    picture = _Picture(sheet, view.around, names, mirrored, labels or {})
    _draw_floors(picture)
    people = view.scene.seen_by(view.camera_id)
    for track in view.tracks:
        if track.track_id in people:
            _draw_person(picture, track, people[track.track_id])
    _draw_chips(picture)
    _draw_foot(picture, view.camera_id, notice)
    return sheet.image


def _fitted(image: Image) -> Image:
    """A copy, not wider than allowed."""
    height_px, width_px = image.shape[:2]
    if width_px <= MAX_WIDTH_PX:
        return image.copy()
    size = (MAX_WIDTH_PX, max(1, round(height_px * MAX_WIDTH_PX / width_px)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _draw_floors(picture: _Picture) -> None:
    """The floors of the zones, where they are in sight, with their names."""
    found = [
        (picture.name(target.target_id), floor)
        for target in picture.around.targets.values()
        if target.kind == "zone" and (floor := _floor(picture, target)) is not None
    ]
    for _, floor in found:
        picture.sheet.tint(floor, _PLACE, 0.10)
        picture.sheet.line(floor, _PLACE, 0.5, closed=True)
    for name, floor in found:
        x, y = _middle(floor)
        half = picture.sheet.measure(name, _SMALL)[1] / 2
        y = min(y, picture.ground_px - half - 2 * picture.sheet.unit_px)
        picture.sheet.write(name, (x, y), _SMALL, _PLACE)


def _floor(picture: _Picture, target: Target) -> Floats | None:
    size = (picture.sheet.size_px[0], int(picture.ground_px))
    if target.ground is None:
        return None
    if target.in_picture:
        floor = cut_to_picture(np.asarray(target.ground) * picture.sheet.size_px, size)
    elif picture.around.camera is not None:
        floor = floor_in_picture(picture.around.camera, target.ground, picture.sheet.size_px)
        floor = None if floor is None else cut_to_picture(floor, size)
    else:
        return None
    return None if floor is None else picture.flip(floor)


def _draw_person(picture: _Picture, track: Track, person: Person) -> None:
    (xa, y0), (xb, y1) = picture.place((track.box[:2], track.box[2:])).tolist()
    x0, x1, y1 = min(xa, xb), max(xa, xb), min(y1, picture.ground_px)
    watches = person.attention.gaze is not None and person.attention.gaze.facing
    colour = _ATTENTION if watches else _PERSON
    _draw_corners(picture.sheet, (x0, y0, x1, y1), colour)
    if picture.around.camera is not None:
        _draw_ray(picture, picture.around.camera, track, person, colour)
    label = picture.labels.get(person.person_id)
    if label is not None:
        picture.chips.append(_Chip(label, ((x0 + x1) / 2, y0), False))
    aim = _aim(person, picture.around)
    if aim is not None:
        text = f"{picture.name(aim[1])} {100 * aim[0]:.0f} %"
        picture.chips.append(_Chip(text, ((x0 + x1) / 2, y0), watches))


def _draw_corners(sheet: Sheet, box: Box, colour: Colour) -> None:
    """A box by its corners, so that it does not cover whom it stands for."""
    x0, y0, x1, y1 = box
    length = min(0.22 * min(x1 - x0, y1 - y0), 14 * sheet.unit_px)
    for x, y, right, down in ((x0, y0, 1, 1), (x1, y0, -1, 1), (x1, y1, -1, -1), (x0, y1, 1, -1)):
        corner = np.array([(x + right * length, y), (x, y), (x, y + down * length)])
        sheet.line(corner, _DARK, 2.2)
        sheet.line(corner, colour, 1.2)


def _draw_ray(
    picture: _Picture, camera: CameraModel, track: Track, person: Person, colour: Colour
) -> None:
    """Where the face points, from the middle of the head, and where it may point too."""
    seen = track.keypoints[:_HEAD, 2] >= picture.around.rules.min_keypoint_confidence
    if person.head_m is None or person.direction is None or not seen.any():
        return
    sheet, sigma_deg = picture.sheet, picture.around.rules.gaze_sigma_deg
    ray = ray_in_picture(camera, person.head_m, person.direction, sigma_deg, sheet.size_px)
    if ray is None:
        return
    # From where the head is seen: its place in the store is smoothed and lags a little behind.
    middle = track.keypoints[:_HEAD][seen][:, :2].mean(axis=0) * sheet.size_px
    head, tip = picture.flip(np.array([middle, middle + ray.tip]))
    rim = picture.flip(middle + ray.rim)
    cone = cv2.convexHull(np.vstack([head, rim]).astype(np.float32))[:, 0]
    sheet.tint(cone.astype(np.float64), colour, 0.3)
    sheet.line(np.array([head, tip]), _DARK, 2.4)
    sheet.line(np.array([head, tip]), colour, 1.4)
    sheet.dot(tip, 2.8, _DARK)
    sheet.dot(tip, 2.1, colour)


def _aim(person: Person, around: Surroundings) -> tuple[float, str] | None:
    """The most probable of the targets in whose zone the person stands, if one is worth saying."""
    odds = person.belief.odds if person.belief is not None else {}
    best = max(((odds.get(name, 0.0), name) for name in person.stays), default=None)
    return best if best is not None and best[0] >= _WORTH_SAYING else None


def _draw_chips(picture: _Picture) -> None:
    """The names of what is looked at, above those who look, none over another."""
    sheet = picture.sheet
    unit, taken = sheet.unit_px, list[Box]()
    for chip in sorted(picture.chips, key=lambda chip: chip.at[1]):
        width, height = sheet.measure(chip.text, _LABEL)
        wide, tall = width + 12 * unit, height + 9 * unit
        x0 = max(2 * unit, min(chip.at[0] - wide / 2, sheet.size_px[0] - wide - 2 * unit))
        y0 = max(2 * unit, chip.at[1] - tall - 3 * unit)
        while any(_cross((x0, y0, x0 + wide, y0 + tall), other) for other in taken):
            y0 += tall + unit
        box = (x0, y0, x0 + wide, y0 + tall)
        taken.append(box)
        sheet.pill(box, _ATTENTION if chip.certain else _DARK, 0.94 if chip.certain else 0.6)
        ink = _DARK if chip.certain else _PERSON
        sheet.write(chip.text, (x0 + wide / 2, y0 + tall / 2), _LABEL, ink)


def _cross(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_foot(picture: _Picture, camera_id: str, notice: str) -> None:
    """The strip at the foot: what is done to heads, and which camera this is."""
    sheet, y0 = picture.sheet, picture.ground_px
    width_px, height_px = sheet.size_px
    strip = np.array([(0, y0), (width_px, y0), (width_px, height_px), (0, height_px)])
    sheet.tint(strip.astype(np.float64), _DARK, 0.75)
    y, margin = (y0 + height_px) / 2, 7 * sheet.unit_px
    wide, other = sheet.measure(notice, _SMALL)[0], sheet.measure(camera_id, _SMALL)[0]
    sheet.write(notice, (margin + wide / 2, y), _SMALL, _PERSON)
    if wide + other + 3 * margin < width_px:
        sheet.write(camera_id, (width_px - margin - other / 2, y), _SMALL, _PLACE)


def _middle(polygon: Floats) -> Point:
    """The centre of gravity."""
    moments = cv2.moments(polygon.astype(np.float32))
    if moments["m00"] < 1e-6:
        return float(polygon[:, 0].mean()), float(polygon[:, 1].mean())
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
