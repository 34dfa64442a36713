"""Records travel through Faust in bundles: what it does for a message (tasks, locks, queues,
bookkeeping: a fifth of a millisecond) is done once for what a fetch brought of a partition.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.fetching import FetchingThread
from streams.ports import Incoming

#: A bundle of records is full with so many bytes: some milliseconds of work, so that the others on
#: the loop have their turn. A record counts for at least this.
_BUNDLE_BYTES = 131_072
_RECORD_BYTES = 256


class Bundles(DefaultSchedulingStrategy):
    """Hands what a fetch brought on in bundles: consecutive records of one partition, in turns."""

    def __init__(self) -> None:
        """It keeps nothing."""

    def iterate(self, records: Mapping[TP, list[Incoming]]) -> Iterator[tuple[TP, Any]]:
        """The bundles of all partitions, one of each at a time."""
        turns = [(tp, _bundles(found)) for tp, found in records.items()]
        while turns:
            turn = [(tp, bundles, next(bundles, None)) for tp, bundles in turns]
            turns = [(tp, bundles) for tp, bundles, bundle in turn if bundle]
            yield from ((tp, bundle) for tp, _, bundle in turn if bundle)


def _bundles(records: Sequence[Incoming]) -> Iterator[list[Incoming]]:
    bundle: list[Incoming] = []
    size = 0
    for record in records:
        value = record.value
        size += _RECORD_BYTES if value is None else _RECORD_BYTES + len(value)
        bundle.append(record)
        if size >= _BUNDLE_BYTES:
            yield bundle
            bundle, size = [], 0
    if bundle:
        yield bundle


class BundlingConsumer(driver.Consumer):
    """A consumer whose messages hold bundles of records.

    A bundle has the offset of its last record, and the agents handle the records and bundles of a
    partition in order, one at a time. So what is acknowledged stands for all before it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.scheduler = Bundles()

    def _new_consumer_thread(self) -> FetchingThread:
        return FetchingThread(self, loop=self.loop, beacon=self.beacon)

    def on_buffer_full(self, tp: TP) -> None:
        """Lets the reader wait for the agents; Faust's own way sleeps for a second."""

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        last: Incoming = record[-1]
        return ConsumerMessage(
            last.topic,
            last.partition,
            last.offset,
            last.logged_ms / 1_000,
            0,
            None,
            None,
            record,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between those of two messages are records of the second one, or hold nothing."""

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        newest: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return newest + 1


def taken(message: Any) -> Iterator[Incoming]:
    """The records of Faust's message, one by one. Whenever its handling ends, also by a stop in the
    midst of it, what is acknowledged are the records whose successor was asked for.
    """
    bundle: Sequence[Incoming] = message.value
    message.offset = bundle[0].offset - 1
    for record in bundle:
        yield record
        message.offset = record.offset
