"""What is compared: who was there and did what (the truth), and what the gateway told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infra.simulator.metrics import ShopperTarget
from infra.simulator.truth import TrueVisit

#: Distances from the shelf that are reported, in metres: whatever is nearest to each.
DISTANCES_M = (1.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, UTC epoch ms."""

    from_ms: int
    to_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.to_ms - self.from_ms


@dataclass(frozen=True, slots=True)
class Shopper:
    """The truth of one shopper, as `infra.simulator.metrics` has it.

    `dwell_ms` by zone, of stays that reach the zone's minimum; `attention_ms` and `looks` by
    target, of gazes that reach its fixation time; `opportunities`: the targets that place and
    heading let the shopper see. Staff have none of these. `traits` name the shopper's groups.
    """

    shopper_id: str
    traits: Mapping[str, str]
    dwell_ms: Mapping[str, int]
    attention_ms: Mapping[str, int]
    looks: Mapping[str, tuple[Span, ...]]
    opportunities: frozenset[str]
    staff: bool = False


@dataclass(frozen=True, slots=True)
class ToldGaze:
    """A gaze as told: `told_at_ms` is when its start was."""

    target_id: str
    started_at_ms: int
    told_at_ms: int
    attention_ms: int


@dataclass(slots=True)
class Told:
    """All that was told of one track: gazes, dwells by zone, and what it could see."""

    track_id: str
    gazes: dict[str, ToldGaze] = field(default_factory=dict)
    dwells: dict[str, tuple[str, Span]] = field(default_factory=dict)
    opportunities: set[str] = field(default_factory=set)


def shoppers_of(
    visits: Iterable[TrueVisit], values: Iterable[ShopperTarget], traits: Mapping[str, str]
) -> list[Shopper]:
    """Everybody who came, in the order of `visits`; `traits` are of all of them (the density)."""
    by_shopper: dict[str, list[ShopperTarget]] = {}
    for value in values:
        by_shopper.setdefault(value.visit.person_id, []).append(value)
    return [
        _shopper(visit, by_shopper.get(visit.person_id, []), {**traits, **_traits(visit)})
        for visit in visits
    ]


def _shopper(
    visit: TrueVisit, values: Iterable[ShopperTarget], traits: Mapping[str, str]
) -> Shopper:
    listed = list(values)
    zones = {v.target_id: v for v in listed if v.target_kind == "zone"}
    dwell = {
        name: sum(stay.presence_ms for stay in value.stays if stay.dwell)
        for name, value in zones.items()
    }
    watched = {value.target_id: value for value in listed if value.watcher}
    far = [g.distance_m for v in listed for g in v.gazes if g.distance_m is not None]
    if far:
        traits = {**traits, "distance": f"{distance_group(sorted(far)[len(far) // 2])} m"}
    return Shopper(
        shopper_id=visit.person_id,
        traits=traits,
        dwell_ms={name: ms for name, ms in dwell.items() if ms},
        attention_ms={name: value.attention_ms for name, value in watched.items()},
        looks={
            name: tuple(Span(gaze.started_at_ms, gaze.ended_at_ms) for gaze in value.gazes)
            for name, value in watched.items()
        },
        opportunities=frozenset(value.target_id for value in listed if value.opportunity),
        staff=any(value.staff for value in listed),
    )


def _traits(visit: TrueVisit) -> dict[str, str]:
    """The groups of a shopper: by kind and what is worn."""
    return {
        "kind": "staff" if visit.staff else visit.who,
        "chair": "wheelchair" if visit.who == "wheelchair" else "on foot",
        "hat": "hat" if visit.hat else "no hat",
        "mask": "mask" if visit.mask else "no mask",
        "height": height_group(visit.height_m or 0.0),
    }


def height_group(height_m: float) -> str:
    """
    >>> height_group(1.25), height_group(1.7)
    ('below 1.40 m', '1.60 to 1.75 m')
    """
    if height_m < 1.4:
        return "below 1.40 m"
    if height_m < 1.6:
        return "1.40 to 1.60 m"
    return "1.60 to 1.75 m" if height_m <= 1.75 else "above 1.75 m"


def distance_group(away_m: float) -> str:
    """The distance, of those reported, that is nearest.

    >>> distance_group(1.3), distance_group(1.6), distance_group(4.0)
    ('1.0', '2.0', '3.0')
    """
    return str(min(DISTANCES_M, key=lambda distance: abs(distance - away_m)))
