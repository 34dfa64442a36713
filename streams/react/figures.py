"""What `react` tells Prometheus of its decisions, and of the variety that they leave."""

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
        yield from self._variety(telling)

    def _variety(self, telling: Telling) -> Iterable[Metric]:
        variety = self._reactor.variety
        yield telling.gauge(
            "variety_creatives",
            "Effective number (exp of the entropy) of creatives shown lately",
            {(): variety.creatives},
        )
        yield telling.gauge(
            "variety_categories",
            "Effective number of their categories",
            {(): variety.categories},
        )
        yield telling.gauge(
            "variety_loss_ratio",
            "Part of the variety of all creatives that may be shown which was not",
            {(): variety.loss},
        )
        yield telling.gauge(
            "variety_overlap_ratio",
            "Mean share of their time in which two screens show the same mix",
            {} if variety.overlap is None else {(): variety.overlap},
        )
        yield telling.gauge(
            "variety_alarm", "1 while a third of the variety is lost", {(): float(variety.alarm)}
        )
