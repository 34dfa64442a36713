"""One shopper's visit: a plan of walks and looks, and where the shopper then is. Pure."""

import math
from dataclasses import dataclass

from infra.simulator.people import Person

#: Two steps of an adult who strolls, in metres.
_STRIDE_M = 1.35


@dataclass(frozen=True, slots=True)
class Walk:
    """From one place to another; the same place twice is a stop."""

    from_ms: int
    to_ms: int
    start: tuple[float, float]
    end: tuple[float, float]


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
        walk = next((w for w in self.walks if at_ms < w.to_ms), self.walks[-1])
        (x0, y0), (x1, y1) = walk.start, walk.end
        if walk.start == walk.end:
            return x0, y0, None, 1
        part = min(1.0, max(0.0, (at_ms - walk.from_ms) / (walk.to_ms - walk.from_ms)))
        part = 0.5 * part + 0.5 * _smooth(part)  # sets off and slows down
        x, y = x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        length = math.hypot(x1 - x0, y1 - y0)
        return x, y, part * length / _STRIDE_M % 1.0, 1 if x1 > x0 else -1

    def _head(self, at_ms: int) -> tuple[float, float, str | None]:
        before = self.looks[0]
        for look in self.looks:
            if at_ms < look.from_ms:
                part = (at_ms - before.to_ms) / (look.from_ms - before.to_ms)
                part = _smooth(min(1.0, max(0.0, part)))
                yaw = before.yaw_deg + part * (look.yaw_deg - before.yaw_deg)
                return yaw, before.pitch_deg + part * (look.pitch_deg - before.pitch_deg), None
            if at_ms < look.to_ms:
                return look.yaw_deg, look.pitch_deg, look.target_id
            before = look
        return before.yaw_deg, before.pitch_deg, None


@dataclass(frozen=True, slots=True)
class Stay:
    """A stretch of time within a zone's floor, of any length."""

    zone_id: str
    from_ms: int
    to_ms: int


def _smooth(part: float) -> float:
    return part * part * (3.0 - 2.0 * part)
