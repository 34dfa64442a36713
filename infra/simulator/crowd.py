"""A crowd in an aisle, to measure by: who is where and looks at what, at any time. Pure.

Layout, seed, start and density decide everything, and any time can be asked for in any order:
parties come as a Poisson process, minute by minute, each minute with a generator of its own.
People do not make way for each other: they cross, stand close and hide each other.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from infra.simulator.aisle import LANES_M, Aisle, Goal, aisle_of
from infra.simulator.guest import Guest
from infra.simulator.people import Person
from infra.simulator.plan import Looks, Manner, Stop, Way, route_of
from infra.simulator.population import DENSITIES, Density, DensityName, Shares, Traits, traits_of
from streams.contracts.layout import Point, StoreLayout
from vision.core.geometry import contains

#: Parties are drawn minute by minute, staff by 20 minutes.
_BLOCK_MS = 60_000
_STAFF_BLOCK_MS = 1_200_000

#: Nobody stays longer: what a block plans is over this long after its end.
_LONGEST_MS = 300_000
_LONGEST_STAFF_MS = 1_200_000

#: How far from the shelf people stop, in metres; children and wheelchairs are lost below the
#: picture's edge when nearer than the second figure.
_STOP_M = (0.8, 3.2)
_LOW_STOP_M = 1.1

#: Stops of shoppers: how many, and how long (median, spread of the logarithm, bounds).
_STOPS = (1, 4)
_STOP_MS, _STOP_SPREAD, _STOP_BOUNDS_MS = 9_000.0, 0.7, (2_500, 60_000)

#: Staff restock for so long, close to the shelf.
_RESTOCK_MS = (300_000, 480_000)
_RESTOCK_M = (0.95, 1.2)

#: Which part of the shoppers comes, and goes, by a door, where there is one.
_BY_DOOR = 0.35

#: Companions walk so far apart, along and across the aisle, in metres.
_BESIDE_M = ((0.45, 0.8), (-0.35, 0.35))


class Crowd:
    """The people of one area. After `duration_ms` nobody comes in; None goes on for ever.

    Arguments:
        density: a name, or how many people come a minute.
        shares, manner: who comes, and how they look.

    Raises StageError when the layout gives nobody anything to do.
    """

    def __init__(
        self,
        layout: StoreLayout,
        seed: int,
        start_ms: int,
        density: DensityName | Density = "normal",
        *,
        area_id: str | None = None,
        duration_ms: int | None = None,
        shares: Shares | None = None,
        manner: Manner | None = None,
    ) -> None:
        self.aisle: Aisle = aisle_of(layout, area_id)
        self.seed, self.start_ms = seed, start_ms
        self.density = density if isinstance(density, Density) else DENSITIES[density]
        self.shares = Shares() if shares is None else shares
        self._duration_ms = duration_ms
        self.manner = Manner() if manner is None else manner
        self._block = lru_cache(maxsize=16)(self._shoppers)
        self._staff_block = lru_cache(maxsize=4)(self._staff)

    def people(self, at_ms: int) -> list[Person]:
        """Who is there at a time, in the order of coming in."""
        return [guest.person(at_ms) for guest in self.present(at_ms)]

    def present(self, at_ms: int) -> list[Guest]:
        """The visits that are going on at a time, in the order of coming in."""
        found = [g for g in self._near(at_ms, at_ms) if g.enter_ms <= at_ms < g.leave_ms]
        return sorted(found, key=lambda guest: (guest.enter_ms, guest.person_id))

    def guests(self, from_ms: int, to_ms: int) -> Iterator[Guest]:
        """The visits that overlap a stretch of time, staff and shoppers each in turn."""
        for guest in self._near(from_ms, to_ms):
            if guest.enter_ms < to_ms and guest.leave_ms > from_ms:
                yield guest

    def next_enter_ms(self, at_ms: int, within_ms: int) -> int | None:
        """When the next person comes in after `at_ms`, if within a time."""
        coming = (g.enter_ms for g in self._near(at_ms, at_ms + within_ms) if g.enter_ms > at_ms)
        return min((when for when in coming if when <= at_ms + within_ms), default=None)

    def _near(self, from_ms: int, to_ms: int) -> Iterator[Guest]:
        """All who may be there within a stretch of time."""
        begin, end = from_ms - self.start_ms, to_ms - self.start_ms
        first = (begin - _LONGEST_STAFF_MS) // _STAFF_BLOCK_MS
        for number in range(max(0, first), end // _STAFF_BLOCK_MS + 1):
            yield from self._staff_block(number)
        first = (begin - _LONGEST_MS) // _BLOCK_MS
        for number in range(max(0, first), end // _BLOCK_MS + 1):
            yield from self._block(number)

    def _shoppers(self, block: int) -> tuple[Guest, ...]:
        """Those who come in within one minute."""
        rng = np.random.default_rng([self.seed, 0, block])
        parties = int(rng.poisson(self.density.people_per_min / self.shares.party_size))
        offsets = sorted(int(offset) for offset in rng.integers(0, _BLOCK_MS, parties))
        found: list[Guest] = []
        for number, offset in enumerate(offsets):
            if not self._ended(block * _BLOCK_MS + offset):
                enter_ms = self.start_ms + block * _BLOCK_MS + offset
                found.extend(self._party(f"{block}-{number}", enter_ms, [0, block, number]))
        return tuple(found)

    def _staff(self, block: int) -> tuple[Guest, ...]:
        """Who restocks within 20 minutes."""
        rng = np.random.default_rng([self.seed, 1, block])
        if rng.random() >= self.shares.staff:
            return ()
        offset = int(rng.integers(0, _STAFF_BLOCK_MS // 2))
        if self._ended(block * _STAFF_BLOCK_MS + offset):
            return ()
        enter_ms = self.start_ms + block * _STAFF_BLOCK_MS + offset
        traits = self._traits(rng, staff=True)
        zone = self._choice(rng, self.aisle.zones)
        stop = Stop(
            self._stand(rng, zone, _RESTOCK_M, traits),
            zone,
            int(rng.integers(*_RESTOCK_MS)),
        )
        door = self._staff_door(rng)
        start, end = door or self._end(rng), door or self._end(rng)
        name = f"staff-{block}"
        way = Way(start, (stop,), end)
        return (self._guest(name, name, 1, way, (0.0, 0.0), enter_ms, traits, [1, block]),)

    def _ended(self, offset_ms: int) -> bool:
        return self._duration_ms is not None and offset_ms >= self._duration_ms

    def _party(self, name: str, enter_ms: int, key: list[int]) -> Iterator[Guest]:
        rng = np.random.default_rng([self.seed, *key, 0])
        draw, shares = float(rng.random()), self.shares
        size = 1 if draw < shares.alone else 2 if draw < shares.alone + shares.pairs else 3
        traits = [self._traits(rng, companion=n > 0) for n in range(size)]
        slowest = min(traits, key=lambda each: each.walk_m_per_s)
        lowest = min(traits, key=lambda each: each.height_m)
        way = self._passing(rng) if rng.random() < shares.passing else self._shopping(rng, lowest)
        shift, side = (0.0, 0.0), 1.0 if rng.random() < 0.5 else -1.0
        for number in range(size):
            person_id = f"guest-{name}" if size == 1 else f"guest-{name}-{number}"
            pace = _at_pace(traits[number], slowest.walk_m_per_s)
            yield self._guest(
                person_id, f"party-{name}", size, way, shift, enter_ms, pace, [*key, 1], number
            )
            beside, across = (float(rng.uniform(*bounds)) for bounds in _BESIDE_M)
            shift = (shift[0] + side * beside, across)

    def _traits(
        self, rng: np.random.Generator, *, companion: bool = False, staff: bool = False
    ) -> Traits:
        alone = self.manner.heads_alone
        return traits_of(rng, self.shares, companion=companion, staff=staff, heads_alone=alone)

    def _guest(
        self,
        name: str,
        party: str,
        size: int,
        way: Way,
        shift: Point,
        enter_ms: int,
        traits: Traits,
        key: list[int],
        number: int = 0,
    ) -> Guest:
        """One person on a way, which companions share: they draw it from the same key."""
        rng = np.random.default_rng([self.seed, *key])
        route, leave_ms, stops = route_of(way, shift, enter_ms, traits.walk_m_per_s, rng)
        own = np.random.default_rng([self.seed, *key, 2, number])
        rests = Looks(self.aisle, route, traits, self.manner, own).over(route.walks, stops)
        return Guest(
            person_id=name,
            party_id=party,
            party_size=size,
            passing=not way.stops,
            density=self.density.name,
            enter_ms=enter_ms,
            leave_ms=leave_ms,
            traits=traits,
            route=route,
            rests=rests,
        )

    def _passing(self, rng: np.random.Generator) -> Way:
        left, right = self.aisle.ends
        start, end = (left, right) if rng.random() < 0.5 else (right, left)
        lanes = rng.uniform(*LANES_M, 2)
        return Way((start, float(lanes[0])), (), (end, float(lanes[1])))

    def _shopping(self, rng: np.random.Generator, lowest: Traits) -> Way:
        stops: list[Stop] = []
        for _ in range(int(rng.integers(*_STOPS))):
            zone = self._choice(rng, self.aisle.zones)
            long = rng.lognormal(math.log(_STOP_MS), _STOP_SPREAD)
            place = self._stand(rng, zone, _STOP_M, lowest)
            stops.append(Stop(place, zone, int(np.clip(long, *_STOP_BOUNDS_MS))))
        start, inwards = self._entry(rng)
        end, back = self._entry(rng)
        outwards = None if back is None else (-back[0], -back[1])
        return Way(start, tuple(stops), end, inwards, outwards)

    def _stand(self, rng: np.random.Generator, zone: Goal, depths: Point, lowest: Traits) -> Point:
        """Somewhere before a zone, where a camera sees the head."""
        x, _, _ = zone.middle
        nearest = depths[0] if lowest.kind == "adult" else max(depths[0], _LOW_STOP_M)
        place = (x, 2.0)
        for attempt in range(40):
            y = float(rng.uniform(nearest, max(depths[1], nearest + 0.1)))
            # The outer zones of a shelf are seen from beside them alone: look further and further.
            place = (x + float(rng.normal(0.0, 0.25 + 0.02 * attempt)), y)
            if self.aisle.sees((*place, lowest.height_m)):
                break
        return place

    def _entry(self, rng: np.random.Generator) -> tuple[Point, Point | None]:
        """Where one comes from or goes to, and the way in through a door."""
        if self.aisle.lines and rng.random() < _BY_DOOR:
            line = self.aisle.lines[int(rng.integers(len(self.aisle.lines)))]
            return self.aisle.door(line, float(rng.uniform(0.3, 0.7)))
        return self._end(rng), None

    def _end(self, rng: np.random.Generator) -> Point:
        return self.aisle.ends[int(rng.integers(2))], float(rng.uniform(*LANES_M))

    def _staff_door(self, rng: np.random.Generator) -> Point | None:
        """Somewhere in a staff area, where there is one, and half of the times."""
        if not self.aisle.staff_floors or rng.random() < 0.5:
            return None
        floor = self.aisle.staff_floors[int(rng.integers(len(self.aisle.staff_floors)))]
        xs, ys = [x for x, _ in floor], [y for _, y in floor]
        middle = (sum(xs) / len(xs), sum(ys) / len(ys))
        return middle if contains(floor, middle) else floor[0]

    @staticmethod
    def _choice(rng: np.random.Generator, goals: tuple[Goal, ...]) -> Goal:
        return goals[int(rng.integers(len(goals)))]


def _at_pace(traits: Traits, walk_m_per_s: float) -> Traits:
    """The same person at the pace of the slowest of the party."""
    return replace(traits, walk_m_per_s=walk_m_per_s)
