"""Puts a ready model repository together from the templates, the pure code and one network."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from infra.triton.detection import centerface, heads, yolo
from infra.triton.detection.networks import NETWORKS
from infra.triton.errors import ModelError
from infra.triton.onnx_file import Tensor, with_free_sizes
from infra.triton.weights import Network

_PACKAGE = Path(__file__).parent
_TEMPLATES = _PACKAGE / "repository"
_DETECTION = _PACKAGE / "detection"

#: Written last into a repository: the SHA-256 of every file in it.
MANIFEST = "prepared.json"

#: As `max_batch_size` of the templates.
_MAX_BATCH = 8

#: What may stand in a text of a model's configuration without quoting.
_PLAIN = re.compile(r"[\w./:-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a repository is made of. `detector` is the name that reports show; `head` and its
    weights are None without a network for heads."""

    detector: str
    weights_sha256: str
    input_size_px: int
    threads: int
    head: str | None = None
    head_sha256: str | None = None

    def key(self) -> str:
        """Names the repository: the same for the same network, settings and code."""
        digest = hashlib.sha256(
            f"{self.detector}\n{self.weights_sha256}\n{self.input_size_px}\n{self.threads}\n"
            f"{self.head}\n{self.head_sha256}".encode()
        )
        for path in sorted(_sources()):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\n")
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def is_whole(repository: Path) -> bool:
    """Whether `repository` was finished and has not changed since."""
    try:
        manifest = json.loads((repository / MANIFEST).read_text())
        return all(
            hashlib.sha256((repository / name).read_bytes()).hexdigest() == digest
            for name, digest in manifest.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def assemble(repository: Path, plan: Plan, network: Network, head: Network | None) -> None:
    """Builds the model repository in the folder `repository`, which appears whole or not at all.

    Args:
        network: finds people.
        head: tells the direction of heads; without it the detector works without.

    Raises:
        ModelError: it cannot be written, or the network's file names cannot be used.
    """
    values = _values(plan, network, head)
    files = {"shopper_network": _files(network)}
    if head is not None:
        files["shopper_head"] = head.files
    try:
        repository.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=repository.parent, prefix=".making-") as scratch:
            made = Path(scratch) / "repository"
            _write(made, values, files)
            if repository.exists():
                repository.rename(Path(scratch) / "spoiled")
            made.rename(repository)
    except OSError as error:
        raise ModelError(
            f"the model repository {repository} cannot be written ({error.strerror}); "
            "free space there, or name another state folder"
        ) from error


def _files(network: Network) -> dict[str, bytes]:
    if network.network == "centerface":
        return {name: with_free_sizes(data) for name, data in network.files.items()}
    return network.files


def _write(root: Path, values: dict[str, str], networks: dict[str, dict[str, bytes]]) -> None:
    version = root / "shopper_detector" / "1"
    shutil.copytree(_DETECTION, version / "detection", ignore=_without_caches)
    shutil.copyfile(_TEMPLATES / "shopper_detector" / "1" / "model.py", version / "model.py")
    configs = ["shopper_detector/config.pbtxt", "shopper_detector/configs/embedded.pbtxt"]
    configs += [f"{model}/config.pbtxt" for model in networks]
    for name in configs:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(Template((_TEMPLATES / name).read_text()).substitute(values))
    for model, contents in networks.items():
        folder = root / model / "1"
        folder.mkdir()
        for file_name, data in contents.items():
            (folder / file_name).write_bytes(data)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    manifest = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1))
    # The server may run as another user than the one who prepares.
    for place, _, names in os.walk(root):
        Path(place).chmod(0o755)
        for name in names:
            (Path(place) / name).chmod(0o644)


def _values(plan: Plan, network: Network, head: Network | None) -> dict[str, str]:
    """What the templates' placeholders stand for."""
    [image] = network.signature.inputs
    outputs = network.signature.outputs
    head_tensors = () if head is None else (*head.signature.inputs, *head.signature.outputs)
    for tensor in (image, *outputs, *head_tensors):
        if not _PLAIN.fullmatch(tensor.name):
            raise ModelError(
                f"the network has a tensor named {tensor.name[:60]!r}; export it with plain names"
            )
    free = network.network == "centerface"
    batch = None if free else network.fixed_batch
    fixed_hw = None if free else network.fixed_hw
    parameters = {
        "detector": plan.detector,
        "weights_sha256": plan.weights_sha256,
        "input_size_px": str(plan.input_size_px),
        "score_threshold": str(NETWORKS[network.network].score_threshold),
        "network": network.network,
        "network_input": image.name,
        "network_outputs": ",".join(output.name for output in outputs),
        "network_batch": str(batch or _MAX_BATCH),
        "fixed_hw": "any" if fixed_hw is None else f"{fixed_hw[0]}x{fixed_hw[1]}",
    }
    front = str(batch) + ", " if batch else ""
    sides = fixed_hw or (-1, -1)
    if head_tensors:
        parameters["head_network"] = str(plan.head)
        parameters["head_sha256"] = str(plan.head_sha256)
        parameters["head_input"], parameters["head_output"] = (each.name for each in head_tensors)
    return {
        "tensors": (_TEMPLATES / "tensors.pbtxt").read_text().rstrip(),
        "threads": str(plan.threads),
        "parameters": "\n".join(
            f'parameters {{ key: "{key}", value: {{ string_value: "{value}" }} }}'
            for key, value in parameters.items()
        ),
        # A network whose file fixes the batch cannot be batched further by the server.
        "batching": "max_batch_size: 0" if batch else f"max_batch_size: {_MAX_BATCH}\n{_DYNAMIC}",
        "backend": {"onnx": "onnxruntime", "openvino": "openvino"}[network.format],
        "head_models": "" if head is None else " --load-model=shopper_head",
        "head_input": parameters.get("head_input", ""),
        "head_output": parameters.get("head_output", ""),
        "head_side": str(heads.SIDE_PX),
        "head_angles": str(heads.ANGLES),
        "input_name": image.name,
        "input_dims": f"{front}3, {sides[0]}, {sides[1]}",
        "outputs": ",\n".join(_output(tensor, network, front) for tensor in outputs),
    }


_DYNAMIC = "dynamic_batching { max_queue_delay_microseconds: 1000 }"


def _output(tensor: Tensor, network: Network, front: str) -> str:
    if network.network == "yolo-pose":
        dims = f"{yolo.CHANNELS}, -1"
    else:
        index = network.signature.outputs.index(tensor)
        dims = f"{centerface.CHANNELS[index]}, -1, -1"
    return f'  {{ name: "{tensor.name}", data_type: TYPE_FP32, dims: [ {front}{dims} ] }}'


def _sources() -> Iterator[Path]:
    """Every file of this package that ends up in a repository or shapes one."""
    for folder in (_TEMPLATES, _DETECTION):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in {".py", ".pbtxt"}:
                yield path
    yield Path(__file__)
    yield _PACKAGE / "export.py"


def _without_caches(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}
