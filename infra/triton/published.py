"""Publishers' files, each fetched once and known by its SHA-256."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.triton.download import download
from infra.triton.errors import ModelError
from infra.triton.weights import read_weights

#: Ultralytics' own model page and FSANet's own repository, each at one commit, so that a file and
#: its SHA-256 belong together.
PERSON_URL = (
    "https://huggingface.co/Ultralytics/YOLO11/resolve/"
    "ef787449d1fe015a77a27ca4d375ed0fde69495c/yolo11n-pose.pt"
)
HEAD_URL = (
    "https://raw.githubusercontent.com/omasaht/headpose-fsanet-pytorch/"
    "002549c981b607f722e0810d999afcde7e5aaa66/pretrained/fsanet-var-iter-688590.onnx"
)


def published(url: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """The file at `url`, fetched into `folder` unless it is there.

    Raises:
        DownloadError: the publisher is out of reach.
        ModelError: what came is not the publisher's file, or cannot be kept.
    """
    file = folder / url.rsplit("/", 1)[-1]
    if file.is_file():
        return file
    try:
        with tempfile.TemporaryDirectory(prefix="smartstore-fetched-") as scratch:
            fetched = Path(scratch) / file.name
            download(url, fetched, progress)
            read_weights(fetched)
            folder.mkdir(parents=True, exist_ok=True)
            beside = folder / f".{os.getpid()}-{file.name}"
            shutil.copyfile(fetched, beside)
            beside.rename(file)
    except OSError as error:
        raise ModelError(
            f"the publisher's weights cannot be kept in {folder} ({error.strerror}); "
            "free space there, or name another state folder"
        ) from error
    return file
