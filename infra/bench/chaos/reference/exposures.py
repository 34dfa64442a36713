"""What met each play: the exposures that a log makes. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from infra.bench.chaos.reference.log import Decoded, Row, Rules
from infra.bench.chaos.reference.tellings import Heard, overlaps, part, reach, shared, tracks
from streams.contracts.signage import Play

#: A presence and a play are paired from this overlap on (definitions of exposure).
_PAIRED_FROM_MS = 1_000

#: The row of a play that has ended comes after every row that was told while it went on.
_ENDED = 1 << 52


def exposure_rows(
    decoded: Sequence[Decoded], heard: Sequence[Heard], rules: Rules
) -> tuple[list[Row], int]:
    """A row for each play. Late is what is told when its source has told of a time more than
    `lateness_ms` after it; it is counted with the plays that it meets.
    """
    holds: dict[tuple[str, str, str], Heard] = {}
    late: dict[tuple[str, str, str], Heard] = {}
    for each in heard:
        telling = each.telling
        if telling.target_kind != "screen" or not each.believed:
            continue
        known = holds.get(telling.name)
        if known is not None and known.telling.rank >= telling.rank:
            continue
        if each.newest > telling.told + rules.lateness_ms:
            before = late.get(telling.name)
            if before is None or before.telling.rank < telling.rank:
                late[telling.name] = each
        else:
            holds[telling.name] = each
    rows = [
        _exposure_row(play, offset, list(holds.values()), list(late.values()))
        for play, offset in _plays(decoded, rules.max_ahead_ms)
    ]
    return rows, sum(row["late"] for row in rows)


def _plays(decoded: Sequence[Decoded], max_ahead_ms: int) -> list[tuple[Play, int]]:
    """Each play by its first end in the log, with that record's offset. One without an end says
    what was known so far, which hangs on when it was told: the history has none.
    """
    ends: dict[str, tuple[Play, int]] = {}
    for each in decoded:
        if isinstance(each.event, Play) and each.event.duration_ms is not None:
            over_ms = each.event.rendered_at_ms + each.event.duration_ms
            if over_ms > each.at.timestamp_ms + max_ahead_ms:
                continue
            ends.setdefault(each.event.play_id, (each.event, each.at.offset))
    return list(ends.values())


def _exposure_row(play: Play, offset: int, holds: Sequence[Heard], late: Sequence[Heard]) -> Row:
    start = play.rendered_at_ms
    end = start + (play.duration_ms or 0)

    def meeting(told: Sequence[Heard]) -> list[Heard]:
        return [
            each
            for each in told
            if each.telling.target_id == play.screen_id and overlaps(each.telling, start, end)
        ]

    met, met_late = meeting(holds), meeting(late)
    facts = [each.telling for each in met]
    present = [fact for fact in facts if fact.kind == "presence"]
    paired = [fact for fact in present if shared(fact, start, end) >= _PAIRED_FROM_MS]
    measured = [fact for fact in paired if fact.amount is not None]
    gazes = [fact for fact in facts if fact.kind == "gaze"]
    through: dict[str, int] = defaultdict(int)
    for each in (*met, *met_late):
        reach(through, each)
    return {
        "play_id": play.play_id,
        "store_id": play.store_id,
        "area_id": play.area_id,
        "screen_id": play.screen_id,
        "decision_id": play.decision_id,
        "creative_id": play.creative_id,
        "creative_version": play.creative_version,
        "started_at": start,
        "ended_at": end,
        "ended": True,
        "gross_impressions": tracks(present),
        "ots": tracks(fact for fact in measured if fact.amount) if measured else None,
        "verified_impressions": tracks(paired),
        "exposed_ms": sum(shared(fact, start, end) for fact in paired),
        "watchers": tracks(gazes) if gazes or measured or not present else None,
        "attention_ms": sum(part(fact, start, end) for fact in gazes),
        "late": len(met_late),
        "through_offset": _ENDED + offset + 1 + sum(through.values()),
    }
