"""The Faust application that `react` and `measure` are built on: one consumer group with a fixed
member, raw bytes, no tables and no web server; it can be told where to read on.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import TopicPartition
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.bundles import BundlingConsumer
from streams.fetching import FetchingThread
from streams.metrics import Handled, Standing, Telling, exposed
from streams.sending import BatchingProducer
from streams.settings import ProcessorSettings
from streams.uncancelled import uncancelled

log = logging.getLogger(__name__)

#: Often enough that a rebalance is noticed at once: until then a partition that moves is silent.
_HEARTBEAT_S = 0.5
_REBALANCE_TIMEOUT_S = 15

#: A request that hangs is given up, so that a broker that came back is found again.
_REQUEST_TIMEOUT_S = 30.0

#: Larger batches only make the loop deaf to the shopper who looks now.
_MAX_POLL_RECORDS = 500

#: Of one partition at a time: what is copied on its way should stay in the processor's cache.
_FETCH_BYTES = 262_144

#: Bundles that wait for an agent at the most: bounds the memory, and what is lost to a rebalance.
_WAITING_BUNDLES = 16

#: The windows that a busy store changes within a second.
_BATCH_BYTES = 131_072

#: A dead letter is as large as the message it holds, and its headers.
_MAX_REQUEST_BYTES = 1_048_576 + 65_536


class StoringConsumer(BundlingConsumer):
    """Faust's consumer, that can be asked for the group's stored offsets and given others while
    nothing is read (in a handler of `on_rebalance_complete`).
    """

    _begins: dict[TP, int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begins = {}

    def assigned(self) -> list[TopicPartition]:
        """The partitions that this worker holds, in order."""
        return sorted(TopicPartition(tp.topic, tp.partition) for tp in self.assignment())

    async def stored(self) -> dict[TopicPartition, int]:
        """The offsets the group has stored, of the partitions assigned; not the unknown ones."""
        if not self.assignment():
            return {}
        offsets = await self.seek_to_committed()
        self._begins = {TP(tp.topic, tp.partition): offset or 0 for tp, offset in offsets.items()}
        stored = {
            TopicPartition(tp.topic, tp.partition): offset
            for tp, offset in offsets.items()
            if offset is not None
        }
        standing = cast(StreamsApp, self.app).standing
        standing.stored = {(tp.topic, tp.partition): offset for tp, offset in stored.items()}
        return stored

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        stored: bool = await super()._commit(offsets)
        if stored:
            self._note(offsets)
        return stored

    def _note(self, offsets: Mapping[TP, int]) -> None:
        standing = cast(StreamsApp, self.app).standing
        standing.commits += 1
        standing.stored.update({(tp.topic, tp.partition): o for tp, o in offsets.items()})

    def lags(self) -> dict[tuple[str, int], int]:
        """How many records of each assigned partition are not stored as handled, as far as the
        last fetches told; not of a partition that was never stored nor fetched.
        """
        stored = cast(StreamsApp, self.app).standing.stored
        lags: dict[tuple[str, int], int] = {}
        for tp in self.assignment():
            try:
                end: int | None = self.highwater(tp)
            except AssertionError:  # taken away meanwhile, on the consumer's own thread
                continue
            if end is not None:
                lags[tp.topic, tp.partition] = max(0, end - stored.get((tp.topic, tp.partition), 0))
        return lags

    def caught_up(self) -> bool:
        """Whether all that the last fetches told of has been handed to the agents."""
        return cast(FetchingThread, self._thread).caught_up()

    async def store(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Stores these offsets for the group, also lower ones than it had; reading starts there."""
        if offsets:
            begins = {TP(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
            await self._commit(begins)
            self._begins |= begins

    async def perform_seek(self) -> None:
        """Reads on from where `stored` and `store` said, which is what the state was rebuilt up to.

        Faust asks for the committed offsets once more, and its loop may have committed meanwhile
        what the life before this assignment had handled: what lies between would be in no state.
        """
        await super().perform_seek()
        assigned = self.assignment()
        for tp, offset in self._begins.items():
            if tp in assigned:
                await self.seek(tp, offset)


class _Transport(driver.Transport):
    Consumer = StoringConsumer
    Producer = BatchingProducer


class _NoTables(TableManager):
    """Faust's, which waits for a second at every start until its tables are known: here are none,
    and a worker that comes back is missed for as long.
    """

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class StreamsApp(faust.App):
    """A Faust application on `StoringConsumer`."""

    #: A stop that takes longer than this is cut short, in seconds.
    stop_deadline_s: float = 10.0

    #: What it has stored, and how often.
    standing: Standing

    @property
    def storing(self) -> StoringConsumer:
        """The consumer, as what it is."""
        return cast(StoringConsumer, self.consumer)

    def when_revoked(self, act: Callable[[], Awaitable[None]]) -> None:
        """Calls `act` when partitions have been taken away and nothing is read."""

        async def handler(*_: Any, **__: Any) -> None:
            await act()

        self.on_partitions_revoked.connect(cast(Any, handler))

    def when_assigned(self, act: Callable[[], Awaitable[None]]) -> None:
        """Calls `act` when partitions have been assigned, before anything is read from them."""

        async def handler(*_: Any, **__: Any) -> None:
            self.standing.assignments += 1
            async with uncancelled("what has to be known of new partitions"):
                await act()

        self.on_rebalance_complete.connect(cast(Any, handler))

    def when_stopping(self, act: Callable[[], Awaitable[None]]) -> None:
        """Calls `act` when no more is read and what was read has been handled."""

        async def handler(*_: Any, **__: Any) -> None:
            await act()

        self.on_before_shutdown.connect(cast(Any, handler))

    def alongside(self, act: Callable[[], Awaitable[None]]) -> None:
        """Runs `act` beside the agents, once partitions have been assigned."""

        async def run() -> None:
            async with uncancelled("a task beside the agents"):
                await act()

        self.task(run, traced=False)

    def expose(self, settings: ProcessorSettings, handled: Handled, more: Collector) -> None:
        """Tells Prometheus of itself, and what `more` has to say, where the settings ask for it."""

        async def run() -> None:
            async with exposed(settings, Consumed(self, handled), more):
                while not self.should_stop:
                    await self.sleep(1.0)

        if settings.metrics_port is not None:
            self.task(run, traced=False)

    def _new_transport(self) -> driver.Transport:
        return _Transport(self.conf.broker_consumer, self)


class Consumed:
    """A collector: what every Faust application of ours tells of its reading."""

    def __init__(self, app: StreamsApp, handled: Handled) -> None:
        self._app = app
        self._handled = handled

    def collect(self) -> Iterable[Metric]:
        """See Prometheus' `Collector`."""
        telling = Telling(str(self._app.conf.id))
        yield telling.lag(self._app.storing.lags())
        yield from telling.standing(self._app.standing)
        yield from telling.handled(self._handled)


def new_app(settings: ProcessorSettings, *, group: str, member: str) -> StreamsApp:
    """An application without agents. It reads no environment and makes no topics."""
    app = StreamsApp(
        group,
        env={},
        broker=[f"kafka://{server}" for server in settings.bootstrap.split(",")],
        datadir=Path(settings.state) / f"faust-{member}",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        TableManager=_NoTables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=member,
        broker_client_id=member,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_rebalance_timeout=_REBALANCE_TIMEOUT_S,
        broker_request_timeout=_REQUEST_TIMEOUT_S,
        broker_max_poll_records=_MAX_POLL_RECORDS,
        consumer_max_fetch_size=_FETCH_BYTES,
        producer_linger=0.0,
        producer_max_batch_size=_BATCH_BYTES,
        producer_request_timeout=_REQUEST_TIMEOUT_S,
        producer_max_request_size=_MAX_REQUEST_BYTES,
        stream_wait_empty=True,
        stream_buffer_maxsize=_WAITING_BUNDLES,
        worker_redirect_stdouts=False,
    )
    app.stop_deadline_s = settings.stop_deadline_s
    app.standing = Standing()
    return app


def bytes_topic(app: faust.App, name: str) -> Any:
    """A topic read as it is: an empty value arrives as None, and nothing is decoded on the way."""
    return app.topic(
        name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
        internal=False,
    )
