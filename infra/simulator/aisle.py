"""An area as a crowd finds it: what there is to look at, where one comes from and goes to, and what
its cameras see. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from infra.simulator.errors import StageError
from streams.contracts.layout import Camera, Line, Point, Polygon, Screen, StoreLayout, Zone
from streams.contracts.vision import TargetKind
from vision.core.geometry import CameraModel, Vector, camera_model

#: Shoppers walk past between these distances from the shelf, in metres.
LANES_M = (2.0, 3.3)

#: Who comes through a door begins and ends this far beyond its line, behind the wall.
_BEYOND_DOOR_M = 1.3

#: Bodies are half a metre wide: this far outside the picture nothing of one is seen.
_OUTSIDE_M = 0.6

#: What counts as seen: the middle of a head within this part of the picture.
_EDGE = 0.05

#: Any picture of the usual shape will do to ask what a camera sees.
_SIZE_PX = (1280, 720)


@dataclass(frozen=True, slots=True)
class Goal:
    """What can be looked at: a zone or screen. `corners` as its viewers see it: top left, top
    right, bottom right, bottom left, in metres in the area.
    """

    target_id: str
    kind: TargetKind
    corners: tuple[Vector, Vector, Vector, Vector]

    def aim(self, across: float, down: float) -> Vector:
        """A place on it: 0, 0 is its viewers' top left, 1, 1 the corner opposite."""
        a, b, c, d = self.corners
        x, y, z = (
            (1 - down) * ((1 - across) * a[i] + across * b[i])
            + down * ((1 - across) * d[i] + across * c[i])
            for i in range(3)
        )
        return x, y, z

    @property
    def middle(self) -> Vector:
        """Its centre."""
        return self.aim(0.5, 0.5)


@dataclass(frozen=True)
class Aisle:
    """One area: `zones` and `screens` to look at, `floors` by their ids, `cameras` with a pose."""

    store_id: str
    area_id: str
    zones: tuple[Goal, ...]
    screens: tuple[Goal, ...]
    floors: tuple[tuple[str, Polygon], ...]
    cameras: tuple[Camera, ...]
    lines: tuple[Line, ...]
    staff_floors: tuple[Polygon, ...]

    @property
    def goals(self) -> tuple[Goal, ...]:
        """All that can be looked at."""
        return self.zones + self.screens

    @cached_property
    def _views(self) -> tuple[CameraModel, ...]:
        poses = [camera.pose for camera in self.cameras]
        return tuple(camera_model(pose, *_SIZE_PX) for pose in poses if pose is not None)

    def sees(self, place_m: Vector) -> bool:
        """Whether a camera has a place in its picture."""
        for view in self._views:
            seen = view.project(place_m)
            if seen is not None and all(_EDGE <= side <= 1 - _EDGE for side in seen):
                return True
        return False

    @cached_property
    def ends(self) -> tuple[float, float]:
        """x of the aisle's two ends, out of the cameras' sight, in metres."""
        faces = [corner[0] for zone in self.zones for corner in zone.corners]
        return self._end(min(faces), -0.1), self._end(max(faces), 0.1)

    def _end(self, x: float, step: float) -> float:
        while any(self.sees((x, y, 1.4)) for y in (*LANES_M, 4.0)):
            x += step
        return x + math.copysign(_OUTSIDE_M, step)

    def door(self, line: Line, along: float) -> tuple[Point, Point]:
        """Where one stands before walking in through a line, and the unit way inwards.

        `along` 0 to 1 is where on the line one crosses.
        """
        if line.ends is None or line.inward is None:
            raise StageError(f"the line {line.line_id!r} has no place on the floor; give it ends")
        (ax, ay), (bx, by) = line.ends
        x, y = ax + along * (bx - ax), ay + along * (by - ay)
        length = math.dist(*line.ends)
        normal = (-(by - ay) / length, (bx - ax) / length)
        side = (line.inward[0] - ax) * normal[0] + (line.inward[1] - ay) * normal[1]
        inwards = (math.copysign(normal[0], side * normal[0]), normal[1] * math.copysign(1, side))
        return (x - _BEYOND_DOOR_M * inwards[0], y - _BEYOND_DOOR_M * inwards[1]), inwards


def aisle_of(layout: StoreLayout, area_id: str | None = None) -> Aisle:
    """The aisle of an area; by default that of the first camera with a pose.

    Raises:
        StageError: no camera with a pose, or no zone with a face.
    """
    cameras = tuple(
        c
        for c in layout.cameras
        if c.pose is not None and (area_id is None or c.area_id == area_id)
    )
    if not cameras:
        raise StageError(
            f"the layout of store {layout.store_id!r} has no camera with a pose"
            f"{'' if area_id is None else f' in area {area_id!r}'}; give it one, since a simulated "
            "crowd is seen as a camera in its place sees it"
        )
    area = cameras[0].area_id
    here = layout.area(area)
    zones = _goals(here.zones)
    if not zones:
        raise StageError(
            f"the area {area!r} of store {layout.store_id!r} has no zone with a face; give a zone "
            "its face on the shelf, so that a simulated crowd has something to look at"
        )
    return Aisle(
        store_id=layout.store_id,
        area_id=area,
        zones=zones,
        screens=_goals(here.screens),
        floors=(
            *((zone.zone_id, zone.floor) for zone in here.zones if zone.floor is not None),
            *((screen.screen_id, screen.floor) for screen in here.screens if screen.floor),
        ),
        cameras=tuple(c for c in cameras if c.area_id == area),
        lines=tuple(line for line in here.lines if line.ends is not None),
        staff_floors=tuple(staff.floor for staff in here.staff_areas),
    )


def _goals(parts: Sequence[Zone | Screen]) -> tuple[Goal, ...]:
    found: list[Goal] = []
    for part in parts:
        kind: TargetKind = "zone" if isinstance(part, Zone) else "screen"
        corners = part.corners if isinstance(part, Screen) else None
        if part.face is not None:
            x0, z0, x1, z1 = part.face
            # Who looks at the shelf has the camera's right to the left.
            corners = ((x1, 0.0, z1), (x0, 0.0, z1), (x0, 0.0, z0), (x1, 0.0, z0))
        if corners is not None:
            found.append(Goal(_name(part), kind, corners))
    return tuple(found)


def _name(part: Zone | Screen) -> str:
    return part.zone_id if isinstance(part, Zone) else part.screen_id
