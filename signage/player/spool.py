"""Proofs of play on disk until Kafka has them, and the play that is on the glass right now.

Written before anything is sent, so that neither a kill nor a lost broker loses a proof; here each
proof gets its place in the player's hash chain. A play that a dead player left open is ended at the
next start, with the duration of its last heartbeat.
"""

import errno
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from signage.core.chain import Head, link
from signage.errors import SpoolError, SpoolFullError
from signage.player.clock import Anchor
from signage.player.stage import ended_play
from streams.contracts import codec
from streams.contracts.signage import Play
from streams.contracts.topics import PLAY

_log = logging.getLogger(__name__)

#: `synchronous=FULL`: shops cut the power at night, and a committed proof must survive that.
#: `locking_mode=EXCLUSIVE`: a second player on the same file would end this one's open play.
_SCHEMA = """
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, play BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS open_play (
    play_id TEXT PRIMARY KEY, started BLOB NOT NULL, duration_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS chain (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, sha256 TEXT
);
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), anchor BLOB NOT NULL);
"""

DIED = "the player died"

#: A player that is being restarted may need a moment to let go of the file.
_LOCK_TIMEOUT_S = 2.0


class Spool:
    """An ordered, bounded outbox in one SQLite file. Blocking: call it from one thread of its own.

    `dropped` counts the proofs that went because more than `max_rows` were waiting. A file that is
    no database any more is set aside as `set_aside`, since a screen must not stay dark for it.
    `reserve_bytes` are taken from the disk at once, so that proofs can still be kept when others
    have filled it.
    """

    def __init__(self, path: Path, max_rows: int, reserve_bytes: int = 0) -> None:
        self._path = path
        self._max_rows = max_rows
        self.dropped = 0
        self.set_aside: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = _open(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.set_aside = path.with_suffix(".broken")
                path.replace(self.set_aside)
                self._db = _open(path)
        except (OSError, sqlite3.Error) as error:
            kind = SpoolFullError if _is_full(error) else SpoolError
            raise kind(
                f"{path}: proofs of play cannot be kept here ({error}); give the player a state "
                "folder of its own that it may write to, on a disk with room"
            ) from error
        self._take_room(reserve_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recover(self) -> int:
        """End the plays that a dead player left open; how many there were."""
        left = self._db.execute("SELECT started, duration_ms FROM open_play").fetchall()
        plays = [
            ended_play(codec.decode(PLAY.name, started), duration_ms, "error", DIED)
            for started, duration_ms in left
        ]
        self.add(plays)
        return len(plays)

    @property
    def head(self) -> Head:
        """The newest proof of the chain."""
        row = self._db.execute("SELECT seq, sha256 FROM chain").fetchone()
        return Head() if row is None else Head(*row)

    def add(self, plays: Sequence[Play], forgotten: int = 0) -> None:
        """Keep proofs, in order, each with its place in the chain. `forgotten` ones before them
        were given up for want of room: their places stay empty. Raises SpoolError where the disk
        refuses.
        """
        with self._writing():
            head = self.head
            head = Head(head.seq + forgotten, head.sha256)
            for play in plays:
                linked, head = link(play, head)
                value = codec.encode(linked)
                self._db.execute("INSERT INTO outbox (play) VALUES (?)", (value,))
                if play.phase == "started":
                    self._db.execute(
                        "INSERT OR REPLACE INTO open_play VALUES (?, ?, 0)", (play.play_id, value)
                    )
                else:
                    self._db.execute("DELETE FROM open_play WHERE play_id = ?", (play.play_id,))
            self._db.execute(
                "INSERT OR REPLACE INTO chain VALUES (1, ?, ?)", (head.seq, head.sha256)
            )
            gone = self._db.execute(
                "DELETE FROM outbox WHERE seq <= (SELECT max(seq) FROM outbox) - ?",
                (self._max_rows,),
            )
        self.dropped += gone.rowcount

    def heartbeat(self, play_id: str, duration_ms: int, anchor: Anchor | None = None) -> None:
        """The open play has lasted so long, and what is known of the time."""
        with self._writing():
            self._db.execute(
                "UPDATE open_play SET duration_ms = ? WHERE play_id = ?", (duration_ms, play_id)
            )
            if anchor is not None:
                kept = (msgspec.json.encode(anchor),)
                self._db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?)", kept)

    def anchor(self) -> Anchor | None:
        """What an earlier player knew of the time."""
        row = self._db.execute("SELECT anchor FROM clock").fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Anchor)

    def oldest(self, limit: int) -> list[tuple[int, Play]]:
        """The oldest proofs that wait, each with the number that `sent` wants."""
        rows = self._db.execute("SELECT seq, play FROM outbox ORDER BY seq LIMIT ?", (limit,))
        return [(seq, codec.decode(PLAY.name, play)) for seq, play in rows]

    def sent(self, through_seq: int) -> None:
        """Kafka has acknowledged everything up to this number."""
        with self._writing():
            self._db.execute("DELETE FROM outbox WHERE seq <= ?", (through_seq,))

    def waiting(self) -> int:
        """How many proofs wait."""
        count: int = self._db.execute("SELECT count(*) FROM outbox").fetchone()[0]
        return count

    def _take_room(self, reserve_bytes: int) -> None:
        """Grow the file and its log, and leave the room free inside them."""
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        size: int = self._db.execute("PRAGMA page_size").fetchone()[0]
        missing = reserve_bytes - pages * size
        if missing <= 0:
            return
        try:
            with self._db:
                self._db.execute("CREATE TABLE room (bytes BLOB)")
                self._db.execute("INSERT INTO room VALUES (zeroblob(?))", (missing,))
            with self._db:
                self._db.execute("DROP TABLE room")
        except sqlite3.Error as error:
            _log.warning("%s: no room could be kept for proofs of play (%s)", self._path, error)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, all or nothing."""
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise SpoolError(
                f"{self._path}: a proof of play could not be written ({error}); make room on the "
                "disk or mend its permissions"
            ) from error

    def close(self) -> None:
        """Close the file; everything in it stays."""
        self._db.close()


def _is_full(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk has no room: what SQLite cannot write it also calls an I/O error."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, check_same_thread=False)
    try:
        db.executescript(_SCHEMA)
        with db:  # takes the lock now, not at the first proof
            db.execute("DELETE FROM outbox WHERE seq < 0")
    except sqlite3.Error:
        db.close()
        raise
    return db
