"""Draws the scenes' films before anything is measured, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2

from infra.bench.latency.scene import Scene
from infra.simulator.camera import ShelfCamera
from infra.simulator.errors import FilmError
from infra.simulator.film import Film, write_film
from streams.contracts.layout import CameraPose

#: As a camera's own encoder has it: about 0.1 MB a picture of 1280 x 720.
_QUALITY = 85

#: Pictures that a process draws at a time.
_PIECE = 60

_EMPTY = "empty.jpg"

Pictures = list[tuple[int, str]]


def film_all(
    scenes: Sequence[Scene],
    size_px: tuple[int, int],
    folder: Path,
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Draws every scene into a folder of its camera's name below `folder`. Raises FilmError."""
    pictures: dict[str, Pictures] = {scene.camera.camera_id: [] for scene in scenes}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        drawing = {}
        for scene in scenes:
            own = folder / scene.camera.camera_id
            own.mkdir(parents=True, exist_ok=True)
            times = scene.times_ms
            for first in range(0, len(times), _PIECE):
                piece = times[first : first + _PIECE]
                task = pool.submit(draw, scene, size_px, own, piece)
                drawing[task] = scene.camera.camera_id
        count, drawn = sum(len(scene.times_ms) for scene in scenes), 0
        for task in as_completed(drawing):
            found = task.result()
            pictures[drawing[task]] += found
            drawn += len(found)
            say(f"drawing what the cameras will see: {drawn} of {count} pictures")
    for scene in scenes:
        name = scene.camera.camera_id
        film = Film(length_ms=scene.length_ms, pictures=tuple(sorted(pictures[name])))
        write_film(folder / name, film)


def draw(scene: Scene, size_px: tuple[int, int], folder: Path, times_ms: Sequence[int]) -> Pictures:
    """Draws the pictures of these times; where nobody is, all share one."""
    cv2.setNumThreads(1)
    if scene.camera.pose is None:
        raise FilmError(f"the camera {scene.camera.camera_id!r} has no pose; give it one")
    view, scenario = _view(scene.camera.pose, size_px), scene.scenario()
    found: Pictures = []
    for at_ms in times_ms:
        people = scenario.people(at_ms)
        name = f"{at_ms:08d}.jpg" if people else _EMPTY
        if people or not (folder / name).exists():
            picture = view.render(people)
            if not cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
                raise FilmError(f"the picture {folder / name} cannot be written; make room there")
        found.append((at_ms, name))
    return found


@lru_cache(maxsize=1)
def _view(pose: CameraPose, size_px: tuple[int, int]) -> ShelfCamera:
    """One for all bays: they are alike."""
    return ShelfCamera(pose, *size_px)
