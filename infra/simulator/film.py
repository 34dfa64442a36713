"""The simulated store's pictures drawn beforehand, and a camera that shows them at their times: the
gateway then decodes and supervises as it does with a camera on the network, and draws nothing.
"""

import time
from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec import Struct

from infra.simulator.errors import FilmError
from vision.cameras.live import Shot
from vision.cameras.still import Sample
from vision.errors import CaptureError
from vision.ports import Image

_INDEX = "film.json"

#: Whoever reads a camera looks at its watch this often.
_LONGEST_WAIT_MS = 500


class Film(Struct, frozen=True, kw_only=True):
    """What one camera saw: `pictures` are (ms from the film's beginning, file name), in order;
    after `length_ms` it begins again. Files are JPEG; one may be shown more than once.
    """

    length_ms: int
    pictures: tuple[tuple[int, str], ...]


def write_film(folder: Path, film: Film) -> None:
    """Writes the index of the pictures in `folder`. Raises FilmError."""
    try:
        (folder / _INDEX).write_bytes(msgspec.json.encode(film))
    except OSError as error:
        raise FilmError(
            f"the film {folder} cannot be written ({error.strerror}); make room"
        ) from error


def read_film(folder: Path) -> Film:
    """Raises FilmError."""
    try:
        film = msgspec.json.decode((folder / _INDEX).read_bytes(), type=Film)
    except (OSError, msgspec.DecodeError) as error:
        raise FilmError(
            f"the film {folder} cannot be read ({error}); let it be drawn again"
        ) from error
    if not film.pictures or film.length_ms <= film.pictures[-1][0]:
        raise FilmError(f"the film {folder} holds no picture; let it be drawn again")
    return film


class FilmCamera:
    """Implements `vision.cameras.live.LiveCamera`: the film of `folder`, begun at `start_ms` (UTC
    epoch ms), whenever it is connected to. Raises FilmError.
    """

    def __init__(self, folder: Path, start_ms: int) -> None:
        self._folder, self._start_ms = folder, start_ms
        self._film = read_film(folder)
        self.name = folder.name

    def open(self) -> "FilmStream":
        """See `LiveCamera`."""
        return FilmStream(self._folder, self._film, self._start_ms)


class FilmStream:
    """Implements `vision.cameras.live.Stream`. What is over when it is asked for is gone."""

    def __init__(self, folder: Path, film: Film, start_ms: int) -> None:
        self._folder, self._film, self._start_ms = folder, film, start_ms
        self._next = self._first_after(_now_ms() - start_ms)

    @property
    def broken(self) -> int:
        """See `Stream`."""
        return 0

    def read(self) -> Shot | None:
        """See `Stream`."""
        pictures, length_ms = self._film.pictures, self._film.length_ms
        round_, number = divmod(self._next, len(pictures))
        at_ms, name = pictures[number]
        pts_ms = round_ * length_ms + at_ms
        wait_ms = self._start_ms + pts_ms - _now_ms()
        if wait_ms > _LONGEST_WAIT_MS:
            time.sleep(_LONGEST_WAIT_MS / 1000)
            return None
        time.sleep(max(0.0, wait_ms / 1000))
        self._next = max(self._next + 1, self._first_after(_now_ms() - self._start_ms) - 1)
        return _shot(self._folder / name, pts_ms)

    def close(self) -> None:
        """See `Stream`."""

    def _first_after(self, at_ms: int) -> int:
        """The number of the first picture after a time of the film, counted through all rounds."""
        round_, within_ms = divmod(max(0, at_ms), self._film.length_ms)
        pictures = self._film.pictures
        first = next((i for i, (t, _) in enumerate(pictures) if t > within_ms), len(pictures))
        return round_ * len(pictures) + first


def _shot(path: Path, pts_ms: int) -> Shot:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise CaptureError(f"the picture {path} cannot be read ({error.strerror})") from error

    def sample() -> Sample:
        return np.asarray(_decoded(data, cv2.IMREAD_REDUCED_GRAYSCALE_8, path), np.uint8)

    def image() -> Image:
        return np.asarray(_decoded(data, cv2.IMREAD_COLOR, path), np.uint8)

    return Shot(pts_ms, sample, image)


def _decoded(data: "np.ndarray[tuple[int], np.dtype[np.uint8]]", how: int, path: Path) -> object:
    decoded = cv2.imdecode(data, how)
    if decoded is None:
        raise CaptureError(f"the picture {path} is no JPEG; let the film be drawn again")
    return decoded


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
