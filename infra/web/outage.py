"""Holds the log against the database, and tells the story of a broker that went away: killed,
back, counts equal again. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from infra.web.view import CountView, OutageView

#: A kill that is this old did not cause the outage that begins now.
_KILL_COUNTS_MS = 10_000

#: So long after the broker's return a difference is waited for; what then still differs by no more
#: than the broker forgot will not come.
_PATIENCE_MS = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of thing, counted. None: not (yet) known.

    `unread`: of the log's, those that the broker forgot: they may never have been stored.
    `unlogged`: records that were stored and the broker forgot: they may never have been read.
    """

    what: str
    log: int | None
    database: int | None
    unread: int = 0
    unlogged: int = 0

    @property
    def missing(self) -> int | None:
        """What the log has more than the database."""
        return None if self.log is None or self.database is None else self.log - self.database


@dataclass(slots=True)
class Outage:
    """The last outage, step by step. `step` is to be called several times a second."""

    _killed_at_ms: int | None = None
    _was_up: bool = False
    _told: OutageView | None = None
    #: Kinds that were not found equal since the broker came back.
    _open: set[str] = field(default_factory=set)
    #: Differences that the broker's death left for good, by kind.
    _gone: dict[str, int] = field(default_factory=dict)

    def killed(self, at_ms: int) -> None:
        """Someone pressed the button at `at_ms`; the outage may have been noticed meanwhile."""
        told = self._told
        if told is not None and told.killed_at_ms is None and told.gone_at_ms >= at_ms:
            self._told = replace(told, killed_at_ms=at_ms)
        else:
            self._killed_at_ms = at_ms

    def step(
        self,
        at_ms: int,
        rows: Iterable[Row],
        *,
        broker_up: bool,
        log_read: bool,
        database_at_ms: int | None,
    ) -> None:
        """The state at `at_ms`.

        `log_read`: the log has been read to its end again. `database_at_ms`: when the database was
        last asked; an answer from before the broker was back says nothing.
        """
        rows = tuple(rows)
        if self._was_up and not broker_up:
            self._begin(at_ms, rows)
        self._was_up = broker_up
        told = self._told
        if told is None or not broker_up:
            return
        if told.back_at_ms is None:
            self._told = replace(told, back_at_ms=at_ms)
            return
        asked = database_at_ms is not None and database_at_ms > told.back_at_ms
        if told.equal_at_ms is not None or not log_read or not asked:
            return
        for row in rows:
            self._settle(row, patience=at_ms - told.back_at_ms < _PATIENCE_MS)
        if not self._open:
            self._told = replace(told, equal_at_ms=at_ms)

    def view(self) -> OutageView | None:
        """The last outage; None if there was none."""
        return self._told

    def count(self, row: Row) -> CountView:
        """What the page says of `row`."""
        gone = self._gone.get(row.what)
        return CountView(
            what=row.what,
            log=row.log,
            database=row.database,
            state=(
                "equal"
                if row.missing == 0
                else "forgotten"
                if gone is not None and row.missing == gone
                else "behind"
            ),
        )

    def _begin(self, at_ms: int, rows: tuple[Row, ...]) -> None:
        killed = self._killed_at_ms
        by_hand = killed is not None and at_ms - killed <= _KILL_COUNTS_MS
        self._told = OutageView(killed_at_ms=killed if by_hand else None, gone_at_ms=at_ms)
        self._killed_at_ms = None
        self._open = {row.what for row in rows}

    def _settle(self, row: Row, *, patience: bool) -> None:
        # A busy shop is always some event ahead of its database: each kind for itself.
        missing = row.missing
        if row.what not in self._open or missing is None:
            return
        if missing == 0 or missing == self._gone.get(row.what):
            self._open.discard(row.what)
        elif not patience and -row.unlogged <= missing <= row.unread:
            self._gone[row.what] = missing
            self._open.discard(row.what)
