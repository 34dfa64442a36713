"""Rows become what PostgreSQL's binary COPY is documented to take."""

import struct
from datetime import UTC, datetime

import pytest

from streams.sink.encoding import Encoder
from streams.sink.ready import by_table
from streams.sink.row import Row
from streams.sink.table import Table
from streams.sink.tables import DWELL, GAZE
from streams.sink.writer import REFUSALS

TABLE = Table(
    "looks",
    (
        ("name", "text"),
        ("at", "timestamptz"),
        ("length_ms", "bigint"),
        ("share", "double precision"),
        ("good", "boolean"),
    ),
    key=("name",),
)
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
#: PostgreSQL counts microseconds from here.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def field(value: bytes | None) -> bytes:
    return b"\xff" * 4 if value is None else struct.pack("!i", len(value)) + value


def test_a_whole_copy_is_encoded_with_signature_and_end() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 5_000, tzinfo=UTC)
    since_us = round((at - EPOCH).total_seconds() * 1e6)
    found = Encoder(TABLE).encode([("é", at, 7, 0.5, True), ("b", None, None, None, None)])
    one = [
        "é".encode(),
        struct.pack("!q", since_us),
        struct.pack("!q", 7),
        struct.pack("!d", 0.5),
        b"\x01",
    ]
    rows = b"".join(
        struct.pack("!h", 5) + b"".join(map(field, row)) for row in (one, [b"b", *[None] * 4])
    )
    assert bytes(found) == SIGNATURE + rows + b"\xff\xff"


def test_many_rows_are_one_copy() -> None:
    rows = [(f"row {n:06d}", EPOCH, n, 0.1, False) for n in range(5_000)]
    found = Encoder(TABLE).encode(rows)
    alone = [Encoder(TABLE).encode([row]) for row in rows]
    assert bytes(found) == SIGNATURE + b"".join(
        bytes(each[len(SIGNATURE) : -2]) for each in alone
    ) + bytes(alone[0][-2:])


def test_what_no_column_holds_is_refused() -> None:
    with pytest.raises(REFUSALS):
        Encoder(TABLE).encode([("a", EPOCH, 2**63, 0.1, True)])


def test_rows_are_parted_by_table_in_the_order_of_keys() -> None:
    def gaze(name: str) -> Row:
        return Row(GAZE, tuple(name if n == "gaze_id" else 0 for n, _ in GAZE.columns))

    dwell = Row(DWELL, tuple(0 for _ in DWELL.columns))
    found = by_table([gaze("b"), dwell, gaze("a"), gaze("b")])
    assert {name: len(rows) for name, rows in found.items()} == {"gaze": 2, "dwell": 1}
    assert [row[0] for row in found["gaze"]] == ["a", "b"]
