"""Turns Ultralytics pose weights (.pt) into ONNX: a program of its own, run by infra.triton.models
in a child process, so that torch never enters the application's.

Needs the extra `[models]` and no network. Must import nothing of this project.
"""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

#: The newest opset that both ONNX Runtime on CPU (1.16 on) and Triton's ONNX backend of 2024 read.
OPSET = 17

#: What ultralytics may do online or to the machine while it exports: nothing.
_QUIET = {
    "ORT_DISABLE_TELEMETRY": "1",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
}

_KEPT: list[object] = []


def main(argv: list[str] | None = None) -> int:
    """Exports one file; 0, or 1 with one sentence as the last line of standard error."""
    parser = argparse.ArgumentParser(description="Export pose weights to ONNX.")
    parser.add_argument("weights", type=Path, help="the .pt file")
    parser.add_argument("output", type=Path, help="the .onnx file to write")
    parser.add_argument("--input-size-px", type=int, default=416, help="side of the traced input")
    arguments = parser.parse_args(argv)
    try:
        export(arguments.weights, arguments.output, arguments.input_size_px)
    except Exception as error:  # the edge of a process: its parent shows this line to a person
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"{type(error).__name__}: {text[:300]}", file=sys.stderr)
        return 1
    return 0


def export(weights: Path, output: Path, input_size_px: int) -> None:
    """Writes `weights` as ONNX with dynamic batch and size, float32, without NMS.

    Raises:
        ImportError: the extra `[models]` is not installed.
        ValueError: the weights are not those of a pose model.
    """
    with tempfile.TemporaryDirectory(prefix="smartstore-export-") as scratch:
        os.environ.update(_QUIET, YOLO_CONFIG_DIR=scratch)
        _mend_torchvision()
        # By name, since the checks of the application run without the extra.
        ultralytics: Any = importlib.import_module("ultralytics")
        # ultralytics writes beside its input, which may be read-only: so it gets a copy.
        copy = Path(scratch) / "weights.pt"
        shutil.copyfile(weights, copy)
        model = ultralytics.YOLO(str(copy))
        if model.task != "pose":
            raise ValueError(f"these are weights for {model.task!r}, not for 'pose'")
        written = model.export(
            format="onnx",
            dynamic=True,
            simplify=True,
            opset=OPSET,
            imgsz=input_size_px,
            device="cpu",
        )
        shutil.copyfile(str(written), output)


def _mend_torchvision() -> None:
    """Lets `import torchvision` pass where its compiled operators do not load.

    torchvision 0.28 from a plain index is built for torch with CUDA; beside torch's CPU wheel it
    fails at import with "operator torchvision::nms does not exist", because it describes two
    operators whether they are there or not. Exporting calls neither: declaring them is enough.
    """
    torch: Any = importlib.import_module("torch")
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    # A library's definitions live as long as the object, so it must outlive this function.
    _KEPT.append(library)
    tensors = "Tensor dets, Tensor scores"
    library.define(f"nms({tensors}, float iou_threshold) -> Tensor")
    library.define(f"qnms({tensors}, float scale, int zero, float iou_threshold) -> Tensor")
    importlib.import_module("torchvision")


if __name__ == "__main__":
    sys.exit(main())
