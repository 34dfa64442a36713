"""One window of attention, and what is kept of one target: facts and their sums. Pure."""

from dataclasses import dataclass, field

from streams.contracts.attention import AttentionWindow
from streams.contracts.vision import TargetKind
from streams.core.facts import Fact, FactKey, part_ms

Starts = tuple[int, ...]

#: A fact as it was told last, and the starts of the windows in which it was put.
Known = tuple[Fact, Starts]


@dataclass(slots=True)
class Window:
    """The facts that overlap a window, and their sums: a row costs the same however many there are.

    `watching`, `present` and `seeing` count each track's gazes, presences, and presences with an
    opportunity to see; `measured` counts presences for which that could be told. `alone` are the
    starts of a fact that is in no other window; `changed`: it is among those to be told.
    """

    start_ms: int
    end_ms: int
    alone: Starts
    changed: bool = False
    members: set[FactKey] = field(default_factory=set)
    late: set[FactKey] = field(default_factory=set)
    through: dict[str, int] = field(default_factory=dict)
    attention_ms: int = 0
    dwell_ms: int = 0
    measured: int = 0
    watching: dict[str, int] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    seeing: dict[str, int] = field(default_factory=dict)

    def reach(self, fact: Fact) -> None:
        if self.through.get(fact.log, 0) <= fact.offset:
            self.through[fact.log] = fact.offset + 1

    def put(self, key: FactKey, fact: Fact) -> None:
        self.members.add(key)
        self._count(fact, 1)

    def put_whole(self, key: FactKey, fact: Fact) -> None:
        """`put` of a fact that lies within: nothing of it is divided."""
        if fact.kind == "gaze":
            self.members.add(key)
            if fact.amount_ms and fact.start_ms != fact.end_ms:
                self.attention_ms += fact.amount_ms
            self.watching[fact.track_id] = self.watching.get(fact.track_id, 0) + 1
        else:
            self.put(key, fact)

    def take(self, key: FactKey, fact: Fact) -> None:
        self.members.remove(key)
        self._count(fact, -1)

    def swap(self, known: Fact, fact: Fact) -> None:
        """`fact` takes the place of another telling of it."""
        if fact.kind == "gaze" and known.track_id == fact.track_id:  # nearly each one ends
            start_ms, end_ms = self.start_ms, self.end_ms
            had_ms = part_ms(known, start_ms, end_ms)
            self.attention_ms += part_ms(fact, start_ms, end_ms) - had_ms
        else:
            self._count(known, -1)
            self._count(fact, 1)

    def _count(self, fact: Fact, sign: int) -> None:
        kind = fact.kind
        if kind == "gaze":
            self.attention_ms += sign * part_ms(fact, self.start_ms, self.end_ms)
            _refer(self.watching, fact.track_id, sign)
        elif kind == "dwell":
            self.dwell_ms += sign * part_ms(fact, self.start_ms, self.end_ms)
        else:
            _refer(self.present, fact.track_id, sign)
            if fact.amount_ms is not None:
                self.measured += sign
                if fact.amount_ms:
                    _refer(self.seeing, fact.track_id, sign)


def _refer(counts: dict[str, int], name: str, sign: int) -> None:
    """Counts references to a name; one without any is forgotten."""
    count = counts.get(name, 0) + sign
    if count:
        counts[name] = count
    else:
        del counts[name]


@dataclass(slots=True)
class Target:
    """`next_ms` is when its next window begins, by its clock."""

    store_id: str
    area_id: str
    target_kind: TargetKind
    clock_ms: int = 0
    next_ms: int = 0
    facts: dict[FactKey, Known] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)


def row_of(target_id: str, target: Target, window: Window) -> AttentionWindow:
    """What is known of a window, as it is told."""
    return AttentionWindow(
        store_id=target.store_id,
        area_id=target.area_id,
        target_id=target_id,
        target_kind=target.target_kind,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        gross_impressions=len(window.present),
        ots=len(window.seeing) if window.measured else None,
        watchers=len(window.watching),
        attention_ms=window.attention_ms,
        dwell_ms=window.dwell_ms,
        late=len(window.late),
        through_offset=sum(window.through.values()),
        # Who was there and saw, or looked, was measured; of nobody at all nothing is missing.
        watchers_measured=bool(window.watching or window.measured or not window.present),
    )
