"""One shopper's visit: a plan of walks and looks, and where the shopper then is. Pure."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infra.simulator.eyes import smooth
from infra.simulator.people import Person
from streams.contracts.layout import Point, Polygon
from vision.core.geometry import contains

#: Two steps of an adult who strolls, in metres.
_STRIDE_M = 1.35


#: Stays are found by looking where a shopper stands this often.
_STAY_STEP_MS = 20


@dataclass(frozen=True, slots=True)
class Walk:
    """From one place to another; the same place twice is a stop. `bend` holds the inner control
    points of a cubic Bezier curve; without it the way is straight.
    """

    from_ms: int
    to_ms: int
    start: Point
    end: Point
    bend: tuple[Point, Point] | None = None

    @property
    def stands(self) -> bool:
        """Whether it is a stop."""
        return self.start == self.end

    def part(self, at_ms: float) -> float:
        """How much of the way is done, 0 to 1: sets off and slows down."""
        part = min(1.0, max(0.0, (at_ms - self.from_ms) / (self.to_ms - self.from_ms)))
        return 0.5 * part + 0.5 * smooth(part)

    def at(self, part: float) -> Point:
        """The place when `part` of the way is done."""
        (x0, y0), (x1, y1) = self.start, self.end
        if self.bend is None:
            return x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        (ax, ay), (bx, by) = self.bend
        left = 1.0 - part
        c0, c1, c2, c3 = left**3, 3 * left * left * part, 3 * left * part * part, part**3
        return c0 * x0 + c1 * ax + c2 * bx + c3 * x1, c0 * y0 + c1 * ay + c2 * by + c3 * y1

    def stride(self, part: float) -> float:
        """0 to 1 within two steps."""
        return part * math.dist(self.start, self.end) / _STRIDE_M % 1.0


def walk_at(walks: Sequence[Walk], at_ms: float) -> Walk:
    """The walk that goes on at a time; the last one after its end."""
    number = bisect_right(walks, at_ms, key=lambda walk: walk.to_ms)
    return walks[min(number, len(walks) - 1)]


@dataclass(frozen=True, slots=True)
class Look:
    """A stretch of time with a still head; between two looks it turns. Angles as in `Person`."""

    from_ms: int
    to_ms: int
    yaw_deg: float
    pitch_deg: float
    target_id: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A shopper's whole plan, times in UTC epoch ms: comes into the aisle, leaves it."""

    person_id: str
    enter_ms: int
    leave_ms: int
    height_m: float
    appearance: int
    walks: tuple[Walk, ...]
    looks: tuple[Look, ...]

    @property
    def gazes(self) -> tuple[Look, ...]:
        """The looks that rest on a zone or screen."""
        return tuple(look for look in self.looks if look.target_id is not None)

    def person(self, at_ms: int) -> Person:
        """The shopper at a time within the visit."""
        x, y, stride, heading = self._place(at_ms)
        yaw, pitch, target = self._head(at_ms)
        return Person(
            self.person_id,
            x,
            y,
            self.height_m,
            yaw,
            pitch,
            target,
            self.appearance,
            stride,
            heading,
        )

    def place(self, at_ms: int) -> tuple[float, float]:
        """Where the shopper is on the floor, (x, y) in metres."""
        return self._place(at_ms)[:2]

    def _place(self, at_ms: int) -> tuple[float, float, float | None, int]:
        walk = walk_at(self.walks, at_ms)
        if walk.stands:
            return *walk.start, None, 1
        part = walk.part(at_ms)
        return *walk.at(part), walk.stride(part), 1 if walk.end[0] > walk.start[0] else -1

    def _head(self, at_ms: int) -> tuple[float, float, str | None]:
        before = self.looks[0]
        for look in self.looks:
            if at_ms < look.from_ms:
                part = (at_ms - before.to_ms) / (look.from_ms - before.to_ms)
                part = smooth(part)
                yaw = before.yaw_deg + part * (look.yaw_deg - before.yaw_deg)
                return yaw, before.pitch_deg + part * (look.pitch_deg - before.pitch_deg), None
            if at_ms < look.to_ms:
                return look.yaw_deg, look.pitch_deg, look.target_id
            before = look
        return before.yaw_deg, before.pitch_deg, None


@dataclass(frozen=True, slots=True)
class Stay:
    """A stretch of time within the floor of a zone or screen, of any length."""

    target_id: str
    from_ms: int
    to_ms: int


def stays_in(
    floors: Iterable[tuple[str, Polygon]],
    place: Callable[[int], Point],
    from_ms: int,
    to_ms: int,
    step_ms: int = _STAY_STEP_MS,
) -> tuple[Stay, ...]:
    """When somebody is within which floor, in the order of their ends."""
    stays: list[Stay] = []
    since: dict[str, int] = {}
    shapes = tuple(floors)
    for at in (*range(from_ms, to_ms, step_ms), to_ms):
        here = place(at)
        for target_id, floor in shapes:
            if at < to_ms and contains(floor, here):
                since.setdefault(target_id, at)
            elif target_id in since:
                stays.append(Stay(target_id, since.pop(target_id), at))
    return tuple(stays)
