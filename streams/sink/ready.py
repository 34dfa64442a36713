"""A batch on its way to the database: its rows by table, in the order of keys. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.sink.row import Row, Unit
from streams.sink.table import Table
from streams.sink.tables import TABLES

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Ready:
    """The units of a batch's records with the index of each; their rows by table, one a key and in
    the order of keys; and, for tables that are copied into, those rows as a COPY takes them.
    """

    batch: Sequence[tuple[int, Sequence[Unit]]]
    rows: Mapping[str, Rows]
    encoded: dict[str, bytes | bytearray] = field(default_factory=dict)


def by_table(rows: Iterable[Row]) -> dict[str, Rows]:
    """The values of the rows of each table, as `in_key_order` has them."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, values in rows:
        name = table.name
        if name in found:
            found[name].append(values)
        else:
            found[name] = [values]
    return {
        table.name: in_key_order(table, found[table.name])
        for table in TABLES
        if table.name in found
    }


def in_key_order(table: Table, rows: Rows) -> list[tuple[Any, ...]]:
    """One row a key, in the order of keys (writers that lock in one order do not deadlock).

    The first row told of a key stays, or, in a table where the newest wins, the newest.
    """
    kept: dict[Any, tuple[Any, ...]] = {}
    key_of = table.key_of
    if table.newest is None:
        for row in rows:
            kept.setdefault(key_of(row), row)
    else:
        newest = table.position(table.newest)
        for row in rows:
            key = key_of(row)
            known = kept.get(key)
            if known is None or known[newest] < row[newest]:
                kept[key] = row
    return [kept[key] for key in sorted(kept)]
