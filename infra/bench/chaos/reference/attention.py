"""The windows of attention that a log makes, each computed from all that falls into it. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.bench.chaos.reference.log import Row, Rules
from infra.bench.chaos.reference.tellings import Heard, Telling, overlaps, part, reach, tracks


@dataclass(slots=True)
class _Window:
    facts: list[Telling] = field(default_factory=list)
    late: set[tuple[str, str, str]] = field(default_factory=set)
    through: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def attention_rows(heard: Sequence[Heard], rules: Rules) -> tuple[list[Row], int]:
    """A row for each window that something falls into. Late is what is told when its source has
    told of a time `lateness_ms` after the end of the window of the telling; it is counted in the
    last window that it would have been in.
    """
    length = rules.window_ms
    windows: dict[tuple[str, int], _Window] = defaultdict(_Window)
    holds: dict[tuple[str, str, str], Telling] = {}
    places: dict[str, Telling] = {}
    for each in (each for each in heard if each.believed):
        telling = each.telling
        places.setdefault(telling.target_id, telling)
        known = holds.get(telling.name)
        if known is not None and known.rank >= telling.rank:
            continue
        closed = telling.told - telling.told % length + length + rules.lateness_ms
        if each.newest >= closed:
            ended_in = max(telling.start, telling.end - 1)
            window = windows[telling.target_id, ended_in - ended_in % length]
            if telling.name not in window.late:
                window.late.add(telling.name)
                reach(window.through, each)
            continue
        holds[telling.name] = telling
        for concerned in (telling, *([known] if known is not None else [])):
            for start in _starts(concerned, length):
                reach(windows[telling.target_id, start].through, each)
    for telling in holds.values():
        for start in _starts(telling, length):
            windows[telling.target_id, start].facts.append(telling)
    rows = [_window_row(places[at[0]], at[1], length, each) for at, each in windows.items()]
    return rows, sum(len(window.late) for window in windows.values())


def _starts(telling: Telling, length: int) -> list[int]:
    first = telling.start - telling.start % length
    return [
        start
        for start in range(first, telling.end + 1, length)
        if overlaps(telling, start, start + length)
    ]


def _window_row(place: Telling, start: int, length: int, window: _Window) -> Row:
    end = start + length
    gazes = [fact for fact in window.facts if fact.kind == "gaze"]
    dwells = [fact for fact in window.facts if fact.kind == "dwell"]
    present = [fact for fact in window.facts if fact.kind == "presence"]
    measured = [fact for fact in present if fact.amount is not None]
    return {
        "store_id": place.store_id,
        "area_id": place.area_id,
        "target_id": place.target_id,
        "target_kind": place.target_kind,
        "window_start": start,
        "window_end": end,
        "gross_impressions": tracks(present),
        "ots": tracks(fact for fact in measured if fact.amount) if measured else None,
        "watchers": tracks(gazes),
        "attention_ms": sum(part(fact, start, end) for fact in gazes),
        "dwell_ms": sum(part(fact, start, end) for fact in dwells),
        "late": len(window.late),
        "through_offset": sum(window.through.values()),
        "watchers_measured": bool(gazes or measured or not present),
    }
