"""One person: the stays, the attention and the doors, picture by picture. Pure.

A person may be seen by several cameras of an area whose views overlap. One of them leads: its
pictures alone drive the state machines, and under its name the person is counted and told.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from streams.contracts.layout import Point, Polygon
from vision.core import attention, crossing, dwell
from vision.core.aim import Bearing, Belief, Goals, believe, goals_of
from vision.core.attention import Aim, Attention, AttentionRules, Glance
from vision.core.body import Body, Sight, Track
from vision.core.crossing import Crosser, DoorLine
from vision.core.gaze import Corners, Direction, can_see, corners_of
from vision.core.geometry import CameraModel, Vector, contains
from vision.core.place import Box, Place, anchor
from vision.core.targets import SceneRules, Target, before, longest_gap_ms

__all__ = ["Person", "PersonEvent", "Surroundings", "Track"]

#: Whoever stands in a staff area this long is staff: a shopper may lean over a counter's edge, and
#: places jitter.
_STAFF_AREA_MS = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person.

    `person_id` is the track id on the wire; `origin` the camera that saw the person first, which is
    part of the ids of all that is told; `bodies` by camera. `since_ms`, `led_since_ms`: when the
    person was first seen, and since when `leader` leads. `belief`: what is looked at, as of the
    last picture that showed the face to the leading camera. `watched`: by target, when the person's
    last gaze on it began. `doubted`: may be somebody whom another
    camera knows already, so that what happens is `held` until that is clear.
    """

    person_id: str
    origin: str
    leader: str
    bodies: Mapping[str, Body]
    since_ms: int
    led_since_ms: int
    stays: Mapping[str, dwell.Stay] = field(default_factory=dict)
    attention: Attention = field(default_factory=Attention)
    belief: Belief | None = None
    watched: Mapping[str, int] = field(default_factory=dict)
    crossers: Mapping[str, Crosser] = field(default_factory=dict)
    staff: bool = False
    staff_since_ms: int | None = None
    doubted: bool = False
    held: tuple["PersonEvent", ...] = ()

    @property
    def body(self) -> Body:
        """As the leading camera sees the person."""
        return self.bodies[self.leader]

    @property
    def track_id(self) -> str:
        """The leading tracker's name for the person: it changes where a new track went on."""
        return self.body.track_id

    @property
    def box(self) -> Box:
        """In the leading camera's picture."""
        return self.body.box

    @property
    def seen_at_ms(self) -> int:
        """The leading camera's last detection."""
        return self.body.seen_at_ms

    @property
    def place(self) -> Place | None:
        """On the floor, if that is known."""
        return self.body.place

    @property
    def head_m(self) -> Vector | None:
        """None where the last picture shows no face."""
        return self.body.head_m

    @property
    def direction(self) -> Direction | None:
        """Where the face points."""
        return self.body.direction


#: What a person's step tells: an event of a stay in the named target, of a gaze, or of a line.
PersonEvent = tuple[str, dwell.StayEvent] | attention.GazeEvent | crossing.Crossed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a camera sees people with: its own place (None without calibration), what it watches
    (`targets`, `lines`, `staff_areas`), the area's targets all together (`known`), the rules.

    Worked out once, for every picture: `goals`, the targets that the camera measures; `memory_ms`,
    how long a lost person can matter.
    """

    camera: CameraModel | None
    targets: Mapping[str, Target]
    rules: SceneRules
    attention: AttentionRules
    camera_id: str = ""
    known: Mapping[str, Target] = field(default_factory=dict)
    lines: tuple[DoorLine, ...] = ()
    staff_areas: tuple[Polygon, ...] = ()
    goals: Goals | None = field(init=False)
    memory_ms: int = field(init=False)

    def __post_init__(self) -> None:
        measured = [(name, target) for name, target in self.targets.items() if target.measured]
        faces = tuple((name, _corners(target)) for name, target in measured)
        object.__setattr__(self, "goals", goals_of(faces) if faces else None)
        object.__setattr__(self, "memory_ms", longest_gap_ms(self.known))


def observe(
    person: Person, sight: Sight, before_ms: int, around: Surroundings
) -> tuple[Person, list[PersonEvent]]:
    """The person after a picture of the leading camera shows it; `bodies` know it already.

    `before_ms`: the last detection before this one, -1 if there was none.
    """
    at_ms, body = sight.at_ms, person.body
    floor = body.place.point_m if body.place is not None else None
    foot = anchor(body.box)
    person, events = _in_staff_area(person, floor, at_ms, around)
    stays = dict(person.stays)
    inside: list[Target] = []
    for name, target in around.targets.items():
        stay = stays.get(name)
        is_in = target.holds(floor, foot, already=stay is not None)
        if stay is None and not is_in:
            continue
        if is_in:
            inside.append(target)
        sees = _sees(body, target, around.rules) if not person.staff else False
        for when in _times(stay, sight, before_ms):
            stay, told = dwell.step(stay, dwell.Sighting(when, is_in, sees), target.stay)
            events.extend((name, event) for event in told)
        if stay is not None and person.staff:
            stay, told = dwell.exclude(stay)
            events.extend((name, event) for event in told)
        _put(stays, name, stay)
    _expire(stays, at_ms, around, events, unless=around.targets)
    person = replace(person, stays=stays)
    if around.lines:
        person = _at_lines(person, floor, foot, at_ms, around, events)
    if any(stay.staff for stay in stays.values()) and not person.staff:
        person = _exclude(person, around, events)
    if person.staff:
        return person, events
    person = replace(person, belief=_believed(person, sight, around))
    aims = _aims(person.belief, sight, inside, body.head_m)
    glance = Glance(at_ms, aims, [t.target_id for t in inside])
    looked, gazes = attention.step(person.attention, glance, around.attention)
    events.extend(gazes)
    began = {
        gaze.look.target_id: gaze.look.started_at_ms
        for gaze in gazes
        if isinstance(gaze, attention.GazeBegan)
    }
    watched = {**person.watched, **began} if began else person.watched
    return replace(person, attention=looked, watched=watched), events


def miss(person: Person, at_ms: int, around: Surroundings) -> tuple[Person, list[PersonEvent]]:
    """The person after a picture of the leading camera that does not show it."""
    events: list[PersonEvent] = []
    stays = dict(person.stays)
    _expire(stays, at_ms, around, events)
    looked, gazes = attention.step(person.attention, Glance(at_ms, None), around.attention)
    events.extend(gazes)
    return replace(person, stays=stays, attention=looked), events


def leave(person: Person, around: Surroundings, *, censored: bool) -> list[PersonEvent]:
    """All that is open for this person, ended; `censored`: what came then was not seen."""
    events: list[PersonEvent] = list(
        attention.close(person.attention, around.attention, censored=censored)[1]
    )
    for name, stay in person.stays.items():
        events.append((name, dwell.StayOver(stay, censored)))
    return events


def lead(
    person: Person, camera_id: str, at_ms: int, around: Surroundings
) -> tuple[Person, list[PersonEvent]]:
    """The person, led by another camera from now on. A gaze belongs to the camera that saw it: an
    open one is over, and goes on as another if the face stays where it is directed.
    """
    looked, told = attention.close(person.attention, around.attention, censored=False)
    person = replace(person, leader=camera_id, led_since_ms=at_ms, attention=looked)
    return person, list(told)


def _times(stay: dwell.Stay | None, sight: Sight, before_ms: int) -> tuple[int, ...]:
    """When the person was detected: a new track's first detection counts too."""
    since_ms = sight.track.since_ms
    if stay is None and before_ms < since_ms < sight.at_ms:
        return since_ms, sight.at_ms
    return (sight.at_ms,)


def _expire(
    stays: dict[str, dwell.Stay],
    at_ms: int,
    around: Surroundings,
    events: list[PersonEvent],
    unless: Mapping[str, Target] | None = None,
) -> None:
    """Ends the stays whose gap window has passed, those in targets of `unless` left out."""
    for name, stay in list(stays.items()):
        if unless is not None and name in unless:
            continue
        left, told = dwell.expire(stay, at_ms, around.known[name].stay)
        events.extend((name, event) for event in told)
        if left is None:
            del stays[name]


def _in_staff_area(
    person: Person, floor: Point | None, at_ms: int, around: Surroundings
) -> tuple[Person, list[PersonEvent]]:
    events: list[PersonEvent] = []
    if person.staff or not around.staff_areas or floor is None:
        return person, events
    if not any(contains(area, floor) for area in around.staff_areas):
        if person.staff_since_ms is not None:
            person = replace(person, staff_since_ms=None)
        return person, events
    if person.staff_since_ms is None:
        return replace(person, staff_since_ms=at_ms), events
    if at_ms - person.staff_since_ms < _STAFF_AREA_MS:
        return person, events
    return _exclude(person, around, events), events


def _exclude(person: Person, around: Surroundings, events: list[PersonEvent]) -> Person:
    """The person, taken for staff: what is open is over, and nothing more is counted."""
    looked, gazes = attention.close(person.attention, around.attention, censored=False)
    events.extend(gazes)
    stays: dict[str, dwell.Stay] = {}
    for name, stay in person.stays.items():
        stays[name], told = dwell.exclude(stay)
        events.extend((name, event) for event in told)
    return replace(person, attention=looked, stays=stays, staff=True)


def _at_lines(
    person: Person,
    floor: Point | None,
    foot: Point,
    at_ms: int,
    around: Surroundings,
    events: list[PersonEvent],
) -> Person:
    crossers = dict(person.crossers)
    place = person.body.place
    for line in around.lines:
        point = foot if line.in_picture else floor
        if point is None:
            continue
        sigma = 0.0 if line.in_picture or place is None else place.sigma_m
        after, crossed = crossing.step(crossers.get(line.line_id), line, point, at_ms, sigma)
        if after is not None:
            crossers[line.line_id] = after
        if crossed is not None:
            events.append(crossed)
    return replace(person, crossers=crossers)


def _sees(body: Body, target: Target, rules: SceneRules) -> bool | None:
    """Whether place and heading let the person see the target; None where that is not measured."""
    if not target.measured:
        return None
    if body.head_m is None or body.direction is None:
        return False
    widest_deg = rules.opportunity_half_angle_deg
    if target.face is not None:
        return can_see(body.head_m, body.direction, target.face, widest_deg)
    return target.corners is not None and _faces(
        body.head_m, body.direction, target.corners, widest_deg
    )


def _faces(head_m: Vector, direction: Direction, corners: Corners, widest_deg: float) -> bool:
    """As `can_see`, for a plane that hangs anywhere."""
    if before(corners, head_m) <= 0:
        return False
    aside = [
        (math.degrees(math.atan2(x - head_m[0], head_m[1] - y)) - direction.yaw_deg + 180) % 360
        - 180
        for x, y, _ in corners
    ]
    # A plane is less than 180 degrees wide, so one that lies on both sides lies ahead or behind.
    ahead = min(aside) < 0 < max(aside) and max(aside) - min(aside) < 180
    return ahead or min(abs(angle) for angle in aside) <= widest_deg


def _aims(
    belief: Belief | None, sight: Sight, inside: list[Target], head_m: Vector | None
) -> dict[str, Aim] | None:
    """The aims at those targets in whose zone the person stands: attention needs presence. None
    where the picture shows no face.
    """
    if belief is None or head_m is None or belief.at_ms != sight.at_ms:
        return None
    return {
        target.target_id: Aim(belief.odds[target.target_id], math.dist(head_m, target.middle))
        for target in inside
        if target.target_id in belief.odds
    }


def _believed(person: Person, sight: Sight, around: Surroundings) -> Belief | None:
    """What the person looks at, after this picture if it shows the face."""
    head_m, direction, camera = person.head_m, sight.direction, around.camera
    if head_m is None or direction is None or camera is None:
        return person.belief
    if around.goals is None:
        return None
    x, y, _ = camera.position_m
    sight_deg = math.degrees(math.atan2(x - head_m[0], head_m[1] - y))
    motion = None if person.place is None else person.place.motion
    bearing = Bearing(
        head_m,
        direction,
        turn_deg=(direction.yaw_deg - sight_deg + 180.0) % 360.0 - 180.0,
        velocity=None if motion is None else (motion.vx, motion.vy),
    )
    return believe(person.belief, bearing, around.goals, around.rules.gaze_sigma_deg)


def _corners(target: Target) -> Corners:
    """Where the gaze may rest, of a target that is measured."""
    return target.corners or corners_of(target.face or (0.0, 0.0, 0.0, 0.0))


def _put(stays: dict[str, dwell.Stay], target_id: str, stay: dwell.Stay | None) -> None:
    if stay is None:
        stays.pop(target_id, None)
    else:
        stays[target_id] = stay
