"""From what was scored to the figures of the report. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from infra.bench.truth.facts import DISTANCES_M
from infra.bench.truth.reliability import expected_error, reliability
from infra.bench.truth.report import (
    Delay,
    Errors,
    Figures,
    Goal,
    Rate,
    ReliabilityBin,
    TruthReport,
    Watchers,
    Zones,
)
from infra.bench.truth.score import (
    Outcome,
    Pair,
    Sample,
    attention_errors,
    dwell_errors,
    opportunity_error,
    precision,
    quantile,
    recall,
    share,
    time_errors,
)

#: A zone is named from this probability on.
NAMED_FROM = 0.8

#: By what the figures are given.
GROUPS = ("density", "distance", "height", "kind", "hat", "mask", "chair")


def watchers(pairs: Sequence[Pair]) -> Watchers:
    """Recall and precision of the pairs."""
    return Watchers(recall=rounded(recall(pairs)), precision=rounded(precision(pairs)))


def watchers_of_anything(outcome: Outcome) -> Watchers:
    """The same of shoppers, whatever they looked at; a track that is nobody's is one of its own."""
    told, true = 0, 0
    both = 0
    for pairs in _by_shopper(outcome.pairs):
        is_true = any(pair.true_watcher for pair in pairs)
        is_told = any(pair.told_watcher for pair in pairs)
        true, told, both = true + is_true, told + is_told, both + (is_true and is_told)
    return Watchers(
        recall=rounded(both / true if true else None),
        precision=rounded(both / told if told else None),
    )


def errors(values: Sequence[float]) -> Errors:
    """Quantiles of relative errors; 1 is a miss."""
    return Errors(
        p50=rounded(quantile(values, 0.5)),
        p90=rounded(quantile(values, 0.9)),
        count=len(values),
        missed=rounded(share([value == 1.0 for value in values])),
    )


def dwell_by_shopper(outcome: Outcome) -> Errors:
    """Errors of dwell time summed over all of a shopper's zones."""
    return _by_shopper_errors(outcome, _dwell)


def dwell_of_watchers(outcome: Outcome) -> Errors:
    """Errors of dwell time of those who watched the zone."""
    return errors(dwell_errors(pair for pair in outcome.pairs if pair.true_watcher))


def attention_by_shopper(outcome: Outcome) -> Errors:
    """Errors of attention time summed over all of a shopper's targets."""
    return _by_shopper_errors(outcome, _attention)


def dwell_bias(outcome: Outcome) -> float | None:
    """How much too much dwell time was told altogether."""
    return bias(_dwell(pair) for pair in outcome.pairs)


def attention_bias(outcome: Outcome) -> float | None:
    """How much too much attention time was told altogether."""
    return bias(_attention(pair) for pair in outcome.pairs)


def ots_error(outcome: Outcome) -> float | None:
    """How far the number of opportunities to see is from the true one, as a share of it."""
    return rounded(opportunity_error(outcome.pairs))


def _dwell(pair: Pair) -> tuple[int, int]:
    return pair.true_dwell_ms, pair.told_dwell_ms


def _attention(pair: Pair) -> tuple[int, int]:
    return pair.true_attention_ms, pair.told_attention_ms


def _by_shopper_errors(outcome: Outcome, of: Callable[[Pair], tuple[int, int]]) -> Errors:
    sums = []
    for pairs in _by_shopper(outcome.pairs):
        times = [of(pair) for pair in pairs]
        sums.append((sum(true for true, _ in times), sum(told for _, told in times)))
    return errors(time_errors(sums))


def bias(times: Iterable[tuple[int, int]]) -> float | None:
    """How much too much was told altogether, as a share; of what was told at all.

    >>> bias([(1000, 900), (1000, 1000), (1000, 0)])
    -0.05
    """
    listed = [(true, told) for true, told in times if true > 0 and told > 0]
    total = sum(true for true, _ in listed)
    return rounded(sum(told for _, told in listed) / total - 1) if total else None


def zones(samples: Sequence[Sample]) -> Zones:
    """The figures of the zone that is looked at."""
    tops = [(_top(s), s) for s in samples if s.probabilities]
    said = [top[1] for top, _ in tops]
    bins = reliability(said, [top[0] == s.looked_at for top, s in tops])
    every = [(p, name == s.looked_at) for _, s in tops for name, p in _all(s)]
    fixating = [sample for sample in samples if sample.fixating]
    near = {str(d): [s for s in fixating if s.traits["distance"] == f"{d} m"] for d in DISTANCES_M}
    return Zones(
        ece=expected_error(bins),
        ece_all_targets=expected_error(reliability([p for p, _ in every], [r for _, r in every])),
        named_from=NAMED_FROM,
        right_when_named={at: right_when_named(found) for at, found in near.items()},
        share_named={at: share_named(found) for at, found in near.items()},
        right={at: _right(found) for at, found in near.items()},
        right_overall=_right(fixating),
        face_found=rounded(share([sample.probabilities is not None for sample in fixating])),
        pictures={at: len(found) for at, found in near.items()},
        reliability=[ReliabilityBin(count=b.count, said=b.said, right=b.right) for b in bins],
    )


def right_when_named(fixating: Iterable[Sample]) -> float | None:
    """Of the pictures for which a zone was named, the share for which it was the right one."""
    tops = [(_top(s), s.looked_at) for s in fixating if s.probabilities]
    return rounded(share([top[0] == at for top, at in tops if top[1] >= NAMED_FROM]))


def share_named(fixating: Iterable[Sample]) -> float | None:
    """The share of the pictures for which a zone was named."""
    return rounded(share([bool(s.probabilities) and _top(s)[1] >= NAMED_FROM for s in fixating]))


def _right(fixating: Iterable[Sample]) -> float | None:
    found = [bool(s.probabilities) and _top(s)[0] == s.looked_at for s in fixating]
    return rounded(share(found))


def _top(sample: Sample) -> tuple[str, float]:
    """The most probable target."""
    return max(_all(sample), key=lambda item: (item[1], item[0]))


def _all(sample: Sample) -> list[tuple[str, float]]:
    return list((sample.probabilities or {}).items())


def delay(outcome: Outcome) -> Delay:
    """How soon looks are told."""
    told = [float(g.told_after_ms) for g in outcome.glances if g.told_after_ms is not None]
    return Delay(
        p50=quantile(told, 0.5),
        p95=quantile(told, 0.95),
        told=rounded(share([g.told_after_ms is not None for g in outcome.glances])),
        looks=len(outcome.glances),
    )


def by_group(outcome: Outcome) -> dict[str, dict[str, Figures]]:
    """The figures of each group of shoppers. A track that is nobody's has no group but the run's,
    so precision suffers from it there alone."""
    found: dict[str, dict[str, Figures]] = {}
    for group in GROUPS:
        values = sorted({traits[group] for traits in outcome.shoppers if group in traits})
        found[group] = {value: figures(_part(outcome, group, value)) for value in values}
    return found


def _part(outcome: Outcome, group: str, value: str) -> Outcome:
    return Outcome(
        pairs=[p for p in outcome.pairs if p.traits.get(group) == value],
        glances=[g for g in outcome.glances if g.traits.get(group) == value],
        samples=[s for s in outcome.samples if s.traits.get(group) == value],
        shoppers=[t for t in outcome.shoppers if t.get(group) == value],
    )


def figures(part: Outcome) -> Figures:
    """The figures of one group."""
    fixating = [sample for sample in part.samples if sample.fixating]
    told = [float(g.told_after_ms) for g in part.glances if g.told_after_ms is not None]
    tops = [(_top(s), s) for s in part.samples if s.probabilities]
    bins = reliability([top[1] for top, _ in tops], [t[0] == s.looked_at for t, s in tops])
    return Figures(
        shoppers=len(part.shoppers),
        watchers=watchers(part.pairs),
        dwell_time_error=errors(dwell_errors(part.pairs)),
        attention_time_error=errors(attention_errors(part.pairs)),
        ece=expected_error(bins),
        right_when_named=right_when_named(fixating),
        share_named=share_named(fixating),
        glance_to_event_p50_ms=quantile(told, 0.5),
    )


def rate(outcome: Outcome, fps: float) -> Rate:
    """The figures at one rate."""
    return Rate(
        fps=fps,
        watchers=watchers(outcome.pairs),
        dwell_time_error=errors(dwell_errors(outcome.pairs)),
        attention_time_error=errors(attention_errors(outcome.pairs)),
        identity_switches_per_hour=an_hour(outcome),
        glance_to_event_ms=delay(outcome),
    )


def an_hour(outcome: Outcome) -> float:
    """Identity switches an hour."""
    return round(60 * outcome.switches / outcome.minutes, 1) if outcome.minutes else 0.0


def goals(report: TruthReport) -> list[Goal]:
    """What was aimed at, against what was found."""
    at_2_m = "2.0"
    at_least = (
        ("watchers.recall", 0.95, report.watchers.recall),
        ("watchers.precision", 0.95, report.watchers.precision),
        ("zone.right_when_named[2.0]", 0.9, report.zone.right_when_named.get(at_2_m)),
        ("zone.share_named[2.0]", 0.5, report.zone.share_named.get(at_2_m)),
    )
    at_most = (
        ("dwell_time_error.p50", 0.05, report.dwell_time_error.p50),
        ("dwell_time_error.p90", 0.20, report.dwell_time_error.p90),
        ("attention_time_error.p50", 0.12, report.attention_time_error.p50),
        ("zone.ece", 0.05, report.zone.ece),
    )
    wide = (("minutes", 20.0, report.minutes), ("shoppers", 200.0, float(report.shoppers)))
    return [
        *(_goal(name, ">=", want, found) for name, want, found in (*at_least, *wide)),
        *(_goal(name, "<=", want, found) for name, want, found in at_most),
    ]


def _goal(name: str, sign: str, wanted: float, found: float | None) -> Goal:
    met = found is not None and (found >= wanted if sign == ">=" else found <= wanted)
    return Goal(figure=name, wanted=f"{sign} {wanted:g}", found=found, met=met)


def _by_shopper(pairs: Iterable[Pair]) -> list[list[Pair]]:
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair.who].append(pair)
    return list(found.values())


def rounded(value: float | None) -> float | None:
    """To four places, which is more than is known."""
    return None if value is None else round(value, 4)
