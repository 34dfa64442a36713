"""Windows of attention, tumbling or sliding, in event time, for the targets of one partition. Pure:
no clock, no input or output; when to tell a window is the caller's business, what it says is not.

A window is the set of facts that overlap it, so the order of arrival and repeats change nothing.
It is told again when a later fact changes it. `through_offset` is the sum, over the topics that
feed it, of the greatest offset (+ 1) that has a part in it: it grows with every change, and the
complete window has the greatest one, in whatever order the topics are read again after a crash.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from streams.contracts.attention import AttentionWindow
from streams.contracts.vision import TargetKind
from streams.core.facts import Fact, FactKey, overlaps, part_ms
from streams.core.watermark import Watermarks

#: What became of a fact: `late` ones came after the allowed lateness of the window in which they
#: were told and are counted in the last one that they would have been in; `dropped` ones only
#: concern windows that are no longer kept, or have a stamp from the future: the state that a
#: restart rebuilds from the last minutes of the log could not hold what belongs to tomorrow.
Outcome = Literal["added", "repeated", "late", "dropped"]

Starts = tuple[int, ...]

#: A fact as it was told last, and the starts of the windows in which it was put.
Known = tuple[Fact, Starts]

#: Windows to come that wrong clocks may make for one target, beside those that are kept.
_MOST_AHEAD = 1_000


@dataclass(slots=True)
class _Window:
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
class _Target:
    """`next_ms` is when its next window begins, by its clock."""

    store_id: str
    area_id: str
    target_kind: TargetKind
    clock_ms: int = 0
    next_ms: int = 0
    facts: dict[FactKey, Known] = field(default_factory=dict)
    windows: dict[int, _Window] = field(default_factory=dict)


class AttentionWindows:
    """The windows of one partition's targets.

    `window_ms`: length of a window; one begins every `hop_ms`, by default when the last one ends
    (tumbling; sliding ones overlap). `lateness_ms`: how long after its end a window takes events.
    `keep_ms`: how long after its end it can be revised by a long gaze or dwell that ends then.
    `floor_ms`: windows that start before it were told by an earlier life of the process and are
    not known in full, so they are never told again.
    """

    def __init__(
        self,
        *,
        window_ms: int,
        lateness_ms: int,
        keep_ms: int,
        floor_ms: int = 0,
        hop_ms: int | None = None,
    ) -> None:
        self._window_ms = window_ms
        self._hop_ms = window_ms if hop_ms is None else hop_ms
        if window_ms % self._hop_ms:
            raise ValueError(
                f"windows of {window_ms} ms cannot begin every {self._hop_ms} ms: make the length "
                "a multiple of the hop"
            )
        #: From a window's start until it takes no more.
        self._closes_after_ms = window_ms + lateness_ms
        #: From a window's start until it is let go.
        self._kept_for_ms = window_ms + keep_ms
        self._tumbling = self._hop_ms == window_ms
        self._keep_ms = keep_ms
        self._floor_ms = floor_ms
        self._watermarks = Watermarks()
        self._targets: dict[str, _Target] = {}
        self._changed: set[tuple[str, int]] = set()
        self._leaving: list[AttentionWindow] = []
        self._most_windows = (keep_ms + window_ms) // self._hop_ms + _MOST_AHEAD
        self.outcomes: Counter[Outcome] = Counter()
        #: Facts with a stamp from the future: they moved the clocks less far than they say, and are
        #: in no window.
        self.clamped = 0

    @property
    def watermarks(self) -> Watermarks:
        """How far each source has told."""
        return self._watermarks

    def sizes(self) -> dict[str, int]:
        """How much is kept."""
        targets = self._targets.values()
        return {
            "windows": sum(len(target.windows) for target in targets),
            "facts": sum(len(target.facts) for target in targets),
        }

    def observe(self, log: str, source: str, at_ms: int) -> None:
        """A message of `source` was read, with or without facts."""
        self._watermarks.observe(log, source, at_ms)

    def add(self, fact: Fact) -> Outcome:
        """Takes a fact in."""
        outcome = self._add(fact)
        self.outcomes[outcome] += 1
        return outcome

    def _add(self, fact: Fact) -> Outcome:
        # This runs for every event of every camera: each look-up or call less is a camera more.
        told_ms, clock_ms, target_id = fact.told_at_ms, fact.clock_ms, fact.target_id
        newest_ms = self._watermarks.observe(fact.log, fact.source, clock_ms)
        if clock_ms < told_ms:
            self.clamped += 1
            return "dropped"
        target = self._targets.get(target_id)
        if target is None:
            target = _Target(fact.store_id, fact.area_id, fact.target_kind)
            self._targets[target_id] = target
        key = (fact.kind, fact.fact_id)
        known = target.facts.get(key)
        if known is not None and not fact.replaces(known[0]):
            return "repeated"
        hop_ms = self._hop_ms
        if newest_ms >= told_ms - told_ms % hop_ms + self._closes_after_ms:
            return self._count_late(target, fact)
        if clock_ms > target.clock_ms:
            target.clock_ms = clock_ms
            if clock_ms >= target.next_ms:
                self._advance(target_id, target)
        start_ms = fact.start_ms
        first = start_ms - start_ms % hop_ms
        window = target.windows.get(first)
        if (
            window is None
            or not self._tumbling
            or not start_ms <= fact.end_ms <= window.end_ms
            or not self._floor_ms <= first <= target.clock_ms < first + self._kept_for_ms
            or (known is not None and known[1] != window.alone)
        ):
            return self._put(target, key, known, fact)
        # Most lie in one window, which is neither old nor to come.
        if known is None:
            window.put_whole(key, fact)
        else:
            window.swap(known[0], fact)
        target.facts[key] = (fact, window.alone)
        through, offset = window.through, fact.offset
        if through.get(fact.log, 0) <= offset:
            through[fact.log] = offset + 1
        if not window.changed:
            window.changed = True
            self._changed.add((target_id, first))
        return "added"

    def _put(self, target: _Target, key: FactKey, known: Known | None, fact: Fact) -> Outcome:
        """Into whatever windows it overlaps."""
        starts = self._kept_starts(target, fact)
        if not starts:
            return "dropped"
        target.facts[key] = (fact, starts)
        if known is None:
            for start in starts:
                window = self._window(target, start)
                window.put(key, fact)
                self._touch(window, fact)
        else:
            self._replace(target, key, known, fact, starts)
        return "added"

    def _replace(
        self, target: _Target, key: FactKey, known: Known, fact: Fact, starts: Starts
    ) -> None:
        windows, (told, before) = target.windows, known
        for start in before:
            window = windows.get(start)
            if window is None or key not in window.members:
                continue
            if start in starts:
                window.swap(told, fact)
            else:
                window.take(key, told)
            self._touch(window, fact)
        if starts == before:
            return
        for start in starts:
            window = self._window(target, start)
            if key not in window.members:
                window.put(key, fact)
                self._touch(window, fact)

    def _touch(self, window: _Window, fact: Fact) -> None:
        window.reach(fact)
        self._mark(fact.target_id, window)

    def _count_late(self, target: _Target, fact: Fact) -> Outcome:
        start = self._last_start(max(fact.start_ms, fact.end_ms - 1))
        if not self._is_kept(target, start, fact.told_at_ms):
            return "dropped"
        window = self._window(target, start)
        if fact.key in window.late:
            return "repeated"
        window.late.add(fact.key)
        self._touch(window, fact)
        return "late"

    def changed(self) -> list[AttentionWindow]:
        """The windows that changed since the last call."""
        rows = self._leaving
        self._leaving = []
        targets = self._targets
        for target_id, start in sorted(self._changed):
            target = targets[target_id]
            window = target.windows[start]
            window.changed = False
            rows.append(_row(target_id, target, window))
        self._changed.clear()
        return rows

    def mark_all_changed(self) -> None:
        """All windows that are kept will be told (again)."""
        self._leaving = []
        for target_id, target in self._targets.items():
            for window in target.windows.values():
                self._mark(target_id, window)

    def mark_changed(self, rows: list[AttentionWindow]) -> None:
        """`rows` could not be told: they will be told again."""
        for row in rows:
            target = self._targets.get(row.target_id)
            window = None if target is None else target.windows.get(row.window_start_ms)
            if window is None:
                self._leaving.append(row)
            else:
                self._mark(row.target_id, window)

    def _mark(self, target_id: str, window: _Window) -> None:
        window.changed = True
        self._changed.add((target_id, window.start_ms))

    def _window(self, target: _Target, start: int) -> _Window:
        window = target.windows.get(start)
        if window is None:
            window = target.windows[start] = _Window(start, start + self._window_ms, (start,))
        return window

    def _last_start(self, at_ms: int) -> int:
        """The start of the last window that holds a time."""
        return at_ms - at_ms % self._hop_ms

    def _is_kept(self, target: _Target, start: int, told_ms: int = 0) -> bool:
        """Whether a window is kept, or may be made by what was told at a time."""
        clock_ms = target.clock_ms
        if start < self._floor_ms:
            return False
        if start > clock_ms:
            # Only a clock that is wrong tells of windows to come: there may not be many.
            known = start in target.windows or len(target.windows) < self._most_windows
            return start <= told_ms and known
        return start + self._window_ms + self._keep_ms > clock_ms

    def _spanned(self, first_ms: int, last_ms: int) -> range:
        """The starts of the windows that hold a time from `first_ms` to `last_ms`."""
        hop = self._hop_ms
        before = self._last_start(first_ms) - self._window_ms + hop
        return range(before, self._last_start(last_ms) + 1, hop)

    def _kept_starts(self, target: _Target, fact: Fact) -> Starts:
        """The kept windows that `fact` overlaps: at the most those of `keep_ms` and those after the
        target's clock, however long the fact claims to be.
        """
        start_ms, end_ms, window_ms = fact.start_ms, fact.end_ms, self._window_ms
        first = max(start_ms, target.clock_ms - self._kept_for_ms)
        # A time after the frame that told it is a mistake, and must not make windows.
        last = max(start_ms, min(end_ms - 1, fact.told_at_ms))
        return tuple(
            start
            for start in self._spanned(first, last)
            if self._is_kept(target, start, fact.told_at_ms)
            and overlaps(fact, start, start + window_ms)
        )

    def _advance(self, target_id: str, target: _Target) -> None:
        """The clock has come to the next window: lets go of those that are over for good."""
        clock_ms = target.clock_ms
        target.next_ms = clock_ms - clock_ms % self._hop_ms + self._hop_ms
        over_ms = clock_ms - self._kept_for_ms
        for start in [start for start in target.windows if start <= over_ms]:
            windows = target.windows
            window = windows.pop(start)
            if window.changed:
                self._leaving.append(_row(target_id, target, window))
                self._changed.discard((target_id, start))
            for key in window.members:
                starts = target.facts[key][1]
                if not any(each in windows for each in starts):
                    del target.facts[key]


def _row(target_id: str, target: _Target, window: _Window) -> AttentionWindow:
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
