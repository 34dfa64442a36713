"""What the intake remembers on disk: receipts that the broker has acknowledged, and files done.

So a repeat is known, a void finds what it takes back, and a kill at any moment doubles nothing:
what was sent and not yet remembered is sent again under the same id, which every reader knows.
"""

import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from infra.receipts.errors import IntakeError
from infra.receipts.masking import masked
from streams.contracts.pos import Basket

#: A receipt is voided or sent again within this time; later it is a stranger.
KEPT_MS = 35 * 86_400_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS receipts (
    basket_id TEXT PRIMARY KEY, till TEXT NOT NULL, number TEXT NOT NULL, basket BLOB NOT NULL,
    seen_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_number ON receipts (number, till);
CREATE INDEX IF NOT EXISTS receipts_seen ON receipts (seen_ms);
CREATE TABLE IF NOT EXISTS files (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, begun_ms INTEGER NOT NULL, done_ms INTEGER
) WITHOUT ROWID;
"""

_decoder = msgspec.json.Decoder(Basket)


class Memory:
    """One file; one process at a time. Close it."""

    def __init__(self, path: Path) -> None:
        """Raises IntakeError where the file cannot be used."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise IntakeError(
                f"the intake's memory {path} cannot be used ({error}); mend its folder, or move "
                "the file away to begin anew"
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def basket(self, basket_id: str) -> Basket | None:
        """The receipt as it was taken."""
        row = self._db.execute(
            "SELECT basket FROM receipts WHERE basket_id = ?", [basket_id]
        ).fetchone()
        return None if row is None else _decoder.decode(row[0])

    def find(self, till: str, number: str) -> Basket | None:
        """The newest receipt of that number, of that till if one is named; never a void."""
        row = self._db.execute(
            "SELECT basket FROM receipts WHERE number = ? AND (till = ? OR ? = '') "
            "ORDER BY seen_ms DESC LIMIT 1",
            [number, till, till],
        ).fetchone()
        return None if row is None else _decoder.decode(row[0])

    def remember(self, taken: Iterable[tuple[str, str, Basket]], now_ms: int) -> None:
        """Receipts by till and number that are acknowledged; those of long ago are forgotten."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?)",
                [
                    # A void is remembered under no number: nobody takes one back.
                    (b.basket_id, till, "" if b.kind == "void" else number, _bytes(b), now_ms)
                    for till, number, b in taken
                ],
            )
            self._db.execute("DELETE FROM receipts WHERE seen_ms < ?", [now_ms - KEPT_MS])

    def begin(self, content: bytes, name: str, now_ms: int) -> int:
        """When the file of that content was begun: now, or before a kill."""
        key = sha256(content).hexdigest()
        self._db.execute(
            "INSERT OR IGNORE INTO files VALUES (?, ?, ?, NULL)", [key, masked(name, 128), now_ms]
        )
        row = self._db.execute("SELECT begun_ms FROM files WHERE sha256 = ?", [key]).fetchone()
        return int(row[0])

    def is_done(self, content: bytes) -> bool:
        """Whether a file of that content was taken wholly, whatever its name."""
        key = sha256(content).hexdigest()
        row = self._db.execute("SELECT done_ms FROM files WHERE sha256 = ?", [key]).fetchone()
        return row is not None and row[0] is not None

    def done(self, content: bytes, now_ms: int) -> None:
        """The file of that content is taken wholly."""
        key = sha256(content).hexdigest()
        self._db.execute("UPDATE files SET done_ms = ? WHERE sha256 = ?", [now_ms, key])


def _bytes(basket: Basket) -> bytes:
    return msgspec.json.encode(basket)
