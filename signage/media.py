"""The media archive: files by the SHA-256 of their bytes, and the versions made of them.

    media/<sha256>                        the bytes, never changed
    media/creatives/<id>/<version>.json   the creative that they belong to, never changed

What is written appears whole or not at all.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec

from signage.errors import CatalogueError
from streams.contracts.signage import Creative

_BLOCK_BYTES = 1024 * 1024


class MediaArchive:
    """The folder `media` below a state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "media"

    def path(self, sha256: str) -> Path:
        """Where the bytes of that fingerprint lie, or would."""
        return self.folder / sha256

    def holds(self, sha256: str) -> bool:
        """Whether they are here."""
        return self.path(sha256).is_file()

    def put(self, content: bytes | Path) -> str:
        """Keeps the bytes, or those of a file; their fingerprint.

        Raises:
            CatalogueError: they cannot be read or written.
        """
        try:
            return self._put(content)
        except OSError as error:
            raise CatalogueError(
                self.folder, f"it cannot be written ({error.strerror})", "free or mend the disk"
            ) from error

    def _put(self, content: bytes | Path) -> str:
        if isinstance(content, bytes):
            sha256 = hashlib.sha256(content).hexdigest()
            if not self.holds(sha256):
                self._keep(self.path(sha256), iter([content]))
            return sha256
        sha256 = file_sha256(content)
        if not self.holds(sha256):
            self._keep(self.path(sha256), _blocks(content))
        return sha256

    def intact(self, sha256: str) -> bool:
        """Whether the bytes are here and still those of their fingerprint."""
        return self.holds(sha256) and file_sha256(self.path(sha256)) == sha256

    def keep_version(self, creative: Creative) -> None:
        """Remembers a version for good.

        Raises:
            CatalogueError: that version is known with another content.
        """
        path = self._version(creative.creative_id, creative.version)
        text = msgspec.json.encode(creative)
        known = self.version(creative.creative_id, creative.version)
        if known is not None and known != creative:
            raise CatalogueError(
                path, "that version exists and is another; versions never change", "raise `version`"
            )
        if known is None:
            self._keep(path, iter([text]))

    def version(self, creative_id: str, version: int) -> Creative | None:
        """That version as it was kept, None where it never was."""
        path = self._version(creative_id, version)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Creative)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise CatalogueError(
                path, f"it cannot be read ({error})", "restore it from a backup"
            ) from error

    def _version(self, creative_id: str, version: int) -> Path:
        return self.folder / "creatives" / creative_id / f"{version}.json"

    def _keep(self, path: Path, blocks: Iterator[bytes]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid4().hex}.part")
        try:
            with part.open("wb") as file:
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
