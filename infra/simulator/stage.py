"""Where simulated shoppers can be: what one area's layout gives them to walk along, stand before
and look at. Pure.
"""

import math
from dataclasses import dataclass

from infra.simulator.errors import StageError
from streams.contracts.layout import CameraPose, Face, Polygon, StoreLayout

#: How far from the shelf shoppers stand, and pass behind those who stand (metres).
STAND_M = (1.25, 1.4)
PASS_M = 2.2

#: Who stands keeps this far inside the picture's edge, and enters this far outside it (metres).
_INSIDE_M = 0.38
_OUTSIDE_M = 0.45


@dataclass(frozen=True, slots=True)
class Target:
    """A zone or screen that can be looked at."""

    target_id: str
    face: Face


@dataclass(frozen=True, slots=True)
class Stage:
    """One area as its calibrated camera sees it. `floors` holds (zone_id, floor polygon)."""

    store_id: str
    area_id: str
    pose: CameraPose
    zones: tuple[Target, ...]
    screens: tuple[Target, ...]
    floors: tuple[tuple[str, Polygon], ...]

    def reach(self, y_m: float) -> tuple[float, float]:
        """The stretch of x, in metres, that the camera sees at `y_m` from the shelf."""
        x, y, _ = self.pose.position_m
        ahead = max(0.1, y_m - y)
        left = math.tan(math.radians(self.pose.yaw_deg - self.pose.horizontal_fov_deg / 2))
        right = math.tan(math.radians(self.pose.yaw_deg + self.pose.horizontal_fov_deg / 2))
        return x + ahead * left, x + ahead * right

    def stand_x(self, zone: Target, y_m: float) -> float:
        """Where to stand for a zone: before its middle, but inside the picture."""
        left, right = self.reach(y_m)
        middle = (zone.face[0] + zone.face[2]) / 2
        return min(max(middle, left + _INSIDE_M), right - _INSIDE_M)

    def door_x(self, side: int) -> float:
        """Where shoppers come from and go to, just out of sight: side -1 left, 1 right."""
        left, right = self.reach(PASS_M)
        return left - _OUTSIDE_M if side < 0 else right + _OUTSIDE_M


def stage_of(layout: StoreLayout, area_id: str | None = None) -> Stage:
    """The stage of an area; by default that of the first camera with a pose.

    Raises:
        StageError: no such camera, or no zone with a face.
    """
    cameras = [
        c
        for c in layout.cameras
        if c.pose is not None and (area_id is None or c.area_id == area_id)
    ]
    if not cameras or cameras[0].pose is None:
        raise StageError(
            f"the layout of store {layout.store_id!r} has no camera with a pose"
            f"{'' if area_id is None else f' in area {area_id!r}'}; give it one, since simulated "
            "shoppers are drawn as a camera in its place sees them"
        )
    area = cameras[0].area_id
    zones = tuple(
        Target(z.zone_id, z.face) for z in layout.zones if z.area_id == area and z.face is not None
    )
    if not zones:
        raise StageError(
            f"the area {area!r} of store {layout.store_id!r} has no zone with a face; give a zone "
            "its face on the shelf, so that simulated shoppers have something to look at"
        )
    screens = tuple(
        Target(s.screen_id, s.face)
        for s in layout.screens
        if s.area_id == area and s.face is not None
    )
    floors = tuple(
        (z.zone_id, z.floor) for z in layout.zones if z.area_id == area and z.floor is not None
    )
    return Stage(layout.store_id, area, cameras[0].pose, zones, screens, floors)
