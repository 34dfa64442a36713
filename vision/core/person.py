"""One person before one camera: place, direction, stays and attention, picture by picture. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from streams.contracts.layout import Face, Point
from vision.core import attention, dwell
from vision.core.attention import Aim, Attention, Glance
from vision.core.gaze import Direction, can_see, direction_of, face_probability, smooth
from vision.core.geometry import PinholeCamera, Vector
from vision.core.head import estimate_head
from vision.core.place import Box, Place, anchor, follow, locate
from vision.core.targets import SceneRules, Target


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A detection that the tracker gave a name.

    `box` normalised; `keypoints` (17, 3) float32, x and y normalised, confidence, COCO order;
    `since_ms`: the track's first detection, which may lie one picture back.
    """

    track_id: str
    box: Box
    keypoints: npt.NDArray[np.float32]
    score: float
    since_ms: int


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person. `person_id` is the track id on the wire, `track_id` the tracker's
    at present: they differ once a lost track was continued by a new one.
    """

    person_id: str
    track_id: str
    box: Box
    seen_at_ms: int
    place: Place | None = None
    head_m: Vector | None = None
    direction: Direction | None = None
    stays: Mapping[str, dwell.Stay] = field(default_factory=dict)
    attention: Attention = field(default_factory=Attention)
    staff: bool = False


#: What a person's step tells: an event of a stay in the named target, or of a gaze.
PersonEvent = tuple[str, dwell.StayEvent] | attention.GazeEvent


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a person is seen with: the camera (None without calibration), the targets, the rules."""

    camera: PinholeCamera | None
    targets: Mapping[str, Target]
    rules: SceneRules
    attention: attention.AttentionRules


def observe(
    person: Person, track: Track, at_ms: int, around: Surroundings
) -> tuple[Person, list[PersonEvent]]:
    """The person after a picture in which `track` shows it."""
    person = _look_at(person, track, at_ms, around)
    events: list[PersonEvent] = []
    stays = dict(person.stays)
    inside: list[Target] = []
    for target in around.targets.values():
        stay = stays.get(target.target_id)
        is_in = _is_inside(person, target, already=stay is not None)
        if is_in:
            inside.append(target)
        sees = _sees(person, target, around.rules) and not person.staff
        rules = replace(target.stay, tells_dwell=False) if person.staff else target.stay
        for when in _times(stay, track, at_ms):
            sighting = dwell.Sighting(when, is_in, sees)
            stay, told = dwell.step(stay, sighting, rules)
            events.extend((target.target_id, event) for event in told)
        _put(stays, target.target_id, stay)
    person = replace(person, stays=stays)
    glance = Glance(at_ms, _aims(person, inside, at_ms, around.rules))
    return _attend(person, glance, around, events)


def miss(person: Person, at_ms: int, around: Surroundings) -> tuple[Person, list[PersonEvent]]:
    """The person after a picture that does not show it."""
    events: list[PersonEvent] = []
    stays = dict(person.stays)
    for target_id, stay in person.stays.items():
        left, told = dwell.expire(stay, at_ms, around.targets[target_id].stay)
        events.extend((target_id, event) for event in told)
        _put(stays, target_id, left)
    person = replace(person, stays=stays)
    return _attend(person, Glance(at_ms, None), around, events)


def leave(person: Person) -> list[PersonEvent]:
    """All that is open for this person, ended as censored."""
    events: list[PersonEvent] = list(attention.close(person.attention, censored=True)[1])
    for target_id, stay in person.stays.items():
        events.extend((target_id, event) for event in dwell.close(stay))
    return events


def _look_at(person: Person, track: Track, at_ms: int, around: Surroundings) -> Person:
    """Place, head and direction as `track` shows them."""
    camera, rules = around.camera, around.rules
    person = replace(person, track_id=track.track_id, box=track.box, seen_at_ms=at_ms)
    if camera is None:
        return person
    head = estimate_head(track.keypoints, camera, rules.min_keypoint_confidence)
    now = locate(track.box, track.keypoints, head, camera, rules.min_keypoint_confidence, at_ms)
    place = person.place if now is None else follow(person.place, now)
    if head is None or place is None:
        return replace(person, place=place, head_m=None)
    measured = direction_of(
        camera.direction_to_world(head.direction), head.yaw_sigma_deg, head.pitch_sigma_deg, at_ms
    )
    return replace(
        person,
        place=place,
        head_m=(*place.point_m, camera.to_world(head.position_m)[2]),
        direction=smooth(person.direction, measured, rules.smoothing_ms),
    )


def _times(stay: dwell.Stay | None, track: Track, at_ms: int) -> tuple[int, ...]:
    """When the person was detected: a new track's first detection counts too."""
    if stay is None and track.since_ms < at_ms:
        return track.since_ms, at_ms
    return (at_ms,)


def _is_inside(person: Person, target: Target, *, already: bool) -> bool:
    floor = person.place.point_m if person.place is not None else None
    return target.holds(floor, anchor(person.box), already=already)


def _facing(person: Person) -> tuple[Vector, Direction] | None:
    """Head and direction, if this very picture shows them."""
    if person.head_m is None or person.direction is None:
        return None
    return person.head_m, person.direction


def _sees(person: Person, target: Target, rules: SceneRules) -> bool:
    facing = _facing(person)
    if facing is None or target.face is None:
        return False
    return can_see(*facing, target.face, rules.opportunity_half_angle_deg)


def _aims(
    person: Person, inside: list[Target], at_ms: int, rules: SceneRules
) -> dict[str, Aim] | None:
    """The aims at those targets in whose zone the person stands: attention needs presence."""
    facing = _facing(person)
    if facing is None or person.staff:
        return None
    head_m, direction = facing
    return {
        target.target_id: Aim(
            face_probability(head_m, direction, target.face, rules.gaze_sigma_deg),
            math.dist(head_m, _middle(target.face)),
        )
        for target in inside
        if target.face is not None
    }


def _middle(face: Face) -> Vector:
    return (face[0] + face[2]) / 2, 0.0, (face[1] + face[3]) / 2


def _attend(
    person: Person, glance: Glance, around: Surroundings, events: list[PersonEvent]
) -> tuple[Person, list[PersonEvent]]:
    looked, told = attention.step(person.attention, glance, around.attention)
    events.extend(told)
    staff = person.staff or any(stay.staff for stay in person.stays.values())
    if staff and not person.staff:
        looked, told = attention.close(looked, censored=False)
        events.extend(told)
    return replace(person, attention=looked, staff=staff), events


def _put(stays: dict[str, dwell.Stay], target_id: str, stay: dwell.Stay | None) -> None:
    if stay is None:
        stays.pop(target_id, None)
    else:
        stays[target_id] = stay


def floor_point(person: Person) -> Point | None:
    """Where the person stands on the floor, in metres, if that is known."""
    return None if person.place is None else person.place.point_m
