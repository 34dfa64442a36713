"""The networks that can stand behind the detector, by the name that a model's config gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import centerface, yolo
from .frames import Letterbox
from .people import Floats, People


@dataclass(frozen=True, slots=True)
class Network:
    """How one kind of network is fed and read.

    `decode(outputs, letterbox, score_threshold)` takes the outputs of one picture, without the
    batch dimension, in the order of the model file.
    """

    input_scale: float
    score_threshold: float
    decode: Callable[[Sequence[Floats], Letterbox, float], People]


def _yolo(outputs: Sequence[Floats], box: Letterbox, score_threshold: float) -> People:
    return yolo.decode(outputs[0], box, score_threshold)


def _centerface(outputs: Sequence[Floats], box: Letterbox, score_threshold: float) -> People:
    return centerface.decode(tuple(outputs), box, score_threshold)


NETWORKS: dict[str, Network] = {
    "yolo-pose": Network(yolo.INPUT_SCALE, yolo.SCORE_THRESHOLD, _yolo),
    "centerface": Network(centerface.INPUT_SCALE, centerface.SCORE_THRESHOLD, _centerface),
}
