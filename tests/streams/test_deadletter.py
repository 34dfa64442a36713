"""Records that were given up on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from streams import deadletter
from streams.deadletter import dead_letter, handle_or_bury
from streams.errors import DeliveryError
from streams.ports import Incoming

RECORD = Incoming("vision.gaze.v1", 2, 7, b"area", b"bytes", 1_000)


class Box:
    """An outbox that refuses a number of times."""

    def __init__(self, refusals: int = 0) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.refusals = refusals

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("the broker is away")
        self.records.extend(records)


async def _fail(record: Incoming) -> None:
    raise ValueError("no such thing ✓")


async def _succeed(record: Incoming) -> None:
    assert record is RECORD


async def test_what_is_handled_leaves_no_letter() -> None:
    box = Box()
    await handle_or_bury("react", box, RECORD, _succeed)
    assert box.records == []


async def test_a_letter_says_what_it_was_and_why_and_is_sent_until_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadletter, "_RETRY_S", 0.0)
    box = Box(refusals=3)
    await handle_or_bury("react", box, RECORD, _fail)
    (letter,) = box.records
    assert (letter["topic"], letter["key"], letter["value"]) == (
        "react.dlq.v1",
        b"area",
        b"bytes",
    )
    assert dict(letter["headers"]) == {
        "exception": b"ValueError",
        "reason": "no such thing ✓".encode(),
        "topic": b"vision.gaze.v1",
        "partition": b"2",
        "offset": b"7",
    }


def test_a_value_that_would_not_fit_any_more_is_cut_and_says_its_size() -> None:
    letter = dead_letter(
        "sink",
        topic="t",
        partition=0,
        offset=0,
        key=None,
        value=b"x" * 1_048_576,
        error=ValueError("y" * 1_000),
    )
    assert len(letter["value"]) == 1_000_000
    assert dict(letter["headers"])["size"] == b"1048576"
    assert len(dict(letter["headers"])["reason"]) == 500
