"""Windows of attention, tumbling or sliding, in event time, for the targets of one partition. Pure:
no clock, no input or output; when to tell a window is the caller's business, what it says is not.

A window is the set of facts that overlap it, so the order of arrival and repeats change nothing.
It is told again when a later fact changes it. `through_offset` is the sum, over the topics that
feed it, of the greatest offset (+ 1) that has a part in it: it grows with every change, and the
complete window has the greatest one, in whatever order the topics are read again after a crash.
"""

from collections import Counter
from typing import Literal

from streams.contracts.attention import AttentionWindow
from streams.core.facts import Fact, FactKey, overlaps
from streams.core.watermark import Watermarks
from streams.core.window import Known, Starts, Target, Window, row_of

#: What became of a fact: `late` ones came after the allowed lateness of the window in which they
#: were told and are counted in the last one that they would have been in; `dropped` ones only
#: concern windows that are no longer kept, or have a stamp from the future: the state that a
#: restart rebuilds from the last minutes of the log could not hold what belongs to tomorrow.
Outcome = Literal["added", "repeated", "late", "dropped"]

#: Windows to come that wrong clocks may make for one target, beside those that are kept.
_MOST_AHEAD = 1_000


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
        self._targets: dict[str, Target] = {}
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
            target = Target(fact.store_id, fact.area_id, fact.target_kind)
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

    def _put(self, target: Target, key: FactKey, known: Known | None, fact: Fact) -> Outcome:
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
        self, target: Target, key: FactKey, known: Known, fact: Fact, starts: Starts
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

    def _touch(self, window: Window, fact: Fact) -> None:
        window.reach(fact)
        self._mark(fact.target_id, window)

    def _count_late(self, target: Target, fact: Fact) -> Outcome:
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
            rows.append(row_of(target_id, target, window))
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

    def _mark(self, target_id: str, window: Window) -> None:
        window.changed = True
        self._changed.add((target_id, window.start_ms))

    def _window(self, target: Target, start: int) -> Window:
        window = target.windows.get(start)
        if window is None:
            window = target.windows[start] = Window(start, start + self._window_ms, (start,))
        return window

    def _last_start(self, at_ms: int) -> int:
        """The start of the last window that holds a time."""
        return at_ms - at_ms % self._hop_ms

    def _is_kept(self, target: Target, start: int, told_ms: int = 0) -> bool:
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

    def _kept_starts(self, target: Target, fact: Fact) -> Starts:
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

    def _advance(self, target_id: str, target: Target) -> None:
        """The clock has come to the next window: lets go of those that are over for good."""
        clock_ms = target.clock_ms
        target.next_ms = clock_ms - clock_ms % self._hop_ms + self._hop_ms
        over_ms = clock_ms - self._kept_for_ms
        for start in [start for start in target.windows if start <= over_ms]:
            windows = target.windows
            window = windows.pop(start)
            if window.changed:
                self._leaving.append(row_of(target_id, target, window))
                self._changed.discard((target_id, start))
            for key in window.members:
                starts = target.facts[key][1]
                if not any(each in windows for each in starts):
                    del target.facts[key]
