"""The zones and screens that one camera watches, with the rules that hold for each. Pure.

Who looks at a target is measured only by a camera that sees it from the target's own plane: one
that hangs on it or in it, on the side from which it is seen. Such a camera sees the faces of those
who look; any other would have to infer attention from the backs of heads or from far aside.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from streams.contracts.layout import (
    Camera,
    CameraPose,
    Face,
    Point,
    Polygon,
    Screen,
    StoreLayout,
    Zone,
)
from streams.contracts.vision import TargetKind
from vision.core.attention import AttentionRules, TargetRules
from vision.core.crossing import DoorLine
from vision.core.dwell import StayRules
from vision.core.gaze import Corners
from vision.core.geometry import Vector, contains, distance_to

#: How far outside a zone in the picture a person still stays in it, in parts of the picture: the
#: jitter of a box's edge.
_VIEW_MARGIN = 0.02

#: A camera within this of a target's plane, in metres, sees it from its own plane: shelves are up
#: to 60 cm deep, and a camera may hang from their upper edge or stand on a bracket.
_PLANE_REACH_M = 0.6

#: How far behind the plane it may lie by an error of the calibration or by its own housing.
_BEHIND_M = 0.1

#: Half the width of a line at a door: on the floor in metres (people sway and places jitter), and
#: in parts of a picture.
_LINE_BAND_M = 0.2
_LINE_BAND = 0.02


@dataclass(frozen=True, slots=True)
class SceneRules:
    """How a camera's pictures are read; the numbers of `GatewaySettings` that the core needs."""

    name_probability: float = 0.32
    keep_probability: float = 0.28
    gaze_sigma_deg: float = 6.0
    gaze_gap_ms: int = 700
    facing_bridge_ms: int = 600
    smoothing_ms: float = 120.0
    min_keypoint_confidence: float = 0.5
    opportunity_half_angle_deg: float = 60.0
    floor_margin_m: float = 0.25
    screen_gap_ms: int = 1_500
    screen_fixation_ms: int = 300
    screen_staff_limit_ms: int = 900_000
    stitch_reach: float = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A zone or screen as one camera sees it.

    `ground` is where one stands to be in its zone: on the floor in metres, or in the picture where
    `in_picture`; None means wherever the camera sees somebody. `margin` belongs to it, in its unit.
    Where the gaze may rest is `face` on the shelf, or `corners` elsewhere; both are None where this
    camera does not measure who looks at it.
    """

    target_id: str
    kind: TargetKind
    ground: Polygon | None
    in_picture: bool
    margin: float
    face: Face | None
    stay: StayRules
    gaze: TargetRules
    corners: Corners | None = None

    @property
    def measured(self) -> bool:
        """Whether this camera can tell who looks at it."""
        return self.face is not None or self.corners is not None

    @property
    def middle(self) -> Vector:
        """Of where the gaze may rest, in metres."""
        if self.corners is not None:
            x, y, z = (sum(side) / 4 for side in zip(*self.corners, strict=True))
            return x, y, z
        face = self.face or (0.0, 0.0, 0.0, 0.0)
        return (face[0] + face[2]) / 2, 0.0, (face[1] + face[3]) / 2

    def holds(self, floor: Point | None, anchor: Point, *, already: bool) -> bool:
        """Whether somebody stands in the zone; whoever is `already` in may be `margin` outside."""
        if self.ground is None:
            return True
        point = anchor if self.in_picture else floor
        if point is None:
            return False
        if already:
            return distance_to(self.ground, point) <= self.margin
        return contains(self.ground, point)


def targets_of(layout: StoreLayout, camera: Camera, rules: SceneRules) -> tuple[Target, ...]:
    """What `camera` watches: with a pose all that has a place in its area, else what is drawn in
    its picture (`views`), of which dwell and presence are told but never gaze.
    """
    views = {view.target_id: view.polygon for view in camera.views}
    posed = camera.pose is not None
    parts: list[Zone | Screen] = [*layout.zones, *layout.screens]
    found: list[Target] = []
    for part in parts:
        target_id = _name(part)
        view = views.get(target_id)
        placed = posed and (part.floor is not None or part.face is not None)
        if part.area_id != camera.area_id or (view is None and not placed):
            continue
        on_floor = placed and part.floor is not None
        stay, gaze = _rules(part, rules)
        measured = is_measured(part, camera.pose)
        found.append(
            Target(
                target_id=target_id,
                kind="zone" if isinstance(part, Zone) else "screen",
                ground=part.floor if on_floor else view,
                in_picture=not on_floor,
                margin=rules.floor_margin_m if on_floor else _VIEW_MARGIN,
                face=part.face if measured else None,
                stay=stay,
                gaze=gaze,
                corners=part.corners if measured and isinstance(part, Screen) else None,
            )
        )
    return tuple(found)


def is_measured(part: Zone | Screen, pose: CameraPose | None) -> bool:
    """Whether a camera at `pose` sees the part from the part's own plane.

    >>> tea = Zone(zone_id="tea", area_id="main", name="Tea", face=(0.0, 0.5, 1.0, 1.5))
    >>> is_measured(tea, CameraPose(position_m=(3.0, 0.1, 2.0)))
    True
    >>> is_measured(tea, CameraPose(position_m=(3.0, 2.5, 2.0), yaw_deg=180.0))
    False
    """
    if pose is None:
        return False
    if part.face is not None:
        away_m = pose.position_m[1]
    elif isinstance(part, Screen) and part.corners is not None:
        away_m = before(part.corners, pose.position_m)
    else:
        return False
    return -_BEHIND_M <= away_m <= _PLANE_REACH_M


def before(corners: Corners, place: Vector) -> float:
    """How far `place` lies before the plane of `corners`, on its viewers' side, in metres."""
    (ax, ay, az), (bx, by, bz), _, (dx, dy, dz) = corners
    right, down = (bx - ax, by - ay, bz - az), (dx - ax, dy - ay, dz - az)
    normal = (  # towards the viewers: down x right
        down[1] * right[2] - down[2] * right[1],
        down[2] * right[0] - down[0] * right[2],
        down[0] * right[1] - down[1] * right[0],
    )
    length = math.hypot(*normal)
    if length == 0.0:
        return math.inf
    off = (place[0] - ax, place[1] - ay, place[2] - az)
    return sum(n * o for n, o in zip(normal, off, strict=True)) / length


def lines_of(layout: StoreLayout, camera: Camera) -> tuple[DoorLine, ...]:
    """The lines at doors that `camera` can tell crossings of: on the floor with a pose, else as
    they are drawn in its picture.
    """
    views = {view.line_id: view for view in camera.view_lines}
    found: list[DoorLine] = []
    for line in layout.lines:
        view = views.get(line.line_id)
        if line.area_id != camera.area_id:
            continue
        if camera.pose is not None and line.ends is not None and line.inward is not None:
            found.append(DoorLine(line.line_id, *line.ends, line.inward, _LINE_BAND_M, False))
        elif view is not None:
            found.append(DoorLine(line.line_id, *view.ends, view.inward, _LINE_BAND, True))
    return tuple(found)


def longest_gap_ms(targets: Mapping[str, Target]) -> int:
    """How long a lost person can matter: the longest gap window."""
    return max((target.stay.gap_ms for target in targets.values()), default=0)


def attention_rules(targets: Mapping[str, Target], rules: SceneRules) -> AttentionRules:
    """The rules of gaze on all targets; on those that a camera does not measure there is no aim."""
    return AttentionRules(
        name_probability=rules.name_probability,
        keep_probability=rules.keep_probability,
        bridge_ms=rules.facing_bridge_ms,
        targets={name: target.gaze for name, target in targets.items()},
    )


def _name(part: Zone | Screen) -> str:
    return part.zone_id if isinstance(part, Zone) else part.screen_id


def _rules(part: Zone | Screen, rules: SceneRules) -> tuple[StayRules, TargetRules]:
    if isinstance(part, Zone):
        stay = StayRules(part.min_dwell_ms, part.gap_ms, part.staff_limit_ms)
        fixation_ms = part.fixation_ms
    else:
        stay = StayRules(0, rules.screen_gap_ms, rules.screen_staff_limit_ms, tells_dwell=False)
        fixation_ms = rules.screen_fixation_ms
    # A gaze never outlives the stay it belongs to, so that attention <= dwell <= presence.
    return stay, TargetRules(fixation_ms, min(stay.gap_ms, rules.gaze_gap_ms))
