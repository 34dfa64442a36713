"""The sink's process: log in, rows and offsets out in one transaction, again until told to stop."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import psycopg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from psycopg import AsyncConnection

from streams.contracts.topics import dead_letter_topic
from streams.metrics import exposed
from streams.sink.brokerwatch import BrokerWatch
from streams.sink.database import cannot_connect, place, refuses
from streams.sink.deadletters import Buried, DeadLetters
from streams.sink.errors import BrokerGoneError, NoSchemaError, NoTopicsError, RefusedError
from streams.sink.figures import CONSUMER, SinkCounts, Sunk
from streams.sink.log import LogReader
from streams.sink.pipeline import OneAhead
from streams.sink.resume import Place, Rewind, Stored, digest
from streams.sink.row import Unit
from streams.sink.rows import SINK_TOPICS, record_units
from streams.sink.settings import SinkSettings
from streams.sink.writer import Connection, Writer

_LOG = logging.getLogger(__name__)

#: What a server that is away, or comes back, raises: waited for, since nothing is lost meanwhile.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    KafkaError,
    BrokerGoneError,
    NoTopicsError,
    OSError,
    TimeoutError,
)

#: Bounds of the wait between attempts: a restarted server is back within the first ones, and one
#: that is down for an hour is not asked thousands of times.
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0

#: A transaction that takes longer hangs; it is given up and done again.
_WRITE_TIMEOUT_S = 30.0

#: So many records are made ready before the write that goes on meanwhile is looked at again.
_SLICE_RECORDS = 25
_CONNECT_TIMEOUT_S = 5


async def run_sink(
    settings: SinkSettings, *, stop: asyncio.Event, ready: Callable[[], None]
) -> SinkCounts:
    """Store what the log holds until `stop` is set, then what it holds at that moment.

    `ready` is called once, when the right to write is held and both servers have answered.

    Raises:
        FencedError: another sink of this name writes.
        RefusedError: the database refuses the user, the password or the name.
        NoSchemaError: the database has not been migrated, or forbids the sink to write.
    """
    sink = _Sink(settings, stop, ready)
    async with exposed(settings, Sunk(sink.counts, sink.lags)):
        return await _run(sink, settings, stop)


async def _run(sink: "_Sink", settings: SinkSettings, stop: asyncio.Event) -> SinkCounts:
    """Sessions until the stop."""
    wait_s = _FIRST_WAIT_S
    while True:
        before = sink.counts.records
        try:
            await sink.session()
            break
        except _AWAY as error:
            if isinstance(error, psycopg.Error) and refuses(error):
                raise RefusedError(cannot_connect(settings.database, error)) from None
            if sink.out_of_time():
                why = _sentence(settings, error)
                _LOG.error("stopped before all was stored: %s; the next start goes on", why)
                break
            _LOG.warning("the sink waits and tries again: %s", _sentence(settings, error))
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise NoSchemaError(
                f"the database {place(settings.database)} has not the sink's tables; "
                "run `smartstore db migrate`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoSchemaError(
                f"the database {place(settings.database)} forbids the sink to write; "
                "grant its role SELECT, INSERT and UPDATE on the tables"
            ) from error
        wait_s = _FIRST_WAIT_S if sink.counts.records > before else min(2 * wait_s, _LONGEST_WAIT_S)
        await _pause(stop, wait_s * (0.5 + secrets.randbelow(1_000) / 1_000))
    _LOG.info("sink stopped: %s", sink.counts)
    return sink.counts


class _Sink:
    """One run: sessions that end when a server goes away, and the counts over all of them."""

    def __init__(
        self, settings: SinkSettings, stop: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._ready = ready
        self._told_ready = False
        self._drain_until: float | None = None
        self._log: LogReader | None = None
        self._stored: dict[Place, Stored] = {}
        self.counts = SinkCounts()

    def lags(self) -> dict[Place, int]:
        """How many records of each partition are not stored, as far as the last fetches told."""
        ends = self._log.known_ends() if self._log is not None else {}
        stored = self._stored
        return {
            at: max(0, end - (stored[at].next_offset if at in stored else 0))
            for at, end in ends.items()
        }

    def out_of_time(self) -> bool:
        """Whether the time for draining, which begins when a stop is noticed, is over."""
        if not self._stop.is_set():
            return False
        now = asyncio.get_running_loop().time()
        if self._drain_until is None:
            self._drain_until = now + self._settings.sink_drain_s
        return now >= self._drain_until

    async def session(self) -> None:
        """From fresh connections to the stop; everything in memory is a copy of the database."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            connection: Connection = await AsyncConnection.connect(
                settings.database.get_secret_value(),
                autocommit=True,
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name=f"smartstore-{settings.sink_name}",
            )
            await stack.enter_async_context(connection)
            writer = Writer(connection, settings.sink_name)
            # A database without tables is told before any wait for the right to write.
            await writer.positions()
            if not await writer.claim(settings.sink_fence_wait_s, self._stop):
                return
            stored = await writer.positions()
            # Before the first look at the log, so that no break goes unnoticed.
            watch = await stack.enter_async_context(BrokerWatch(settings.kafka))
            log = LogReader(settings)
            stack.push_async_callback(log.close)
            self._log, self._stored = log, dict(stored)
            self.counts.sessions += 1
            letters = await stack.enter_async_context(DeadLetters(settings.kafka, CONSUMER))
            topics = (*SINK_TOPICS, dead_letter_topic(CONSUMER))
            await self._note(writer, await log.open(SINK_TOPICS, topics, stored))
            self.counts.expired += log.expired
            self._tell_ready()
            # Entered last, so that nothing is written once the connections are given up.
            ahead = await stack.enter_async_context(OneAhead())
            await self._pump(writer, log, letters, watch, ahead)

    def _tell_ready(self) -> None:
        if not self._told_ready:
            self._told_ready = True
            self._ready()

    async def _pump(
        self,
        writer: Writer,
        log: LogReader,
        letters: DeadLetters,
        watch: BrokerWatch,
        ahead: OneAhead,
    ) -> None:
        ends: dict[TopicPartition, int] | None = None
        while True:
            records, rewinds = await log.batch()
            if watch.broken:
                raise BrokerGoneError(
                    f"the broker at {self._settings.kafka} closed the connection; "
                    "the log is checked against the stored offsets"
                )
            if rewinds:
                await ahead.settle()
                await self._note(writer, rewinds)
            if records:
                await ahead.put(await self._made_ready(writer, letters, records))
            else:
                # A quiet log must not hide that the last write failed.
                await ahead.settle()
            if self._stop.is_set():
                ends = ends or await log.ends()
                if await log.reached(ends):
                    return
                if self.out_of_time():
                    _LOG.error(
                        "stopped with messages left in the log after %s s of draining; "
                        "the next start goes on from there",
                        self._settings.sink_drain_s,
                    )
                    return

    async def _made_ready(
        self, writer: Writer, letters: DeadLetters, records: Sequence[ConsumerRecord]
    ) -> Coroutine[Any, Any, None]:
        """The write of these records' rows and offsets, to be awaited."""
        batch: list[list[Unit]] = []
        good: list[ConsumerRecord] = []
        positions: dict[Place, Stored] = {}
        buried = Buried()
        for number, record in enumerate(records, 1):
            if number % _SLICE_RECORDS == 0:  # the write in hand has its turns
                await asyncio.sleep(0)
            try:
                batch.append(record_units(record.topic, record.key, record.value, record.timestamp))
                good.append(record)
            except Exception as error:  # whatever it is, the record is kept and the log goes on
                await letters.send(record, error)
                buried.note(record, error)
            positions[record.topic, record.partition] = Stored(
                record.offset + 1,
                record.timestamp,
                digest(record.timestamp, record.key, record.value),
            )

        async def refused(index: int, error: Exception) -> None:
            await letters.send(good[index], error)
            buried.note(good[index], error)

        clock = asyncio.get_running_loop().time
        ready = writer.ready(batch)

        async def write() -> None:
            began_s = clock()
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                self.counts.rows += await writer.write(ready, positions, refused)
            self.counts.records += len(records)
            self.counts.dead_letters += buried.count
            self.counts.commits += 1
            self.counts.batch.note(len(records))
            self.counts.transaction_s.note(clock() - began_s)
            self._stored |= positions
            buried.tell(len(records))

        return write()

    async def _note(self, writer: Writer, rewinds: Sequence[Rewind]) -> None:
        for rewind in rewinds:
            await writer.note(rewind)
            self.counts.rewinds += 1
            self.counts.forgotten += rewind.forgotten
            self._stored[rewind.place] = Stored(rewind.resumed_at, rewind.stored.record_at_ms, "")
            _LOG.warning(
                "%s/%s: stored up to offset %s, but %s (records %s up to %s); reading again "
                "from %s, repeats are dropped by their keys",
                *rewind.place,
                rewind.stored.next_offset,
                rewind.reason,
                rewind.log_start,
                rewind.log_end,
                rewind.resumed_at,
                extra={
                    "topic": rewind.place[0],
                    "partition": rewind.place[1],
                    "offset": rewind.stored.next_offset,
                },
            )


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait; a stop that comes meanwhile ends the wait, one that is there already does not."""
    if stop.is_set():
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _sentence(settings: SinkSettings, error: BaseException) -> str:
    if isinstance(error, psycopg.Error):
        return cannot_connect(settings.database, error)
    if isinstance(error, BrokerGoneError | NoTopicsError):
        return str(error)
    return f"no answer from the broker at {settings.kafka} ({type(error).__name__}: {error})"
