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
A frame that cannot be used fails its own request alone (INVALID_ARG, one sentence).
"""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

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
from detection.networks import NETWORKS
from detection.people import People, tensors

#: Frames of one request: the model's max_batch_size bounds it, this is where a loop ends.
MAX_BATCH = 8


class Runner(Protocol):
    """Runs the network on a batch."""

    def run(self, batch: Floats) -> list[Floats]:
        """The network's outputs for (B, 3, h, w) float32."""
        ...


class InProcess:
    """The network in this process, on the CPU."""

    def __init__(self, weights: Path, outputs: list[str], threads: int) -> None:
        import cv2
        import onnxruntime

        cv2.setNumThreads(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning thread takes a core from the other processes of the machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(weights), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._outputs = outputs

    def run(self, batch: Floats) -> list[Floats]:
        return list(self._session.run(self._outputs, {self._input: batch}))


class InServer:
    """The network as another model of this server."""

    def __init__(self, model: str, input_name: str, outputs: list[str]) -> None:
        self._model = model
        self._input = input_name
        self._outputs = outputs

    def run(self, batch: Floats) -> list[Floats]:
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
        self._runner = _runner(args, settings)

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
        return [found[index] for index in range(len(frames))]

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


def _runner(args: dict[str, str], settings: dict[str, str]) -> Runner:
    outputs = settings["network_outputs"].split(",")
    if model := settings.get("network_model"):
        return InServer(model, settings["network_input"], outputs)
    repository = Path(args["model_repository"]).parent
    weights = repository / "shopper_network" / "1" / "model.onnx"
    return InProcess(weights, outputs, int(settings["intra_op_threads"]))


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
