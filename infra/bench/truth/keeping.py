"""A recording in a file: detections of simulated people, without pictures. Who tunes a number of
the gateway replays it in seconds, instead of drawing and inferring for minutes.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import msgspec
import numpy as np

from infra.bench.truth.recording import Recording, View
from infra.errors import UserError
from vision.ports import Detections, DetectorInfo

_FIELDS = tuple(field.name for field in dataclasses.fields(Detections))


#: What a layout says that no picture shows: a recording holds whatever it is.
_UNSEEN = frozenset({"contact", "languages"})


def fingerprint(views: Sequence[View], what: object) -> str:
    """What tells recordings of other pictures apart; `what` is anything that msgspec encodes."""
    text = repr([(view.stretch, view.camera, view.fps) for view in views]).encode()
    seen = _seen(msgspec.to_builtins(what))
    return hashlib.sha256(text + msgspec.json.encode(seen)).hexdigest()


def _seen(value: object) -> object:
    if isinstance(value, dict):
        return {key: _seen(each) for key, each in value.items() if key not in _UNSEEN}
    return [_seen(each) for each in value] if isinstance(value, list | tuple) else value


def save(path: Path, mark: str, info: DetectorInfo, recordings: Sequence[Recording]) -> None:
    """Writes the recordings. Raises UserError."""
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "mark": np.array([mark, info.name, info.weights_sha256])
    }
    for number, recording in enumerate(recordings):
        arrays[f"{number}/times_ms"] = np.array(recording.times_ms, np.int64)
        arrays[f"{number}/inference_ms"] = np.array(recording.inference_ms, np.float64)
        arrays[f"{number}/count"] = np.array([len(d) for d in recording.detections], np.int32)
        for name in _FIELDS:
            parts = [getattr(each, name) for each in recording.detections]
            if parts and all(part is not None for part in parts):
                arrays[f"{number}/{name}"] = np.concatenate(parts)
    # NumPy's own annotation takes the last keyword for one of its options.
    write: Callable[..., None] = np.savez_compressed
    try:
        with path.open("wb") as file:
            write(file, **arrays)
    except OSError as error:
        raise UserError(
            f"the recording cannot be written to {path} ({error.strerror}); name another file"
        ) from error


def load(path: Path, mark: str, views: Sequence[View]) -> tuple[DetectorInfo, list[Recording]]:
    """The recordings of `views`. Raises UserError where the file holds others."""
    try:
        with np.load(path) as arrays:
            known, name, digest = (str(part) for part in arrays["mark"])
            if known != mark:
                raise UserError(
                    f"the recording {path} is of another layout, seed, rate or length; name "
                    "another file, or remove it"
                )
            return DetectorInfo(name, digest), [
                _recording(view, {key: arrays[key] for key in arrays if key.startswith(f"{i}/")}, i)
                for i, view in enumerate(views)
            ]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise UserError(
            f"the recording {path} cannot be read ({error}); remove it and record anew"
        ) from error


def _recording(
    view: View,
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]],
    number: int,
) -> Recording:
    ends = np.cumsum(arrays[f"{number}/count"])
    parts = {
        name: np.split(arrays[f"{number}/{name}"], ends[:-1])
        for name in _FIELDS
        if f"{number}/{name}" in arrays
    }
    return Recording(
        view,
        times_ms=[int(at) for at in arrays[f"{number}/times_ms"]],
        detections=[
            # Copies, since NumPy's sums depend on how an array lies in memory.
            Detections(**{name: part[i].copy() for name, part in parts.items()})
            for i in range(len(ends))
        ],
        inference_ms=[float(ms) for ms in arrays[f"{number}/inference_ms"]],
    )
