"""All the people before one camera: `step(scene, tracks, at_ms) -> (scene, outputs)`. Pure.

A person who is lost and found again nearby, in the same zone and within the gap window, goes on
under the same id even if the tracker gave a new one (continuity by time and place; counted).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streams.contracts.layout import StoreLayout
from vision.core import attention, dwell
from vision.core import person as people
from vision.core.attention import attention_so_far
from vision.core.geometry import PinholeCamera
from vision.core.person import Person, PersonEvent, Surroundings, Track
from vision.core.place import anchor
from vision.core.targets import SceneRules, Target, attention_rules, targets_of

#: A person counts as there for this long after the last detection: one missed picture at 2 per
#: second does not make a zone look empty.
_THERE_MS = 500


@dataclass(frozen=True, slots=True)
class GazeOutput:
    """A gaze began or ended."""

    person_id: str
    target: Target
    event: attention.GazeEvent


@dataclass(frozen=True, slots=True)
class DwellOutput:
    """A dwell began or ended."""

    person_id: str
    target: Target
    event: dwell.DwellBegan | dwell.StayOver


@dataclass(frozen=True, slots=True)
class PresenceOutput:
    """A presence ended; `opportunity_ms` is None where it cannot be measured."""

    person_id: str
    target: Target
    stay: dwell.Stay
    opportunity_ms: int | None


SceneOutput = GazeOutput | DwellOutput | PresenceOutput


@dataclass(frozen=True, slots=True)
class TargetCount:
    """Who is before one target now."""

    target: Target
    people: int
    watchers: int
    attention_ms: int


@dataclass(frozen=True, slots=True)
class Scene:
    """The people a camera knows of at `at_ms`, by their id, and what was counted so far."""

    people: Mapping[str, Person] = field(default_factory=dict)
    at_ms: int = -1
    stitched: int = 0
    staff_excluded: int = 0


def surroundings(
    layout: StoreLayout, camera_id: str, camera: PinholeCamera | None, rules: SceneRules
) -> Surroundings:
    """What the people before `camera_id` are seen with."""
    seen_by = next(c for c in layout.cameras if c.camera_id == camera_id)
    targets = {t.target_id: t for t in targets_of(layout, seen_by, rules)}
    return Surroundings(camera, targets, rules, attention_rules(targets, rules))


def memory_ms(around: Surroundings) -> int:
    """How long a lost person can matter: the longest gap window."""
    return max((t.stay.gap_ms for t in around.targets.values()), default=0)


def step(
    scene: Scene, tracks: Sequence[Track], at_ms: int, around: Surroundings
) -> tuple[Scene, list[SceneOutput]]:
    """The scene after one picture, and what it tells. One that is not later changes nothing."""
    if at_ms <= scene.at_ms:
        return scene, []
    known = {person.track_id: person for person in scene.people.values()}
    now: dict[str, Person] = {}
    told: list[tuple[str, PersonEvent]] = []
    for track in tracks:
        if track.track_id in known:
            person, events = people.observe(known[track.track_id], track, at_ms, around)
            now[person.person_id] = person
            told.extend((person.person_id, event) for event in events)
    lost = {name: person for name, person in scene.people.items() if name not in now}
    stitched = scene.stitched
    for track in tracks:
        if track.track_id not in known:
            taken = {*now, *lost}
            person, events = _arrive(track, lost, taken, at_ms, around)
            stitched += person.person_id in taken
            lost.pop(person.person_id, None)
            now[person.person_id] = person
            told.extend((person.person_id, event) for event in events)
    for name, before in lost.items():
        person, events = people.miss(before, at_ms, around)
        told.extend((name, event) for event in events)
        if person.stays or at_ms - person.seen_at_ms <= memory_ms(around):
            now[name] = person
    outputs = [output for name, event in told for output in _output(name, event, around)]
    known_staff = {name for name, person in scene.people.items() if person.staff}
    staff = sum(person.staff and name not in known_staff for name, person in now.items())
    return Scene(now, at_ms, stitched, scene.staff_excluded + staff), outputs


def _arrive(
    track: Track, lost: Mapping[str, Person], taken: set[str], at_ms: int, around: Surroundings
) -> tuple[Person, list[PersonEvent]]:
    """Whoever a new track shows: a lost person who goes on, or somebody else."""
    name = track.track_id
    while name in taken:  # the tracker found a track again that had gone on in another
        name += "."
    person, events = people.observe(
        Person(name, track.track_id, track.box, at_ms), track, at_ms, around
    )
    before = _continued(person, lost, at_ms, around)
    if before is None:
        return person, events
    return people.observe(before, track, at_ms, around)


def close(scene: Scene, around: Surroundings) -> tuple[Scene, list[SceneOutput]]:
    """End all that is open as censored: no more pictures come."""
    outputs: list[SceneOutput] = []
    for name, person in scene.people.items():
        for event in people.leave(person):
            outputs.extend(_output(name, event, around))
    return replace(scene, people={}), outputs


def people_there(scene: Scene, at_ms: int) -> list[Person]:
    """Those who are there now, or were a moment ago."""
    return [p for p in scene.people.values() if at_ms - p.seen_at_ms <= _THERE_MS]


def audience(scene: Scene, at_ms: int, around: Surroundings) -> list[TargetCount]:
    """For each target who is before it now, and who of them looks at it."""
    there = people_there(scene, at_ms)
    return [
        TargetCount(
            target,
            people=sum(
                name in p.stays and at_ms - p.stays[name].seen_at_ms <= _THERE_MS for p in there
            ),
            watchers=sum(
                p.attention.gaze is not None and p.attention.gaze.target_id == name for p in there
            ),
            attention_ms=sum(attention_so_far(p.attention, name) for p in scene.people.values()),
        )
        for name, target in around.targets.items()
    ]


def _output(name: str, event: PersonEvent, around: Surroundings) -> list[SceneOutput]:
    if not isinstance(event, tuple):
        return [GazeOutput(name, around.targets[event.look.target_id], event)]
    target_id, told = event
    target = around.targets[target_id]
    if isinstance(told, dwell.StaffFound):
        return []
    if isinstance(told, dwell.DwellBegan):
        return [DwellOutput(name, target, told)]
    outputs: list[SceneOutput] = []
    if told.stay.dwelling and not told.stay.staff:
        outputs.append(DwellOutput(name, target, told))
    measured = None if target.face is None else told.stay.opportunity_ms
    if told.stay.staff and measured is not None:
        measured = 0
    return [*outputs, PresenceOutput(name, target, told.stay, measured)]


def _continued(
    person: Person, lost: Mapping[str, Person], at_ms: int, around: Surroundings
) -> Person | None:
    """The lost person whom a newcomer continues: the nearest within reach in a common zone."""
    found: list[tuple[float, str]] = []
    for name, before in lost.items():
        common = [
            target_id
            for target_id in person.stays
            if target_id in before.stays
            and at_ms - before.stays[target_id].seen_at_ms <= around.targets[target_id].stay.gap_ms
        ]
        apart = _apart(person, before)
        if common and apart <= around.rules.stitch_reach:
            found.append((apart, name))
    return lost[min(found)[1]] if found else None


def _apart(one: Person, other: Person) -> float:
    """How far apart two detections are, in metres on the floor or else in widths of the box."""
    here, there = people.floor_point(one), people.floor_point(other)
    if here is not None and there is not None:
        return math.dist(here, there)
    wide = max(one.box[2] - one.box[0], other.box[2] - other.box[0], 1e-6)
    tall = max(one.box[3] - one.box[1], other.box[3] - other.box[1], 1e-6)
    (x0, y0), (x1, y1) = anchor(one.box), anchor(other.box)
    return math.hypot((x0 - x1) / wide, (y0 - y1) / tall)
