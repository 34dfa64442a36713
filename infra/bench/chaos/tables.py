"""The tables as they are in the database in the end, beside what they must hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql
from pydantic import SecretStr

from infra.bench.chaos.reference import KEYS, Key, Row

#: A row that says more than it should counts something twice; these columns add up.
_SUMS = (
    "gross_impressions",
    "ots",
    "verified_impressions",
    "exposed_ms",
    "watchers",
    "attention_ms",
    "dwell_ms",
    "late",
    "transactions",
    "basket_units",
    "basket_value",
)
#: Differences that a report names.
_MOST_NAMED = 10

_ABSENT = object()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Tables = Mapping[str, Mapping[Key, Row]]


class TableAccount(Struct, frozen=True, kw_only=True):
    """A table against the reference. `lost`: rows that are missing or say less; `doubled`: rows
    beyond one for each fact, or that say more; `invented`: rows of nothing that was delivered.
    """

    table: str
    expected: int
    found: int
    lost: int
    doubled: int
    invented: int
    differences: list[str]


def read_tables(dsn: SecretStr) -> dict[str, list[Row]]:
    """All rows of the tables that the reference knows."""
    tables: dict[str, list[Row]] = {}
    with psycopg.connect(dsn.get_secret_value(), autocommit=True) as connection:
        for table in KEYS:
            cursor = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            tables[table] = [
                {name: _plain(name, value) for name, value in zip(names, values, strict=True)}
                for values in cursor
            ]
    return tables


def compare(expected: Tables, found: Mapping[str, list[Row]]) -> list[TableAccount]:
    """Row for row, column for column."""
    return [_compare(table, expected[table], found[table]) for table in KEYS]


def late_counted(found: Mapping[str, list[Row]]) -> int:
    """The late ones that windows and plays count."""
    return sum(row.get("late", 0) for rows in found.values() for row in rows)


def _compare(table: str, expected: Mapping[Key, Row], rows: list[Row]) -> TableAccount:
    kept = {tuple(row[column] for column in KEYS[table]): row for row in rows}
    lost = [key for key in expected if key not in kept]
    strange = [key for key in kept if key not in expected]
    doubled = len(rows) - len(kept)
    fewer = 0
    differences = [f"missing {key}" for key in lost] + [f"strange {key}" for key in strange]
    for key in expected.keys() & kept.keys():
        columns = sorted(c for c, v in expected[key].items() if kept[key].get(c, _ABSENT) != v)
        if not columns:
            continue
        differences.append(
            f"{key}: "
            + ", ".join(f"{c} {kept[key].get(c)} not {expected[key][c]}" for c in columns)
        )
        if any(_says_more(kept[key].get(c), expected[key][c]) for c in columns if c in _SUMS):
            doubled += 1
        else:
            fewer += 1
    return TableAccount(
        table=table,
        expected=len(expected),
        found=len(rows),
        lost=len(lost) + fewer,
        doubled=doubled,
        invented=len(strange),
        differences=sorted(differences)[:_MOST_NAMED],
    )


def _says_more(found: Any, expected: Any) -> bool:
    return (found or 0) > (expected or 0)


def _plain(column: str, value: Any) -> Any:
    """Times as epoch milliseconds; in JSON, decimals are text."""
    if isinstance(value, datetime):
        return round((value - _EPOCH).total_seconds() * 1_000)
    if column == "category_units":
        return {category: Decimal(units) for category, units in value.items()}
    return value
