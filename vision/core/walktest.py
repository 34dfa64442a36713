"""The walk test: who stands where and looks at what, what the camera made of it, how wrong it was.
Pure: time is an argument, no picture comes here.

A tester stands on marks before the shelf and turns the face to named spots. For each prompt one
look is kept: the medians of head place and facing over the pictures of its measuring time.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from streams.contracts.layout import Face, Point
from vision.core.gaze import Direction, face_probability
from vision.core.geometry import Vector

#: Where the tester stands, metres from the shelf.
DISTANCES_M = (1.0, 2.0, 3.0)

#: Time to walk to a mark, to turn the head, and to keep still (ms): thirty looks in two minutes.
WALK_MS, SETTLE_MS, MEASURE_MS = 6_000, 1_300, 2_100

#: Looks from each mark.
LOOKS_A_MARK = 10

#: A spot at the end of a zone lies this far inside it, as a part of its size.
_INSET = 0.15

#: A look needs this many pictures, and a zone as many looks before it is judged.
_FEWEST_PICTURES, _FEWEST_LOOKS = 2, 3

#: Two zones cannot be told apart when this share of the looks at either is taken for the other.
CONFUSED_SHARE = 1 / 3

#: The midpoint between the ears below the crown (NASA-STD-3000: 0.13 m).
EARS_BELOW_TOP_M = 0.135


@dataclass(frozen=True, slots=True)
class Spot:
    """Something to look at: a place on the face of a zone or screen, (x, z) in metres."""

    target_id: str
    name: str
    where: str
    aim_m: Point


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing asked of the tester. Times in ms from the test's beginning; what is seen from
    `measure_ms` until `end_ms` counts. `mark_m`: (x, y) on the floor, before the middle of the
    target `mark_id`."""

    number: int
    mark_id: str
    mark_name: str
    mark_m: Point
    spot: Spot
    begin_ms: int
    measure_ms: int
    end_ms: int
    walks: bool

    @property
    def stand(self) -> str:
        """Where to stand, for the tester."""
        return f"Stand {self.mark_m[1]:g} m from the shelf, before the middle of {self.mark_name}."

    @property
    def face(self) -> str:
        """Where to look, for the tester."""
        return f"Turn your face to {self.spot.where} {self.spot.name}."


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one picture shows of the tester: the head's place in metres, yaw and pitch of the face
    as in `Direction`."""

    head_m: Vector
    direction: Direction


@dataclass(frozen=True, slots=True)
class Look:
    """What the camera made of one prompt. `likely`: probability of each target."""

    prompt: Prompt
    head_m: Vector
    yaw_deg: float
    pitch_deg: float
    likely: Mapping[str, float]

    @property
    def asked(self) -> str:
        """The target that the tester was asked to look at."""
        return self.prompt.spot.target_id

    def named(self, name_probability: float) -> str | None:
        """The target that would be named; None when none is sure enough."""
        best = max(self.likely, key=lambda name: self.likely[name], default=None)
        return best if best is not None and self.likely[best] >= name_probability else None


@dataclass(frozen=True, slots=True)
class Errors:
    """How wrong a camera was over the looks of a test; see `Certificate`."""

    looks: int
    yaw_bias_deg: float
    yaw_sigma_deg: float
    pitch_bias_deg: float
    pitch_sigma_deg: float
    place_error_m: float
    named: float
    right_when_named: float


def script(faces: Mapping[str, tuple[str, Face]], camera_x_m: float) -> tuple[Prompt, ...]:
    """The prompts of a test, some thirty in two minutes.

    Arguments:
        faces: name and face of each zone and screen, by id.
        camera_x_m: marks lie before the middle of the target that is nearest to it.
    """
    if not faces:
        return ()
    middles = {name: (f[0] + f[2]) / 2 for name, (_, f) in faces.items()}
    mark = min(middles, key=lambda name: abs(middles[name] - camera_x_m))
    spots = spots_of(faces)
    prompts: list[Prompt] = []
    at_ms = 0
    for turn, distance in enumerate(DISTANCES_M):
        chosen = _chosen(spots, len(faces), turn)
        for index, spot in enumerate(chosen):
            settled = at_ms + SETTLE_MS + (WALK_MS if index == 0 else 0)
            end = settled + MEASURE_MS
            prompts.append(
                Prompt(
                    number=len(prompts),
                    mark_id=mark,
                    mark_name=faces[mark][0],
                    mark_m=(middles[mark], distance),
                    spot=spot,
                    begin_ms=at_ms,
                    measure_ms=settled,
                    end_ms=end,
                    walks=index == 0,
                )
            )
            at_ms = end
    return tuple(prompts)


def spots_of(faces: Mapping[str, tuple[str, Face]]) -> list[Spot]:
    """What can be looked at: middles first, then ends, left and right as whoever faces the shelf
    has them."""
    order: list[tuple[str, float, float]] = [
        ("the middle of", 0.5, 0.5),
        ("the left end of", 1 - _INSET, 0.5),
        ("the right end of", _INSET, 0.5),
        ("the top of", 0.5, 1 - _INSET),
        ("the bottom of", 0.5, _INSET),
    ]
    by_x = sorted(faces.items(), key=lambda item: -(item[1][1][0] + item[1][1][2]))
    return [
        Spot(key, name, where, (f[0] + across * (f[2] - f[0]), f[1] + up * (f[3] - f[1])))
        for where, across, up in order
        for key, (name, f) in by_x
    ]


def _chosen(spots: list[Spot], targets: int, turn: int) -> list[Spot]:
    """The spots for one mark: every middle, where there are not too many, and then ends."""
    if targets >= LOOKS_A_MARK:
        # More targets than looks: each mark takes up where the one before it ended.
        return [spots[(turn * LOOKS_A_MARK + i) % targets] for i in range(LOOKS_A_MARK)]
    return spots[:LOOKS_A_MARK]


def look_of(
    prompt: Prompt, glimpses: Sequence[Glimpse], faces: Mapping[str, Face], gaze_sigma_deg: float
) -> Look | None:
    """The look that the pictures of a prompt show; None where too few show the face."""
    if len(glimpses) < _FEWEST_PICTURES:
        return None
    x, y, z = (median(g.head_m[i] for g in glimpses) for i in range(3))
    direction = Direction(
        yaw_deg=median(g.direction.yaw_deg for g in glimpses),
        pitch_deg=median(g.direction.pitch_deg for g in glimpses),
        yaw_sigma_deg=median(g.direction.yaw_sigma_deg for g in glimpses),
        pitch_sigma_deg=median(g.direction.pitch_sigma_deg for g in glimpses),
        at_ms=0,
    )
    head = (x, y, z)
    likely = {
        name: face_probability(head, direction, face, gaze_sigma_deg)
        for name, face in faces.items()
    }
    return Look(prompt, head, direction.yaw_deg, direction.pitch_deg, likely)


def true_head(prompt: Prompt, tester_height_m: float) -> Vector:
    """Where the tester's head is who stands on the prompt's mark."""
    return *prompt.mark_m, tester_height_m - EARS_BELOW_TOP_M


def true_angles(prompt: Prompt, tester_height_m: float) -> tuple[float, float]:
    """Yaw and pitch, in degrees, of a face on the mark that points at the spot."""
    x, y, z = true_head(prompt, tester_height_m)
    across, up = prompt.spot.aim_m[0] - x, prompt.spot.aim_m[1] - z
    return (
        math.degrees(math.atan2(across, y)),
        math.degrees(math.atan2(up, math.hypot(across, y))),
    )


def errors(looks: Sequence[Look], tester_height_m: float, name_probability: float) -> Errors:
    """The camera's own error over `looks`, one at least."""
    yaws, pitches, places = [], [], []
    right = named = 0
    for look in looks:
        yaw, pitch = true_angles(look.prompt, tester_height_m)
        yaws.append(look.yaw_deg - yaw)
        pitches.append(look.pitch_deg - pitch)
        places.append(math.dist(look.head_m[:2], look.prompt.mark_m))
        name = look.named(name_probability)
        named += name is not None
        right += name == look.asked
    return Errors(
        looks=len(looks),
        yaw_bias_deg=_mean(yaws),
        yaw_sigma_deg=_spread(yaws),
        pitch_bias_deg=_mean(pitches),
        pitch_sigma_deg=_spread(pitches),
        place_error_m=median(places),
        named=named / len(looks),
        right_when_named=right / named if named else 0.0,
    )


def confusion(looks: Sequence[Look], name_probability: float) -> Counter[tuple[str, str | None]]:
    """How often each target was asked for and another, or none, was named."""
    return Counter((look.asked, look.named(name_probability)) for look in looks)


def confused(looks: Sequence[Look], zones: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of zones that the camera cannot tell apart, in the order of `zones`."""
    groups: dict[str, set[str]] = {zone: {zone} for zone in zones}
    for index, one in enumerate(zones):
        for other in zones[index + 1 :]:
            if _confused_share(looks, one, other) >= CONFUSED_SHARE:
                joined = groups[one] | groups[other]
                for member in joined:
                    groups[member] = joined
    found = [tuple(z for z in zones if z in groups[zone]) for zone in zones]
    return list(dict.fromkeys(group for group in found if len(group) > 1))


def _confused_share(looks: Sequence[Look], one: str, other: str) -> float:
    """Of the looks at one of two zones, the share in which the other was likelier."""
    wrong = {one: 0, other: 0}
    asked = Counter(look.asked for look in looks)
    if min(asked[one], asked[other]) < _FEWEST_LOOKS:
        return 0.0
    for look in looks:
        if look.asked in wrong:
            rival = other if look.asked == one else one
            wrong[look.asked] += look.likely[rival] > look.likely[look.asked]
    return (wrong[one] + wrong[other]) / (asked[one] + asked[other])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _spread(values: Sequence[float]) -> float:
    """The standard deviation about the mean; 0 of a single value."""
    if len(values) < 2:
        return 0.0
    mean = _mean(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
