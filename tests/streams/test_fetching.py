# ruff: noqa: SLF001 - the hooks of the client that are replaced have no public names
"""What a fetch brought becomes our records by the client's own reader, and the end is known."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.fetching import Fetched, FetchingThread, _near_end
from streams.ports import Incoming

GAZE = TopicPartition("gaze", 2)


def batch(*values: bytes | None) -> MemoryRecords:
    """As a broker sends them."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=100_000,
    )
    for offset, value in enumerate(values):
        builder.append(offset, 1_000 + offset, b"a", value, [("ce_id", b"1")])
    return MemoryRecords(bytes(builder.build()))


def result(found: MemoryRecords) -> FetchResult:
    records = PartitionRecords(GAZE, found, [], 0, None, None, True, 0)
    return FetchResult(GAZE, assignment=None, partition_records=records, backoff=0.1)


def test_records_are_made_as_handlers_take_them() -> None:
    fetched = Fetched()
    fetched[GAZE] = result(batch(b"one", None))
    assert list(fetched[GAZE]._partition_records) == [
        Incoming("gaze", 2, 0, b"a", b"one", 1_000),
        Incoming("gaze", 2, 1, b"a", None, 1_001),
    ]


def test_an_error_of_a_fetch_is_kept_as_it_is() -> None:
    fetched = Fetched()
    error = FetchError(error=KeyError(), backoff=0.1)
    fetched[GAZE] = error
    assert fetched[GAZE] is error


async def test_the_client_keeps_its_fetches_where_we_look(monkeypatch: Any) -> None:
    async def fetched_records(*_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    fetcher = Fetcher.__new__(Fetcher)
    fetcher._records = {GAZE: result(batch(b"one"))}
    fetcher._closed = False
    fetcher._subscriptions = SimpleNamespace(fetch_context=_Nothing)
    monkeypatch.setattr(fetcher, "fetched_records", fetched_records)
    thread = FetchingThread.__new__(FetchingThread)
    thread.consumer = SimpleNamespace(flow_active=True)
    await thread._fetch_records(SimpleNamespace(_fetcher=fetcher, _closed=False), set())
    assert [type(each) for each in fetcher._records[GAZE]._partition_records] == [Incoming]


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("position", "highwater", "at_end"),
    [
        (5, 5, True),
        (6, 5, True),
        (9_000, 10_000, True),  # as many as come between two fetches
        (8_999, 10_000, False),
        (5, None, False),
        (None, 5, False),
    ],
)
async def test_a_partition_is_near_its_end_when_about_all_that_was_told_of_was_handed_on(
    position: int | None, highwater: int | None, at_end: bool
) -> None:
    state = TopicPartitionState(None)
    state.highwater = highwater
    if position is not None:
        state.seek(position)
    assert _near_end(state) is at_end


@pytest.mark.parametrize(
    "client", [None, SimpleNamespace(_subscription=SimpleNamespace(subscription=None))]
)
def test_who_has_no_partitions_yet_has_not_caught_up(client: Any) -> None:
    thread = FetchingThread.__new__(FetchingThread)
    thread._consumer = client
    assert thread.caught_up() is False
