"""What a week's numbers suggest to do, and what they cannot say. Pure.

Rules, not guesses: each says the numbers that it stands on. It speaks of shelves and screens, and
claims no cause: only an experiment can.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: How many things to do are told.
MOST = 3

#: A zone whose visitors look this much less than those of the others is worth a look.
_LITTLE_LOOKED_AT = 0.6

#: A category that is looked at this much more than it is bought, by their shares.
_LOOKED_NOT_BOUGHT = 2.0

#: A creative with this share of the attention a play of the best one.
_WEAK_CREATIVE = 0.5

#: Below these nothing is said: chance alone makes such differences.
_LEAST_PEOPLE = 50
_LEAST_PLAYS = 100
_LEAST_SHARE_FAILED = 0.005
_LEAST_GAP_MS = 600_000
_LEAST_REFUSED = 5


@dataclass(frozen=True, slots=True)
class ZoneWeek:
    """A zone's week. `watchers` None: not measured. `units_share` None: it sells no category."""

    name: str
    gross_impressions: int
    watchers: int | None
    attention_share: float
    units_share: float | None


@dataclass(frozen=True, slots=True)
class CreativeWeek:
    """A creative's week over all screens."""

    title: str
    plays: int
    watchers: int | None
    attention_ms: int


@dataclass(frozen=True, slots=True)
class ScreenWeek:
    """A screen's week: failed plays, and time between plays without a proof."""

    name: str
    plays: int
    failed: int
    gap_ms: int


@dataclass(frozen=True, slots=True)
class Advice:
    """A thing to do. The heavier, the sooner."""

    weight: float
    sentence: str


def to_do(
    zones: Sequence[ZoneWeek],
    creatives: Sequence[CreativeWeek],
    screens: Iterable[ScreenWeek],
    refused_receipts: int,
) -> list[str]:
    """The three heaviest things to do; fewer where the numbers give no reason."""
    found = [
        *_machines(screens, refused_receipts),
        *_looked_past(zones),
        *_not_bought(zones),
        *_weak(creatives),
    ]
    return [a.sentence for a in sorted(found, key=lambda a: -a.weight)[:MOST]]


def _machines(screens: Iterable[ScreenWeek], refused: int) -> Iterable[Advice]:
    for screen in screens:
        if screen.plays >= _LEAST_PLAYS and screen.failed / screen.plays >= _LEAST_SHARE_FAILED:
            yield Advice(
                3.0 + screen.failed / screen.plays,
                f"{screen.name}: {screen.failed} of {screen.plays} plays failed; look at the "
                "player's log and its network.",
            )
        if screen.gap_ms >= _LEAST_GAP_MS:
            yield Advice(
                2.5,
                f"{screen.name} proved nothing for {screen.gap_ms // 60_000} minutes between "
                "plays; see the gaps on the page Screens.",
            )
    if refused >= _LEAST_REFUSED:
        yield Advice(
            2.0,
            f"{refused} receipts were refused; `smartstore receipts refused` shows why, and they "
            "are missing from every figure of baskets.",
        )


def _looked_past(zones: Sequence[ZoneWeek]) -> Iterable[Advice]:
    known = [
        (z, z.watchers / z.gross_impressions)
        for z in zones
        if z.watchers is not None and z.gross_impressions >= _LEAST_PEOPLE
    ]
    if len(known) < 2:
        return
    usual = sorted(share for _, share in known)[len(known) // 2]
    zone, share = min(known, key=lambda pair: pair[1])
    if usual and share < _LITTLE_LOOKED_AT * usual:
        yield Advice(
            1.0 + (1 - share / usual),
            f"{zone.name}: {zone.gross_impressions} people stood there and {share:.0%} looked, "
            f"half of the zones get {usual:.0%} or more; look how the shelf is filled and lit.",
        )


def _not_bought(zones: Sequence[ZoneWeek]) -> Iterable[Advice]:
    for zone in zones:
        if not zone.units_share or zone.gross_impressions < _LEAST_PEOPLE:
            continue
        times = zone.attention_share / zone.units_share
        if times >= _LOOKED_NOT_BOUGHT:
            yield Advice(
                min(2.0, 0.8 + times / 10),
                f"{zone.name} holds {zone.attention_share:.0%} of the attention and sells "
                f"{zone.units_share:.0%} of the units; look at price, stock and labels there.",
            )


def _weak(creatives: Sequence[CreativeWeek]) -> Iterable[Advice]:
    known = [c for c in creatives if c.plays >= _LEAST_PLAYS and c.watchers is not None]
    if len(known) < 2 or sum(c.watchers or 0 for c in known) < _LEAST_PEOPLE:
        return
    best = max(known, key=lambda c: c.attention_ms / c.plays)
    worst = min(known, key=lambda c: c.attention_ms / c.plays)
    top, low = best.attention_ms / best.plays, worst.attention_ms / worst.plays
    if top and low < _WEAK_CREATIVE * top:
        yield Advice(
            0.9,
            f"{worst.title} gets {low / 1000:.1f} s of attention a play, {best.title} "
            f"{top / 1000:.1f} s; try another version of it, as an experiment.",
        )


def unknown(
    *,
    effect_known: bool,
    doors: bool,
    passers_by: bool,
    unmeasured: Sequence[str],
    days_without_data: int,
) -> list[str]:
    """What the week's numbers cannot say."""
    found = []
    if not effect_known:
        found.append(
            "Whether the screens changed what was sold: a rise or a fall in the numbers above has "
            "many causes; the page Experiment says what can be said."
        )
    if not doors:
        found.append("How many came in and bought nothing: no door is counted.")
    elif not passers_by:
        found.append("How many passed the door: nothing counts the street, so no capture rate.")
    if unmeasured:
        found.append(f"Who looked at {', '.join(unmeasured)}: no camera sees from there.")
    if days_without_data:
        days = "1 day" if days_without_data == 1 else f"{days_without_data} days"
        found.append(f"Why {days} of the week had no basket: closed, or nothing was sent.")
    found.append(
        "How far attention is off here: it is estimated from facing; a walk test of each camera "
        "gives its own error."
    )
    return found
