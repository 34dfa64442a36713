"""The files of creatives on the player's disk, by their SHA-256.

Every file is hashed whenever it is read, and the bytes that were hashed are those that are sent.
Blocking: call it from a thread.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from signage.errors import MediumError

#: A film for a screen; more would not be read at once.
MAX_FILE_BYTES = 128 * 1024 * 1024


class MediaStore:
    """A folder with one file for each content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, sha256: str) -> bool:
        """Whether a file is here and is what it should be. One that is not is thrown away."""
        try:
            self.read(sha256)
        except MediumError:
            return False
        return True

    def read(self, sha256: str) -> bytes:
        """The bytes of a file. Raises MediumError: it is missing, or was changed."""
        path = self._folder / sha256
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise MediumError(f"the file {sha256[:12]} is not here ({error.strerror})") from error
        check(data, sha256, path, discard=True)
        return data

    def put(self, sha256: str, data: bytes) -> None:
        """Keep a file, whole or not at all. Raises MediumError: other bytes, or no room."""
        check(data, sha256, Path(sha256), discard=False)
        new = self._folder / f".{sha256}.new"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / sha256)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise MediumError(
                f"{self._folder}: the file {sha256[:12]} cannot be kept ({error.strerror}); make "
                "room on the disk or mend its permissions"
            ) from error

    def keep_only(self, wanted: Collection[str]) -> None:
        """Throw away what no playlist names any more."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)


def check(data: bytes, sha256: str, path: Path, *, discard: bool) -> None:
    """Raises MediumError where the bytes are not those that were signed."""
    found = hashlib.sha256(data).hexdigest()
    if found == sha256 and len(data) <= MAX_FILE_BYTES:
        return
    if discard:
        path.unlink(missing_ok=True)
    raise MediumError(
        f"{path}: its SHA-256 is {found[:12]}…, not the signed {sha256[:12]}…; it is not shown, "
        "and fetched again"
    )
