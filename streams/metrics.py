"""What a process tells Prometheus of itself: plain counts that its loop keeps, read when somebody
asks. Nothing is labelled by a person, a track or a camera's picture.

All names begin with `smartstore_`; docs/architecture.md lists them. What runs for every record adds
to a number or two; families are only made at a scrape, in the process's own loop, so that no lock
is needed.
"""

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)

#: From a record of one event to a handler that waits for a broker; in seconds.
HANDLING_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

#: From a shopper's glance to a decision, and for transactions; in seconds.
REACTION_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)

#: Messages in a transaction.
BATCH = (1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 50_000.0)

#: Whoever is asking at the end is not waited for longer.
_CLOSE_S = 1.0


class Exposed(Protocol):
    """The settings of a process that tells of itself."""

    @property
    def metrics_port(self) -> int | None:
        """The port; None where it tells nothing."""
        ...

    @property
    def metrics_host(self) -> str:
        """The address that it listens at."""
        ...


class Histogram:
    """Counts of a quantity by upper bounds.

    >>> times = Histogram((0.1, 1.0))
    >>> for seconds in (0.05, 0.1, 0.7, 3.0):
    ...     times.note(seconds)
    >>> times.buckets()
    [('0.1', 2), ('1.0', 3), ('+Inf', 4)]
    """

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def note(self, quantity: float) -> None:
        """One more was seen."""
        self._counts[bisect_left(self._bounds, quantity)] += 1
        self.sum += quantity

    def buckets(self) -> list[tuple[str, int]]:
        """For each upper bound, how many were not above it."""
        bounds = (*map(str, self._bounds), "+Inf")
        return list(zip(bounds, accumulate(self._counts), strict=True))


@dataclass(slots=True)
class Handled:
    """What a consumer did with the records of its topics, by topic."""

    dead_letters: Counter[str] = field(default_factory=Counter)
    times: dict[str, Histogram] = field(default_factory=dict)

    def note(self, topic: str, seconds: float, *, buried: bool) -> None:
        """A record was handled, or became a dead letter."""
        times = self.times.get(topic)
        if times is None:
            times = self.times[topic] = Histogram(HANDLING_S)
        times.note(seconds)
        if buried:
            self.dead_letters[topic] += 1


@dataclass(slots=True)
class Standing:
    """How a member of a group stands: what it has stored, by (topic, partition), and how often."""

    stored: dict[tuple[str, int], int] = field(default_factory=dict)
    commits: int = 0
    assignments: int = 0


class Telling:
    """Makes Prometheus' families of one process; each has the label `consumer`.

    >>> telling = Telling("sink")
    >>> telling.counter("rows", "New rows", {("gaze",): 3}, "table").samples[0].value
    3
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    def counter(
        self, name: str, what: str, values: Mapping[tuple[str, ...], float], *labels: str
    ) -> Metric:
        """A count that only grows; `values` by the values of `labels`."""
        family = CounterMetricFamily(f"smartstore_{name}", what, labels=("consumer", *labels))
        for key, value in values.items():
            family.add_metric((self._consumer, *key), value)
        return family

    def gauge(
        self, name: str, what: str, values: Mapping[tuple[str, ...], float], *labels: str
    ) -> Metric:
        """A quantity as it is now."""
        family = GaugeMetricFamily(f"smartstore_{name}", what, labels=("consumer", *labels))
        for key, value in values.items():
            family.add_metric((self._consumer, *key), value)
        return family

    def histogram(
        self, name: str, what: str, values: Mapping[tuple[str, ...], Histogram], *labels: str
    ) -> Metric:
        """How a quantity is spread."""
        family = HistogramMetricFamily(f"smartstore_{name}", what, labels=("consumer", *labels))
        for key, value in values.items():
            family.add_metric((self._consumer, *key), value.buckets(), value.sum)
        return family

    def lag(self, lags: Mapping[tuple[str, int], int]) -> Metric:
        """Records of the log whose effect is not stored yet, by (topic, partition)."""
        return self.gauge(
            "lag_records",
            "Records in the log that are not stored as handled",
            {(topic, str(partition)): lag for (topic, partition), lag in lags.items()},
            "topic",
            "partition",
        )

    def handled(self, handled: Handled) -> Iterable[Metric]:
        """Records and dead letters of a consumer's topics, and how long each record took."""
        yield self.histogram(
            "handler_seconds",
            "Time to handle a record",
            {(topic,): times for topic, times in handled.times.items()},
            "topic",
        )
        yield self.counter(
            "dead_letters",
            "Records that went to the dead letters",
            {(topic,): count for topic, count in handled.dead_letters.items()},
            "topic",
        )

    def standing(self, standing: Standing) -> Iterable[Metric]:
        """How often a member of a group stored its offsets and was given partitions."""
        yield self.counter("commits", "Offsets stored by the group", {(): standing.commits})
        yield self.counter(
            "assignments", "Times that partitions were assigned", {(): standing.assignments}
        )


@asynccontextmanager
async def exposed(settings: Exposed, *collectors: Collector) -> AsyncIterator[str | None]:
    """Serves the metrics while it is entered, if a port was given; the address that it has.

    A port that cannot be had is said, and the process goes on without: its work matters more.
    """
    if settings.metrics_port is None:
        yield None
        return
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)

    async def tell(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=headers)

    application = web.Application()
    application.router.add_get("/metrics", tell)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_S)
    await runner.setup()
    try:
        yield await _listen(runner, settings.metrics_host, settings.metrics_port)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> str | None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        log.error(
            "metrics cannot be told at %s:%d (%s): name another with SMARTSTORE_METRICS_PORT",
            host,
            port,
            error.strerror or error,
        )
        return None
    return f"http://{host}:{runner.addresses[0][1]}/metrics"
