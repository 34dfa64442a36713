"""What the reference is told, and what it says: the log, the rules, the rows. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streams.contracts import topics
from streams.contracts.experiment import Experiment

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
class Decoded:
    at: Logged
    event: Any


def by_key(table: str, rows: Iterable[Row]) -> dict[Key, Row]:
    """The first row of a key holds."""
    kept: dict[Key, Row] = {}
    for row in rows:
        kept.setdefault(tuple(row[column] for column in KEYS[table]), row)
    return kept
