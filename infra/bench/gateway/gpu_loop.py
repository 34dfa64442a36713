"""Frames a second of the networks on a CUDA device, with the served model's own work before and
after them, at some sizes of batch.

Run by the model server's own Python; imports nothing of this project but the folder `detection` of
the served repository. One JSON object as its argument (see `main`); it says one line of JSON: what
was measured, or in one sentence why nothing was.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

#: Runs a network on a batch.
Run = Callable[[Any], Sequence[Any]]

#: A session's first batches plan kernels and reserve memory.
_WARM_UP_BATCHES = 3


class NoDeviceError(Exception):
    """No CUDA device can be used; the text says why."""


class Batches:
    """Fits frames, infers people, reads them, cuts heads out, infers those.

    Arguments:
        frames, networks, heads: the modules of that name in `detection`.
        parameters: those of the served model.
        people, head: the networks; `head` None where there is none.
    """

    def __init__(
        self,
        frames: Any,
        networks: Any,
        heads: Any,
        parameters: dict[str, str],
        people: Run,
        head: Run | None,
    ) -> None:
        self._frames, self._heads = frames, heads
        self._network = networks.NETWORKS[parameters["network"]]
        self._side_px = int(parameters["input_size_px"])
        self._score = float(parameters["score_threshold"])
        self._people, self._head = people, head

    def look(self, pictures: Sequence[Any]) -> int:
        """One batch; how many people are in it."""
        fitted = [self._frames.letterbox(picture, self._side_px) for picture in pictures]
        canvases = [canvas for canvas, _ in fitted]
        outputs = self._people(self._frames.to_input(canvases, self._network.input_scale))
        found = [
            self._network.decode([output[row] for output in outputs], box, self._score)
            for row, (_, box) in enumerate(fitted)
        ]
        if self._head is not None:
            self._look_at(pictures, found, self._head)
        return sum(len(people) for people in found)

    def _look_at(self, pictures: Sequence[Any], found: Sequence[Any], head: Run) -> None:
        crops = [
            (picture, crop)
            for picture, people in zip(pictures, found, strict=True)
            for points in people.keypoints
            if (crop := self._heads.crop_of(points, (picture.shape[1], picture.shape[0])))
        ]
        if crops:
            [angles] = head(self._heads.to_input([self._heads.cut(*each) for each in crops]))
            self._heads.rows_of(angles, [crop for _, crop in crops])

    def frames_per_second(
        self,
        pictures: Sequence[Any],
        batch: int,
        seconds: float,
        clock_s: Callable[[], float] = time.perf_counter,
    ) -> float:
        """Batch after batch of `pictures`, again and again, for so long."""
        done, began_s = 0, 0.0
        for number in range(10**9):
            if number == _WARM_UP_BATCHES:
                done, began_s = 0, clock_s()
            self.look([pictures[(done + place) % len(pictures)] for place in range(batch)])
            done += batch
            if number >= _WARM_UP_BATCHES and clock_s() - began_s >= seconds:
                break
        return done / (clock_s() - began_s)


def on_cuda(path: Path) -> Run:
    """The network of an ONNX file on the first CUDA device. Raises NoDeviceError."""
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError:
        raise NoDeviceError("the model server's Python lacks onnxruntime-gpu") from None
    wanted = "CUDAExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise NoDeviceError(
            "the model server's Python has an ONNX Runtime for CPUs alone (onnxruntime-gpu is for "
            "CUDA devices)"
        )
    session = onnxruntime.InferenceSession(str(path), providers=[wanted])
    # Without a device it is made all the same, and runs on the CPU.
    if session.get_providers()[0] != wanted:
        raise NoDeviceError("no CUDA device opens on this machine")
    [image] = session.get_inputs()
    return in_parts(lambda part: session.run(None, {image.name: part}), image.shape[0])


def in_parts(run: Run, fixed: object) -> Run:
    """`run`, asked for as many at a time as its file fixes, as the model server does; `fixed` is no
    number where it takes any."""
    if not isinstance(fixed, int):
        return run

    def parted(batch: Any) -> list[Any]:
        parts = [run(batch[start : start + fixed]) for start in range(0, len(batch), fixed)]
        return [numpy.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    return parted


def measured(job: dict[str, Any]) -> dict[str, Any]:
    """`repository`, `parameters`: of the served model; `pictures`: a file of frames (N, H, W, 3);
    `batches`, `seconds`. Raises NoDeviceError."""
    repository = Path(job["repository"])
    networks = {}
    for name in ("network", "head"):
        file = repository / f"shopper_{name}" / "1" / "model.onnx"
        networks[name] = on_cuda(file) if file.exists() else None
    if networks["network"] is None:
        raise NoDeviceError("the network is no ONNX file, and runs on CPUs alone")
    sys.path.insert(0, str(repository / "shopper_detector" / "1"))
    batches = Batches(
        importlib.import_module("detection.frames"),
        importlib.import_module("detection.networks"),
        importlib.import_module("detection.heads"),
        job["parameters"],
        networks["network"],
        networks["head"],
    )
    pictures = list(numpy.load(job["pictures"]))
    runs = [
        {"batch": size, "fps": round(batches.frames_per_second(pictures, size, job["seconds"]), 1)}
        for size in job["batches"]
    ]
    return {"runs": runs}


def main() -> None:
    """Say what was measured."""
    try:
        said = measured(json.loads(sys.argv[1]))
    except NoDeviceError as error:
        said = {"did_not_run": str(error)}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
