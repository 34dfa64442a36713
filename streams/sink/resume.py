"""Where to go on reading: stored offsets against the log as it is now. Pure.

A log may have lost its end since the offset was stored (a broker that was killed before it wrote
to disk), and may have grown past that offset again with other records. So the last record read is
read once more and compared; where it is gone or another one, reading goes back.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

#: (topic, partition)
Place = tuple[str, int]

RewindReason = Literal["the log ends before it", "another record is there"]


@dataclass(frozen=True, slots=True)
class Stored:
    """The last record whose rows are stored. `digest` is empty where it is not known."""

    next_offset: int
    record_at_ms: int
    digest: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Where to read from. With `verify`, the first record must be the last one stored.

    `forgotten`: records that were stored once and that the log has lost. `expired`: records that
    retention deleted before they were stored.
    """

    read_from: int
    verify: bool = False
    forgotten: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Rewind:
    """A stored offset did not fit the log: what was found and where reading goes on."""

    place: Place
    reason: RewindReason
    stored: Stored
    log_start: int
    log_end: int
    resumed_at: int
    forgotten: int


def resume(stored: Stored | None, log_start: int, log_end: int) -> Resume:
    """How to go on in a partition whose records are `log_start` up to, not with, `log_end`.

    >>> resume(None, 3, 9)
    Resume(read_from=3, verify=False, forgotten=0, expired=0)
    >>> resume(Stored(8, 0, "d"), 3, 9)
    Resume(read_from=7, verify=True, forgotten=0, expired=0)
    >>> resume(Stored(12, 0, "d"), 3, 9)
    Resume(read_from=9, verify=False, forgotten=3, expired=0)
    >>> resume(Stored(1, 0, "d"), 3, 9)
    Resume(read_from=3, verify=False, forgotten=0, expired=2)
    """
    if stored is None:
        return Resume(log_start)
    if stored.next_offset > log_end:
        return Resume(log_end, forgotten=stored.next_offset - log_end)
    if stored.next_offset <= log_start:
        return Resume(log_start, expired=log_start - stored.next_offset)
    if not stored.digest:
        return Resume(stored.next_offset)
    return Resume(stored.next_offset - 1, verify=True)


def rewound_to(log_start: int, log_end: int, first_in_doubt: int | None) -> int:
    """The offset to go back to. `first_in_doubt` is that of the first record that is newer than
    the margin before the last one stored; None where the log holds none so new.

    >>> rewound_to(3, 9, 5), rewound_to(3, 9, None), rewound_to(3, 9, 1)
    (5, 9, 3)
    """
    return max(log_start, min(log_end, log_end if first_in_doubt is None else first_in_doubt))


def digest(timestamp_ms: int, key: bytes | None, value: bytes | None) -> str:
    """Tells a record from another that was given the same offset."""
    content = hashlib.sha256(f"{timestamp_ms}|{key!r}|".encode())
    content.update(value or b"")
    return content.hexdigest()[:32]
