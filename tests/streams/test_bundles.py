# ruff: noqa: SLF001 - the hooks of Faust that are replaced have no public names
"""What a fetch brought is handed to the agents in bundles, and what is stored stands for all that
was handled.
"""

from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.bundles import Bundles, BundlingConsumer, taken
from streams.ports import Incoming

GAZE, DWELL = TP("gaze", 0), TP("dwell", 3)


def records(tp: TP, *offsets: int, size: int = 100) -> list[Incoming]:
    value = None if size == 0 else bytes(size)
    return [Incoming(tp.topic, tp.partition, n, b"a", value, 1_000 + n) for n in offsets]


@pytest.fixture
def consumer() -> BundlingConsumer:
    """Without a broker: only what it keeps of offsets."""
    consumer = BundlingConsumer.__new__(BundlingConsumer)
    consumer.app = SimpleNamespace(consumer_generation_id=7)
    consumer.scheduler = Bundles()
    consumer._acked = {GAZE: [], DWELL: []}
    consumer._acked_index = {GAZE: set(), DWELL: set()}
    return consumer


def test_small_records_travel_together_in_order(consumer: BundlingConsumer) -> None:
    fetched = {GAZE: records(GAZE, 4, 5, 6), DWELL: records(DWELL, 9)}
    bundles = list(consumer.scheduler.iterate(fetched))
    assert [(tp, [r.offset for r in bundle]) for tp, bundle in bundles] == [
        (GAZE, [4, 5, 6]),
        (DWELL, [9]),
    ]
    assert bundles[1][1] == [Incoming("dwell", 3, 9, b"a", bytes(100), 1_009)]


def test_a_bundle_is_no_larger_than_some_milliseconds_of_work_and_partitions_take_turns(
    consumer: BundlingConsumer,
) -> None:
    fetched = {GAZE: records(GAZE, 0, 1, 2, size=70_000), DWELL: records(DWELL, 0, 1, size=200_000)}
    bundles = list(consumer.scheduler.iterate(fetched))
    assert [(tp.topic, [r.offset for r in bundle]) for tp, bundle in bundles] == [
        ("gaze", [0, 1]),
        ("dwell", [0]),
        ("gaze", [2]),
        ("dwell", [1]),
    ]


def test_empty_values_are_records_too(consumer: BundlingConsumer) -> None:
    ((_, bundle),) = consumer.scheduler.iterate({GAZE: records(GAZE, 1, size=0)})
    assert [r.value for r in bundle] == [None]


def test_a_message_has_the_offset_of_its_last_record(consumer: BundlingConsumer) -> None:
    ((tp, bundle),) = consumer.scheduler.iterate({GAZE: records(GAZE, 4, 5, 8)})
    message = consumer._to_message(tp, bundle)
    assert (message.tp, message.offset, message.generation_id) == (GAZE, 8, 7)
    assert [record.offset for record in taken(message)] == [4, 5, 8]
    assert message.offset == 8


def test_a_bundle_that_was_left_stands_for_what_was_handled(consumer: BundlingConsumer) -> None:
    ((tp, bundle),) = consumer.scheduler.iterate({GAZE: records(GAZE, 4, 5, 8)})
    message = consumer._to_message(tp, bundle)
    handling = taken(message)
    assert next(handling).offset == 4
    assert message.offset == 3
    assert next(handling).offset == 5
    assert next(handling).offset == 8
    handling.close()
    assert message.offset == 5


def test_what_is_stored_is_the_newest_handled_bundle_and_nothing_that_is_in_hand(
    consumer: BundlingConsumer,
) -> None:
    assert consumer._new_offset(GAZE) is None
    consumer._acked[GAZE] += [8, 40]
    consumer._acked_index[GAZE] |= {8, 40}
    assert consumer._new_offset(GAZE) == 41
    assert consumer._new_offset(GAZE) is None
    consumer._acked[GAZE].append(55)
    assert consumer._new_offset(GAZE) == 56
    assert consumer._acked_index[GAZE] == set()


async def test_offsets_between_two_messages_are_never_taken_for_handled(
    consumer: BundlingConsumer,
) -> None:
    await consumer._add_gap(GAZE, 9, 40)
    assert consumer._new_offset(GAZE) is None
