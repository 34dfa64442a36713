"""One picture's work on a scene: who is who, who leads whom, what is told. Pure.

A picture moves the people whom its camera leads; of the others whom it shows it only notes where
they are, until it has reason to lead them: their own camera has lost them, is gone, or sees their
faces worse.
"""

from collections.abc import Mapping
from dataclasses import replace

from vision.core import dwell, join
from vision.core import person as people
from vision.core.body import Body, Sight, advance
from vision.core.join import Pair, Together
from vision.core.match import assign, has_left
from vision.core.person import Person, PersonEvent, Surroundings
from vision.core.told import Counts, Scene, SceneOutput, outputs_of

#: Another camera leads once the leading one has not seen the person, or the face, for this long.
_HAND_OVER_MS = 400

#: It also leads if it knows the face's direction so much better, and not before the leading one had
#: its time: two views that are alike must not take turns.
_SHARPER, _TURN_MS = 0.7, 1_500

#: Somebody who may be known to another camera already is held back no longer than this, and so
#: long at least: a first picture often shows too little of a body to place it.
_DOUBT_MS, _CLEAR_MS = 1_500, 400

#: Who was lost within the view, behind somebody, is remembered so long.
_HIDDEN_MS = 2_000


#: A detection that the tracker has not followed begins a person from this score on: below it, boxes
#: are often of nobody, or of two people at once.
_BEGINS = 0.6


class Draft:
    """The scene after a picture, while it is worked out; nobody else ever sees it."""

    def __init__(self, scene: Scene, at_ms: int, around: Surroundings) -> None:
        self.scene, self.at_ms, self.around = scene, at_ms, around
        self.here = around.camera_id
        self.people = dict(scene.people)
        self.pairs: Mapping[Pair, Together] = scene.pairs
        self.strange = dict(scene.strange)
        self.outputs: list[SceneOutput] = []
        self.stitched = self.staff = self.joined = 0

    def lose(self, camera_id: str) -> None:
        """A camera is gone: whom nobody else sees is over, with an end that was not seen."""
        for name, person in list(self.people.items()):
            if camera_id not in person.bodies:
                continue
            others = {c: b for c, b in person.bodies.items() if c != camera_id}
            if person.leader != camera_id:
                self.people[name] = replace(person, bodies=others)
            elif others:
                latest = max(others, key=lambda c: others[c].seen_at_ms)
                self._lead(replace(person, bodies=others), latest)
            else:
                self.end(person, censored=True)

    def recognise(self, sights: list[Sight]) -> dict[str, tuple[Sight, int]]:
        """Whom the picture shows: by person the sight, and the time of the detection before."""
        here, at_ms = self.here, self.at_ms
        known = {
            name: person.bodies[here]
            for name, person in self.people.items()
            if here in person.bodies
        }
        reach = self.around.rules.stitch_reach
        matches = assign(known, sights, reach, self._elsewhere())
        self.stitched += matches.stitched
        shown: dict[str, tuple[Sight, int]] = {}
        for sight, match in zip(sights, matches.people, strict=True):
            before = None if match is None else known.get(match)
            body = advance(before, sight, self.around.rules.smoothing_ms)
            name = match if match is not None else self._new_name(sight.track.track_id)
            if match is None:
                sure = sight.track.sure
                if not sure and sight.track.score < _BEGINS:
                    continue
                self.people[name] = Person(
                    name, here, here, {here: body}, at_ms, at_ms, doubted=not sure
                )
                self._doubt(name)
            else:
                person = self.people[name]
                self.joined += here not in person.bodies
                self.people[name] = replace(person, bodies={**person.bodies, here: body})
            shown[name] = sight, -1 if before is None else before.seen_at_ms
        self._take_names(shown)
        return shown

    def join(self, shown: dict[str, tuple[Sight, int]]) -> None:
        """Compares those whom the picture shows with those whom other cameras see; whoever was
        often enough at one place with somebody else is one with them.
        """
        here = self.here
        mine = {name: self.people[name].bodies[here] for name in shown}
        mine = {name: body for name, body in mine.items() if body.place is not None}
        theirs = {
            name: [body for camera_id, body in person.bodies.items() if camera_id != here]
            for name, person in self.people.items()
            if name not in shown and person.place is not None
        }
        if not mine or not theirs:
            return
        self.pairs = join.compare(self.pairs, mine, theirs, self._are_two, self.at_ms)
        for (one, other), evidence in list(self.pairs.items()):
            if evidence.sure and one in self.people and other in self.people:
                self._unite(one, other, shown)

    def part(self, shown: dict[str, tuple[Sight, int]]) -> None:
        """Two bodies that were taken for one and go different ways are two people."""
        here = self.here
        for name in list(shown):
            person = self.people[name]
            if len(person.bodies) < 2:
                continue
            rest = {c: b for c, b in person.bodies.items() if c != here}
            other = max(rest.values(), key=lambda body: body.seen_at_ms)
            key = (name, here)
            evidence = join.part(self.strange.get(key), person.bodies[here], other, self.at_ms)
            if evidence is None:
                self.strange.pop(key, None)
            elif not evidence.sure:
                self.strange[key] = evidence
            else:
                self._divide(name, rest, shown)

    def follow(self, shown: dict[str, tuple[Sight, int]]) -> None:
        """Moves on those whom this camera leads, and takes the lead where it has reason to."""
        here, at_ms, memory = self.here, self.at_ms, self.around.memory_ms
        for name, person in list(self.people.items()):
            body = person.bodies.get(here)
            if body is None:
                continue
            seen = shown.get(name)
            if person.leader != here and seen is not None and self._should_lead(person, body):
                person = self._lead(person, here)
            if person.leader == here:
                if seen is not None:
                    person, events = people.observe(person, *seen, self.around)
                else:
                    person, events = people.miss(person, at_ms, self.around)
                self._tell(person, events)
                person = self.people[name]
            lost_ms = at_ms - body.seen_at_ms
            if (
                seen is None
                and lost_ms > memory
                and (lost_ms > _HIDDEN_MS or has_left(body, at_ms))
            ):
                self._forget(person)
            elif person.doubted:
                self._settle(person)

    def done(self) -> tuple[Scene, list[SceneOutput]]:
        """The scene, and what it tells."""
        scene, here = self.scene, self.here
        counts = scene.counts
        if self.stitched or self.staff:
            so_far = counts.get(here, Counts())
            sums = Counts(so_far.stitched + self.stitched, so_far.staff_excluded + self.staff)
            counts = {**counts, here: sums}
        there = self.people
        pairs = {k: v for k, v in self.pairs.items() if k[0] in there and k[1] in there}
        strange = {key: v for key, v in self.strange.items() if key[0] in self.people}
        cameras = {**scene.cameras, here: self.at_ms}
        after = Scene(self.people, cameras, counts, pairs, strange, scene.joined + self.joined)
        return after, self.outputs

    def _take_names(self, shown: dict[str, tuple[Sight, int]]) -> None:
        """A tracker's name that went over to another person is no longer that of the first."""
        here = self.here
        borne = {sight.track.track_id for sight, _ in shown.values()}
        for name, person in self.people.items():
            body = person.bodies.get(here)
            if body is not None and name not in shown and body.track_id in borne:
                nameless = replace(body, track_id=f"~{name}")
                self.people[name] = replace(person, bodies={**person.bodies, here: nameless})

    def _elsewhere(self) -> dict[str, list[Body]]:
        """By person, the bodies before other cameras."""
        return {
            name: others
            for name, person in self.people.items()
            if (others := [b for c, b in person.bodies.items() if c != self.here])
        }

    def _new_name(self, track_id: str) -> str:
        # The tracker may find a track again that had gone on in another.
        while track_id in self.people:
            track_id += "."
        return track_id

    def _doubt(self, name: str) -> None:
        """Marks somebody new as doubted whom another camera may know already."""
        body = self.people[name].body
        for other in self.people.values():
            if self.here in other.bodies:
                continue
            for seen in other.bodies.values():
                if self.at_ms - seen.seen_at_ms > join.FRESH_MS or seen.place is None:
                    continue
                if body.place is None or join.misfit(body, seen, self.at_ms) is not None:
                    self.people[name] = replace(self.people[name], doubted=True)
                    return

    def _settle(self, person: Person) -> None:
        """Nobody else fits a doubted person, or too much time has passed: it is somebody."""
        name = person.person_id
        age_ms = self.at_ms - person.since_ms
        open_pairs = any(name in key for key in self.pairs)
        if age_ms <= _CLEAR_MS or (open_pairs and age_ms <= _DOUBT_MS):
            return
        self.people[name] = replace(person, doubted=False, held=())
        self._tell(self.people[name], list(person.held))

    def _should_lead(self, person: Person, body: Body) -> bool:
        leading, at_ms = person.body, self.at_ms
        if at_ms - leading.seen_at_ms > _HAND_OVER_MS:
            return True
        if body.head_m is None:
            return False
        if at_ms - leading.faced_at_ms > _HAND_OVER_MS:
            return True
        sharper = body.sharpness_deg < _SHARPER * leading.sharpness_deg
        return sharper and at_ms - person.led_since_ms > _TURN_MS

    def _lead(self, person: Person, camera_id: str) -> Person:
        camera_before = person.leader
        person, events = people.lead(person, camera_id, self.at_ms, self.around)
        self._tell(person, events, camera_id=camera_before)
        return self.people[person.person_id]

    def _are_two(self, one: str, other: str) -> bool:
        """Whether one camera saw both at a time."""
        mine, theirs = self.people[one].bodies, self.people[other].bodies
        return any(_overlap(mine[c], theirs[c]) for c in mine.keys() & theirs.keys())

    def _unite(self, one: str, other: str, shown: dict[str, tuple[Sight, int]]) -> None:
        """Two people are one: the one who was there first goes on, and sees with both cameras."""
        elder, younger = self.people[one], self.people[other]
        if self._are_two(one, other):
            return
        if (elder.doubted, elder.since_ms, one) > (younger.doubted, younger.since_ms, other):
            elder, younger = younger, elder
        if not younger.doubted:
            # What was told of the younger is over; its open presences are the elder's own.
            known = elder.stays.keys()
            self._tell(
                younger,
                [
                    event
                    for event in people.leave(younger, self.around, censored=False)
                    if not isinstance(event, tuple) or event[0] not in known or _is_told(event)
                ],
            )
        self.people.pop(younger.person_id)
        bodies = dict(elder.bodies)
        for camera_id, body in younger.bodies.items():
            if camera_id not in bodies or bodies[camera_id].seen_at_ms < body.seen_at_ms:
                bodies[camera_id] = body
        self.people[elder.person_id] = replace(elder, bodies=bodies)
        if younger.person_id in shown:
            shown[elder.person_id] = shown.pop(younger.person_id)
        self.joined += 1

    def _divide(
        self, name: str, rest: Mapping[str, Body], shown: dict[str, tuple[Sight, int]]
    ) -> None:
        """The body before this camera is somebody else; the person goes on with the others."""
        person, here, at_ms = self.people[name], self.here, self.at_ms
        self.strange.pop((name, here), None)
        new = self._new_name(person.bodies[here].track_id)
        self.people[new] = Person(new, here, here, {here: person.bodies[here]}, at_ms, at_ms)
        shown[new] = shown.pop(name)[0], at_ms
        person = replace(person, bodies=rest)
        if person.leader == here:
            latest = max(rest, key=lambda camera_id: rest[camera_id].seen_at_ms)
            # The body that leaves takes its camera's view with it, not what was told of the person.
            self._lead(replace(person, leader=latest), latest)
        else:
            self.people[name] = person

    def _forget(self, person: Person) -> None:
        """Lets go of a body that was not seen for longer than anything can bridge."""
        rest = {c: b for c, b in person.bodies.items() if c != self.here}
        if person.leader != self.here:
            self.people[person.person_id] = replace(person, bodies=rest)
        elif rest:
            latest = max(rest, key=lambda camera_id: rest[camera_id].seen_at_ms)
            self._lead(replace(person, bodies={**rest, self.here: person.body}), latest)
            person = self.people[person.person_id]
            self.people[person.person_id] = replace(person, bodies=rest)
        elif not person.stays:
            self.end(person, censored=False)

    def end(self, person: Person, *, censored: bool) -> None:
        """Ends all that is open for a person, who is forgotten."""
        if person.doubted:
            # Gone before it was clear. Whoever fitted somebody until then was that one, and a
            # single detection is nobody.
            if any(person.person_id in key for key in self.pairs) or _once(person):
                self.people.pop(person.person_id)
                self.joined += 1
                return
            held = list(person.held)
            person = replace(person, doubted=False, held=())
            self._tell(person, held)
        self._tell(person, people.leave(person, self.around, censored=censored))
        self.people.pop(person.person_id)

    def _tell(
        self, person: Person, events: list[PersonEvent], camera_id: str | None = None
    ) -> None:
        before = self.people.get(person.person_id)
        if person.staff and (before is None or not before.staff):
            self.staff += 1
        if person.doubted:
            person = replace(person, held=(*person.held, *events))
        else:
            for event in events:
                self.outputs.extend(
                    outputs_of(person, event, self.around, camera_id or person.leader)
                )
        self.people[person.person_id] = person


def _overlap(one: Body, other: Body) -> bool:
    """Whether both were there at a time."""
    since_ms = max(one.since_ms, other.since_ms)
    return since_ms <= min(one.seen_at_ms, other.seen_at_ms)


def _once(person: Person) -> bool:
    """Whether one picture alone has shown the person."""
    return all(body.since_ms == body.seen_at_ms for body in person.bodies.values())


def _is_told(event: tuple[str, dwell.StayEvent]) -> bool:
    """Whether the stay's beginning was told, so that its end must be."""
    return event[1].stay.dwelling
