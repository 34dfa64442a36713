"""Rows against events, by id. Pure."""

from collections.abc import Iterable, Set

from infra.bench.logtail import Key, Seen, keys, keys_of
from infra.bench.report import TableAccount
from infra.tally import Tally

TABLES = ("gaze", "dwell", "attention", "baskets", "decisions", "plays")


def account(tally: Tally, rows: Set[Key], forgotten: Iterable[Seen]) -> list[TableAccount]:
    """What is missing and what is too many, table by table.

    `tally` is what the log holds in the end, `forgotten` are the records that it held before.
    """
    events = keys_of(tally)
    lost = frozenset[Key]().union(*(keys(seen) for seen in forgotten))
    return [
        TableAccount(
            table=table,
            events=_count(events, table),
            rows=_count(rows, table),
            missing=_count(events - rows, table),
            extra=_count(rows - events, table),
            extra_forgotten=_count((rows - events) & lost, table),
        )
        for table in TABLES
    ]


def _count(keys: Iterable[Key], table: str) -> int:
    return sum(1 for name, _ in keys if name == table)
