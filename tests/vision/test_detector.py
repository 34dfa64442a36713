"""The wire contract with Triton, and patience while it is away."""

from typing import Any, cast

import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from vision import detector as module
from vision.detector import TritonDetector
from vision.errors import DetectorError, DetectorRefused
from vision.inference import Tensors
from vision.settings import GatewaySettings

PICTURE = np.zeros((48, 64, 3), dtype=np.uint8)


def answer(count: int, rows: int = 4, **other: np.ndarray) -> Tensors:
    tensors: dict[str, np.ndarray] = {
        "COUNT": np.array([[count]], dtype=np.int32),
        "SCORES": np.full((1, rows), 0.75, dtype=np.float32),
        "BOXES": np.full((1, rows, 4), [-0.5, 0.25, 0.5, 1.5], dtype=np.float32),
        "KEYPOINTS": np.zeros((1, rows, 17, 3), dtype=np.float32),
        "HEADS": np.zeros((1, rows, 6), dtype=np.float32),
    }
    return tensors | other


class Call:
    """Triton's inference: answers in order, exceptions are raised; keeps what it was asked."""

    answers: list[Any]
    asked: list[Any]

    def __init__(self, url: str, channel_args: list[tuple[str, int]]) -> None:
        assert ("grpc.max_reconnect_backoff_ms", 1_000) in channel_args

    async def infer(self, request: bytes, timeout_s: float) -> Tensors:
        assert timeout_s > 0
        self.asked.append(service_pb2.ModelInferRequest.FromString(request))
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return cast(Tensors, given)

    async def close(self) -> None:
        return None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Call]:
    monkeypatch.setattr(module, "InferenceCall", Call)
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.001)
    Call.asked = []
    return Call


async def detect(**settings: Any) -> Any:
    chosen = {"image_format": "raw"} | settings
    async with TritonDetector(GatewaySettings(**chosen)) as detector:
        return await detector.detect(PICTURE)


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (0, 1), (2, 4), (4, 4)])
async def test_only_the_counted_rows_count(client: type[Call], count: int, rows: int) -> None:
    client.answers = [answer(count, rows)]
    found = await detect()
    assert len(found) == count
    assert found.boxes.shape == (count, 4)
    assert found.keypoints.shape == (count, 17, 3)
    assert found.heads.shape == (count, 6)
    assert found.boxes.tolist() == [[0.0, 0.25, 0.5, 1.0]] * count  # clipped to the picture


@pytest.mark.parametrize(
    "broken",
    [
        answer(5, 4),
        answer(-1),
        answer(1, BOXES=np.zeros((1, 4, 5), dtype=np.float32)),
        answer(1, KEYPOINTS=np.zeros((1, 4, 5, 3), dtype=np.float32)),
        answer(1, SCORES=np.full((1, 4), np.nan, dtype=np.float32)),
        {"COUNT": np.array([[0]])},
    ],
)
async def test_an_answer_that_breaks_the_contract_is_an_error(
    client: type[Call], broken: Tensors
) -> None:
    client.answers = [broken]
    with pytest.raises(DetectorError):
        await detect()


def away(status: str = "StatusCode.UNAVAILABLE") -> InferenceServerException:
    return InferenceServerException("connection refused", status=status)


async def test_it_tries_again_until_triton_is_back(client: type[Call]) -> None:
    client.answers = [away(), away("StatusCode.DEADLINE_EXCEEDED"), answer(1)]
    assert len(await detect()) == 1
    assert len(client.asked) == 3


async def test_after_the_deadline_it_says_what_is_wrong(client: type[Call]) -> None:
    client.answers = [away()]
    with pytest.raises(DetectorError, match="connection refused; no answer within 60 ms"):
        await detect(infer_deadline_ms=60)
    assert len(client.asked) > 1


async def test_a_refused_request_is_not_repeated(client: type[Call]) -> None:
    client.answers = [away("StatusCode.INVALID_ARGUMENT")]
    with pytest.raises(DetectorRefused):
        await detect()
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    ("form", "name", "shape"), [("raw", "IMAGE", [1, 48, 64, 3]), ("jpeg", "JPEG", [1, 1])]
)
async def test_exactly_one_input_is_given(
    client: type[Call], form: str, name: str, shape: list[int]
) -> None:
    client.answers = [answer(0)]
    await detect(image_format=form)
    [request] = client.asked
    [given], [content] = request.inputs, request.raw_input_contents
    assert (request.model_name, given.name, list(given.shape)) == ("shopper_detector", name, shape)
    assert {output.name for output in request.outputs} == set(answer(0))
    if form == "raw":
        assert content == PICTURE.tobytes()
    else:
        assert int.from_bytes(content[:4], "little") == len(content) - 4
        assert content[4:6] == b"\xff\xd8"  # a JPEG's beginning


async def test_a_closed_detector_says_so() -> None:
    with pytest.raises(DetectorRefused, match="async with"):
        await TritonDetector(GatewaySettings()).describe()
