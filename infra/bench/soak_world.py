"""A bay of the long run: its people, its truth, and the detections that its camera would give.

The world hands out pictures of one colour, which is their number; the detector that is asked about
such a picture answers from the simulated store. Everything between is the gateway's own.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from infra.simulator.aisle import Goal
from infra.simulator.crowd import Crowd
from infra.simulator.guest import Guest
from infra.simulator.metrics import MetricRules, ShopperTarget, shopper_metrics
from infra.simulator.people import Person, angles_towards
from infra.simulator.plan import Manner
from infra.simulator.population import Density, Shares
from infra.simulator.sensing import Noise, detections
from infra.simulator.truth import TrueCrossing, TrueGaze, TrueStay, TrueVisit
from infra.simulator.visit import Walk
from infra.simulator.witness import guest_truth
from streams.contracts.layout import Point, StoreLayout
from vision.core.geometry import camera_model, contains
from vision.errors import DetectorError
from vision.ports import Detections, DetectorInfo, Frame, Image

#: The size that pictures claim to have; not a pixel of one is stored.
_SIZE_PX = (1280, 720)

#: The full rate goes on for so long after the last person, as the gateway's own does.
_AWAKE_MS = 2_000

#: Nobody comes in any more for so long before the end: every visit is seen to its end.
_LAST_MS = 360_000

#: A visit is clear when none of these changes what is counted: standing so far aside (m), a stay
#: longer or shorter by so much, a gaze longer or shorter by so much (ms).
_ASIDES: tuple[Point, ...] = ((0.0, 0.0), (0.15, 0.0), (-0.15, 0.0), (0.0, 0.15), (0.0, -0.15))
_STAY_SLACK_MS = 700
_GAZE_SLACK_MS = 500

#: Nor is one whose head points at a target, or this far beside it, for this long without looking.
_BESIDE_DEG = 18.0
_STARE_MS, _STARE_STEP_MS = 400, 100


@dataclass(frozen=True, slots=True)
class Counts:
    """What a long run counts: people with a presence, dwells, gazes and crossings that ended."""

    people: int = 0
    presences: int = 0
    stays: int = 0
    gazes: int = 0
    crossings: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.people + other.people,
            self.presences + other.presences,
            self.stays + other.stays,
            self.gazes + other.gazes,
            self.crossings + other.crossings,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How a bay is simulated. `lone`: nobody comes in while somebody is there; `fps` while somebody
    is there, `idle_fps` else."""

    seed: int
    start_ms: int
    hours: float
    people_per_min: float
    fps: float
    idle_fps: float
    noise: Noise
    lone: bool

    @property
    def end_ms(self) -> int:
        """When the last picture is taken."""
        return self.start_ms + round(self.hours * 3_600_000)


def bay(layout: StoreLayout, number: int) -> StoreLayout:
    """The layout of one area, its ids made distinct."""
    name = f"bay-{number}"
    put = msgspec.structs.replace
    return put(
        layout,
        areas=tuple(put(area, area_id=name) for area in layout.areas),
        zones=tuple(put(z, area_id=name, zone_id=f"{name}-{z.zone_id}") for z in layout.zones),
        screens=tuple(
            put(s, area_id=name, screen_id=f"{name}-{s.screen_id}") for s in layout.screens
        ),
        cameras=tuple(
            put(c, area_id=name, camera_id=f"{name}-{c.camera_id}") for c in layout.cameras
        ),
        lines=tuple(put(c, area_id=name, line_id=f"{name}-{c.line_id}") for c in layout.lines),
    )


class BayWorld:
    """One bay at the time that its source has reached. Times may only go forwards."""

    def __init__(self, layout: StoreLayout, rules: dict[str, MetricRules], plan: Plan) -> None:
        self._plan, self._rules = plan, rules
        self._crowd = Crowd(
            layout,
            plan.seed,
            plan.start_ms,
            Density("soak", plan.people_per_min),
            duration_ms=plan.end_ms - plan.start_ms - _LAST_MS,
            shares=Shares(alone=1.0, pairs=0.0, staff=0.0),
            manner=Manner(centrally=True, shortest_ms=1_600, down=0.0, heads_alone=True),
        )
        pose = layout.cameras[0].pose
        if pose is None:
            raise ValueError("the camera of a bay has a pose")
        self._camera = camera_model(pose, *_SIZE_PX)
        self._rng = np.random.default_rng([plan.seed, 7])
        self._coming = self._guests()
        self._next = next(self._coming, None)
        self._there: list[Guest] = []
        self._pictures: dict[int, list[Person]] = {}
        self._free_ms = plan.start_ms
        self.truth = Counts()
        self.unclear = 0
        self.at_ms = plan.start_ms

    def people(self, at_ms: int) -> list[Person]:
        """Who is there."""
        self._there = [guest for guest in self._there if guest.leave_ms > at_ms]
        while self._next is not None and self._next.enter_ms <= at_ms:
            self._come(self._next)
            self._next = next(self._coming, None)
        self.at_ms = at_ms
        return [guest.person(at_ms) for guest in self._there if guest.leave_ms > at_ms]

    @property
    def next_ms(self) -> int:
        """When the next one may come in; the plan's end if nobody does."""
        return self._plan.end_ms if self._next is None else self._next.enter_ms

    def take(self, index: int, people: list[Person]) -> Image:
        """A picture of one colour, by which its detections are found."""
        self._pictures[index] = people
        colour = np.array([index & 255, index >> 8 & 255, index >> 16 & 255], np.uint8)
        return np.broadcast_to(colour, (_SIZE_PX[1], _SIZE_PX[0], 3))

    def detections(self, image: Image) -> Detections:
        """What the detector answers of a picture, once."""
        blue, green, red = (int(part) for part in image[0, 0])
        people = self._pictures.pop(blue | green << 8 | red << 16, None)
        if people is None:
            raise DetectorError("this picture was not taken in the simulated store, or asked twice")
        return detections(people, self._camera, self._plan.noise, self._rng)

    def _guests(self) -> Iterator[Guest]:
        """All who come, in the order of coming in."""
        minute = 60_000
        for begin in range(self._plan.start_ms, self._plan.end_ms, minute):
            within = self._crowd.guests(begin, begin + minute)
            coming = [g for g in within if begin <= g.enter_ms < begin + minute]
            yield from sorted(coming, key=lambda guest: guest.enter_ms)

    def _come(self, guest: Guest) -> None:
        """Let somebody in whose visit can be counted without a doubt."""
        if self._plan.lone and guest.enter_ms < self._free_ms:
            return
        counts = self._clear(guest)
        if counts is None:
            self.unclear += 1
            return
        self.truth += counts
        self._there.append(guest)
        # A tracker forgets the one before only after its gap window.
        self._free_ms = guest.leave_ms + _AWAKE_MS

    def _clear(self, guest: Guest) -> Counts | None:
        """What the visit counts; None where a small error would count something else."""
        found: set[tuple[object, ...]] = set()
        for aside in _ASIDES:
            values, crossings = self._values(_moved(guest, aside))
            if not all(self._is_clear(value) for value in values):
                return None
            counts = Counter(
                (value.target_id, kind)
                for value in values
                for kind, number in (("stay", len(value.stays)), ("gaze", len(value.gazes)))
                for _ in range(number)
            )
            found.add((tuple(sorted(counts.items())), tuple(crossings)))
        if len(found) != 1 or self._stares(guest):
            return None
        values, crossings = self._values(guest)
        return Counts(
            people=int(bool(values)),
            presences=sum(len(value.stays) for value in values),
            stays=sum(
                stay.dwell
                for value in values
                if value.target_kind == "zone"
                for stay in value.stays
            ),
            gazes=sum(len(value.gazes) for value in values),
            crossings=len(crossings),
        )

    def _stares(self, guest: Guest) -> bool:
        """Whether the head rests so that it seems to look at what it does not look at, for long
        enough to be a gaze. A look that is too short to be one counts in it: the head points
        there on its way to the target and back, too.
        """
        aisle, runs = self._crowd.aisle, Counter[str]()
        looked = Counter[str]()
        for at in range(guest.enter_ms, guest.leave_ms + _STARE_STEP_MS, _STARE_STEP_MS):
            place, person = guest.place(at), guest.person(min(at, guest.leave_ms - 1))
            inside = {name for name, floor in aisle.floors if contains(floor, place)}
            for goal in aisle.goals:
                name = goal.target_id
                looks = name in inside and person.target_id == name
                other = person.target_id in inside
                if looks or (name in inside and not other and _faces(person, goal)):
                    runs[name] += _STARE_STEP_MS
                    looked[name] += looks * _STARE_STEP_MS
                    continue
                if runs[name] > _STARE_MS and looked[name] < self._rules[name].fixation_ms:
                    return True
                runs[name] = looked[name] = 0
        return False

    def _values(self, guest: Guest) -> tuple[list[ShopperTarget], list[str]]:
        lines = list(guest_truth(self._crowd.aisle, guest, guest.leave_ms, opportunity=False))
        visit = next(line for line in lines if isinstance(line, TrueVisit))
        stays = [line for line in lines if isinstance(line, TrueStay)]
        gazes = [line for line in lines if isinstance(line, TrueGaze)]
        crossings = [line.direction for line in lines if isinstance(line, TrueCrossing)]
        return shopper_metrics(visit, stays, gazes, self._rules), list(crossings)

    def _is_clear(self, value: ShopperTarget) -> bool:
        """Whether no stay or gaze is near a threshold."""
        rules = self._rules[value.target_id]
        stays = [abs(stay.presence_ms - rules.min_dwell_ms) for stay in value.stays]
        short = [stay.presence_ms for stay in value.stays]
        gazes = [gaze.attention_ms - rules.fixation_ms for gaze in value.gazes]
        stay_gaps = [
            abs(after.entered_at_ms - before.left_at_ms - rules.gap_ms)
            for before, after in zip(value.stays, value.stays[1:], strict=False)
        ]
        gaze_gaps = [
            abs(after.started_at_ms - before.ended_at_ms - rules.gaze_gap_ms)
            for before, after in zip(value.gazes, value.gazes[1:], strict=False)
        ]
        dwells = stays if value.target_kind == "zone" else []
        return (
            all(off >= _STAY_SLACK_MS for off in (*dwells, *short, *stay_gaps))
            and all(off >= _GAZE_SLACK_MS for off in gazes)
            and all(off >= _GAZE_SLACK_MS for off in gaze_gaps)
        )


def _faces(person: Person, goal: Goal) -> bool:
    """Whether the head points at a target, or a little beside it."""
    if person.y_m <= 0:
        return False
    angles = [
        angles_towards(person.x_m, person.y_m, person.eyes_m, corner) for corner in goal.corners
    ]
    yaws, pitches = [yaw for yaw, _ in angles], [pitch for _, pitch in angles]
    across = min(yaws) - _BESIDE_DEG < person.head_yaw_deg < max(yaws) + _BESIDE_DEG
    return across and (
        min(pitches) - _BESIDE_DEG < person.head_pitch_deg < max(pitches) + _BESIDE_DEG
    )


def _moved(guest: Guest, by: Point) -> Guest:
    """The same visit a little aside."""
    route = guest.route
    walks = tuple(
        Walk(
            walk.from_ms,
            walk.to_ms,
            _plus(walk.start, by),
            _plus(walk.end, by),
            None if walk.bend is None else (_plus(walk.bend[0], by), _plus(walk.bend[1], by)),
        )
        for walk in route.walks
    )
    return replace(guest, route=replace(route, walks=walks))


def _plus(place: Point, by: Point) -> Point:
    return place[0] + by[0], place[1] + by[1]


class BaySource:
    """The pictures of a bay, as fast as they are taken: at the full rate while somebody is there,
    else at the idle one. A recording: every picture counts."""

    live = False

    def __init__(self, world: BayWorld, plan: Plan) -> None:
        self._world, self._plan = world, plan
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures, until the plan's end."""
        plan, at_ms, index, awake_ms = self._plan, self._plan.start_ms, 0, 0
        while at_ms < plan.end_ms and not self._closed:
            people = self._world.people(at_ms)
            if people:
                awake_ms = at_ms + _AWAKE_MS
            yield Frame(self._world.take(index, people), at_ms, index)
            full_ms = round(1000 / plan.fps)
            if at_ms < awake_ms:
                at_ms += full_ms
            else:
                # What stirs wakes a camera: the first picture of somebody is not missed.
                stirs_ms = self._world.next_ms - at_ms + full_ms
                at_ms += max(full_ms, min(round(1000 / plan.idle_fps), stirs_ms))
            index += 1

    async def close(self) -> None:
        """No more pictures."""
        self._closed = True


class BayDetector:
    """Answers from the simulated store."""

    def __init__(self, world: BayWorld) -> None:
        self._world = world

    async def detect(self, image: Image) -> Detections:
        """The people in a picture that the world has taken."""
        return self._world.detections(image)

    async def describe(self) -> DetectorInfo:
        """No network: the simulated store."""
        return DetectorInfo("simulated", "0" * 64)
