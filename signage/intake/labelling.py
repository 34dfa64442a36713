"""Whether the files of a creative carry the labels that AI-generated content needs, both of them,
and whether a creative that says nothing of AI really holds none.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from signage.core.labels import MIN_HEIGHT_SHARE, MIN_SECONDS, says_generated
from signage.errors import CatalogueError, LabelError
from signage.intake.description import Description
from signage.intake.files import Found
from signage.labels import measuring
from signage.labels.aigc import Aigc
from signage.labels.containers import find_labels
from signage.labels.measuring import Explicit
from signage.labels.videos import measure_video
from streams.contracts.signage import AiLabel

_MEND = "run `smartstore creative label FILE --producer NAME --id NUMBER` on the file as it was"


def label_of(told: Description, files: Sequence[Found]) -> AiLabel | None:
    """The label of a creative, by what its pictures and videos hold; None where it is not AI's.

    Raises:
        CatalogueError: a label is missing, too small, too short or doubled, or the creative holds
            a labelled file and says nothing of it.
    """
    shown = [file for file in files if file.kind in ("picture", "video")]
    labels = {file.name: _implicit(file) for file in shown}
    marked = [file for file in shown if labels[file.name] is not None]
    if not told.ai_generated:
        if marked:
            raise CatalogueError(
                marked[0].path,
                "it carries the label of AI-generated content, of which the description says "
                "nothing",
                "write `ai_generated: true`",
            )
        return None
    if not shown:
        raise CatalogueError(
            files[0].path,
            "the creative is AI-generated and has no picture or video that could carry a label",
            "publish it as a picture or a video",
        )
    for file in shown if told.kind in ("picture", "video") else marked or shown:
        if labels[file.name] is None:
            raise CatalogueError(
                file.path, "it is AI-generated and has no label in its metadata", _MEND
            )
    found = [check_label(file) for file in marked]
    return min(found, key=lambda label: label.height_share)


def check_label(file: Found) -> AiLabel:
    """Both labels of an AI-generated file, measured.

    Raises:
        CatalogueError: one of them is missing or not as it must be.
    """
    implicit = _implicit(file)
    if implicit is None:
        raise CatalogueError(file.path, "it has no AIGC label in its metadata", _MEND)
    explicit, seconds = _explicit(file)
    if explicit is None:
        raise CatalogueError(file.path, "no label can be read on it, at an edge or a corner", _MEND)
    label = AiLabel(
        label=implicit.label,
        content_producer=implicit.content_producer,
        produce_id=implicit.produce_id,
        content_propagator=implicit.content_propagator,
        propagate_id=implicit.propagate_id,
        text=explicit.text,
        height_share=round(explicit.height_share, 4),
        seconds=None if seconds is None else round(seconds, 2),
    )
    fault = _fault(label)
    if fault is not None:
        raise CatalogueError(file.path, fault, _MEND)
    return label


def _fault(label: AiLabel) -> str | None:
    if not says_generated(label.text):
        return f"its label says {label.text!r}"
    if label.height_share < MIN_HEIGHT_SHARE:
        return (
            f"its label is {label.height_share:.1%} of the shortest side high and must be "
            f"{MIN_HEIGHT_SHARE:.0%}"
        )
    if label.seconds is not None and label.seconds < MIN_SECONDS:
        return f"its label is shown for {label.seconds:.1f} s and must be for {MIN_SECONDS:.0f} s"
    return None


def _implicit(file: Found) -> Aigc | None:
    try:
        labels = find_labels(file.path.read_bytes(), file.format)
    except LabelError as error:
        raise CatalogueError(file.path, str(error).rpartition("; ")[0], _MEND) from error
    if len(labels) > 1:
        raise CatalogueError(file.path, f"it holds {len(labels)} AIGC labels", "leave only one")
    return labels[0] if labels else None


def _explicit(file: Found) -> tuple[Explicit | None, float | None]:
    if file.kind == "video":
        try:
            measured = measure_video(file.path)
        except LabelError as error:
            raise CatalogueError(file.path, str(error).rpartition("; ")[0], _MEND) from error
        return (None, None) if measured is None else measured
    with Image.open(file.path) as picture:
        return measuring.find(np.asarray(picture.convert("RGB"), np.uint8)), None
