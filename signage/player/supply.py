"""What a screen may show, from its signed playlist: verified, kept on disk with its media, and
there again after a restart without a network.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from signage.errors import MediumError, RefusedPlaylistError
from signage.player.media import MediaStore
from signage.player.ports import MediaSource
from signage.player.repertoire import Repertoire, of_playlist
from signage.signing import Trust
from streams.contracts.playlist import Playlist
from streams.contracts.signage import MediaFile

_log = logging.getLogger(__name__)

#: A file that nobody could give is asked for again after so long.
_RETRY_S = 2.0

OnRepertoire = Callable[[Repertoire], None]


class Supply:
    """The playlist of one screen. `refused` counts playlists and files by why; `last_refusal` is a
    sentence about the newest.
    """

    def __init__(
        self, folder: Path, screen_id: str, trust: Trust, sources: Sequence[MediaSource]
    ) -> None:
        self._path = folder / "playlist.json"
        self._media = MediaStore(folder / "media")
        self._screen_id = screen_id
        self._trust = trust
        self._sources = sources
        self._playlist: Playlist | None = None
        self._message = b""
        self._kept: Playlist | None = None
        self._files: Mapping[str, MediaFile] = {}
        self._held: set[str] = set()
        self._wanted = asyncio.Event()
        self.refused: Counter[str] = Counter()
        self.last_refusal: str | None = None
        self.tell: OnRepertoire = lambda _: None

    @property
    def playlist(self) -> Playlist | None:
        """The playlist that is followed."""
        return self._playlist

    def load(self) -> Repertoire | None:
        """What an earlier player kept, verified anew. Blocking."""
        try:
            message = self._path.read_bytes()
        except OSError:
            return None
        try:
            self._adopt(self._trust.verified(message, self._screen_id), message)
        except RefusedPlaylistError as error:
            self._refuse(error.why, str(error))
            return None
        self._kept = self._playlist
        self._look()
        return self._repertoire()

    def take(self, message: bytes) -> None:
        """A playlist from the log. One that is not right is refused, an older one ignored."""
        try:
            playlist = self._trust.verified(message, self._screen_id)
            if self._playlist is not None and playlist.version < self._playlist.version:
                raise RefusedPlaylistError(
                    "older", f"version {playlist.version} after {self._playlist.version}"
                )
        except RefusedPlaylistError as error:
            self._refuse(error.why, str(error))
            return
        if self._playlist is not None and playlist.version == self._playlist.version:
            return
        self._adopt(playlist, message)
        self._tell()
        self._wanted.set()

    def _adopt(self, playlist: Playlist, message: bytes) -> None:
        # A page may still ask for what the playlist before this one held.
        self._files = {**_files(self._playlist), **_files(playlist)}
        self._playlist, self._message = playlist, message

    async def run(self) -> None:
        """Keep the newest playlist and fetch what it names, until cancelled."""
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.to_thread(self._look)
            self._tell()
            complete = await self._fetch_all()
            if self._playlist is not self._kept:
                await asyncio.to_thread(self._keep)
            if not complete:
                await asyncio.sleep(_RETRY_S)
                self._wanted.set()

    async def medium(self, path: str) -> bytes | None:
        """The verified bytes of a file; None where no playlist names it. Raises MediumError."""
        file = self._files.get(path)
        if file is None:
            return None
        try:
            return await asyncio.to_thread(self._media.read, file.sha256)
        except MediumError as error:
            self._refuse("medium", str(error))
            self._held.discard(file.sha256)
            self._tell()
            self._wanted.set()
            raise

    def _look(self) -> None:
        """Which files are here and right. Blocking."""
        names = {file.sha256 for file in self._files.values()}
        self._held |= {name for name in names - self._held if self._media.holds(name)}

    async def _fetch_all(self) -> bool:
        complete = True
        for file in _files(self._playlist).values():
            if file.sha256 not in self._held:
                complete = await self._fetch(file) and complete
        return complete

    async def _fetch(self, file: MediaFile) -> bool:
        for source in self._sources:
            try:
                data = await source.fetch(file)
                await asyncio.to_thread(self._media.put, file.sha256, data)
            except MediumError as error:
                self.last_refusal = str(error)
                continue
            self._held.add(file.sha256)
            self._tell()
            return True
        _log.warning(
            "the file %s of the playlist is not to be had (%s)", file.path, self.last_refusal
        )
        return False

    def _keep(self) -> None:
        """Write the playlist down, and throw away what it does not name. Blocking."""
        playlist, message = self._playlist, self._message
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(message)
            new.replace(self._path)
        except OSError as error:
            _log.error("%s: the playlist cannot be kept (%s)", self._path, error.strerror)
            return
        self._kept = playlist
        self._media.keep_only({file.sha256 for file in self._files.values()})

    def _repertoire(self) -> Repertoire | None:
        if self._playlist is None:
            return None
        return of_playlist(self._playlist, frozenset(self._held))

    def _tell(self) -> None:
        repertoire = self._repertoire()
        if repertoire is not None:
            self.tell(repertoire)

    def _refuse(self, why: str, sentence: str) -> None:
        self.refused[why] += 1
        self.last_refusal = sentence
        _log.warning("%s", sentence)


def _files(playlist: Playlist | None) -> dict[str, MediaFile]:
    return {} if playlist is None else {file.path: file for file in playlist.files}
