"""What `measure` tells Prometheus of its windows."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import Metric

from streams.measure.measurer import CONSUMER, Measurer
from streams.metrics import Telling


class Measured:
    """A collector over a measurer; `clock_ms` tells how long ago the newest event was."""

    def __init__(self, measurer: Measurer, clock_ms: Callable[[], int]) -> None:
        self._measurer = measurer
        self._clock_ms = clock_ms

    def collect(self) -> Iterable[Metric]:
        """See Prometheus' `Collector`."""
        telling, measurer = Telling(CONSUMER), self._measurer
        counts = measurer.counts()
        yield telling.counter(
            "facts",
            "Facts, plays and baskets by what became of them: added, repeated, late, dropped",
            {(outcome,): count for outcome, count in counts.outcomes.items()},
            "outcome",
        )
        yield telling.counter(
            "clamped", "Facts and baskets with a stamp from the future", {(): counts.clamped}
        )
        yield telling.counter(
            "emitted_rows",
            "Rows told",
            {(topic,): count for topic, count in measurer.emitted.items()},
            "topic",
        )
        yield telling.gauge(
            "state_entries",
            "Entries of the state in memory",
            {(kind,): count for kind, count in measurer.sizes().items()},
            "kind",
        )
        yield from self._watermarks(telling)

    def _watermarks(self, telling: Telling) -> Iterable[Metric]:
        now_ms = self._clock_ms()
        delays: dict[tuple[str, ...], float] = {}
        spreads: dict[tuple[str, ...], float] = {}
        for (topic, partition), (oldest, newest) in self._measurer.watermarks_ms().items():
            delays[topic, str(partition)] = (now_ms - newest) / 1_000
            spreads[topic, str(partition)] = (newest - oldest) / 1_000
        yield telling.gauge(
            "watermark_delay_seconds",
            "How long ago the newest event time is",
            delays,
            "topic",
            "partition",
        )
        yield telling.gauge(
            "watermark_spread_seconds",
            "How far the source that told least far is behind the furthest",
            spreads,
            "topic",
            "partition",
        )
