"""One person of a crowd: a way through the aisle and what is looked at on it, at any time. Pure."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from infra.simulator.eyes import EYES_REACH_DEG, smooth, wrapped
from infra.simulator.people import EYES_BELOW_TOP_M, Person, angles_towards
from infra.simulator.population import Traits
from infra.simulator.visit import Walk, walk_at
from streams.contracts.layout import Point
from vision.core.geometry import Vector

#: A body turns from its walk to the shelf, and back, in this and so much a degree.
_BODY_TURN_MS, _BODY_TURN_MS_PER_DEG = 300.0, 4.0


@dataclass(frozen=True, slots=True)
class Route:
    """Walks and stops without a gap; `facings` holds the chest's yaw at each stop, in degrees."""

    walks: tuple[Walk, ...]
    facings: tuple[float, ...]

    def place(self, at_ms: float) -> Point:
        """Where on the floor, (x, y) in metres."""
        walk = walk_at(self.walks, at_ms)
        return walk.start if walk.stands else walk.at(walk.part(at_ms))

    def body_yaw(self, at_ms: float) -> float:
        """Where the chest points: along the walk, or as at the stop."""
        number = self._number(at_ms)
        yaw = self._yaw(number, at_ms)
        if number == 0:
            return yaw
        began_ms = self.walks[number].from_ms
        before = self._yaw(number - 1, began_ms)
        turned = wrapped(self._yaw(number, began_ms) - before)
        part = (at_ms - began_ms) / (_BODY_TURN_MS + _BODY_TURN_MS_PER_DEG * abs(turned))
        return yaw - (1.0 - smooth(part)) * turned

    def _number(self, at_ms: float) -> int:
        number = bisect_right(self.walks, at_ms, key=lambda walk: walk.to_ms)
        return min(number, len(self.walks) - 1)

    def _yaw(self, number: int, at_ms: float) -> float:
        walk = self.walks[number]
        if walk.stands:
            return self.facings[number]
        part = walk.part(at_ms)
        (x0, y0), (x1, y1) = walk.at(max(0.0, part - 0.02)), walk.at(min(1.0, part + 0.02))
        return math.degrees(math.atan2(x1 - x0, -(y1 - y0)))


@dataclass(frozen=True, slots=True)
class Rest:
    """A stretch of time in which the eyes rest on `aim`, or in a direction from the chest's on.

    The shift to it begins at `began_ms`, the eyes rest from `from_ms` to `to_ms`, and the head
    turns until `turned_ms`.
    """

    began_ms: int
    from_ms: int
    to_ms: int
    turned_ms: int
    aim: Vector | None = None
    target_id: str | None = None
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Gaze:
    """A stretch of time in which the eyes do not leave a target. `aims`: where on it they rested,
    in turn; `distance_m`: from the eyes to the first."""

    target_id: str
    from_ms: int
    to_ms: int
    aims: tuple[Vector, ...]
    distance_m: float


@dataclass(frozen=True, slots=True)
class Guest:
    """One person's whole visit, times in UTC epoch ms. `party_id` is shared by those who walk
    together; `passing`: goes by without a stop."""

    person_id: str
    party_id: str
    party_size: int
    passing: bool
    density: str
    enter_ms: int
    leave_ms: int
    traits: Traits
    route: Route
    rests: tuple[Rest, ...]

    def place(self, at_ms: float) -> Point:
        """Where the person is on the floor, (x, y) in metres."""
        return self.route.place(at_ms)

    def person(self, at_ms: int) -> Person:
        """The person at a time within the visit."""
        route, traits = self.route, self.traits
        walk = walk_at(route.walks, at_ms)
        x, y = route.place(at_ms)
        body = route.body_yaw(at_ms)
        head_yaw, head_pitch, gaze_yaw, gaze_pitch, target_id = self._look(at_ms, x, y, body)
        return Person(
            person_id=self.person_id,
            x_m=x,
            y_m=y,
            height_m=traits.height_m,
            head_yaw_deg=wrapped(head_yaw),
            head_pitch_deg=head_pitch,
            target_id=target_id,
            appearance=traits.appearance,
            stride=None if walk.stands else walk.stride(walk.part(at_ms)),
            heading=-1 if math.sin(math.radians(body)) < 0 else 1,
            kind=traits.kind,
            hat=traits.hat,
            mask=traits.mask,
            staff=traits.staff,
            eyes_yaw_deg=_reached(wrapped(gaze_yaw - head_yaw), target_id),
            eyes_pitch_deg=_reached(gaze_pitch - head_pitch, target_id),
            body_yaw_deg=wrapped(body),
        )

    @property
    def eyes_m(self) -> float:
        """Height of the eyes above the floor."""
        return self.traits.height_m - EYES_BELOW_TOP_M

    @property
    def gazes(self) -> tuple[Gaze, ...]:
        """When the eyes were on which zone or screen."""
        return tuple(self._gazes())

    def _gazes(self) -> Iterator[Gaze]:
        held: Gaze | None = None
        for rest in self.rests:
            if rest.aim is None or rest.target_id is None:
                continue
            if held is not None and (held.target_id, held.to_ms) == (rest.target_id, rest.began_ms):
                # From one place on the target to the next: the eyes do not leave it.
                held = Gaze(
                    held.target_id,
                    held.from_ms,
                    rest.to_ms,
                    (*held.aims, rest.aim),
                    held.distance_m,
                )
                continue
            if held is not None:
                yield held
            eyes = (*self.place(rest.from_ms), self.eyes_m)
            held = Gaze(
                rest.target_id, rest.from_ms, rest.to_ms, (rest.aim,), math.dist(eyes, rest.aim)
            )
        if held is not None:
            yield held

    def _look(
        self, at_ms: int, x: float, y: float, body: float
    ) -> tuple[float, float, float, float, str | None]:
        """Yaw and pitch of head and gaze, and the target that the eyes rest on."""
        number = bisect_right(self.rests, at_ms, key=lambda rest: rest.began_ms) - 1
        number = max(0, number)
        rest = self.rests[number]
        head, nod, gaze, tilt = settled(rest, x, y, body, self.traits)
        if number > 0 and at_ms < max(rest.from_ms, rest.turned_ms):
            before = self._left(number)
            since = at_ms - rest.began_ms
            turned = smooth(since / max(1, rest.turned_ms - rest.began_ms))
            head = before[0] + turned * (head - before[0])
            nod = before[1] + turned * (nod - before[1])
            if at_ms < rest.from_ms:
                moved = smooth(since / (rest.from_ms - rest.began_ms))
                gaze = before[2] + moved * (gaze - before[2])
                tilt = before[3] + moved * (tilt - before[3])
        resting = rest.from_ms <= at_ms < rest.to_ms
        # From one place on a target to the next the eyes do not leave it.
        within = number > 0 and self.rests[number - 1].target_id == rest.target_id
        held = rest.target_id if resting or within else None
        return body + head, nod, body + gaze, tilt, held

    def _left(self, number: int) -> tuple[float, float, float, float]:
        """Head and gaze when the shift to a rest began."""
        began_ms = self.rests[number].began_ms
        x, y = self.route.place(began_ms)
        body = self.route.body_yaw(began_ms)
        return settled(self.rests[number - 1], x, y, body, self.traits)


def settled(
    rest: Rest, x: float, y: float, body: float, traits: Traits
) -> tuple[float, float, float, float]:
    """Yaw and pitch of the head, then of the gaze, once both have come to rest, in degrees; yaws
    from the chest's direction on.
    """
    if rest.aim is None:
        shift, tilt = rest.yaw_deg, rest.pitch_deg
    else:
        gaze, tilt = angles_towards(x, y, traits.height_m - EYES_BELOW_TOP_M, rest.aim)
        shift = wrapped(gaze - body)
    return traits.habit.head_yaw(shift), traits.habit.head_pitch(tilt), shift, tilt


def _reached(angle_deg: float, target_id: str | None) -> float:
    """Eyes on the way to what the head does not yet let them reach wait at the end of their reach;
    those that rest on a target are there."""
    if target_id is not None:
        return angle_deg
    return max(-EYES_REACH_DEG, min(EYES_REACH_DEG, angle_deg))
