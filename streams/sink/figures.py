"""What the sink counts, and what it tells Prometheus of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from streams.metrics import BATCH, REACTION_S, Histogram, Telling
from streams.sink.resume import Place

#: The consumer's name in the registry of dead-letter topics.
CONSUMER = "sink"


@dataclass(slots=True)
class SinkCounts:
    """What one run of the sink did. `rows` are new rows by table; a repeat leaves none.

    `rewinds`: how often a stored offset did not fit the log; `forgotten`: records that were stored
    and that the log has lost; `expired`: records that retention deleted before they were stored;
    `commits`: transactions; `sessions`: connections to the database that began with all checks;
    `transaction_s` and `batch`: how long each took, and how many messages it had.
    """

    records: int = 0
    dead_letters: int = 0
    rewinds: int = 0
    forgotten: int = 0
    expired: int = 0
    commits: int = 0
    sessions: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    transaction_s: Histogram = field(default_factory=lambda: Histogram(REACTION_S), repr=False)
    batch: Histogram = field(default_factory=lambda: Histogram(BATCH), repr=False)


class Sunk:
    """A collector over a sink's counts; `lags` tells how many records are not stored yet."""

    def __init__(self, counts: SinkCounts, lags: Callable[[], Mapping[Place, int]]) -> None:
        self._counts = counts
        self._lags = lags

    def collect(self) -> Iterable[Metric]:
        """See Prometheus' `Collector`."""
        telling, counts = Telling(CONSUMER), self._counts
        yield telling.lag(self._lags())
        yield telling.counter(
            "sink_rows",
            "New rows, by table",
            {(table,): rows for table, rows in counts.rows.items()},
            "table",
        )
        for name, what, count in (
            ("sink_records", "Messages whose effect is stored", counts.records),
            ("dead_letters", "Records that went to the dead letters", counts.dead_letters),
            ("sink_rewinds", "Stored offsets that did not fit the log", counts.rewinds),
            ("sink_forgotten", "Stored messages that the log has lost", counts.forgotten),
            ("sink_expired", "Messages deleted before they were stored", counts.expired),
            ("commits", "Offsets stored, with their rows", counts.commits),
            ("sink_sessions", "Fresh starts with the database and the log", counts.sessions),
        ):
            yield telling.counter(name, what, {(): count})
        yield telling.histogram(
            "transaction_seconds", "Time of a transaction", {(): counts.transaction_s}
        )
        yield telling.histogram(
            "transaction_messages", "Messages in a transaction", {(): counts.batch}
        )
