"""A film as a camera: its pictures at their times, again and again, and none that is over."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.simulator.errors import FilmError
from infra.simulator.film import Film, FilmCamera, read_film, write_film
from vision.errors import CaptureError


def film_in(folder: Path, length_ms: int = 100) -> Path:
    folder.mkdir()
    for name, level in (("a.jpg", 40), ("b.jpg", 200)):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), level, np.uint8))
    write_film(folder, Film(length_ms=length_ms, pictures=((0, "a.jpg"), (50, "b.jpg"))))
    return folder


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_it_goes_round_and_leaves_out_what_is_over(tmp_path: Path) -> None:
    stream = FilmCamera(film_in(tmp_path / "film"), now_ms() - 10_000).open()
    shots = [shot for shot in (stream.read() for _ in range(4)) if shot is not None]
    stamps = [shot.pts_ms or 0 for shot in shots]
    assert len(stamps) == 4
    assert stamps[0] > 10_000
    assert stamps == sorted(set(stamps))
    assert not any(stamp % 50 for stamp in stamps)
    for shot, stamp in zip(shots, stamps, strict=True):
        level = 200 if stamp % 100 else 40
        assert shot.image().shape == (48, 64, 3)
        assert abs(int(shot.image().mean()) - level) <= 2
        assert shot.sample().shape == (6, 8)


def test_it_looks_at_its_watch_while_nothing_is_due(tmp_path: Path) -> None:
    assert FilmCamera(film_in(tmp_path / "film"), now_ms() + 60_000).open().read() is None


def test_a_film_that_cannot_be_shown_says_so(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match="cannot be read"):
        read_film(tmp_path)
    folder = film_in(tmp_path / "film")
    write_film(folder, Film(length_ms=50, pictures=((0, "a.jpg"), (50, "b.jpg"))))
    with pytest.raises(FilmError, match="holds no picture"):
        FilmCamera(folder, 0)
    write_film(folder, Film(length_ms=100, pictures=((0, "gone.jpg"),)))
    with pytest.raises(CaptureError, match=r"gone\.jpg cannot be read"):
        FilmCamera(folder, now_ms()).open().read()
