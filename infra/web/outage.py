"""The story of a broker that went away: killed, back, counts equal again. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from infra.web.view import CountView, OutageView

#: A kill that is this old did not cause the outage that begins now.
_KILL_COUNTS_MS = 10_000


@dataclass(slots=True)
class Outage:
    """The last outage, step by step. `step` is to be called several times a second."""

    _killed_at_ms: int | None = None
    _was_up: bool = False
    _told: OutageView | None = None
    _unequal: set[str] = field(default_factory=set)

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
        *,
        broker_up: bool,
        log_read: bool,
        database_at_ms: int | None,
        counts: Iterable[CountView],
    ) -> None:
        """The state at `at_ms`.

        `log_read`: the log has been read to its end again. `database_at_ms`: when the database was
        last asked; an answer from before the broker was back says nothing.
        """
        counts = tuple(counts)
        if self._was_up and not broker_up:
            self._begin(at_ms, counts)
        self._was_up = broker_up
        told = self._told
        if told is None or not broker_up:
            return
        if told.back_at_ms is None:
            self._told = replace(told, back_at_ms=at_ms)
            return
        if told.equal_at_ms is not None or not log_read:
            return
        if database_at_ms is None or database_at_ms <= told.back_at_ms:
            return
        # A busy shop is always some event ahead of its database: each kind for itself.
        self._unequal -= {count.what for count in counts if count.state != "behind"}
        if not self._unequal:
            self._told = replace(told, equal_at_ms=at_ms)

    def view(self) -> OutageView | None:
        """The last outage; None if there was none."""
        return self._told

    def _begin(self, at_ms: int, counts: tuple[CountView, ...]) -> None:
        killed = self._killed_at_ms
        by_hand = killed is not None and at_ms - killed <= _KILL_COUNTS_MS
        self._told = OutageView(killed_at_ms=killed if by_hand else None, gone_at_ms=at_ms)
        self._killed_at_ms = None
        self._unequal = {count.what for count in counts}
