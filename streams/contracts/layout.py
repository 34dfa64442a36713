# SPDX-License-Identifier: Apache-2.0
"""A store as the system knows it: areas, zones, screens, cameras and where they are.

Frame of reference, one for each area, in metres: origin on the floor at the foot of the shelf,
x along the shelf to the right **as a camera on the shelf sees it**, y away from the shelf into the
aisle, z up. The shelf's face is the plane y = 0. Camera yaw is + to the picture's right, pitch +
upwards. Without a camera pose no gaze is made: zones are then given as polygons in the picture.
"""

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import (
    Count,
    Degrees,
    DurationMs,
    Id,
    Metres,
    Probability,
    Sentence,
    TimeMs,
)

#: The five store zones of the in-store retail media standard (IAB and IAB Europe, 2024).
StoreZone = Literal["exterior", "entrance", "aisle", "checkout", "other"]

#: (x, y) in metres on the floor, or normalised 0 to 1 in a picture, as the field says.
Point = tuple[float, float]
Polygon = Annotated[tuple[Point, ...], Meta(min_length=3, max_length=64)]

#: (x0, z0, x1, z1) in metres on the shelf's face.
Face = tuple[float, float, float, float]

#: (x, y, z) in metres in the area's frame of reference.
Place = tuple[float, float, float]


class _Part(Struct, frozen=True, kw_only=True):
    """Base of everything in a layout. On the wire an unknown field is of a newer producer and is
    ignored; in a file it is a mistake, which whoever reads the file refuses.
    """


class Area(_Part, frozen=True, kw_only=True):
    """A part of a store whose events meet on one worker; by default the whole store."""

    area_id: Id


class Zone(_Part, frozen=True, kw_only=True):
    """A stretch of shelf, with the piece of floor before it.

    `min_dwell_ms`: a stay counts as dwell from here on; `gap_ms`: a stay holds while no gap between
    detections exceeds this; `fixation_ms`: a face directed at the zone this long is a gaze;
    `staff_limit_ms`: a longer stay is taken for staff and excluded (and counted). `skus`: what lies
    there, as the planogram and the receipts name it.
    """

    zone_id: Id
    area_id: Id
    name: Sentence
    store_zone: StoreZone = "aisle"
    category: Id | None = None
    face: Face | None = None
    floor: Polygon | None = None
    min_dwell_ms: DurationMs = 2_000
    gap_ms: DurationMs = 1_500
    fixation_ms: DurationMs = 300
    staff_limit_ms: DurationMs = 900_000
    skus: Annotated[tuple[Id, ...], Meta(max_length=1_000)] = ()

    def __post_init__(self) -> None:
        _check_face(self.zone_id, self.face)


class StaffArea(_Part, frozen=True, kw_only=True):
    """A piece of floor where only staff stand (behind a counter): who was there is excluded."""

    area_id: Id
    floor: Polygon


class Line(_Part, frozen=True, kw_only=True):
    """A line on the floor, at a door, whose crossings are counted.

    `ends` in metres on the floor, None where only a camera's picture knows it (`ViewLine`);
    `inward` is any point on the inner side, in the same unit as the ends.
    """

    line_id: Id
    area_id: Id
    ends: tuple[Point, Point] | None = None
    inward: Point | None = None

    def __post_init__(self) -> None:
        if (self.ends is None) != (self.inward is None):
            raise ValueError(f"the line {self.line_id!r} needs both ends and inward, or neither")


class Screen(_Part, frozen=True, kw_only=True):
    """A screen. `face` is where it hangs on the shelf plane; one that hangs elsewhere has `corners`
    instead: top left, top right, bottom right and bottom left as its viewers see them. `floor` is
    its exposure zone. `languages` (BCP 47) are those of the creatives that it takes; all, where
    none is named.
    """

    screen_id: Id
    area_id: Id
    name: Sentence
    face: Face | None = None
    corners: tuple[Place, Place, Place, Place] | None = None
    floor: Polygon | None = None
    width_px: Annotated[int, Meta(ge=16, le=16_384)] = 1080
    height_px: Annotated[int, Meta(ge=16, le=16_384)] = 1920
    languages: Annotated[tuple[Id, ...], Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        _check_face(self.screen_id, self.face)
        if self.face is not None and self.corners is not None:
            raise ValueError(f"the screen {self.screen_id!r} has both face and corners; give one")


class CameraPose(_Part, frozen=True, kw_only=True):
    """Where a camera is, how it looks out, and its lens.

    `horizontal_fov_deg` is that of the ideal lens: a pinhole, or for `fisheye` an equidistant one.
    `distortion` holds OpenCV's coefficients beyond it (k1 k2 p1 p2 k3 ..., fisheye: k1 to k4), for
    pictures as the camera gives them; `centre` is the principal point, normalised 0 to 1.
    """

    position_m: Place
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    horizontal_fov_deg: Annotated[float, Meta(gt=1.0, lt=240.0)] = 90.0
    lens: Literal["pinhole", "fisheye"] = "pinhole"
    distortion: Annotated[tuple[float, ...], Meta(max_length=8)] = ()
    centre: Point = (0.5, 0.5)

    def __post_init__(self) -> None:
        if self.lens == "pinhole" and self.horizontal_fov_deg >= 179.0:
            raise ValueError("a pinhole sees less than 179 degrees; use lens: fisheye")
        if len(self.distortion) not in ((0, 4) if self.lens == "fisheye" else (0, 4, 5, 8)):
            raise ValueError(
                "distortion has 4 numbers for a fisheye, 4, 5 or 8 for a pinhole, or none"
            )


class View(_Part, frozen=True, kw_only=True):
    """A target's floor as a polygon in one camera's picture, normalised 0 to 1."""

    target_id: Id
    polygon: Polygon

    def __post_init__(self) -> None:
        if not all(0.0 <= side <= 1.0 for point in self.polygon for side in point):
            raise ValueError(
                f"the polygon of {self.target_id!r} must be normalised, each x and y from 0 to 1 "
                "of the picture's width and height"
            )


class ViewLine(_Part, frozen=True, kw_only=True):
    """A line as one camera sees it, normalised 0 to 1, for a camera without a pose."""

    line_id: Id
    ends: tuple[Point, Point]
    inward: Point


class Certificate(_Part, frozen=True, kw_only=True):
    """What a walk test measured of one camera, with its calibration of then.

    Errors are of facing against where the tester was asked to look: `bias` the mean, `sigma` the
    spread, degrees; `place_error_m` of where the tester stood, the median. `named`: share of looks
    for which a zone was named; `right_when_named`: of those, the right one. `simulated`: the tester
    was.
    """

    measured_at_ms: TimeMs
    calibration_version: Id
    looks: Count
    yaw_bias_deg: Degrees
    yaw_sigma_deg: Degrees
    pitch_bias_deg: Degrees
    pitch_sigma_deg: Degrees
    place_error_m: Metres
    named: Probability
    right_when_named: Probability
    simulated: bool = False


class Camera(_Part, frozen=True, kw_only=True):
    """A camera of an area.

    `fps` is the rate at which frames are inferred at the most; None means every frame. What lies in
    a `no_measure` polygon (normalised 0 to 1) is blackened before the detector sees it. `landmarks`
    are corners of what stands still, where the picture showed them at the calibration (normalised):
    by them a nudged camera is noticed.
    """

    camera_id: Id
    area_id: Id
    calibration_version: Id = "uncalibrated"
    pose: CameraPose | None = None
    views: tuple[View, ...] = ()
    view_lines: Annotated[tuple[ViewLine, ...], Meta(max_length=64)] = ()
    no_measure: Annotated[tuple[Polygon, ...], Meta(max_length=64)] = ()
    landmarks: Annotated[tuple[Point, ...], Meta(max_length=256)] = ()
    certificate: Certificate | None = None
    fps: Annotated[float, Meta(gt=0.0, le=120.0)] | None = None
    min_person_score: Probability = 0.5


class StoreLayout(_Part, frozen=True, kw_only=True):
    """The whole layout of one store: the value of `store.layout.v1` and the layout file.

    `contact`: whom shoppers may ask what is measured here (a name, an address, a telephone number).
    """

    store_id: Id
    name: Sentence
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"
    time_zone: Id = "UTC"
    areas: Annotated[tuple[Area, ...], Meta(min_length=1, max_length=1_000)]
    zones: Annotated[tuple[Zone, ...], Meta(max_length=10_000)] = ()
    screens: Annotated[tuple[Screen, ...], Meta(max_length=10_000)] = ()
    cameras: Annotated[tuple[Camera, ...], Meta(max_length=10_000)] = ()
    lines: Annotated[tuple[Line, ...], Meta(max_length=1_000)] = ()
    staff_areas: Annotated[tuple[StaffArea, ...], Meta(max_length=1_000)] = ()
    contact: Sentence | None = None

    def __post_init__(self) -> None:
        _check_unique("area", [a.area_id for a in self.areas])
        _check_unique("camera", [c.camera_id for c in self.cameras])
        _check_unique(
            "zone or screen",
            [z.zone_id for z in self.zones] + [s.screen_id for s in self.screens],
        )
        areas = {a.area_id for a in self.areas}
        targets = {z.zone_id for z in self.zones} | {s.screen_id for s in self.screens}
        used = [z.area_id for z in self.zones]
        used += [s.area_id for s in self.screens] + [c.area_id for c in self.cameras]
        used += [line.area_id for line in self.lines] + [s.area_id for s in self.staff_areas]
        for area_id in used:
            if area_id not in areas:
                raise ValueError(f"area {area_id!r} is used but not listed under areas")
        for camera in self.cameras:
            for view in camera.views:
                if view.target_id not in targets:
                    raise ValueError(
                        f"camera {camera.camera_id!r} has a view of {view.target_id!r}, "
                        "which is neither a zone nor a screen of this layout"
                    )
        self._check_lines()
        self._check_faces()

    def _check_lines(self) -> None:
        lines = [line.line_id for line in self.lines]
        _check_unique("line", lines)
        for camera in self.cameras:
            for view in camera.view_lines:
                if view.line_id not in lines:
                    raise ValueError(
                        f"camera {camera.camera_id!r} has a view of the line {view.line_id!r}, "
                        "which is not listed under lines"
                    )

    def _check_faces(self) -> None:
        placed = [(z.area_id, z.zone_id, z.face) for z in self.zones if z.face is not None]
        placed += [(s.area_id, s.screen_id, s.face) for s in self.screens if s.face is not None]
        for i, (area, name, face) in enumerate(placed):
            for other_area, other_name, other in placed[i + 1 :]:
                if area == other_area and _faces_overlap(face, other):
                    raise ValueError(f"the faces of {name!r} and {other_name!r} overlap")

    def area(self, area_id: str) -> "StoreLayout":
        """The same layout with the parts of one area alone."""
        return StoreLayout(
            store_id=self.store_id,
            name=self.name,
            currency=self.currency,
            time_zone=self.time_zone,
            areas=tuple(a for a in self.areas if a.area_id == area_id),
            zones=tuple(z for z in self.zones if z.area_id == area_id),
            screens=tuple(s for s in self.screens if s.area_id == area_id),
            cameras=tuple(c for c in self.cameras if c.area_id == area_id),
            lines=tuple(line for line in self.lines if line.area_id == area_id),
            staff_areas=tuple(s for s in self.staff_areas if s.area_id == area_id),
            contact=self.contact,
        )


def _check_unique(what: str, names: list[str]) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"{what} id {twice[0]!r} is used more than once")


def _check_face(name: str, face: Face | None) -> None:
    if face is not None and not (face[0] < face[2] and face[1] < face[3]):
        raise ValueError(f"the face of {name!r} must be [x0, z0, x1, z1] with x0 < x1 and z0 < z1")


def _faces_overlap(a: Face, b: Face) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
