"""The detector behind Triton's gRPC endpoint: one frame in, people out.

Wire contract of the model: exactly one of the inputs IMAGE (UINT8 [1,H,W,3] BGR) and JPEG (BYTES
[1,1]); outputs COUNT (INT32 [1,1]), SCORES (FP32 [1,N]), BOXES (FP32 [1,N,4] xyxy, normalised),
KEYPOINTS (FP32 [1,N,17,3], x, y normalised, confidence) and HEADS (FP32 [1,N,6]: yaw, pitch, roll
against the line of sight, one sigma of yaw and of pitch, all in degrees, and the face's side in
px of the frame, 0 where the head was not measured), of which the first COUNT rows count. The
parameters `detector` and `weights_sha256` of its configuration say which network it is.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import cv2
import numpy as np
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from vision.errors import DetectorError, DetectorRefused
from vision.inference import InferenceCall, Tensors, request, shared_request
from vision.ports import Detections, DetectorInfo, Image
from vision.settings import GatewaySettings
from vision.shared import SharedFrames

_OUTPUTS = ("COUNT", "SCORES", "BOXES", "KEYPOINTS", "HEADS")
_KEYPOINTS = 17
_HEAD = 6

#: gRPC waits up to 2 minutes between attempts to reconnect by default: a restarted server must be
#: found again within a second. A 4K frame is 25 MB, above the default limit of a message.
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
]

#: Answers that do not change by asking again.
_FINAL = ("StatusCode.INVALID_ARGUMENT", "StatusCode.UNIMPLEMENTED")

#: Waits between attempts, in seconds: doubling, and jittered so that gateways do not come in step.
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0

_NOT_OPEN = "the detector is not open; use it in `async with`"

T = TypeVar("T")


class TritonDetector:
    """Asks one model of one Triton; tries again, until a deadline, while it is away.

    An async context manager: the connection is closed at its end. `owner` names this gateway among
    those that share memory with the server, the same at its next start.
    """

    def __init__(
        self, settings: GatewaySettings, jitter: random.Random | None = None, *, owner: str = ""
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._jitter = jitter or random.Random()  # noqa: S311  spreads retries, hides nothing
        self._client: InferenceServerClient | None = None
        self._inference: InferenceCall | None = None
        self._shared: SharedFrames | None = None

    async def __aenter__(self) -> Self:
        """Make the clients; the connection, which they share, is made by the first request."""
        self._client = InferenceServerClient(self._settings.triton, channel_args=_CHANNEL)
        self._inference = InferenceCall(self._settings.triton, _CHANNEL)
        if self._settings.image_format == "shared":
            self._shared = SharedFrames(
                self._client, self._settings.shm_prefix, self._owner, self._timeout_s
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        if self._shared is not None:
            await self._shared.close()
            self._shared = None
        if self._inference is not None:
            await self._inference.close()
            self._inference = None
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def detect(self, image: Image) -> Detections:
        """The people in `image`, (H, W, 3) uint8 BGR. Raises DetectorError."""

        async def ask() -> Tensors:
            if self._inference is None:
                raise DetectorRefused(_NOT_OPEN)
            async with self._request(image) as asked:
                return await self._inference.infer(asked, self._timeout_s)

        return _read(await self._until_deadline(ask))

    async def describe(self) -> DetectorInfo:
        """Which network answers. Raises DetectorError."""

        async def ask() -> Any:
            return await self._connected.get_model_config(
                self._settings.detector_model,
                client_timeout=self._timeout_s,
            )

        parameters = (await self._until_deadline(ask)).config.parameters
        return DetectorInfo(
            name=parameters["detector"].string_value or "unknown",
            weights_sha256=parameters["weights_sha256"].string_value or "unknown",
        )

    @property
    def _connected(self) -> InferenceServerClient:
        if self._client is None:
            raise DetectorRefused(_NOT_OPEN)
        return self._client

    @property
    def _timeout_s(self) -> float:
        return self._settings.infer_timeout_ms / 1000

    @asynccontextmanager
    async def _request(self, image: Image) -> AsyncIterator[bytes]:
        """What is asked of the frame, valid inside."""
        model = self._settings.detector_model
        if self._settings.image_format == "jpeg":
            yield await self._jpeg(image)
            return
        if self._shared is not None and self._shared.usable:
            async with self._shared.holding(image) as region:
                if region is None:
                    yield self._raw(image)
                else:
                    shape = (1, *image.shape)
                    yield shared_request(model, _OUTPUTS, region, shape, image.nbytes)
            return
        yield self._raw(image)

    async def _jpeg(self, image: Image) -> bytes:
        # Encoding 1080p takes some 8 ms: not on the event loop.
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
        _, encoded = await asyncio.to_thread(cv2.imencode, ".jpg", image, quality)
        content = len(encoded).to_bytes(4, "little") + encoded.tobytes()
        return request(self._settings.detector_model, _OUTPUTS, "JPEG", "BYTES", (1, 1), content)

    def _raw(self, image: Image) -> bytes:
        shape, content = (1, *image.shape), image.tobytes()
        return request(self._settings.detector_model, _OUTPUTS, "IMAGE", "UINT8", shape, content)

    async def _until_deadline(self, ask: Callable[[], Awaitable[T]]) -> T:
        deadline_s = time.monotonic() + self._settings.infer_deadline_ms / 1000
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return await ask()
            except InferenceServerException as error:
                if self._shared is not None:
                    self._shared.forgotten(error)
                what = f"Triton at {self._settings.triton}: {error.message()}"
                if error.status() in _FINAL:
                    raise DetectorRefused(
                        f"{what}; is {self._settings.detector_model} "
                        "the model this gateway was made for?"
                    ) from error
                pause_s = wait_s * self._jitter.uniform(0.5, 1.0)
                if time.monotonic() + pause_s >= deadline_s:
                    raise DetectorError(
                        f"{what}; no answer within {self._settings.infer_deadline_ms} ms, "
                        "see whether it runs and the model is loaded"
                    ) from error
            await asyncio.sleep(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _read(found: Tensors) -> Detections:
    """The detections of an answer. Raises DetectorError where it breaks the contract."""
    if any(name not in found for name in _OUTPUTS):
        raise DetectorError(f"the detector's answer lacks one of {', '.join(_OUTPUTS)}")
    tensors = [found[name] for name in _OUTPUTS]
    people = int(tensors[0].reshape(-1)[0])
    wanted = ((1, people), (1, people, 4), (1, people, _KEYPOINTS, 3), (1, people, _HEAD))
    parts = [tensor[:, :people] for tensor in tensors[1:] if tensor.ndim > 1]
    if people < 0 or tuple(part.shape for part in parts) != wanted:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors[1:])
        raise DetectorError(
            f"the detector says {people} people in tensors of shapes {shapes}; it is not the model "
            "this gateway was made for"
        )
    if not all(np.isfinite(part).all() for part in parts):
        raise DetectorError("the detector answers numbers that are not finite; see its weights")
    return Detections(
        scores=np.asarray(parts[0][0], dtype=np.float32),
        boxes=np.clip(np.asarray(parts[1][0], dtype=np.float32), 0.0, 1.0),
        keypoints=np.asarray(parts[2][0], dtype=np.float32),
        heads=np.asarray(parts[3][0], dtype=np.float32),
    )
