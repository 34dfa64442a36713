"""What an area's scene holds and tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vision.core import attention, crossing, dwell
from vision.core.join import Pair, Together
from vision.core.person import Person, PersonEvent, Surroundings
from vision.core.targets import Target


@dataclass(frozen=True, slots=True)
class GazeOutput:
    """A gaze began or ended. Of this and the others: `origin` is the camera that saw the person
    first, part of the ids of all that is told; `camera_id` the one that leads.
    """

    person_id: str
    target: Target
    event: attention.GazeEvent
    origin: str = ""
    camera_id: str = ""


@dataclass(frozen=True, slots=True)
class DwellOutput:
    """A dwell began or ended; StaffFound ends it too, as one that does not count."""

    person_id: str
    target: Target
    event: dwell.DwellBegan | dwell.StayOver | dwell.StaffFound
    origin: str = ""
    camera_id: str = ""


@dataclass(frozen=True, slots=True)
class PresenceOutput:
    """A presence ended; `opportunity_ms`, and whether the person was a watcher in it, are None
    where they cannot be measured.
    """

    person_id: str
    target: Target
    stay: dwell.Stay
    opportunity_ms: int | None
    origin: str = ""
    watched: bool | None = None


@dataclass(frozen=True, slots=True)
class CrossingOutput:
    """Somebody crossed a line at a door."""

    person_id: str
    event: crossing.Crossed
    origin: str
    camera_id: str


SceneOutput = GazeOutput | DwellOutput | PresenceOutput | CrossingOutput


@dataclass(frozen=True, slots=True)
class Counts:
    """What one camera's pictures brought: tracks that went on under another person's name, people
    taken for staff.
    """

    stitched: int = 0
    staff_excluded: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """The people of an area by their id; `cameras`: the time of each one's last picture.

    `pairs`: what speaks for two people being one; `strange`: for a person's body before a camera
    (person, camera) being somebody else's. `joined`: people found to be one so far.
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    cameras: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    pairs: Mapping[Pair, Together] = field(default_factory=dict)
    strange: Mapping[Pair, Together] = field(default_factory=dict)
    joined: int = 0

    @property
    def at_ms(self) -> int:
        """The time of the latest picture, -1 before the first."""
        return max(self.cameras.values(), default=-1)

    @property
    def stitched(self) -> int:
        """Of all cameras."""
        return sum(count.stitched for count in self.counts.values())

    @property
    def staff_excluded(self) -> int:
        """Of all cameras."""
        return sum(count.staff_excluded for count in self.counts.values())

    def seen_by(self, camera_id: str) -> dict[str, Person]:
        """Whom a camera sees, by its tracker's names."""
        return {
            person.bodies[camera_id].track_id: person
            for person in self.people.values()
            if camera_id in person.bodies
        }


def outputs_of(
    person: Person, event: PersonEvent, around: Surroundings, camera_id: str
) -> list[SceneOutput]:
    """What is told of an event of a person whom `camera_id` leads."""
    name, origin = person.person_id, person.origin
    if isinstance(event, crossing.Crossed):
        return [CrossingOutput(name, event, origin, camera_id)]
    if not isinstance(event, tuple):
        return [GazeOutput(name, around.known[event.look.target_id], event, origin, camera_id)]
    target, told = around.known[event[0]], event[1]
    if isinstance(told, dwell.DwellBegan):
        return [DwellOutput(name, target, told, origin, camera_id)]
    if isinstance(told, dwell.StaffFound):
        return [DwellOutput(name, target, told, origin, camera_id)] if told.stay.dwelling else []
    outputs: list[SceneOutput] = []
    stay = told.stay
    if stay.dwelling and not stay.staff:
        outputs.append(DwellOutput(name, target, told, origin, camera_id))
    opportunity_ms, watched = None, None
    if stay.measured:
        opportunity_ms = 0 if stay.staff else stay.opportunity_ms
        looked_ms = person.watched.get(target.target_id, -1)
        watched = not stay.staff and looked_ms >= stay.entered_at_ms
    return [*outputs, PresenceOutput(name, target, stay, opportunity_ms, origin, watched)]
