"""A table that the sink fills, and the statements that fill it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from psycopg import sql


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `columns` are (name, PostgreSQL type) in the order of a row's values.

    `newest` names the column whose greatest value wins where a row is told again; without it the
    first row of a key stays. `key_of` reads the key off a row's values.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    newest: str | None = None
    key_of: Callable[[tuple[Any, ...]], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reader = itemgetter(*(self.position(column) for column in self.key))
        object.__setattr__(self, "key_of", reader)

    def position(self, column: str) -> int:
        """Where a column's value stands in a row."""
        return [name for name, _ in self.columns].index(column)

    @property
    def copies(self) -> bool:
        """Whether rows may be copied straight in: a repeat changes nothing, and no column is JSON
        (which a binary copy would encode again).
        """
        return self.newest is None and all(kind != "jsonb" for _, kind in self.columns)

    def copy(self) -> sql.Composed:
        """COPY of whole rows."""
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(self.name), self._names(name for name, _ in self.columns)
        )

    def known(self) -> sql.Composed:
        """Which of some keys, one array a column of the key, are in the table already."""
        kinds = dict(self.columns)
        # In binary: the text form of an array is escaped item by item.
        arrays = [sql.SQL("%b::{}[]").format(sql.SQL(kinds[name])) for name in self.key]
        return sql.SQL("SELECT {} FROM unnest({}) AS asked ({}) JOIN {} USING ({})").format(
            self._names(self.key),
            sql.SQL(", ").join(arrays),
            self._names(self.key),
            sql.Identifier(self.name),
            self._names(self.key),
        )

    def _names(self, names: Iterable[str]) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, names))

    def insert(self) -> sql.Composed:
        """INSERT of whole columns, one array a column, that leaves what is already there."""
        names = [sql.Identifier(name) for name, _ in self.columns]
        arrays = [sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in self.columns]
        return sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) {}").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(arrays),
            sql.SQL(", ").join(map(sql.Identifier, self.key)),
            self._on_conflict(),
        )

    def _on_conflict(self) -> sql.Composable:
        if self.newest is None:
            return sql.SQL("DO NOTHING")
        changed = [name for name, _ in self.columns if name not in self.key]
        return sql.SQL("DO UPDATE SET {} WHERE {}.{} < excluded.{}").format(
            sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed
            ),
            sql.Identifier(self.name),
            sql.Identifier(self.newest),
            sql.Identifier(self.newest),
        )
