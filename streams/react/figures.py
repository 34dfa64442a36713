"""What `react` tells Prometheus of its decisions."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from streams.metrics import Telling
from streams.react.reactor import CONSUMER, Reactor


class Reacted:
    """A collector over a reactor."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def collect(self) -> Iterable[Metric]:
        """See Prometheus' `Collector`."""
        telling, reactor = Telling(CONSUMER), self._reactor
        yield telling.counter(
            "decisions",
            "Decisions told, by reason",
            {(reason,): count for reason, count in reactor.decisions.items()},
            "reason",
        )
        yield telling.histogram(
            "decision_seconds",
            "From the look at an area to the broker's word that it has the decision",
            {(): reactor.decision_s},
        )
        yield telling.histogram(
            "reaction_seconds",
            "From the frame that showed a gaze to the broker's word that it has the new content",
            {(): reactor.reaction_s},
        )
        yield telling.gauge("areas", "Areas that this worker decides", {(): len(reactor.held)})
