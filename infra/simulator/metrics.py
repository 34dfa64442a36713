"""The true value of each metric, for each shopper and target, from the truth's lines. Pure.

- presence: a stay on the target's floor, from its first moment to its last; it holds while no gap
  exceeds the gap window. Of everybody, also of those who pass by.
- gaze: the eyes on the target, while present; it holds while they are away for no longer than the
  gap and on nothing else for its fixation time. It counts from its fixation time of attention on.
- attention: the sum of the stretches with the eyes on the target, of gazes that count.
- watcher: somebody with at least one gaze that counts.
- dwell: a stay of a zone's minimum at least. `dwell_time_ms` is the presence of watchers.
- opportunity to see (OTS): present, with place and heading that let one see the target.
- staff: was in a staff area, or stayed longer than the staff limit: excluded from all but presence.
So attention <= dwell time <= presence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from infra.simulator.truth import TrueGaze, TrueStay, TrueVisit, Truth
from streams.contracts.layout import StoreLayout
from streams.contracts.vision import TargetKind
from vision.core.targets import SceneRules


@dataclass(frozen=True, slots=True)
class MetricRules:
    """The thresholds of one target, in ms."""

    min_dwell_ms: int
    gap_ms: int
    fixation_ms: int
    gaze_gap_ms: int
    staff_limit_ms: int


def rules_of(layout: StoreLayout, rules: SceneRules) -> dict[str, MetricRules]:
    """The thresholds of each zone and screen, as the gateway takes them."""
    found = {
        zone.zone_id: MetricRules(
            zone.min_dwell_ms,
            zone.gap_ms,
            zone.fixation_ms,
            min(zone.gap_ms, rules.gaze_gap_ms),
            zone.staff_limit_ms,
        )
        for zone in layout.zones
    }
    for screen in layout.screens:
        found[screen.screen_id] = MetricRules(
            0,
            rules.screen_gap_ms,
            rules.screen_fixation_ms,
            min(rules.screen_gap_ms, rules.gaze_gap_ms),
            rules.screen_staff_limit_ms,
        )
    return found


@dataclass(frozen=True, slots=True)
class GazeValue:
    """A gaze that counts; `attention_ms` is at most its length. `distance_m` of its beginning."""

    started_at_ms: int
    ended_at_ms: int
    attention_ms: int
    distance_m: float | None


@dataclass(frozen=True, slots=True)
class StayValue:
    """A stay, gaps within the window bridged; `dwell`: it reached the zone's minimum."""

    entered_at_ms: int
    left_at_ms: int
    opportunity_ms: int
    attention_ms: int
    dwell: bool
    censored: bool = False

    @property
    def presence_ms(self) -> int:
        """Its length."""
        return self.left_at_ms - self.entered_at_ms


@dataclass(frozen=True, slots=True)
class ShopperTarget:
    """All that is true of one shopper and one target. `staff`: excluded; then there are no gazes,
    no dwells and no opportunity."""

    visit: TrueVisit
    target_id: str
    target_kind: TargetKind
    stays: tuple[StayValue, ...]
    gazes: tuple[GazeValue, ...]
    staff: bool

    @property
    def watcher(self) -> bool:
        """Looked at it at least once, for its fixation time."""
        return bool(self.gazes)

    @property
    def presence_ms(self) -> int:
        """Time on its floor, of everybody."""
        return sum(stay.presence_ms for stay in self.stays)

    @property
    def dwell_time_ms(self) -> int:
        """Time on its floor, of watchers."""
        return self.presence_ms if self.watcher else 0

    @property
    def attention_ms(self) -> int:
        """Time with the eyes on it."""
        return sum(gaze.attention_ms for gaze in self.gazes)

    @property
    def opportunity(self) -> bool:
        """Could see it (OTS)."""
        return any(stay.opportunity_ms > 0 for stay in self.stays)


def true_metrics(lines: Iterable[Truth], rules: Mapping[str, MetricRules]) -> list[ShopperTarget]:
    """The metrics of every shopper and target with a presence, shopper by shopper.

    `lines` holds each shopper's visit, stays and gazes, in any order.
    """
    visits: dict[str, TrueVisit] = {}
    stays: dict[str, list[TrueStay]] = {}
    gazes: dict[str, list[TrueGaze]] = {}
    for line in lines:
        if isinstance(line, TrueVisit):
            visits[line.person_id] = line
        elif isinstance(line, TrueStay) and line.target_id in rules:
            stays.setdefault(line.person_id, []).append(line)
        elif isinstance(line, TrueGaze) and line.target_id in rules:
            gazes.setdefault(line.person_id, []).append(line)
    return [
        value
        for name, visit in visits.items()
        for value in shopper_metrics(visit, stays.get(name, []), gazes.get(name, []), rules)
    ]


def shopper_metrics(
    visit: TrueVisit,
    stays: Sequence[TrueStay],
    gazes: Sequence[TrueGaze],
    rules: Mapping[str, MetricRules],
) -> list[ShopperTarget]:
    """The metrics of one shopper, target by target."""
    ordered = sorted(stays, key=lambda stay: (stay.target_id, stay.entered_at_ms))
    merged = {
        target_id: (group[0].target_kind, _bridged(group, rules[target_id]))
        for target_id, group in (
            (name, list(of)) for name, of in groupby(ordered, key=lambda stay: stay.target_id)
        )
    }
    staff = visit.staff_area or any(
        stay.presence_ms > rules[name].staff_limit_ms
        for name, (_, values) in merged.items()
        for stay in values
    )
    counted = {} if staff else _counted(_present(gazes, merged), rules)
    return [
        ShopperTarget(
            visit=visit,
            target_id=name,
            target_kind=kind,
            stays=tuple(
                _attended(_excluded(stay) if staff else stay, counted.get(name, ()))
                for stay in values
            ),
            gazes=tuple(counted.get(name, ())),
            staff=staff,
        )
        for name, (kind, values) in merged.items()
    ]


def _bridged(stays: Sequence[TrueStay], rules: MetricRules) -> list[StayValue]:
    """Stays of one target in order, those put together that no gap window parts."""
    found: list[StayValue] = []
    for stay in stays:
        entered, seen_ms = stay.entered_at_ms, stay.opportunity_ms or 0
        if found and entered - found[-1].left_at_ms <= rules.gap_ms:
            entered, seen_ms = found[-1].entered_at_ms, found[-1].opportunity_ms + seen_ms
            found.pop()
        long = stay.left_at_ms - entered >= rules.min_dwell_ms
        found.append(StayValue(entered, stay.left_at_ms, seen_ms, 0, long, stay.censored))
    return found


def _excluded(stay: StayValue) -> StayValue:
    return replace(stay, opportunity_ms=0, dwell=False)


def _attended(stay: StayValue, gazes: Sequence[GazeValue]) -> StayValue:
    within = (g for g in gazes if stay.entered_at_ms <= g.started_at_ms <= stay.left_at_ms)
    return replace(stay, attention_ms=sum(gaze.attention_ms for gaze in within))


def _present(
    gazes: Sequence[TrueGaze], stays: Mapping[str, tuple[TargetKind, list[StayValue]]]
) -> list[TrueGaze]:
    """The parts of gazes in which one is present, in order: attention needs presence."""
    parts: list[TrueGaze] = []
    for gaze in gazes:
        for stay in stays.get(gaze.target_id, ("zone", []))[1]:
            begin = max(gaze.started_at_ms, stay.entered_at_ms)
            end = min(gaze.ended_at_ms, stay.left_at_ms)
            if begin < end:
                parts.append(
                    TrueGaze(
                        person_id=gaze.person_id,
                        target_id=gaze.target_id,
                        target_kind=gaze.target_kind,
                        started_at_ms=begin,
                        ended_at_ms=end,
                        aim=gaze.aim,
                        distance_m=gaze.distance_m,
                    )
                )
    return sorted(parts, key=lambda part: part.started_at_ms)


def _counted(
    parts: Sequence[TrueGaze], rules: Mapping[str, MetricRules]
) -> dict[str, list[GazeValue]]:
    """The gazes that count, by target: one is at a time on one target."""
    found: dict[str, list[GazeValue]] = {}
    open_gazes: dict[str, GazeValue] = {}
    for part in parts:
        name, limit = part.target_id, rules[part.target_id]
        held = open_gazes.pop(name, None)
        whole = GazeValue(part.started_at_ms, part.ended_at_ms, 0, part.distance_m)
        if held is not None and part.started_at_ms - held.ended_at_ms <= limit.gaze_gap_ms:
            whole = replace(held, ended_at_ms=part.ended_at_ms)
        elif held is not None:
            _put(found, name, held, limit)
        length = part.ended_at_ms - part.started_at_ms
        open_gazes[name] = replace(whole, attention_ms=whole.attention_ms + length)
        if open_gazes[name].attention_ms >= limit.fixation_ms:
            # A gaze on this one ends every other.
            for other in [other for other in open_gazes if other != name]:
                _put(found, other, open_gazes.pop(other), rules[other])
    for name, held in open_gazes.items():
        _put(found, name, held, rules[name])
    return found


def _put(found: dict[str, list[GazeValue]], name: str, gaze: GazeValue, limit: MetricRules) -> None:
    if gaze.attention_ms >= limit.fixation_ms:
        found.setdefault(name, []).append(gaze)
