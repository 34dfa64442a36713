"""Tumbling windows of attention, in event time, for the targets of one partition. Pure: no clock,
no input or output; when to tell a window is the caller's business, what it says is not.

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
#: were told and are counted there; `dropped` ones only concern windows that are no longer kept.
Outcome = Literal["added", "repeated", "late", "dropped"]


@dataclass(slots=True)
class _Window:
    members: set[FactKey] = field(default_factory=set)
    late: set[FactKey] = field(default_factory=set)
    through: dict[str, int] = field(default_factory=dict)

    def reach(self, fact: Fact) -> None:
        self.through[fact.log] = max(self.through.get(fact.log, 0), fact.offset + 1)


@dataclass(slots=True)
class _Target:
    store_id: str
    area_id: str
    target_kind: TargetKind
    clock_ms: int = 0
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    windows: dict[int, _Window] = field(default_factory=dict)


class AttentionWindows:
    """The windows of one partition's targets.

    `window_ms`: length of a window. `lateness_ms`: how long after its end a window takes events.
    `keep_ms`: how long after its end it can be revised by a long gaze or dwell that ends then.
    `floor_ms`: windows that start before it were told by an earlier life of the process and are
    not known in full, so they are never told again.
    """

    def __init__(
        self, *, window_ms: int, lateness_ms: int, keep_ms: int, floor_ms: int = 0
    ) -> None:
        self._window_ms = window_ms
        self._lateness_ms = lateness_ms
        self._keep_ms = keep_ms
        self._floor_ms = floor_ms
        self._watermarks = Watermarks()
        self._targets: dict[str, _Target] = {}
        self._changed: set[tuple[str, int]] = set()
        self._leaving: list[AttentionWindow] = []
        self.outcomes: Counter[Outcome] = Counter()

    def observe(self, log: str, source: str, at_ms: int) -> None:
        """A message of `source` was read, with or without facts."""
        self._watermarks.observe(log, source, at_ms)

    def add(self, fact: Fact) -> Outcome:
        """Takes a fact in."""
        outcome = self._add(fact)
        self.outcomes[outcome] += 1
        return outcome

    def _add(self, fact: Fact) -> Outcome:
        self._watermarks.observe(fact.log, fact.source, fact.told_at_ms)
        target = self._targets.get(fact.target_id)
        if target is None:
            target = _Target(fact.store_id, fact.area_id, fact.target_kind)
            self._targets[fact.target_id] = target
        known = target.facts.get(fact.key)
        if known is not None and known.rank >= fact.rank:
            return "repeated"
        if self._watermarks.is_late(
            fact.log,
            fact.source,
            window_end_ms=self._start_of(fact.told_at_ms) + self._window_ms,
            lateness_ms=self._lateness_ms,
        ):
            return self._count_late(target, fact)
        self._advance(fact.target_id, target, fact.told_at_ms)
        starts = self._kept_starts(target, fact)
        if not starts:
            return "dropped"
        touched = set(starts)
        if known is not None:
            touched |= {start for start, w in target.windows.items() if fact.key in w.members}
        target.facts[fact.key] = fact
        for start in touched:
            window = target.windows.setdefault(start, _Window())
            if start in starts:
                window.members.add(fact.key)
            else:
                window.members.discard(fact.key)
            window.reach(fact)
            self._changed.add((fact.target_id, start))
        return "added"

    def _count_late(self, target: _Target, fact: Fact) -> Outcome:
        start = self._start_of(fact.end_ms)
        if not self._is_kept(target, start):
            return "dropped"
        window = target.windows.setdefault(start, _Window())
        if fact.key in window.late:
            return "repeated"
        window.late.add(fact.key)
        window.reach(fact)
        self._changed.add((fact.target_id, start))
        return "late"

    def changed(self) -> list[AttentionWindow]:
        """The windows that changed since the last call."""
        rows = self._leaving
        self._leaving = []
        for target_id, start in sorted(self._changed):
            rows.append(self._row(target_id, start))
        self._changed.clear()
        return rows

    def mark_all_changed(self) -> None:
        """All windows that are kept will be told (again)."""
        self._leaving = []
        self._changed = {
            (target_id, start)
            for target_id, target in self._targets.items()
            for start in target.windows
        }

    def mark_changed(self, rows: list[AttentionWindow]) -> None:
        """`rows` could not be told: they will be told again."""
        for row in rows:
            target = self._targets.get(row.target_id)
            if target is not None and row.window_start_ms in target.windows:
                self._changed.add((row.target_id, row.window_start_ms))
            else:
                self._leaving.append(row)

    def _start_of(self, at_ms: int) -> int:
        return at_ms - at_ms % self._window_ms

    def _is_kept(self, target: _Target, start: int) -> bool:
        expired = start + self._window_ms + self._keep_ms <= target.clock_ms
        return not expired and self._floor_ms <= start <= target.clock_ms

    def _kept_starts(self, target: _Target, fact: Fact) -> set[int]:
        """The kept windows that `fact` overlaps: at the most `keep_ms / window_ms` of them and
        those after the target's clock, however long the fact claims to be.
        """
        first = max(fact.start_ms, target.clock_ms - self._keep_ms - self._window_ms)
        # A time after the frame that told it is a mistake, and must not make windows.
        last = max(fact.start_ms, min(fact.end_ms - 1, fact.told_at_ms))
        starts = range(self._start_of(first), self._start_of(last) + 1, self._window_ms)
        return {
            start
            for start in starts
            if self._is_kept(target, start) and overlaps(fact, start, start + self._window_ms)
        }

    def _advance(self, target_id: str, target: _Target, clock_ms: int) -> None:
        """Moves the target's clock and lets go of the windows that are over for good."""
        if clock_ms <= target.clock_ms:
            return
        crossed = self._start_of(clock_ms) > self._start_of(target.clock_ms)
        target.clock_ms = clock_ms
        if not crossed:
            return
        for start in [s for s in target.windows if not self._is_kept(target, s)]:
            if (target_id, start) in self._changed:
                self._leaving.append(self._row(target_id, start))
                self._changed.discard((target_id, start))
            for key in target.windows.pop(start).members:
                if not any(key in window.members for window in target.windows.values()):
                    del target.facts[key]

    def _row(self, target_id: str, start: int) -> AttentionWindow:
        target = self._targets[target_id]
        window = target.windows[start]
        end = start + self._window_ms
        facts = [target.facts[key] for key in window.members]
        gazes = [f for f in facts if f.kind == "gaze"]
        presences = [f for f in facts if f.kind == "presence"]
        measured = [f for f in presences if f.amount_ms is not None]
        return AttentionWindow(
            store_id=target.store_id,
            area_id=target.area_id,
            target_id=target_id,
            target_kind=target.target_kind,
            window_start_ms=start,
            window_end_ms=end,
            gross_impressions=len({f.track_id for f in presences}),
            ots=len({f.track_id for f in measured if f.amount_ms}) if measured else None,
            watchers=len({f.track_id for f in gazes}),
            attention_ms=sum(part_ms(f, start, end) for f in gazes),
            dwell_ms=sum(part_ms(f, start, end) for f in facts if f.kind == "dwell"),
            late=len(window.late),
            through_offset=sum(window.through.values()),
        )
