"""Rows as a binary COPY takes them, encoded before the write has its turn."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg._copy_base import BinaryFormatter
from psycopg.abc import AdaptContext
from psycopg.adapt import Transformer

from streams.sink.table import Table

Buffer = bytes | bytearray


class Encoder:
    """Encodes the rows of one table by psycopg's own formatter, with the adapters and the text
    encoding of `context`, a connection, as a cursor of it would.
    """

    def __init__(self, table: Table, context: AdaptContext | None = None) -> None:
        types = (psycopg.adapters if context is None else context.adapters).types
        self._oids = [types.get_oid(kind) for _, kind in table.columns]
        self._context = context

    def encode(self, rows: Sequence[tuple[Any, ...]]) -> Buffer:
        """A whole COPY's data. Raises what psycopg does of a value that it cannot encode."""
        transformer = Transformer(self._context)
        formatter = BinaryFormatter(transformer)
        transformer.set_dumper_types(self._oids, formatter.format)
        data = bytearray()
        for row in rows:
            data += formatter.write_row(row)
        data += formatter.end()
        return data
