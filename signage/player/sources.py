"""Where a player gets the files of its playlist: beside itself, or from the store's publisher.

Nothing that comes from here is believed: whoever keeps a file hashes it first.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from signage.errors import MediumError
from signage.player.media import MAX_FILE_BYTES
from streams.contracts.signage import MediaFile

_TIMEOUT_S = 30.0


class FolderSource:
    """Files that lie on this machine: by their path in a catalogue, or in folders by SHA-256."""

    def __init__(
        self, files: Mapping[str, Path], made: Mapping[str, bytes], *folders: Path
    ) -> None:
        self._files = files
        self._made = made
        self._folders = folders

    async def fetch(self, file: MediaFile) -> bytes:
        """The bytes of a file. Raises MediumError."""
        places = [folder / file.sha256 for folder in self._folders]
        if file.path in self._files:
            places.append(self._files[file.path])
        if file.path in self._made:
            return self._made[file.path]
        for place in places:
            data = await asyncio.to_thread(_read, place)
            if data is not None and hashlib.sha256(data).hexdigest() == file.sha256:
                return data
        raise MediumError(f"the file {file.path} is not on this machine")


class HttpSource:
    """The publisher's `/files/<sha256>`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def fetch(self, file: MediaFile) -> bytes:
        """The bytes of a file. Raises MediumError."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self._url}/files/{file.sha256}") as answer,
            ):
                answer.raise_for_status()
                if (answer.content_length or 0) > MAX_FILE_BYTES:
                    raise MediumError(f"the file {file.path} is larger than {MAX_FILE_BYTES} bytes")
                chunks, size = [], 0
                async for chunk in answer.content.iter_any():
                    size += len(chunk)
                    if size > file.bytes:
                        raise MediumError(f"the file {file.path} is larger than was signed")
                    chunks.append(chunk)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise MediumError(
                f"the file {file.path} cannot be fetched from {self._url} "
                f"({error or type(error).__name__}); see that the publisher runs there"
            ) from error
        return b"".join(chunks)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
