"""What the sink says of records that it gave up on."""

import logging

import pytest
from aiokafka.structs import ConsumerRecord

from streams.contracts.errors import UndecodableError
from streams.sink.deadletters import Buried


def record(offset: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        topic="vision.gaze.v1", partition=3, offset=offset, timestamp=0, timestamp_type=0,
        key=None, value=b"?", checksum=None, serialized_key_size=0, serialized_value_size=1,
        headers=(),
    )  # fmt: skip


def test_a_batch_says_in_one_line_how_many_and_why(caplog: pytest.LogCaptureFixture) -> None:
    buried = Buried()
    buried.note(record(7), UndecodableError("vision.gaze.v1", 1, "JSON is malformed"))
    buried.note(record(9), ValueError("no such\n zone" + "!" * 1_000))
    buried.note(record(11), ValueError("another"))
    with caplog.at_level(logging.WARNING):
        buried.tell(500)
    (line,) = caplog.records
    said = line.getMessage()
    assert said.startswith("3 of 500 records went to the dead letters (2 ValueError, 1 Undecodable")
    assert "vision.gaze.v1 partition 3 offset 7: " in said
    assert "JSON is malformed" in said
    assert (line.__dict__["partition"], line.__dict__["offset"]) == (3, 7)
    assert buried.count == 3


def test_a_long_reason_is_cut_and_stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    buried = Buried()
    buried.note(record(7), ValueError("no such\nzone " + "!" * 1_000))
    buried.tell(1)
    said = caplog.records[0].getMessage()
    assert "no such zone" in said
    assert len(said) < 450


def test_a_batch_without_any_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Buried().tell(500)
    assert caplog.records == []
