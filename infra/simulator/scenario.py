"""The simulated store's script: who is where and looks at what, at any time, and the truth of it.

Pure: layout, seed and start decide everything, and any time can be asked for in any order.
Shoppers come one after the other, each with a plan made from the seed and the shopper's number.
"""

from functools import lru_cache

import numpy as np

from infra.simulator.people import EYES_BELOW_TOP_M, Person, angles_towards
from infra.simulator.stage import PASS_M, STAND_M, Stage, Target, stage_of
from infra.simulator.visit import Look, Stay, Visit, Walk, stays_in
from streams.contracts.layout import StoreLayout

#: A shopper comes in every 14 s and stays less than twice that: one or two at a time.
VISIT_EVERY_MS = 14_000

_WALK_M_PER_S = 1.15

#: A head turns in 300 to 400 ms (saccade and head together, for 20 to 60 degrees).
_TURN_MS = (300, 400)

#: Glances at a target, and looks along the aisle at nothing, in ms.
_GLANCE_MS = (1_500, 2_900)
_ASIDE_MS = (700, 1_300)

#: Heads while walking and while looking at nothing: along the aisle, past the shelf.
_AHEAD_DEG = 75.0
_ASIDE_DEG = 70.0
_AHEAD_PITCH_DEG = -8.0

#: Who has stood at a zone for this long goes on after the look that is being taken.
_STAND_MS = 4_500

#: The restless shopper looks at the next zone every 3.4 s: as often as a screen may follow, whose
#: minimum display is 3 s. Its way there takes almost half of that.
_RESTLESS_GLANCE_MS = (2_300, 2_600)
#: Then another one comes: who stayed for longer would be taken for staff (15 min).
_RESTLESS_EVERY_MS = 600_000


class Scenario:
    """The script of one area. `duration_ms` None goes on for ever; after it nobody comes in.
    With `restless` there is one shopper at a time, who goes to and fro before the zones.

    Raises StageError when the layout gives shoppers nothing to do.
    """

    def __init__(
        self,
        layout: StoreLayout,
        seed: int,
        start_ms: int,
        duration_ms: int | None = None,
        area_id: str | None = None,
        *,
        restless: bool = False,
    ) -> None:
        self.stage = stage_of(layout, area_id)
        self.seed = seed
        self._restless = restless
        self.every_ms = _RESTLESS_EVERY_MS if restless else VISIT_EVERY_MS
        self.start_ms = start_ms
        self._duration_ms = duration_ms
        self._planned = lru_cache(maxsize=16)(self._plan)

    def people(self, at_ms: int) -> list[Person]:
        """Who is in the aisle at a time, in the order of coming in."""
        return [visit.person(at_ms) for visit in self.present(at_ms)]

    def present(self, at_ms: int) -> list[Visit]:
        """The visits that are going on at a time."""
        newest = (at_ms - self.start_ms) // self.every_ms
        near = (self.visit(n) for n in range(newest - 1, newest + 1))
        return [v for v in near if v is not None and v.enter_ms <= at_ms < v.leave_ms]

    def visit(self, number: int) -> Visit | None:
        """The visit of that number, 0 being the first; None before it and after the last."""
        offset_ms = number * self.every_ms
        if number < 0 or (self._duration_ms is not None and offset_ms >= self._duration_ms):
            return None
        return self._planned(number)

    def stays(self, visit: Visit) -> tuple[Stay, ...]:
        """When the shopper is within which zone's floor, in the order of their ends."""
        return stays_in(self.stage.floors, visit.place, visit.enter_ms, visit.leave_ms)

    def _first_zone(self, number: int) -> int:
        """Where a shopper stops first; the one before must be elsewhere by then."""
        return int(np.random.default_rng([self.seed, number, 1]).integers(len(self.stage.zones)))

    def _plan(self, number: int) -> Visit:
        rng = np.random.default_rng([self.seed, number])
        enter_ms = self.start_ms + number * self.every_ms
        first, following = self._first_zone(number), self._first_zone(number + 1)
        others = [i for i in range(len(self.stage.zones)) if i not in (first, following)]
        second = int(rng.choice(others)) if others else first
        height_m = float(np.clip(rng.normal(1.7, 0.06), 1.58, 1.84))
        plan = _Plan(self.stage, rng, enter_ms, height_m, side=int(rng.choice((-1, 1))))
        if self._restless:
            plan.look_about(_RESTLESS_EVERY_MS)
        else:
            plan.stop(self.stage.zones[first])
            if second != first:
                plan.stop(self.stage.zones[second])
        plan.leave(side=int(rng.choice((-1, 1))))
        return Visit(
            person_id=f"shopper-{number}",
            enter_ms=enter_ms,
            leave_ms=plan.now_ms,
            height_m=height_m,
            appearance=self.seed + 5 * number,
            walks=tuple(plan.walks),
            looks=tuple(plan.looks),
        )


class _Plan:
    """A visit in the making: a clock that runs through walks, stops and looks."""

    def __init__(
        self, stage: Stage, rng: np.random.Generator, enter_ms: int, height_m: float, side: int
    ) -> None:
        self._stage, self._rng = stage, rng
        self._eyes_m = height_m - EYES_BELOW_TOP_M
        self._place = (stage.door_x(side), PASS_M)
        self.now_ms = enter_ms
        self.walks: list[Walk] = []
        self.looks: list[Look] = []

    def stop(self, zone: Target) -> None:
        """Walk up to a zone and look about: at it first, then at something else, at it again."""
        y = float(self._rng.uniform(*STAND_M))
        x = self._stage.stand_x(zone, y) + float(self._rng.uniform(-0.06, 0.06))
        self._walk((x, y))
        arrived_ms = self.now_ms
        self._glance(zone)
        while self.now_ms - arrived_ms < _STAND_MS:
            draw = float(self._rng.random())
            if draw < 0.25 and self._stage.screens:
                self._glance(self._pick(self._stage.screens))
            elif draw < 0.5:
                self._glance(self._pick(self._stage.zones))
            else:
                self._aside()
                self._glance(zone)
        self.walks.append(Walk(arrived_ms, self.now_ms, self._place, self._place))

    def look_about(self, for_ms: int) -> None:
        """Go from zone to zone and back, and look at each from where it is seen best."""
        zones = self._stage.zones
        rounds = [*zones, *reversed(zones[1:-1])]
        y, began_ms, number = sum(STAND_M) / 2, self.now_ms, 0
        while self.now_ms - began_ms < for_ms:
            zone = rounds[number % len(rounds)]
            self._walk((self._stage.stand_x(zone, y), y))
            arrived_ms = self.now_ms
            self._glance(zone, _RESTLESS_GLANCE_MS)
            self.walks.append(Walk(arrived_ms, self.now_ms, self._place, self._place))
            number += 1

    def leave(self, side: int) -> None:
        """Walk out of sight."""
        self._walk((self._stage.door_x(side), PASS_M))

    def _pick(self, targets: tuple[Target, ...]) -> Target:
        return targets[int(self._rng.integers(len(targets)))]

    def _walk(self, end: tuple[float, float]) -> None:
        length = float(np.hypot(end[0] - self._place[0], end[1] - self._place[1]))
        took_ms = max(600, round(1_000 * length / _WALK_M_PER_S))
        heading = 1.0 if end[0] > self._place[0] else -1.0
        turned_ms = self.now_ms + (self._turn_ms() if self.looks else 0)
        self.walks.append(Walk(self.now_ms, self.now_ms + took_ms, self._place, end))
        self.now_ms += took_ms
        self.looks.append(
            Look(turned_ms, self.now_ms, heading * _AHEAD_DEG, _AHEAD_PITCH_DEG, None)
        )
        self._place = end

    def _turn_ms(self) -> int:
        return int(self._rng.integers(*_TURN_MS))

    def _glance(self, target: Target, for_ms: tuple[int, int] = _GLANCE_MS) -> None:
        if self.looks[-1].target_id == target.target_id:
            self._aside()  # two glances at one target are two only if something lies between
        x0, z0, x1, z1 = target.face
        spread = self._rng.normal(0.0, 0.1, 2).clip(-0.25, 0.25)
        aim = (
            (x0 + x1) / 2 + float(spread[0]) * (x1 - x0),
            0.0,
            (z0 + z1) / 2 + float(spread[1]) * (z1 - z0),
        )
        yaw, pitch = angles_towards(*self._place, self._eyes_m, aim)
        self._look(target.target_id, yaw, pitch, int(self._rng.integers(*for_ms)))

    def _aside(self) -> None:
        """Look along the aisle, away from the camera."""
        outwards = self._place[0] - self._stage.pose.position_m[0]
        sign = 1.0 if outwards > 0 else -1.0
        self._look(None, sign * _ASIDE_DEG, _AHEAD_PITCH_DEG, int(self._rng.integers(*_ASIDE_MS)))

    def _look(self, target_id: str | None, yaw: float, pitch: float, for_ms: int) -> None:
        """Turn there and stay so for a while."""
        from_ms = self.now_ms + self._turn_ms()
        self.now_ms = from_ms + for_ms
        self.looks.append(Look(from_ms, self.now_ms, yaw, pitch, target_id))
