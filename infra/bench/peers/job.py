"""The attention job as the peers do it: decode, deduplicate, window, emit.

Shared with the processor, so that the comparison is about the frameworks: the events' structs and
their decoding (`streams.contracts`), facts and windows (`streams.core`). Not shared, and left to
the processor alone: checks against the layout, dead letters, exposures, baskets and metrics.
Must import neither Faust nor anything that the peers' own environment lacks.
"""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass

from streams.contracts import codec
from streams.contracts.topics import ATTENTION, DWELL, GAZE
from streams.core import facts
from streams.core.facts import Fact
from streams.core.windows import AttentionWindows

#: The processor's defaults.
WINDOW_MS, _LATENESS_MS, _KEEP_MS, _AHEAD_MS = 10_000, 5_000, 900_000, 60_000

#: The embedded broker answers a fetch that finds nothing at once: whoever uses aiokafka pauses then
#: for so long, as the processor does on that broker (SMARTSTORE_FETCH_PAUSE_MS).
FETCH_PAUSE_MS = 5

#: How often a program says how far it is.
_TELL_EVERY_S = 0.2


@dataclass(frozen=True)
class Task:
    """What a program is told, as JSON in its only argument; `messages` in all are in the log."""

    kafka: str
    group: str
    topics: list[str]
    emit_interval_ms: int
    messages: int
    state: str

    @classmethod
    def given(cls) -> "Task":
        """The program's argument."""
        return cls(**json.loads(sys.argv[1]))


class Progress:
    """Tells on the standard output how many messages of each topic were handled, with what
    processor time.
    """

    def __init__(self, task: Task) -> None:
        self._left = task.messages
        self._handled: Counter[str] = Counter()
        self._told_s = 0.0
        self._tell()

    def handled(self, topic: str, count: int = 1) -> bool:
        """So many more were handled; True when it was the last."""
        self._handled[topic] += count
        self._left -= count
        now_s = time.monotonic()
        if self._left <= 0 or now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._tell()
        return self._left <= 0

    def _tell(self) -> None:
        said = {"cpu_s": time.process_time(), "handled": self._handled}
        print(json.dumps(said), flush=True)


def facts_of(topic: str, offset: int, value: bytes, logged_ms: int) -> list[Fact]:
    """What a message tells of the targets."""
    event, horizon_ms = codec.decode(topic, value), logged_ms + _AHEAD_MS
    if topic == GAZE.name:
        return facts.of_gazes(event, topic, offset, horizon_ms)
    if topic == DWELL.name:
        return facts.of_dwells(event, topic, offset, horizon_ms)
    return facts.of_audience(event, topic, offset, horizon_ms)


class Attention:
    """The windows of one partition, in memory."""

    def __init__(self, task: Task) -> None:
        self._windows = AttentionWindows(
            window_ms=WINDOW_MS, lateness_ms=_LATENESS_MS, keep_ms=_KEEP_MS
        )
        self._every_s = task.emit_interval_ms / 1_000
        self._told_s = time.monotonic()

    def take(self, topic: str, offset: int, value: bytes, logged_ms: int) -> None:
        """A message's events."""
        add = self._windows.add
        for fact in facts_of(topic, offset, value, logged_ms):
            add(fact)

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Key and value of the windows that changed, once in an interval."""
        now_s = time.monotonic()
        if now_s - self._told_s < self._every_s:
            return []
        self._told_s = now_s
        return [(row.target_id.encode(), codec.encode(row)) for row in self._windows.changed()]


OUTPUT = ATTENTION.name
