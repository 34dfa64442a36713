"""Labels one AI-generated file and measures the result before anybody gets it."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.errors import UserError, os_sentence
from signage.core.labels import MIN_SECONDS
from signage.errors import CatalogueError
from signage.intake.files import Found, sniff
from signage.intake.labelling import check_label
from signage.intake.probing import probe_video
from signage.labels.aigc import Aigc, checked
from signage.labels.containers import find_labels
from signage.labels.pictures import label_picture
from signage.labels.videos import label_video
from signage.media import file_sha256
from streams.contracts.signage import AiLabel

_PICTURES = ("jpeg", "png", "webp")
_MAX_BYTES = 512 * 1024 * 1024


def label_file(file: Path, out: Path | None, label: Aigc) -> tuple[Path, AiLabel]:
    """Writes the labelled copy; where it is, and what was measured on it.

    Raises:
        UserError: no such file, or none that can be labelled.
        LabelError: it is labelled already, or the label is not allowed.
        CatalogueError: the result does not measure up (a video that is too short).
    """
    checked(label)
    data = _read(file)
    format = sniff(data[:4096])
    if format not in (*_PICTURES, "mp4", "webm"):
        raise UserError(f"{file} is no JPEG, PNG, WebP or video; name one of those")
    suffix = file.suffix if format in _PICTURES else ".mp4"
    target = out or file.with_name(f"{file.stem}.labelled{suffix}")
    if target.resolve() == file.resolve():
        raise UserError(f"{target} is the file itself, which is kept; name another with --out")
    try:
        with TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch) / f"labelled{suffix}"
            if format in _PICTURES:
                made.write_bytes(label_picture(data, format, label))
            else:
                _label_video(file, data, made, label)
            kind = format if format in _PICTURES else "mp4"
            size = made.stat().st_size
            found = _checked(Found(target.name, made, kind, file_sha256(made), size), file)
            os.replace(made, target)
    except OSError as error:
        raise UserError(os_sentence(error, str(target))) from error
    return target, found


def _label_video(file: Path, data: bytes, made: Path, label: Aigc) -> None:
    seconds = probe_video(file).seconds
    if seconds is not None and seconds < MIN_SECONDS:
        raise UserError(
            f"{file} is {seconds:.1f} s long and its label must be shown for {MIN_SECONDS:.0f} s; "
            "make it longer"
        )
    if data[4:8] == b"ftyp" and find_labels(data, "mp4"):
        raise UserError(f"{file} holds an AIGC label already, and may hold only one")
    label_video(file, made, label)


def _checked(made: Found, file: Path) -> AiLabel:
    """What is found on the labelled copy: a refusal names the file that the user named."""
    try:
        return check_label(made)
    except CatalogueError as error:
        what = str(error).removeprefix(f"{made.path}: ").rpartition("; ")[0]
        raise CatalogueError(
            file, f"labelled, {what}", "use a picture or video of an ordinary size and length"
        ) from error


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(os_sentence(error, str(file))) from error
    if len(data) > _MAX_BYTES:
        raise UserError(f"{file} is larger than {_MAX_BYTES} bytes; make it smaller")
    return data
