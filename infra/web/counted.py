"""Counts distinct things in the log, also across a broker that lost the end of its log. Pure."""

from dataclasses import dataclass, field

#: Ids that are kept for counting, of one kind; beyond it the count is given up, not wrong.
_MOST_IDS = 1_000_000

#: What is counted, in the page's order; also the names of the database's tables.
COUNTED = ("gaze", "dwell", "decisions", "plays", "baskets")


@dataclass(slots=True)
class _Kind:
    """`ids`: read since the log was last begun; `before`: read earlier and not found again yet."""

    ids: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)


class Counted:
    """Distinct ids of each kind of `COUNTED`.

    After a break the log is read anew (`begin_again`): what was seen before and does not come again
    is what the broker forgot.

    >>> counted = Counted()
    >>> for name in ("a", "b"): counted.add("plays", name)
    >>> counted.begin_again()
    >>> counted.add("plays", "a")
    >>> counted.counts()["plays"], counted.forgotten()["plays"]
    (2, 1)
    """

    def __init__(self) -> None:
        self._kinds = {what: _Kind() for what in COUNTED}

    def knows(self, what: str, name: str) -> bool:
        """Whether `name` was ever counted."""
        kind = self._kinds[what]
        return name in kind.ids or name in kind.before

    def add(self, what: str, name: str) -> None:
        """Count `name`, once."""
        kind = self._kinds[what]
        kind.before.discard(name)
        if len(kind.ids) + len(kind.before) <= _MOST_IDS:
            kind.ids.add(name)

    def begin_again(self) -> None:
        """The log is read from its beginning once more."""
        for kind in self._kinds.values():
            kind.before |= kind.ids
            kind.ids = set()

    def counts(self) -> dict[str, int | None]:
        """What was ever read, by kind; None where there is too much of it."""
        return {
            what: total if (total := len(kind.ids) + len(kind.before)) <= _MOST_IDS else None
            for what, kind in self._kinds.items()
        }

    def forgotten(self) -> dict[str, int]:
        """What was read once and is in the log no more. Right once the log is read to its end."""
        return {what: len(kind.before) for what, kind in self._kinds.items()}
