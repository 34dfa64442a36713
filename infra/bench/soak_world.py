"""A bay of the long run: its people, its truth, and the detections that its camera would give.

The world hands out pictures of one colour, which is their number; the detector that is asked about
such a picture answers from the simulated store. Everything between is the gateway's own.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from infra.bench.soak_doubts import Counts, clear_counts
from infra.simulator.crowd import Crowd
from infra.simulator.guest import Guest
from infra.simulator.metrics import MetricRules
from infra.simulator.people import Person
from infra.simulator.plan import Manner
from infra.simulator.population import Density, Shares
from infra.simulator.sensing import Noise, detections
from streams.contracts.layout import StoreLayout
from vision.core.geometry import camera_model
from vision.errors import DetectorError
from vision.ports import Detections, DetectorInfo, Frame, Image

#: The size that pictures claim to have; not a pixel of one is stored.
_SIZE_PX = (1280, 720)

#: The full rate goes on for so long after the last person, as the gateway's own does.
_AWAKE_MS = 2_000

#: Nobody comes in any more for so long before the end: every visit is seen to its end.
_LAST_MS = 360_000


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
        counts = clear_counts(self._crowd.aisle, self._rules, guest)
        if counts is None:
            self.unclear += 1
            return
        self.truth += counts
        self._there.append(guest)
        # A tracker forgets the one before only after its gap window.
        self._free_ms = guest.leave_ms + _AWAKE_MS


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
