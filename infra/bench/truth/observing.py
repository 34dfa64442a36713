"""Beside the gateway, picture by picture: who of its people is who of the truth, and what it made
of their faces. Nothing of this goes back into the gateway. Pure but for what it collects.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.bench.truth.facts import distance_group
from infra.bench.truth.matching import Follower
from infra.bench.truth.score import Sample
from infra.simulator.crowd import Crowd
from infra.simulator.people import Person as Guest
from infra.simulator.people import facing
from streams.contracts.layout import Point
from vision.core.geometry import contains, meet_shelf
from vision.core.person import Person
from vision.core.targets import Target
from vision.pipeline import View


@dataclass(frozen=True, slots=True)
class _Seen:
    """One of the gateway's people in one picture."""

    place: Point
    probabilities: Mapping[str, float] | None


class Observer:
    """Collects the views of one stretch; `close` after the last."""

    def __init__(
        self, crowd: Crowd, targets: Sequence[Target], traits: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._crowd, self._traits = crowd, traits
        self._targets = targets
        self._at_ms = -1
        self._seen: dict[str, _Seen] = {}
        self.follower = Follower()
        self.samples: list[Sample] = []

    def take(self, view: View) -> None:
        """One camera's newest picture: the people whom this camera leads. Of somebody who may be
        known to another camera already nothing is told until that is clear."""
        at_ms = view.scene.cameras[view.camera_id]
        if at_ms > self._at_ms:
            self.close()
            self._at_ms = at_ms
        for person in view.scene.people.values():
            leads = person.leader == view.camera_id and person.seen_at_ms == at_ms
            counts = not person.staff and not person.doubted
            if leads and counts and person.place is not None:
                found = probabilities(person)
                self._seen[person.person_id] = _Seen(person.place.point_m, found)

    def close(self) -> None:
        """All cameras' pictures of this time are there."""
        if self._at_ms < 0:
            return
        guests = {guest.person_id: guest for guest in self._crowd.people(self._at_ms)}
        places = {name: (guest.x_m, guest.y_m) for name, guest in guests.items()}
        tracks = {name: seen.place for name, seen in self._seen.items()}
        pairs = self.follower.step(self._at_ms, tracks, places)
        for name, guest in guests.items():
            if not guest.staff and name in self._traits:
                self._sample(guest, self._seen.get(pairs.get(name, "")))
        self._seen = {}

    def _sample(self, guest: Guest, seen: _Seen | None) -> None:
        said = None if seen is None or not seen.probabilities else seen.probabilities
        fixated = self._fixated(guest)
        if said is None and fixated is None:
            return
        traits = {
            **self._traits[guest.person_id],
            "distance": f"{distance_group(guest.y_m)} m",
        }
        at = fixated or looked_at(guest, self._targets)
        self.samples.append(Sample(traits, at, said, fixating=fixated is not None))

    def _fixated(self, guest: Guest) -> str | None:
        """The zone that the eyes rest on, from within its floor."""
        for target in self._targets:
            if target.target_id == guest.target_id and target.kind == "zone":
                return guest.target_id if _within(target, guest) else None
        return None


def looked_at(guest: Guest, targets: Sequence[Target]) -> str | None:
    """The target that a straight line from the eyes meets, of those in whose floor one stands."""
    eyes = (guest.x_m, guest.y_m, guest.eyes_m)
    yaw, pitch = (
        guest.head_yaw_deg + guest.eyes_yaw_deg,
        guest.head_pitch_deg + guest.eyes_pitch_deg,
    )
    met = meet_shelf(eyes, facing(yaw, pitch)) if math.cos(math.radians(yaw)) > 0 else None
    if met is None:
        return None
    for target in targets:
        if target.face is not None and _within(target, guest):
            x0, z0, x1, z1 = target.face
            if x0 <= met[0] < x1 and z0 <= met[1] < z1:
                return target.target_id
    return None


def _within(target: Target, guest: Guest) -> bool:
    return target.ground is None or contains(target.ground, (guest.x_m, guest.y_m))


def probabilities(person: Person) -> dict[str, float] | None:
    """What the gateway takes each target's probability to be, in this picture; None of no face."""
    belief = person.belief
    if belief is None or belief.at_ms != person.seen_at_ms:
        return None
    return {name: belief.odds[name] for name in person.stays if name in belief.odds}
