"""Frames a second on a CUDA device: the loop with networks that are scripted, and what it says."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from infra.bench.gateway import gpu
from infra.bench.gateway.gpu_loop import Batches, NoDeviceError, in_parts, measured
from infra.triton.detection import frames, heads, networks
from infra.triton.models import PreparedModel

PARAMETERS = {"network": "yolo-pose", "input_size_px": "640", "score_threshold": "0.25"}


class People:
    """A YOLO network that sees one face in the middle of each picture."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        self.batches.append(batch.shape)
        output = np.zeros((len(batch), 56, 2), np.float32)
        output[:, :5, 0] = 320.0, 180.0, 200.0, 300.0, 0.9
        face = [(320, 170, 0.9), (330, 160, 0.9), (310, 160, 0.9), (350, 165, 0.8), (290, 165, 0.8)]
        output[:, 5:20, 0] = np.array(face).ravel()
        return [output]


class Head:
    def __init__(self) -> None:
        self.crops: list[tuple[int, ...]] = []

    def __call__(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        self.crops.append(batch.shape)
        return [np.zeros((len(batch), 3), np.float32)]


def test_batches_go_the_served_models_way() -> None:
    people, head, ticks = People(), Head(), count()
    loop = Batches(frames, networks, heads, PARAMETERS, people, head)
    pictures = [np.zeros((720, 1280, 3), np.uint8)] * 3
    fps = loop.frames_per_second(pictures, 8, 4.0, lambda: float(next(ticks)))
    assert set(people.batches) == {(8, 3, 384, 640)}
    assert set(head.crops) == {(8, 3, 64, 64)}
    # Four batches of eight after the warm-up, one second each, and the last look at the clock.
    assert fps == pytest.approx(4 * 8 / 5)


@pytest.mark.parametrize(("fixed", "asked"), [("batch", [5]), (None, [5]), (2, [2, 2, 1])])
def test_a_fixed_batch_is_kept(fixed: object, asked: list[int]) -> None:
    seen: list[int] = []

    def run(batch: np.ndarray) -> Sequence[np.ndarray]:
        seen.append(len(batch))
        return [2 * batch]

    [doubled] = in_parts(run, fixed)(np.arange(5.0))
    assert doubled.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert seen == asked


def test_without_an_onnx_network_it_says_why(tmp_path: Path) -> None:
    with pytest.raises(NoDeviceError, match="CPUs alone"):
        measured({"repository": str(tmp_path)})
    model = PreparedModel("yolov8n-pose 640 openvino", "0" * 64, tmp_path)
    assert gpu.onnx_of(model, tmp_path, None, tmp_path, 640) is None
