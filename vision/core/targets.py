"""The zones and screens that one camera watches, with the rules that hold for each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.contracts.layout import Camera, Face, Point, Polygon, Screen, StoreLayout, Zone
from streams.contracts.vision import TargetKind
from vision.core.attention import AttentionRules, TargetRules
from vision.core.dwell import StayRules
from vision.core.geometry import contains, distance_to

#: How far outside a zone in the picture a person still stays in it, in parts of the picture: the
#: jitter of a box's edge.
_VIEW_MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class SceneRules:
    """How a camera's pictures are read; the numbers of `GatewaySettings` that the core needs."""

    name_probability: float = 0.5
    keep_probability: float = 0.35
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
    `in_picture`; None means wherever the camera sees somebody. `face` is None where no gaze can be
    told. `margin` belongs to `ground`, in its unit.
    """

    target_id: str
    kind: TargetKind
    ground: Polygon | None
    in_picture: bool
    margin: float
    face: Face | None
    stay: StayRules
    gaze: TargetRules

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
        found.append(
            Target(
                target_id=target_id,
                kind="zone" if isinstance(part, Zone) else "screen",
                ground=part.floor if on_floor else view,
                in_picture=not on_floor,
                margin=rules.floor_margin_m if on_floor else _VIEW_MARGIN,
                face=part.face if posed else None,
                stay=stay,
                gaze=gaze,
            )
        )
    return tuple(found)


def attention_rules(targets: Mapping[str, Target], rules: SceneRules) -> AttentionRules:
    """The rules of gaze on those targets that have a face on the shelf."""
    return AttentionRules(
        name_probability=rules.name_probability,
        keep_probability=rules.keep_probability,
        bridge_ms=rules.facing_bridge_ms,
        targets={name: t.gaze for name, t in targets.items() if t.face is not None},
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
