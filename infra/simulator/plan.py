"""Makes one person's plan: first the way through the aisle, then what is looked at on it. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from infra.simulator.aisle import Aisle, Goal
from infra.simulator.eyes import EYES_REACH_DEG, HEADS_ALONE, landing_ms, turn_ms, wrapped
from infra.simulator.guest import Rest, Route, settled
from infra.simulator.people import EYES_BELOW_TOP_M, angles_towards
from infra.simulator.population import Traits
from infra.simulator.visit import Walk
from streams.contracts.layout import Point
from vision.core.geometry import Vector

#: Durations of single rests of the eyes on a target: median, spread (of the logarithm), longest.
_REST_MS, _REST_SPREAD, _LONGEST_REST_MS = 1_200.0, 0.6, 6_000

#: Looks at nothing that the layout knows: along the aisle, at a list or a telephone.
_ASIDE_MS = (500, 1_800)

#: Somebody who walks glances at the shelf or a screen after this long, on average.
_WALK_GLANCE_MS = 2_500.0

#: What is looked at during a stop: the zone itself, another, a screen; else nothing.
_OWN, _OTHER, _SCREEN = 0.55, 0.15, 0.12

#: A look aside that is cut shorter than this by the end of a stop is not begun.
_SHORTEST_MS = 200

#: Heads droop a little while walking.
_AHEAD_PITCH_DEG = -8.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Where one stops, before which zone, and for how long."""

    place: Point
    zone: Goal
    for_ms: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way through the aisle. `inwards` and `outwards`: the way one walks in and out through a
    door, None at the ends of the aisle."""

    start: Point
    stops: tuple[Stop, ...]
    end: Point
    inwards: Point | None = None
    outwards: Point | None = None


def route_of(
    way: Way, shift: Point, enter_ms: int, walk_m_per_s: float, rng: np.random.Generator
) -> tuple[Route, int, tuple[Stop | None, ...]]:
    """The route along a way, moved aside by `shift`, its end, and the stop at each of its walks.

    Companions of a party give the same generator state and pace, and so walk side by side.
    """
    walks: list[Walk] = []
    facings: list[float] = []
    stops: list[Stop | None] = []
    now, here = enter_ms, _moved(way.start, shift)
    places = [*((stop.place, stop) for stop in way.stops), (way.end, None)]
    for number, (place, stop) in enumerate(places):
        there = _moved(place, shift)
        leaves = way.inwards if number == 0 else None
        arrives = way.outwards if stop is None else None
        bend = _bend(here, there, leaves, arrives, rng)
        took = max(600, round(1_000 * math.dist(here, there) / walk_m_per_s))
        walks.append(Walk(now, now + took, here, there, bend))
        facings.append(0.0)
        stops.append(None)
        now, here = now + took, there
        if stop is not None:
            walks.append(Walk(now, now + stop.for_ms, here, here))
            x, _, _ = stop.zone.middle
            towards = math.degrees(math.atan2(x - here[0], here[1]))
            facings.append(towards + float(rng.normal(0.0, 8.0)))
            stops.append(stop)
            now += stop.for_ms
    return Route(tuple(walks), tuple(facings)), now, tuple(stops)


def _moved(place: Point, by: Point) -> Point:
    return place[0] + by[0], place[1] + by[1]


def _bend(
    start: Point,
    end: Point,
    leaves: Point | None,
    arrives: Point | None,
    rng: np.random.Generator,
) -> tuple[Point, Point]:
    """Control points of a smooth way: along the aisle, or straight through a door."""
    across = (end[0] - start[0]) / 3
    sway = rng.uniform(-0.15, 0.15, 2)
    first = (start[0] + across, start[1] + float(sway[0]))
    last = (end[0] - across, end[1] + float(sway[1]))
    far = math.dist(start, end) / 3
    if leaves is not None:
        first = (start[0] + far * leaves[0], start[1] + far * leaves[1])
        last = _between(first, end)
    if arrives is not None:
        last = (end[0] - far * arrives[0], end[1] - far * arrives[1])
        first = _between(start, last) if leaves is None else first
    return first, last


def _between(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


@dataclass(frozen=True, slots=True)
class Manner:
    """How people look: anywhere on a target, each place alike, or `centrally`; no target is looked
    at for less than `shortest_ms`; `down`: which part of the looks aside goes down to a list or a
    telephone. `heads_alone`: eyes do not leave the head's direction, and no
    gaze begins before the head has turned; for exact tests, never for figures.
    """

    centrally: bool = False
    shortest_ms: int = 250
    down: float = 0.4
    heads_alone: bool = False

    def aim(self, goal: Goal, rng: np.random.Generator) -> Vector:
        """One place on a target."""
        if self.centrally:
            return goal.middle
        across, down = rng.random(2)
        return goal.aim(float(across), float(down))


class Looks:
    """What one person looks at, rest by rest."""

    def __init__(
        self, aisle: Aisle, route: Route, traits: Traits, manner: Manner, rng: np.random.Generator
    ) -> None:
        self._aisle, self._route, self._traits = aisle, route, traits
        self._manner, self._rng = manner, rng
        self._eyes_m = traits.height_m - EYES_BELOW_TOP_M
        self.rests: list[Rest] = []

    def over(self, walks: Sequence[Walk], stops: Sequence[Stop | None]) -> tuple[Rest, ...]:
        """All rests of a visit."""
        began_ms = walks[0].from_ms
        self.rests = [replace(_ahead(began_ms), to_ms=began_ms + 400)]
        for walk, stop in zip(walks, stops, strict=True):
            if stop is None:
                self._walking(walk.to_ms)
            else:
                self._stopping(stop.zone, walk.to_ms)
        return tuple(self.rests)

    @property
    def _now(self) -> int:
        return self.rests[-1].to_ms

    def _walking(self, until_ms: int) -> None:
        while self._now < until_ms:
            ahead_ms = int(self._rng.exponential(_WALK_GLANCE_MS))
            self._shift(_ahead(self._now), ahead_ms, until_ms)
            if not self._glance(self._pick(self._aisle.goals), until_ms):
                self._linger(min(until_ms, self._now + 300))

    def _stopping(self, zone: Goal, until_ms: int) -> None:
        while self._now < until_ms:
            draw = float(self._rng.random())
            goal: Goal | None = None
            if draw < _OWN:
                goal = zone
            elif draw < _OWN + _OTHER:
                goal = self._pick(self._aisle.zones)
            elif draw < _OWN + _OTHER + _SCREEN and self._aisle.screens:
                goal = self._pick(self._aisle.screens)
            if (goal is None or not self._glance(goal, until_ms)) and not self._aside(until_ms):
                self._linger(until_ms)

    def _aside(self, until_ms: int) -> bool:
        """Look along the aisle, or down at what one holds."""
        sign = 1.0 if self._rng.random() < 0.5 else -1.0
        down = bool(self._rng.random() < self._manner.down)
        yaw = sign * float(self._rng.uniform(5, 20) if down else self._rng.uniform(55, 80))
        pitch = float(self._rng.uniform(-45, -30) if down else self._rng.uniform(-12, 2))
        rest = Rest(self._now, 0, 0, 0, yaw_deg=yaw, pitch_deg=pitch)
        return self._shift(rest, int(self._rng.integers(*_ASIDE_MS)), until_ms)

    def _glance(self, goal: Goal, until_ms: int) -> bool:
        """Look at a target; False where it cannot be done, or not any more."""
        aim = self._manner.aim(goal, self._rng)
        long = self._rng.lognormal(math.log(_REST_MS), _REST_SPREAD)
        for_ms = int(np.clip(long, self._manner.shortest_ms, _LONGEST_REST_MS))
        return self._shift(Rest(self._now, 0, 0, 0, aim, goal.target_id), for_ms, until_ms)

    def _shift(self, rest: Rest, for_ms: int, until_ms: int) -> bool:
        """Shift the gaze to a rest, whose times are filled in, if it can be held."""
        rest = self._timed(rest)
        to_ms = min(rest.from_ms + for_ms, until_ms)
        while not self._holds(rest, to_ms):
            to_ms -= 200  # while walking, a target falls behind
            if to_ms <= rest.from_ms:
                return False
        shortest_ms = _SHORTEST_MS if rest.aim is None else self._manner.shortest_ms
        if to_ms - rest.from_ms < shortest_ms or not self._holds(rest, rest.from_ms):
            return False
        self.rests.append(replace(rest, to_ms=to_ms, turned_ms=min(rest.turned_ms, to_ms)))
        return True

    def _timed(self, rest: Rest) -> Rest:
        """With the times at which eyes and head arrive."""
        before, began = self.rests[-1], rest.began_ms
        head0, nod0, gaze0, tilt0 = self._settled(before, began)
        head1, nod1, gaze1, tilt1 = self._settled(rest, began)
        turned = math.hypot(head1 - head0, nod1 - nod0)
        moved = math.hypot(gaze1 - gaze0, tilt1 - tilt0)
        alone = self._traits.habit is HEADS_ALONE
        landed = began + round(landing_ms(moved, gaze1 - head0, turned, heads_alone=alone))
        return replace(rest, from_ms=landed, turned_ms=began + round(turn_ms(turned)))

    def _linger(self, until_ms: int) -> None:
        """Go on with the last look, or look ahead where that cannot be held."""
        last = self.rests[-1]
        if self._holds(last, until_ms):
            self.rests[-1] = replace(last, to_ms=max(last.to_ms, until_ms))
            return
        rest = self._timed(_ahead(last.to_ms))
        self.rests.append(replace(rest, to_ms=max(until_ms, rest.from_ms, rest.turned_ms)))

    def _holds(self, rest: Rest, at_ms: int) -> bool:
        """Whether head and eyes together reach it then."""
        if rest.aim is None:
            return True
        x, y = self._route.place(at_ms)
        shift = wrapped(
            angles_towards(x, y, self._eyes_m, rest.aim)[0] - self._route.body_yaw(at_ms)
        )
        return abs(shift - self._traits.habit.head_yaw(shift)) < EYES_REACH_DEG - 1.0

    def _settled(self, rest: Rest, at_ms: int) -> tuple[float, float, float, float]:
        x, y = self._route.place(at_ms)
        return settled(rest, x, y, self._route.body_yaw(at_ms), self._traits)

    def _pick(self, goals: Sequence[Goal]) -> Goal:
        """One of the goals, a near one sooner than a far one."""
        x, y = self._route.place(self._now)
        weight = np.array([1 / (0.5 + math.dist((x, y), goal.middle[:2]) ** 2) for goal in goals])
        return goals[int(self._rng.choice(len(goals), p=weight / weight.sum()))]


def _ahead(began_ms: int) -> Rest:
    """Where one walks."""
    return Rest(began_ms, began_ms, began_ms, began_ms, pitch_deg=_AHEAD_PITCH_DEG)
