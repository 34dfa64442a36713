"""Rows as a binary COPY takes them, encoded before the write has its turn."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg._copy_base import BinaryFormatter
from psycopg.adapt import Transformer

from streams.sink.table import Table

Buffer = bytes | bytearray


class Encoder:
    """Encodes the rows of one table by psycopg's own formatter, with the adapters and the text
    encoding of `connection`, as a cursor of it would.
    """

    def __init__(self, table: Table, connection: AsyncConnection[Any]) -> None:
        types = connection.adapters.types
        self._oids = [types.get_oid(kind) for _, kind in table.columns]
        self._connection = connection

    def encode(self, rows: Sequence[tuple[Any, ...]]) -> Buffer:
        """A whole COPY's data. Raises what psycopg does of a value that it cannot encode."""
        transformer = Transformer(self._connection)
        formatter = BinaryFormatter(transformer)
        transformer.set_dumper_types(self._oids, formatter.format)
        data = bytearray()
        for row in rows:
            data += formatter.write_row(row)
        data += formatter.end()
        return data
