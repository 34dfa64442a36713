"""A row of a table, and how an event's values become a database's. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from streams.contracts.base import Trace
from streams.sink.table import Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """A row of `table`, its values in the order of the table's columns."""

    table: Table
    values: tuple[Any, ...]


#: Rows that stand or fall together: a basket without its lines would be a wrong basket.
Unit = tuple[Row, ...]


# Few moments are told once only: the events of a picture, and of a message, share theirs.
@lru_cache(maxsize=4_096)
def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as the database's timestamptz, exactly.

    >>> moment(1_500).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + at_ms * _MILLISECOND


def moment_or_none(at_ms: int | None) -> datetime | None:
    """The same, of a time that may be unknown."""
    return None if at_ms is None else moment(at_ms)


def json(value: Any) -> str:
    """The value as JSON text."""
    return msgspec.json.encode(value).decode()


def json_or_none(value: Any) -> str | None:
    """The same, of a value that may be absent."""
    return None if value is None else json(value)


def trace(of: Trace | None) -> tuple[Any, ...]:
    """The four values of a trace, all null where there is none."""
    if of is None:
        return (None, None, None, None)
    return (
        of.cause_id,
        moment(of.captured_at_ms),
        moment(of.inferred_at_ms),
        moment(of.sent_at_ms),
    )
