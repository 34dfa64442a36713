"""What the tables must hold in the end: a batch computation over the whole log, slow and plain.

It is written from the definitions alone and shares no code with the processor or the sink; it may
import the contracts and nothing else of ours. Times are epoch milliseconds, and a row is a dict of
its columns, with its times as such.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import gcd
from typing import Any

import msgspec

from streams.contracts import codec, topics
from streams.contracts.errors import ContractError
from streams.contracts.experiment import Experiment
from streams.contracts.pos import Basket
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Audience, Crossing, Dwell, DwellBatch, Gaze, GazeBatch

Row = dict[str, Any]
Key = tuple[Any, ...]

#: The topics that each consumer reads, of those that a store's machines fill.
READ_BY = {
    "measure": (topics.GAZE, topics.DWELL, topics.AUDIENCE, topics.PLAY, topics.BASKET),
    "sink": (
        topics.GAZE,
        topics.DWELL,
        topics.AUDIENCE,
        topics.PLAY,
        topics.BASKET,
        topics.CROSSING,
        topics.DECISION,
    ),
}

#: The tables and what tells their rows apart.
KEYS: dict[str, tuple[str, ...]] = {
    "gaze": ("gaze_id", "started_at"),
    "dwell": ("dwell_id", "entered_at"),
    "presence": ("presence_id", "entered_at"),
    "crossings": ("crossing_id", "crossed_at"),
    "attention": ("store_id", "target_id", "window_start", "window_end"),
    "exposures": ("play_id", "started_at"),
    "baskets": ("store_id", "basket_id", "closed_at"),
    "basket_lines": ("store_id", "basket_id", "closed_at", "line_no"),
    "basket_metrics": ("store_id", "window_start", "arm", "currency"),
    "decisions": ("decision_id", "decided_at"),
    "plays": ("play_id", "rendered_at"),
}

#: A presence and a play are paired from this overlap on (definitions of exposure).
_PAIRED_FROM_MS = 1_000

#: The row of a play that has ended comes after every row that was told while it went on.
_ENDED = 1 << 52


@dataclass(frozen=True, slots=True)
class Logged:
    """A record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that the results hang on."""

    window_ms: int
    lateness_ms: int
    basket_window_ms: int
    basket_lateness_ms: int
    max_ahead_ms: int
    experiment: Experiment


@dataclass(slots=True)
class Expected:
    """The tables, the dead letters as (consumer, topic, partition, offset), and how many are late:
    one for each (window or play, fact) and (window, basket).
    """

    tables: dict[str, dict[Key, Row]]
    dead_letters: set[tuple[str, str, int, int]]
    late: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Decoded:
    at: Logged
    event: Any


@dataclass(frozen=True, slots=True)
class _Telling:
    """`[start, end)` of a track before a target, as one event told it."""

    kind: str
    fact_id: str
    store_id: str
    area_id: str
    target_id: str
    target_kind: str
    track_id: str
    start: int
    end: int
    amount: int | None
    final: bool
    told: int

    @property
    def name(self) -> tuple[str, str, str]:
        return self.target_id, self.kind, self.fact_id

    @property
    def rank(self) -> tuple[bool, int, int]:
        """An end holds before a start, and of equals the longer."""
        return self.final, self.end, self.amount or 0


@dataclass(frozen=True, slots=True)
class _Heard:
    """A telling where it stands, with the newest time its source had told in that log by then."""

    telling: _Telling
    topic: str
    offset: int
    newest: int
    believed: bool


def expected(records: Iterable[Logged], rules: Rules) -> Expected:
    """The whole truth about a log."""
    ordered = sorted(records, key=lambda r: (r.topic, r.partition, r.offset))
    decoded, dead = _decoded(ordered)
    heard = _heard(decoded, rules.max_ahead_ms)
    tables = _stored_as_told(decoded)
    attention, late_attention = _attention(heard, rules)
    exposures, late_exposures = _exposures(decoded, heard, rules)
    metrics, late_baskets = _basket_metrics(decoded, rules)
    tables["attention"] = _by_key("attention", attention)
    tables["exposures"] = _by_key("exposures", exposures)
    tables["basket_metrics"] = _by_key("basket_metrics", metrics)
    late = {
        "attention": late_attention,
        "exposures": late_exposures,
        "basket_metrics": late_baskets,
    }
    return Expected(tables, dead, late)


def _decoded(records: Sequence[Logged]) -> tuple[list[_Decoded], set[tuple[str, str, int, int]]]:
    decoded: list[_Decoded] = []
    dead: set[tuple[str, str, int, int]] = set()
    for record in records:
        try:
            decoded.append(_Decoded(record, codec.decode(record.topic, record.value)))
        except ContractError:
            for consumer, read in READ_BY.items():
                if record.topic in {topic.name for topic in read}:
                    dead.add((consumer, record.topic, record.partition, record.offset))
    return decoded, dead


def _by_key(table: str, rows: Iterable[Row]) -> dict[Key, Row]:
    """The first row of a key holds."""
    kept: dict[Key, Row] = {}
    for row in rows:
        kept.setdefault(tuple(row[column] for column in KEYS[table]), row)
    return kept


# What was told of whom --------------------------------------------------------------------------


def _heard(decoded: Sequence[_Decoded], max_ahead_ms: int) -> list[_Heard]:
    """All tellings in the order of their logs. A stamp further beyond the log's own time than
    `max_ahead_ms` moves its source's clock no further than that, and nobody can tell when that was:
    it belongs to no window and no play.
    """
    newest: dict[tuple[str, int, str], int] = defaultdict(int)
    heard: list[_Heard] = []
    for each in decoded:
        at, horizon = each.at, each.at.timestamp_ms + max_ahead_ms

        def hear(source: str, told: int, at: Logged = at, horizon: int = horizon) -> int:
            log = (at.topic, at.partition, source)
            newest[log] = max(newest[log], min(told, horizon))
            return newest[log]

        if isinstance(each.event, Audience):
            # A camera's heartbeat tells how far it has seen, also when nobody came.
            hear(each.event.camera_id, each.event.captured_at_ms)
        for source, telling in _tellings(each.event):
            newest_ms = hear(source, telling.told)
            believed = telling.told <= horizon
            heard.append(_Heard(telling, at.topic, at.offset, newest_ms, believed))
    return heard


def _tellings(event: Any) -> list[tuple[str, _Telling]]:
    """(source, telling) of gazes, of dwells that ended and are not of staff, of presences."""
    if isinstance(event, GazeBatch):
        return [(gaze.camera_id, _of_gaze(event, gaze)) for gaze in event.events]
    if isinstance(event, DwellBatch):
        return [
            (dwell.camera_id, _of_dwell(event, dwell, dwell.left_at_ms))
            for dwell in event.events
            if dwell.left_at_ms is not None and not dwell.excluded
        ]
    if isinstance(event, Audience):
        return _of_presences(event)
    return []


def _of_gaze(batch: GazeBatch, gaze: Gaze) -> _Telling:
    so_far = gaze.started_at_ms + gaze.attention_ms
    return _Telling(
        "gaze",
        gaze.gaze_id,
        batch.store_id,
        batch.area_id,
        gaze.target_id,
        gaze.target_kind,
        gaze.track_id,
        gaze.started_at_ms,
        so_far if gaze.ended_at_ms is None else gaze.ended_at_ms,
        gaze.attention_ms,
        gaze.ended_at_ms is not None,
        gaze.trace.captured_at_ms,
    )


def _of_dwell(batch: DwellBatch, dwell: Dwell, left_at_ms: int) -> _Telling:
    return _Telling(
        "dwell",
        dwell.dwell_id,
        batch.store_id,
        batch.area_id,
        dwell.zone_id,
        "zone",
        dwell.track_id,
        dwell.entered_at_ms,
        left_at_ms,
        left_at_ms - dwell.entered_at_ms,
        True,
        dwell.trace.captured_at_ms,
    )


def _of_presences(audience: Audience) -> list[tuple[str, _Telling]]:
    return [
        (
            audience.camera_id,
            _Telling(
                "presence",
                presence.presence_id,
                audience.store_id,
                audience.area_id,
                presence.target_id,
                presence.target_kind,
                presence.track_id,
                presence.entered_at_ms,
                presence.left_at_ms,
                presence.opportunity_ms,
                True,
                audience.captured_at_ms,
            ),
        )
        for presence in audience.presences
    ]


def _overlaps(telling: _Telling, start: int, end: int) -> bool:
    if telling.start == telling.end:
        return start <= telling.start < end
    return _shared(telling, start, end) > 0


def _shared(telling: _Telling, start: int, end: int) -> int:
    return max(0, min(telling.end, end) - max(telling.start, start))


def _part(telling: _Telling, start: int, end: int) -> int:
    """The amount that falls to `[start, end)`, spread evenly; adjoining parts add up exactly."""
    length, amount = telling.end - telling.start, telling.amount or 0
    if length == 0 or not _overlaps(telling, start, end):
        return 0
    until = amount * (min(telling.end, end) - telling.start) // length
    since = amount * (max(telling.start, start) - telling.start) // length
    return until - since


# Windows of attention ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Window:
    facts: list[_Telling] = field(default_factory=list)
    late: set[tuple[str, str, str]] = field(default_factory=set)
    through: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _attention(heard: Sequence[_Heard], rules: Rules) -> tuple[list[Row], int]:
    """A row for each window that something falls into. Late is what is told when its source has
    told of a time `lateness_ms` after the end of the window of the telling; it is counted in the
    last window that it would have been in.
    """
    length = rules.window_ms
    windows: dict[tuple[str, int], _Window] = defaultdict(_Window)
    holds: dict[tuple[str, str, str], _Telling] = {}
    places: dict[str, _Telling] = {}
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
                _reach(window.through, each)
            continue
        holds[telling.name] = telling
        for concerned in (telling, *([known] if known is not None else [])):
            for start in _starts(concerned, length):
                _reach(windows[telling.target_id, start].through, each)
    for telling in holds.values():
        for start in _starts(telling, length):
            windows[telling.target_id, start].facts.append(telling)
    rows = [_window_row(places[at[0]], at[1], length, each) for at, each in windows.items()]
    return rows, sum(len(window.late) for window in windows.values())


def _reach(through: dict[str, int], heard: _Heard) -> None:
    through[heard.topic] = max(through[heard.topic], heard.offset + 1)


def _starts(telling: _Telling, length: int) -> list[int]:
    first = telling.start - telling.start % length
    return [
        start
        for start in range(first, telling.end + 1, length)
        if _overlaps(telling, start, start + length)
    ]


def _window_row(place: _Telling, start: int, length: int, window: _Window) -> Row:
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
        "gross_impressions": _tracks(present),
        "ots": _tracks(fact for fact in measured if fact.amount) if measured else None,
        "watchers": _tracks(gazes),
        "attention_ms": sum(_part(fact, start, end) for fact in gazes),
        "dwell_ms": sum(_part(fact, start, end) for fact in dwells),
        "late": len(window.late),
        "through_offset": sum(window.through.values()),
        "watchers_measured": bool(gazes or measured or not present),
    }


def _tracks(facts: Iterable[_Telling]) -> int:
    return len({fact.track_id for fact in facts})


# Exposure ---------------------------------------------------------------------------------------


def _exposures(
    decoded: Sequence[_Decoded], heard: Sequence[_Heard], rules: Rules
) -> tuple[list[Row], int]:
    """A row for each play. Late is what is told when its source has told of a time more than
    `lateness_ms` after it; it is counted with the plays that it meets.
    """
    holds: dict[tuple[str, str, str], _Heard] = {}
    late: dict[tuple[str, str, str], _Heard] = {}
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


def _plays(decoded: Sequence[_Decoded], max_ahead_ms: int) -> list[tuple[Play, int]]:
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


def _exposure_row(play: Play, offset: int, holds: Sequence[_Heard], late: Sequence[_Heard]) -> Row:
    start = play.rendered_at_ms
    end = start + (play.duration_ms or 0)

    def meeting(told: Sequence[_Heard]) -> list[_Heard]:
        return [
            each
            for each in told
            if each.telling.target_id == play.screen_id and _overlaps(each.telling, start, end)
        ]

    met, met_late = meeting(holds), meeting(late)
    facts = [each.telling for each in met]
    present = [fact for fact in facts if fact.kind == "presence"]
    paired = [fact for fact in present if _shared(fact, start, end) >= _PAIRED_FROM_MS]
    measured = [fact for fact in paired if fact.amount is not None]
    gazes = [fact for fact in facts if fact.kind == "gaze"]
    through: dict[str, int] = defaultdict(int)
    for each in (*met, *met_late):
        _reach(through, each)
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
        "gross_impressions": _tracks(present),
        "ots": _tracks(fact for fact in measured if fact.amount) if measured else None,
        "verified_impressions": _tracks(paired),
        "exposed_ms": sum(_shared(fact, start, end) for fact in paired),
        "watchers": _tracks(gazes) if gazes or measured or not present else None,
        "attention_ms": sum(_part(fact, start, end) for fact in gazes),
        "late": len(met_late),
        "through_offset": _ENDED + offset + 1 + sum(through.values()),
    }


# Baskets ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _BasketWindow:
    baskets: dict[str, Basket] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    through: int = 0


def _basket_metrics(decoded: Sequence[_Decoded], rules: Rules) -> tuple[list[Row], int]:
    length = gcd(rules.basket_window_ms, rules.experiment.slot_ms)
    newest: dict[tuple[int, str], int] = defaultdict(int)
    windows: dict[tuple[str, int, str, str], _BasketWindow] = defaultdict(_BasketWindow)
    for each in decoded:
        basket = each.event
        if not isinstance(basket, Basket):
            continue
        closed, log = basket.closed_at_ms, (each.at.partition, basket.store_id)
        horizon = each.at.timestamp_ms + rules.max_ahead_ms
        newest[log] = max(newest[log], min(closed, horizon))
        if closed > horizon:
            continue
        start = closed - closed % length
        arm = rules.experiment.arm(basket.store_id, closed)
        window = windows[basket.store_id, start, arm, basket.currency]
        if basket.basket_id in window.baskets or basket.basket_id in window.late:
            continue
        if newest[log] >= start + length + rules.basket_lateness_ms:
            window.late.add(basket.basket_id)
        else:
            window.baskets[basket.basket_id] = basket
        window.through = max(window.through, each.at.offset + 1)
    rows = [_basket_row(key, length, window, rules) for key, window in windows.items()]
    return rows, sum(len(window.late) for window in windows.values())


def _basket_row(
    key: tuple[str, int, str, str], length: int, window: _BasketWindow, rules: Rules
) -> Row:
    store_id, start, arm, currency = key
    lines = [line for basket in window.baskets.values() for line in basket.lines]
    categories: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        categories[line.category] += line.units
    return {
        "store_id": store_id,
        "window_start": start,
        "window_end": start + length,
        "slot_start": rules.experiment.slot_start_ms(start),
        "arm": arm,
        "currency": currency,
        "transactions": len(window.baskets),
        "basket_units": sum((line.units for line in lines), Decimal()),
        "basket_value": sum((line.net_value for line in lines), Decimal()),
        "category_units": dict(categories),
        "late": len(window.late),
        "simulated": any(basket.simulated for basket in window.baskets.values()),
        "through_offset": window.through,
    }


# What is stored as it was told ------------------------------------------------------------------


def _stored_as_told(decoded: Sequence[_Decoded]) -> dict[str, dict[Key, Row]]:
    """The rows of facts that have ended, each once."""
    rows: dict[str, list[Row]] = {table: [] for table in KEYS}
    for each in decoded:
        for table, row in _rows(each.event):
            rows[table].append(row)
    return {table: _by_key(table, found) for table, found in rows.items()}


def _rows(event: Any) -> list[tuple[str, Row]]:
    match event:
        case GazeBatch():
            ended = [gaze for gaze in event.events if gaze.phase == "ended"]
            return [("gaze", _event_row(gaze, event)) for gaze in ended]
        case DwellBatch():
            stays = [d for d in event.events if d.phase == "ended" and not d.excluded]
            return [("dwell", _event_row(dwell, event)) for dwell in stays]
        case Audience():
            return [("presence", _presence_row(event, n)) for n in range(len(event.presences))]
        case Crossing():
            return [("crossings", _renamed(msgspec.structs.asdict(event)))]
        case Play():
            return [("plays", _play_row(event))] if event.phase == "ended" else []
        case Decision():
            return [("decisions", _decision_row(event))]
        case Basket():
            return _basket_rows(event)
        case _:
            return []


def _renamed(fields: Mapping[str, Any]) -> Row:
    """Columns are called as fields, but times have no unit in their name."""
    return {name.removesuffix("_ms") if "_at_ms" in name else name: v for name, v in fields.items()}


def _traced(fields: dict[str, Any]) -> Row:
    """The trace's fields stand beside the others."""
    trace = fields.pop("trace")
    names = ("cause_id", "captured_at_ms", "inferred_at_ms", "sent_at_ms")
    return _renamed(fields | {name: getattr(trace, name, None) for name in names})


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _event_row(event: Gaze | Dwell, batch: GazeBatch | DwellBatch) -> Row:
    sender = {name: getattr(batch, name) for name in ("store_id", "area_id", "gateway_id")}
    return sender | _traced(_without(msgspec.structs.asdict(event), "phase", "excluded"))


def _presence_row(audience: Audience, number: int) -> Row:
    names = ("store_id", "area_id", "gateway_id", "camera_id")
    sender = {name: getattr(audience, name) for name in names}
    presence = msgspec.structs.asdict(audience.presences[number])
    return sender | _renamed(_without(presence, "watched"))


def _play_row(play: Play) -> Row:
    return _traced(_without(msgspec.structs.asdict(play), "phase"))


def _decision_row(decision: Decision) -> Row:
    row = _traced(_without(msgspec.structs.asdict(decision), "shown_since_ms", "shown_reason"))
    row["slot_start"] = row.pop("slot_start_ms")
    for name in ("context", "candidates"):
        row[name] = [msgspec.to_builtins(each) for each in row[name]]
    return row


def _basket_rows(basket: Basket) -> list[tuple[str, Row]]:
    same = {
        "store_id": basket.store_id,
        "basket_id": basket.basket_id,
        "closed_at": basket.closed_at_ms,
    }
    head = same | {
        "area_id": basket.area_id,
        "currency": basket.currency,
        "basket_units": sum((line.units for line in basket.lines), Decimal()),
        "basket_value": sum((line.net_value for line in basket.lines), Decimal()),
        "simulated": basket.simulated,
    }
    lines = [
        ("basket_lines", same | {"line_no": number} | msgspec.structs.asdict(line))
        for number, line in enumerate(basket.lines, start=1)
    ]
    return [("baskets", head), *lines]
