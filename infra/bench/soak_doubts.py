"""What a visit to a bay of the long run counts, if nothing about it is in doubt. Pure.

No measurement is exact: somebody who stands on the edge of a floor, or looks for just as long as a
fixation takes, may be counted either way. Such visits are left out of the long run before anything
is measured, by the truth alone, so that what is left has to be counted exactly.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra.simulator.aisle import Aisle, Goal
from infra.simulator.guest import Guest
from infra.simulator.metrics import MetricRules, ShopperTarget, shopper_metrics
from infra.simulator.people import Person, angles_towards
from infra.simulator.truth import TrueCrossing, TrueGaze, TrueStay, TrueVisit
from infra.simulator.visit import Walk
from infra.simulator.witness import guest_truth
from streams.contracts.layout import Point
from vision.core.geometry import contains

Rules = Mapping[str, MetricRules]

#: A visit is clear when none of these changes what is counted: standing so far aside (m), a stay
#: longer or shorter by so much, a gaze longer or shorter by so much (ms).
_ASIDES: tuple[Point, ...] = ((0.15, 0.0), (-0.15, 0.0), (0.0, 0.15), (0.0, -0.15))
_STAY_SLACK_MS = 700
_GAZE_SLACK_MS = 500

#: Nor is one whose head points at a target, or this far beside it, for this long without looking.
_BESIDE_DEG = 18.0
_STARE_MS, _STARE_STEP_MS = 400, 100

#: Stays that begin or end so much earlier or later for a step aside are on a floor's edge
#: meanwhile, where jitter may part them (a part of the gap that is bridged).
_EDGE_SHARE = 0.7


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


def clear_counts(aisle: Aisle, rules: Rules, guest: Guest) -> Counts | None:
    """What the visit counts; None where a small error would count something else."""
    here, crossings = _values(aisle, rules, guest)
    if not _are_clear(here, rules):
        return None
    for aside in _ASIDES:
        there, crossed = _values(aisle, rules, _moved(guest, aside))
        if crossed != crossings or not (_are_clear(there, rules) and _alike(here, there, rules)):
            return None
    if _stares(aisle, rules, guest):
        return None
    return Counts(
        people=int(bool(here)),
        presences=sum(len(value.stays) for value in here),
        stays=sum(
            stay.dwell for value in here if value.target_kind == "zone" for stay in value.stays
        ),
        gazes=sum(len(value.gazes) for value in here),
        crossings=len(crossings),
    )


def _alike(here: Sequence[ShopperTarget], there: Sequence[ShopperTarget], rules: Rules) -> bool:
    """Whether a visit and the same a step aside have the same stays and gazes, at about the same
    times."""
    one, other = ({value.target_id: value for value in values} for values in (here, there))
    if one.keys() != other.keys():
        return False
    for name, value in one.items():
        aside, slack_ms = other[name], _EDGE_SHARE * rules[name].gap_ms
        if len(value.stays) != len(aside.stays) or len(value.gazes) != len(aside.gazes):
            return False
        for stay, moved in zip(value.stays, aside.stays, strict=True):
            entered_ms = abs(stay.entered_at_ms - moved.entered_at_ms)
            if max(entered_ms, abs(stay.left_at_ms - moved.left_at_ms)) >= slack_ms:
                return False
    return True


def _stares(aisle: Aisle, rules: Rules, guest: Guest) -> bool:
    """Whether the head rests so that it seems to look at what it does not look at. A look that
    is too short to be a gaze counts with it: the head points there on its way to the target and
    back, too.
    """
    beside, near, looked = Counter[str](), Counter[str](), Counter[str]()
    for at in range(guest.enter_ms, guest.leave_ms, _STARE_STEP_MS):
        place, person = guest.place(at), guest.person(at)
        inside = {name for name, floor in aisle.floors if contains(floor, place)}
        for goal in aisle.goals:
            name = goal.target_id
            looks = name in inside and person.target_id == name
            other = person.target_id in inside
            seems = name in inside and not other and _faces(person, goal)
            beside[name] = beside[name] + _STARE_STEP_MS if seems else 0
            if beside[name] > _STARE_MS:
                return True
            if looks or seems:
                near[name] += _STARE_STEP_MS
                looked[name] += looks * _STARE_STEP_MS
                continue
            if _nearly(rules[name], near[name], looked[name]):
                return True
            near[name] = looked[name] = 0
    return any(_nearly(rules[name], near[name], looked[name]) for name in near)


def _nearly(rules: MetricRules, near_ms: int, looked_ms: int) -> bool:
    """Whether a head that pointed at or beside a target for so long, while the eyes rested on
    it for so long, may be taken for a gaze that is none."""
    return near_ms > _STARE_MS and looked_ms < rules.fixation_ms


def _values(aisle: Aisle, rules: Rules, guest: Guest) -> tuple[list[ShopperTarget], list[str]]:
    """The true metrics of a visit, and which ways it crossed the door."""
    lines = list(guest_truth(aisle, guest, guest.leave_ms, opportunity=False))
    visit = next(line for line in lines if isinstance(line, TrueVisit))
    stays = [line for line in lines if isinstance(line, TrueStay)]
    gazes = [line for line in lines if isinstance(line, TrueGaze)]
    crossings = [line.direction for line in lines if isinstance(line, TrueCrossing)]
    return shopper_metrics(visit, stays, gazes, rules), list(crossings)


def _are_clear(values: Sequence[ShopperTarget], rules: Rules) -> bool:
    return all(_is_clear(value, rules[value.target_id]) for value in values)


def _is_clear(value: ShopperTarget, rules: MetricRules) -> bool:
    """Whether no stay or gaze is near a threshold."""
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
