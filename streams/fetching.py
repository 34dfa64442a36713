# ruff: noqa: SLF001 - none of this has a public hook; the client's version is locked
"""What the Kafka client makes of a fetch, and how far it is: records as our handlers take them."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.transport.drivers import aiokafka as driver

from streams.ports import Incoming

#: Records that wait while one fetch is handed on and the next is there: a busy store sends so many
#: in a tenth of a second; who reads up old ones has thousands before it.
_NEAR = 1_000


class Fetched(dict[TopicPartition, Any]):
    """Where a fetcher keeps what its fetches brought. Each record is made as our handlers take it:
    the client's own, with headers and sizes, takes ten times as long to make.
    """

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # an error has none
        if records is not None:
            records._consumer_record = _incoming
        super().__setitem__(tp, result)


def _incoming(tp: TopicPartition, record: Any) -> Incoming:
    return Incoming(
        tp.topic, tp.partition, record.offset, record.key, record.value, record.timestamp
    )


class FetchingThread(driver.AIOKafkaConsumerThread):
    """Faust's thread for the client, whose fetches hold `Incoming` records."""

    async def _fetch_records(
        self, consumer: AIOKafkaConsumer, *arguments: Any, **options: Any
    ) -> Any:
        fetcher = consumer._fetcher
        if not isinstance(fetcher._records, Fetched):
            fetched = Fetched()
            for tp, result in fetcher._records.items():
                fetched[tp] = result
            fetcher._records = fetched
        return await super()._fetch_records(consumer, *arguments, **options)

    def caught_up(self) -> bool:
        """Whether what was handed on is as good as all that the last fetches told of. Asked by
        another thread than the client's, so that each thing is looked at once.
        """
        client = self._consumer
        subscription = None if client is None else client._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return False
        return all(_near_end(assignment.state_value(tp)) for tp in assignment.tps)


def _near_end(state: Any) -> bool:
    """Whether a partition was read up to near where its log ended at the last fetch."""
    end: int | None = state.highwater
    position: int | None = state._position
    return end is not None and position is not None and position >= end - _NEAR
