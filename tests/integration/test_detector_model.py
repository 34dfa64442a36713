"""The detector's model on the embedded Triton: real networks on a real picture, and bad input."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import cv2
import numpy as np
import psutil
import pytest
from skimage import data
from tritonclient.grpc.aio import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from infra import triton as templates
from infra.simulator.camera import ShelfCamera
from infra.simulator.people import Person
from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.triton.errors import ProbeError
from infra.triton.models import PreparedModel, prepare
from infra.triton.probe import MODEL, probe
from streams.contracts.layout import CameraPose

pytestmark = pytest.mark.stack

OUTPUTS = {
    "COUNT": "int32",
    "SCORES": "float32",
    "BOXES": "float32",
    "KEYPOINTS": "float32",
    "HEADS": "float32",
}
#: What detectors are called in the reports, by their networks.
NAMES = {
    "centerface": "centerface 480 onnx",
    "yolo11n-pose": "yolo11n-pose 480 onnx",
    "yolov8n-pose": "yolov8n-pose 640 openvino",
}
NOSE, LEFT_EYE, RIGHT_EYE = 0, 1, 2

Answer = dict[str, np.ndarray]
Prepare = Callable[[str], PreparedModel]
Serve = Callable[[Path], AbstractAsyncContextManager["Client"]]


@dataclass
class Client:
    """Asks the model as a gateway does."""

    inner: InferenceServerClient
    address: str

    async def image(self, *frames: np.ndarray) -> Answer:
        return await self.infer(_image(*frames))

    async def jpeg(self, *pictures: bytes) -> Answer:
        return await self.infer(_jpeg(*pictures))

    async def infer(self, *inputs: InferInput) -> Answer:
        result = await self.inner.infer(MODEL, list(inputs), client_timeout=20.0)
        answer = {name: result.as_numpy(name) for name in OUTPUTS}
        assert {name: str(array.dtype) for name, array in answer.items()} == OUTPUTS
        return answer

    async def refused(self, *inputs: InferInput) -> str:
        with pytest.raises(InferenceServerException) as caught:
            await self.infer(*inputs)
        assert "INVALID_ARGUMENT" in str(caught.value.status())
        return str(caught.value.message())


def _image(*frames: np.ndarray) -> InferInput:
    stacked = np.stack(frames)
    tensor = InferInput("IMAGE", list(stacked.shape), "UINT8")
    return tensor.set_data_from_numpy(stacked)


def _jpeg(*pictures: bytes) -> InferInput:
    stacked = np.array([[picture] for picture in pictures], dtype=object)
    tensor = InferInput("JPEG", list(stacked.shape), "BYTES")
    return tensor.set_data_from_numpy(stacked)


@pytest.fixture
def astronaut() -> np.ndarray:
    """A public-domain portrait, 512 x 512 px, BGR: the nose is at (0.43, 0.25)."""
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture
async def prepared(tmp_path: Path) -> Prepare:
    """Prepares the model of a network; without weights on this machine one is left out."""
    settings = StackSettings(state=tmp_path / "state")
    root = settings.triton_environment
    if root is None:
        root = (await ensure_environment(settings.cache, lambda _: None)).root

    def make(network: str) -> PreparedModel:
        if network == "centerface":
            model = prepare(tmp_path / "models", server_env=root, allow_download=False)
        else:
            if not os.environ.get("SMARTSTORE_MODELS"):
                pytest.skip("DID NOT RUN: SMARTSTORE_MODELS names no folder of weights")
            folder = Path(os.environ["SMARTSTORE_MODELS"])
            found = [*folder.rglob(f"{network}*.onnx"), *folder.rglob(f"{network}*.xml")]
            if not found:
                pytest.skip(f"DID NOT RUN: SMARTSTORE_MODELS holds no {network}")
            model = prepare(
                tmp_path / "models", weights=found[0], models_dir=folder, allow_download=False
            )
        assert model.name == NAMES[network]
        return model

    return make


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves a repository on the embedded Triton, ready when a real inference came back."""

    @asynccontextmanager
    async def run(repository: Path) -> AsyncIterator[Client]:
        with StateFolder(tmp_path / "state") as state:
            settings = StackSettings(state=state.path)
            async with EmbeddedStack(
                state, settings, repository=repository, parts=("triton",), probe=probe
            ) as stack:
                inner = InferenceServerClient(stack.triton.grpc)
                try:
                    yield Client(inner, stack.triton.grpc)
                finally:
                    await inner.close()

    return run


def _encode(frame: np.ndarray) -> bytes:
    done, encoded = cv2.imencode(".jpg", frame)
    assert done
    return bytes(encoded)


def _shows_the_astronaut(answer: Answer, index: int = 0) -> None:
    assert answer["COUNT"][index, 0] == 1
    assert answer["SCORES"][index, 0] > 0.8
    keypoints = answer["KEYPOINTS"][index, 0]
    np.testing.assert_allclose(keypoints[NOSE, :2], [0.43, 0.25], atol=0.02)
    np.testing.assert_allclose(keypoints[LEFT_EYE, :2], [0.48, 0.205], atol=0.02)
    np.testing.assert_allclose(keypoints[RIGHT_EYE, :2], [0.40, 0.195], atol=0.02)
    assert (keypoints[:3, 2] > 0.8).all()
    left, top, right, bottom = answer["BOXES"][index, 0]
    assert left < 0.35 < 0.55 < right
    assert top < 0.1
    assert bottom > 0.95


@pytest.mark.parametrize("network", NAMES)
async def test_a_person_is_found(
    network: str, prepared: Prepare, serve: Serve, astronaut: np.ndarray
) -> None:
    model = prepared(network)
    async with serve(model.repository) as client:
        config = await client.inner.get_model_config(MODEL, as_json=True)
        stated = config["config"]["parameters"]
        assert stated["detector"]["string_value"] == model.name
        assert stated["weights_sha256"]["string_value"] == model.sha256
        assert stated["input_size_px"]["string_value"] == model.name.split()[1]
        assert 0 < float(stated["score_threshold"]["string_value"]) < 1

        _shows_the_astronaut(await client.image(astronaut))
        _shows_the_astronaut(await client.jpeg(_encode(astronaut)))
        # In a wide frame, where the network's input has another shape.
        wide = np.full((720, 1280, 3), 90, np.uint8)
        wide[100:612, 700:1212] = astronaut
        answer = await client.image(wide)
        assert answer["COUNT"].tolist() == [[1]]
        nose = answer["KEYPOINTS"][0, 0, NOSE, :2] * (1280, 720) - (700, 100)
        np.testing.assert_allclose(nose / 512, [0.43, 0.25], atol=0.03)


@pytest.mark.parametrize("yaw_deg", [-30.0, 30.0])
async def test_heads_are_told_with_their_directions(
    prepared: Prepare, serve: Serve, yaw_deg: float
) -> None:
    """Two simulated shoppers, one before the camera and one behind it with the back to it."""
    pose = CameraPose(position_m=(0.0, 0.0, 1.6), horizontal_fov_deg=75.0)
    shoppers = [
        Person("turned", 0.4, 1.6, 1.7, yaw_deg, 0.0, None, appearance=1),
        Person("away", -0.7, 1.8, 1.7, 180.0, 0.0, None, appearance=2),
    ]
    frame = ShelfCamera(pose, 1280, 720).render(shoppers)
    aside_deg = float(np.degrees(np.arctan2(0.4, 1.6)))
    model = prepared("yolov8n-pose")
    assert model.head == "fsanet-var"
    async with serve(model.repository) as client:
        answer = await client.image(frame)
    heads = answer["HEADS"][0][: answer["COUNT"][0, 0]]
    boxes = answer["BOXES"][0]
    [turned] = [row for row, box in zip(heads, boxes, strict=False) if (box[0] + box[2]) / 2 > 0.5]
    # Against the line of sight, which runs aside to where the shopper stands.
    assert turned[0] == pytest.approx(yaw_deg + aside_deg, abs=10.0)
    assert turned[1] == pytest.approx(0.0, abs=10.0)
    assert (turned[3:5] > 1).all()
    assert turned[5] == pytest.approx(0.15 * 1280 / 2 / np.tan(np.radians(37.5)) / 1.65, rel=0.3)
    # Who faces away has no direction.
    others = [row for row, box in zip(heads, boxes, strict=False) if (box[0] + box[2]) / 2 < 0.5]
    assert not np.any(others)


async def test_batches_empty_frames_and_bad_frames(
    prepared: Prepare, serve: Serve, astronaut: np.ndarray
) -> None:
    grey = np.full_like(astronaut, 128)
    async with serve(prepared("centerface").repository) as client:
        empty = await client.image(grey)
        assert empty["COUNT"].tolist() == [[0]]
        assert [empty[name].shape for name in ("SCORES", "BOXES", "KEYPOINTS", "HEADS")] == [
            (1, 0),
            (1, 0, 4),
            (1, 0, 17, 3),
            (1, 0, 6),
        ]
        both = await client.image(grey, astronaut)
        assert both["COUNT"].tolist() == [[0], [1]]
        _shows_the_astronaut(both, 1)
        assert not both["BOXES"][0].any()

        whole = _encode(astronaut)
        assert "no JPEG" in await client.refused(_jpeg(b"hello"))
        assert "truncated" in await client.refused(_jpeg(whole[:-1000]))
        assert "no JPEG" in await client.refused(_jpeg(whole, b"hello"))
        assert "exactly one" in await client.refused(_image(grey), _jpeg(whole))
        assert "4 x 4 px" in await client.refused(_image(np.zeros((4, 4, 3), np.uint8)))
        assert "4097 x 16 px" in await client.refused(_image(np.zeros((16, 4097, 3), np.uint8)))

        # Sent together, so that some share a batch of the server: each gets its own answer.
        wide = cv2.resize(astronaut, (1024, 512))
        asked = [client.image(astronaut), client.jpeg(b"bad"), client.image(wide)] * 5
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for good, bad, other in zip(answers[::3], answers[1::3], answers[2::3], strict=True):
            assert isinstance(good, dict)
            _shows_the_astronaut(good)
            assert isinstance(bad, InferenceServerException)
            assert isinstance(other, dict)
            assert other["COUNT"].tolist() == [[1]]


_STAND_IN = '''
"""Runs the network on the CPU, in place of the ONNX backend that this server lacks."""
from pathlib import Path
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        weights = Path(__file__).with_name("model.onnx")
        self.net = onnxruntime.InferenceSession(str(weights), options)
        self.input = self.net.get_inputs()[0].name
        self.outputs = [each.name for each in self.net.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        batch = pb_utils.get_input_tensor_by_name(request, self.input).as_numpy()
        if not all(frame.any() for frame in batch):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("black is refused"))
        found = self.net.run(self.outputs, {self.input: batch})
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, array) for name, array in zip(self.outputs, found)]
        )
'''


_HEAD_STAND_IN = '''
"""Answers for one head at a time, as the file of the network does."""
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            crop = pb_utils.get_input_tensor_by_name(request, "input").as_numpy()
            assert crop.shape == (1, 3, 64, 64) and abs(crop).max() <= 1.0
        angles = pb_utils.Tensor("output", np.array([[11.0, 22.0, 33.0]], np.float32))
        return [pb_utils.InferenceResponse([angles]) for _ in requests]
'''


def _add_head_stand_in(repository: Path) -> None:
    """The model shopper_head, with the template's own configuration."""
    head = repository / "shopper_head"
    (head / "1").mkdir(parents=True)
    (head / "configs").mkdir()
    (head / "1" / "model.py").write_text(_HEAD_STAND_IN)
    template = Path(templates.__file__).parent / "repository/shopper_head/config.pbtxt"
    config = Template(template.read_text()).substitute(
        head_input="input", head_output="output", head_side="64", head_angles="3"
    )
    config = config.replace('backend: "onnxruntime"', 'backend: "python"')
    (head / "configs" / "embedded.pbtxt").write_text(config)
    (head / "config.pbtxt").write_text(config)
    detector = repository / MODEL / "configs" / "embedded.pbtxt"
    settings = {"head_network": "stand-in", "head_input": "input", "head_output": "output"}
    lines = [
        f'parameters {{ key: "{key}", value: {{ string_value: "{value}" }} }}'
        for key, value in settings.items()
    ]
    detector.write_text("\n".join([detector.read_text(), *lines]))


async def test_the_production_config_calls_the_network_as_another_model(
    prepared: Prepare, serve: Serve, astronaut: np.ndarray, tmp_path: Path
) -> None:
    repository = tmp_path / "production"
    shutil.copytree(prepared("centerface").repository, repository)
    detector, network = repository / MODEL, repository / "shopper_network"
    # The launcher serves what is named `embedded`: here that is the production config.
    shutil.copyfile(detector / "config.pbtxt", detector / "configs" / "embedded.pbtxt")
    config = (network / "config.pbtxt").read_text()
    (network / "configs").mkdir()
    (network / "configs" / "embedded.pbtxt").write_text(
        config.replace('backend: "onnxruntime"', 'backend: "python"')
    )
    (network / "1" / "model.py").write_text(_STAND_IN)
    _add_head_stand_in(repository)
    async with serve(repository) as client:
        answer = await client.image(astronaut)
        _shows_the_astronaut(answer)
        # Minus what the stand-in answers, and the network's own zero of pitch.
        np.testing.assert_allclose(answer["HEADS"][0, 0, [0, 2]], [-11.0, 33.0])
        assert answer["HEADS"][0, 0, 5] > 50
        _shows_the_astronaut(await client.jpeg(_encode(astronaut), _encode(astronaut)), 1)
        # A square frame fills its input: this one stays black, and shares batches with others.
        black = np.zeros((512, 512, 3), np.uint8)
        asked = [client.image(astronaut), client.image(black)] * 4
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for good, bad in zip(answers[::2], answers[1::2], strict=True):
            assert isinstance(good, dict)
            _shows_the_astronaut(good)
            assert isinstance(bad, InferenceServerException)
            assert "the network failed: shopper_network: black is refused" in str(bad.message())


async def test_the_probe_sees_a_dead_stub(prepared: Prepare, serve: Serve) -> None:
    async with serve(prepared("centerface").repository) as client:
        await probe(client.address)
        stubs = [
            child
            for child in psutil.Process().children(recursive=True)
            if "triton_python_backend_stub" in " ".join(child.cmdline()[:1])
        ]
        assert len(stubs) == 1
        stubs[0].kill()
        with pytest.raises(ProbeError, match="did not answer"):
            await probe(client.address, timeout_s=2.0)
        with pytest.raises(ProbeError, match="did not answer"):
            await probe(client.address, model="no_such_model", timeout_s=2.0)
