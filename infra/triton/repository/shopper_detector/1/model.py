"""The Triton model `shopper_detector`: frames in, people out.

Runs inside the model server's Python, with the folder `detection` beside it; imports nothing else
of this project. The network runs either in this process (embedded) or as another model of the
same server (production, where the config names `network_model`).

Contract. Inputs, exactly one a request, batch dimension B in front:
    IMAGE      UINT8 [B, H, W, 3] BGR, 16 to 4096 px a side
    JPEG       BYTES [B, 1], one encoded JPEG of at most 8 MiB each
Outputs, N = the most people in a frame of the request, 0 where nobody is: read COUNT, then slice.
    COUNT      INT32 [B, 1] people in each frame
    SCORES     FP32  [B, N], best first
    BOXES      FP32  [B, N, 4] xyxy, normalised 0..1 to the frame
    KEYPOINTS  FP32  [B, N, 17, 3] x, y normalised to the frame, confidence; COCO's order
    HEADS      FP32  [B, N, 6] yaw (+ to the picture's right), pitch (+ upwards) and roll
               (+ clockwise) of the face against the line of sight to it, one sigma of yaw and of
               pitch, all in degrees; the face's side in px of the frame; 0 where not measured
A frame that cannot be used fails its own request alone (INVALID_ARG, one sentence).
"""

import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils
from detection.frames import (
    Floats,
    Frame,
    FrameError,
    Letterbox,
    check_frame,
    decode_jpeg,
    letterbox,
    to_input,
)
from detection.heads import crop_of, cut, rows_of
from detection.heads import to_input as heads_to_input
from detection.networks import NETWORKS
from detection.people import People, tensors

#: Frames of one request: the model's max_batch_size bounds it, this is where a loop ends.
MAX_BATCH = 8


class Runner(Protocol):
    """Runs a network on a batch."""

    def run(self, batch: Floats) -> list[Floats]:
        """The network's outputs for (B, 3, h, w) float32."""
        ...


class InProcess:
    """A network in this process, on the CPU."""

    def __init__(self, weights: Path, threads: int) -> None:
        # With this package OpenVINO reports on this machine to its maker, over the network, when it
        # is imported; without it, it takes a stub that does nothing.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        import openvino

        core = openvino.Core()
        network = core.read_model(weights)
        [image] = network.inputs
        # Any batch, also where the file was traced with one.
        network.reshape({image: [-1, *list(image.partial_shape)[1:]]})
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Half precision, the default where the processor has it, turns a head by 2 degrees.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = core.compile_model(network, "CPU", settings).create_infer_request()

    def run(self, batch: Floats) -> list[Floats]:
        # The batch is read where it lies: it is ours, and nobody writes to it meanwhile.
        found = self._request.infer({0: batch}, share_inputs=True)
        return [found[index] for index in range(len(found))]


class InServer:
    """A network as another model of this server, which takes at most `batch` at a time."""

    def __init__(self, model: str, input_name: str, outputs: list[str], batch: int) -> None:
        self._model = model
        self._input = input_name
        self._outputs = outputs
        self._batch = batch

    def run(self, batch: Floats) -> list[Floats]:
        chunks = [
            self._ask(batch[start : start + self._batch])
            for start in range(0, len(batch), self._batch)
        ]
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def _ask(self, batch: Floats) -> list[Floats]:
        request = pb_utils.InferenceRequest(
            model_name=self._model,
            inputs=[pb_utils.Tensor(self._input, batch)],
            requested_output_names=self._outputs,
            # The answer is decoded here, on the CPU.
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        response = request.exec()
        if response.has_error():
            raise RuntimeError(f"{self._model}: {response.error().message()}")
        return [
            pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in self._outputs
        ]


class TritonPythonModel:
    """What the server calls."""

    def initialize(self, args: dict[str, str]) -> None:
        given = json.loads(args["model_config"])["parameters"]
        settings = {key: value["string_value"] for key, value in given.items()}
        self._network = NETWORKS[settings["network"]]
        self._score_threshold = float(settings["score_threshold"])
        self._side_px = int(settings["input_size_px"])
        self._fixed_hw = _pair(settings["fixed_hw"])
        self._batch = min(int(settings["network_batch"]), MAX_BATCH)
        cv2.setNumThreads(int(settings.get("intra_op_threads", "1")))
        self._runner = _runner(args, settings, "network", self._batch)
        self._heads = _runner(args, settings, "head", 1) if "head_network" in settings else None

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response a request, always: an exception here would fail the whole batch."""
        answers: dict[int, Any] = {}
        frames: list[Frame] = []
        owners: list[int] = []
        for index, request in enumerate(requests):
            try:
                read = _frames(request)
            except FrameError as error:
                answers[index] = _refusal(str(error), pb_utils.TritonError.INVALID_ARG)
                continue
            frames.extend(read)
            owners.extend([index] * len(read))
        found = self._detect(frames)
        for index, group in groupby(zip(owners, found, strict=True), key=lambda pair: pair[0]):
            results = [result for _, result in group]
            failed = next((each for each in results if isinstance(each, Exception)), None)
            if failed is None:
                answers[index] = _answer([each for each in results if isinstance(each, People)])
            else:
                answers[index] = _failure(failed)
        return [answers[index] for index in range(len(requests))]

    def _detect(self, frames: list[Frame]) -> list[People | Exception]:
        """What came of each frame; frames whose inputs have one shape go together."""
        fitted = [letterbox(frame, self._side_px, self._fixed_hw) for frame in frames]
        found: dict[int, People | Exception] = {}
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, (canvas, _) in enumerate(fitted):
            by_shape.setdefault(canvas.shape, []).append(index)
        for indices in by_shape.values():
            for start in range(0, len(indices), self._batch):
                chunk = indices[start : start + self._batch]
                results = self._attempt([fitted[index] for index in chunk])
                found.update(zip(chunk, results, strict=True))
        ordered = [found[index] for index in range(len(frames))]
        return ordered if self._heads is None else self._look_at(frames, ordered, self._heads)

    def _look_at(
        self, frames: list[Frame], found: list[People | Exception], network: Runner
    ) -> list[People | Exception]:
        """The same, with the directions of all heads that are large enough, in one batch."""
        crops = [
            (people, row, frame, crop)
            for frame, people in zip(frames, found, strict=True)
            if isinstance(people, People)
            for row, keypoints in enumerate(people.keypoints)
            if (crop := crop_of(keypoints, (frame.shape[1], frame.shape[0]))) is not None
        ]
        if not crops:
            return found
        try:
            cuts = [cut(frame, crop) for _, _, frame, crop in crops]
            [angles] = network.run(heads_to_input(cuts))
        except Exception as error:  # as above: the requests that showed heads are answered with it
            seen = {id(people) for people, *_ in crops}
            return [error if id(people) in seen else people for people in found]
        rows = rows_of(angles, [crop for *_, crop in crops])
        for (people, row, _, _), values in zip(crops, rows, strict=True):
            people.heads[row] = values
        return found

    def _attempt(self, batch: Sequence[tuple[Frame, Letterbox]]) -> Sequence[People | Exception]:
        """A batch that fails is tried frame by frame, so that one takes no other along."""
        try:
            return self._infer(batch)
        except Exception as error:  # the edge of the loop: every request must get its answer
            if len(batch) == 1:
                return [error]
        return [result for one in batch for result in self._attempt([one])]

    def _infer(self, batch: Sequence[tuple[Frame, Letterbox]]) -> list[People]:
        canvases = [canvas for canvas, _ in batch]
        outputs = self._runner.run(to_input(canvases, self._network.input_scale))
        return [
            self._network.decode([output[i] for output in outputs], box, self._score_threshold)
            for i, (_, box) in enumerate(batch)
        ]


def _runner(args: dict[str, str], settings: dict[str, str], which: str, batch: int) -> Runner:
    """The network whose settings begin with `which`: in this process, or in the server."""
    if model := settings.get(f"{which}_model"):
        outputs = settings.get(f"{which}_outputs") or settings[f"{which}_output"]
        return InServer(model, settings[f"{which}_input"], outputs.split(","), batch)
    folder = Path(args["model_repository"]).parent / f"shopper_{which}" / "1"
    weights = next(file for file in sorted(folder.glob("model.*")) if file.suffix != ".bin")
    return InProcess(weights, int(settings["intra_op_threads"]))


def _pair(text: str) -> tuple[int, int] | None:
    if text == "any":
        return None
    height, width = text.split("x")
    return int(height), int(width)


def _frames(request: Any) -> list[Frame]:
    image = pb_utils.get_input_tensor_by_name(request, "IMAGE")
    jpeg = pb_utils.get_input_tensor_by_name(request, "JPEG")
    if (image is None) == (jpeg is None):
        raise FrameError("give exactly one of the inputs IMAGE and JPEG")
    if image is not None:
        return [check_frame(frame) for frame in image.as_numpy()]
    return [decode_jpeg(bytes(data)) for data in jpeg.as_numpy().reshape(-1)]


def _failure(error: Exception) -> Any:
    text = f"the network failed: {' '.join(str(error).split())[:300]}"
    pb_utils.Logger.log_error(text)
    return _refusal(text, pb_utils.TritonError.INTERNAL)


def _refusal(text: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))


def _answer(people: list[People]) -> Any:
    named = tensors(people)
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, named[name]) for name in named])
