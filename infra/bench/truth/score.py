"""What was told against the truth, pair by pair of shopper and target. Pure.

A pair that was told of an unmatched track belongs to nobody: it makes a watcher too many, and no
error of time. A pair of a shopper without a track, or of which nothing was told, is a miss: its
error is 100 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from infra.bench.truth.facts import Shopper, Told

#: A gaze told this long after a look has ended belongs to it all the same: it is told by a picture
#: that was taken while the look lasted.
_AFTERWARDS_MS = 1_000


@dataclass(frozen=True, slots=True)
class Pair:
    """One shopper, or a track that is nobody's, and one target: the truth, and what was told."""

    who: str
    traits: Mapping[str, str]
    matched: bool
    true_watcher: bool
    told_watcher: bool
    true_attention_ms: int
    told_attention_ms: int
    true_dwell_ms: int
    told_dwell_ms: int
    true_opportunity: bool
    told_opportunity: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """A true look of a matched shopper: how long after its beginning it was told; None if never."""

    traits: Mapping[str, str]
    told_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a shopper who looks at a zone, or at nothing (`looked_at` None).

    `probabilities` by target, None if no face was found; `fixating`: the shopper looks at a zone
    from within its floor, at the distance of `traits`.
    """

    traits: Mapping[str, str]
    looked_at: str | None
    probabilities: Mapping[str, float] | None
    fixating: bool


@dataclass(slots=True)
class Outcome:
    """All that is scored, of one run or of several together."""

    pairs: list[Pair] = field(default_factory=list)
    glances: list[Glance] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    shoppers: list[Mapping[str, str]] = field(default_factory=list)
    unmatched_shoppers: int = 0
    unmatched_tracks: int = 0
    switches: int = 0
    minutes: float = 0.0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.pairs + other.pairs,
            self.glances + other.glances,
            self.samples + other.samples,
            self.shoppers + other.shoppers,
            self.unmatched_shoppers + other.unmatched_shoppers,
            self.unmatched_tracks + other.unmatched_tracks,
            self.switches + other.switches,
            self.minutes + other.minutes,
        )


def compare(
    shoppers: Sequence[Shopper],
    tracks: Mapping[str, Told],
    matched: Mapping[str, str],
    traits: Mapping[str, str],
    run: str = "",
) -> Outcome:
    """What one run got right.

    Arguments:
        matched: the shopper of each track that has one.
        traits: of the run, such as the density; a track that is nobody's has no others.
        run: sets its shoppers apart from those of other runs.
    """
    track_of = {shopper: track for track, shopper in matched.items()}
    outcome = Outcome()
    for shopper in shoppers:
        told = tracks.get(track_of.get(shopper.shopper_id, ""))
        if shopper.staff:
            outcome.pairs += _too_many(told, shopper.traits, run) if told is not None else []
            continue
        outcome.shoppers.append(shopper.traits)
        outcome.unmatched_shoppers += told is None
        outcome.pairs += _pairs(shopper, told, run)
        outcome.glances += _glances(shopper, told)
    for name, told in tracks.items():
        if name not in matched:
            outcome.unmatched_tracks += 1
            outcome.pairs += _too_many(told, traits, run)
    return outcome


def _pairs(shopper: Shopper, told: Told | None, run: str) -> list[Pair]:
    known = told or Told("")
    watched, dwelt = _attention(known), _dwell(known)
    names = {*shopper.attention_ms, *shopper.dwell_ms, *shopper.opportunities}
    names |= {*watched, *dwelt, *known.opportunities}
    return [
        Pair(
            who=f"{run}/{shopper.shopper_id}",
            traits=shopper.traits,
            matched=told is not None,
            true_watcher=name in shopper.attention_ms,
            told_watcher=name in watched,
            true_attention_ms=shopper.attention_ms.get(name, 0),
            told_attention_ms=watched.get(name, 0),
            true_dwell_ms=shopper.dwell_ms.get(name, 0),
            told_dwell_ms=dwelt.get(name, 0),
            true_opportunity=name in shopper.opportunities,
            told_opportunity=name in known.opportunities,
        )
        for name in sorted(names)
    ]


def _too_many(told: Told, traits: Mapping[str, str], run: str) -> list[Pair]:
    """All that was told of somebody who does not count."""
    watched, dwelt = _attention(told), _dwell(told)
    return [
        Pair(
            who=f"{run}/{told.track_id}",
            traits=traits,
            matched=False,
            true_watcher=False,
            told_watcher=name in watched,
            true_attention_ms=0,
            told_attention_ms=watched.get(name, 0),
            true_dwell_ms=0,
            told_dwell_ms=dwelt.get(name, 0),
            true_opportunity=False,
            told_opportunity=name in told.opportunities,
        )
        for name in sorted({*watched, *dwelt, *told.opportunities})
    ]


def _attention(told: Told) -> dict[str, int]:
    attention: dict[str, int] = {}
    for gaze in told.gazes.values():
        attention[gaze.target_id] = attention.get(gaze.target_id, 0) + gaze.attention_ms
    return attention


def _dwell(told: Told) -> dict[str, int]:
    dwelt: dict[str, int] = {}
    for name, span in told.dwells.values():
        dwelt[name] = dwelt.get(name, 0) + span.length_ms
    return dwelt


def _glances(shopper: Shopper, told: Told | None) -> list[Glance]:
    """For each true look the gaze that was told of it: the first that began since the look did."""
    if told is None:
        return []
    free = sorted(told.gazes.values(), key=lambda gaze: gaze.told_at_ms)
    glances: list[Glance] = []
    looks = [(name, span) for name, spans in shopper.looks.items() for span in spans]
    for name, span in sorted(looks, key=lambda look: look[1].from_ms):
        last_ms = span.to_ms + _AFTERWARDS_MS
        found = next(
            (g for g in free if g.target_id == name and span.from_ms <= g.told_at_ms <= last_ms),
            None,
        )
        if found is not None:
            free.remove(found)
        after_ms = None if found is None else found.told_at_ms - span.from_ms
        glances.append(Glance(shopper.traits, after_ms))
    return glances


def recall(pairs: Iterable[Pair]) -> float | None:
    """Of the true watchers, the share that was told."""
    found = [pair.told_watcher for pair in pairs if pair.true_watcher]
    return share(found)


def precision(pairs: Iterable[Pair]) -> float | None:
    """Of the watchers that were told, the share that was one."""
    return share([pair.true_watcher for pair in pairs if pair.told_watcher])


def time_errors(pairs: Iterable[tuple[int, int]]) -> list[float]:
    """|told - true| / true of each (true, told) whose truth is not 0; nothing told is 1.

    >>> time_errors([(2000, 1500), (1000, 0), (0, 700)])
    [0.25, 1.0]
    """
    return [abs(told - true) / true for true, told in pairs if true > 0]


def dwell_errors(pairs: Iterable[Pair]) -> list[float]:
    """Relative errors of dwell time, by shopper and zone."""
    return time_errors((pair.true_dwell_ms, pair.told_dwell_ms) for pair in pairs)


def attention_errors(pairs: Iterable[Pair]) -> list[float]:
    """Relative errors of attention time, by shopper and target."""
    return time_errors((pair.true_attention_ms, pair.told_attention_ms) for pair in pairs)


def opportunity_error(pairs: Iterable[Pair]) -> float | None:
    """How far the number of opportunities to see is from the true one, as a share of it."""
    listed = list(pairs)
    true = sum(pair.true_opportunity for pair in listed)
    told = sum(pair.told_opportunity for pair in listed)
    return abs(told - true) / true if true else None


def quantile(values: Sequence[float], at: float) -> float | None:
    """A quantile, None of nothing; between two values the higher, so that it is one that occurred.

    >>> quantile([1.0, 2.0, 9.0], 0.9)
    9.0
    """
    if not values:
        return None
    return float(np.quantile(np.asarray(values, dtype=float), at, method="higher"))


def share(found: Sequence[bool]) -> float | None:
    """How many of them are true, None of nothing."""
    return sum(found) / len(found) if found else None
