"""The same networks in a plain loop: what the gateway's frames would cost without a gateway.

Run by the model server's own Python, whose networks and numpy it shares; imports nothing of this
project but the folder `detection` of the served repository. One JSON object as its argument (see
`Job`); on each line of its standard input it says, in one line of JSON, what it has used so far.
"""

import importlib
import json
import select
import sys
import time
from pathlib import Path
from typing import Any


class Job:
    """The loop: decode, fit, infer people, cut heads out, infer heads.

    `parameters` are those of the served model; `videos` are read in turn, each for ever;
    `period_s` is from one frame to the next, and every `infer_every`th round of the videos is
    inferred.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        import cv2

        self.parameters: dict[str, str] = given["parameters"]
        self.period_s: float = given["period_s"]
        self.infer_every: int = given["infer_every"]
        repository = Path(given["repository"])
        sys.path.insert(0, str(repository / "shopper_detector" / "1"))
        self._frames = importlib.import_module("detection.frames")
        self._networks = importlib.import_module("detection.networks")
        self._heads = importlib.import_module("detection.heads")
        cv2.setNumThreads(int(self.parameters["intra_op_threads"]))
        self._cv2 = cv2
        self._captures = [cv2.VideoCapture(video) for video in given["videos"]]
        self._people = self._network(repository / "shopper_network" / "1")
        head = "head_network" in self.parameters
        self._head = self._network(repository / "shopper_head" / "1") if head else None
        counts = ("decoded", "inferred", "heads", "decode_s", "afterwards_s")
        self.said: dict[str, float] = dict.fromkeys(counts, 0.0)

    def step(self) -> None:
        """One frame of the next video."""
        number = int(self.said["decoded"])
        capture = self._captures[number % len(self._captures)]
        began_s = time.process_time()
        found, image = capture.read()
        if not found:
            capture.set(self._cv2.CAP_PROP_POS_FRAMES, 0)
            found, image = capture.read()
        self.said["decode_s"] += time.process_time() - began_s
        self.said["decoded"] += 1
        if number // len(self._captures) % self.infer_every == 0:
            self._look(image)
            self.said["inferred"] += 1

    def _look(self, image: Any) -> None:
        frames, parameters = self._frames, self.parameters
        hw = parameters["fixed_hw"]
        fixed = None if hw == "any" else tuple(int(side) for side in hw.split("x"))
        network = self._networks.NETWORKS[parameters["network"]]
        canvas, box = frames.letterbox(image, int(parameters["input_size_px"]), fixed)
        outputs = self._people(frames.to_input([canvas], network.input_scale))
        # Reading the networks' outputs is the product's work and none of theirs: it is taken off.
        began_s = time.process_time()
        score = float(parameters["score_threshold"])
        people = network.decode([output[0] for output in outputs], box, score)
        size = (image.shape[1], image.shape[0])
        crops = [self._heads.crop_of(points, size) for points in people.keypoints]
        self.said["afterwards_s"] += time.process_time() - began_s
        crops = [crop for crop in crops if crop is not None]
        if crops and self._head is not None:
            self._head(self._heads.to_input([self._heads.cut(image, crop) for crop in crops]))
            self.said["heads"] += len(crops)

    def _network(self, folder: Path) -> Any:
        """As the served model compiles it."""
        import openvino

        file = next(path for path in sorted(folder.glob("model.*")) if path.suffix != ".bin")
        network = openvino.Core().read_model(file)
        [image] = network.inputs
        network.reshape({image: [-1, *list(image.partial_shape)[1:]]})
        settings = {
            "INFERENCE_NUM_THREADS": int(self.parameters["intra_op_threads"]),
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        model = openvino.Core().compile_model(network, "CPU", settings)
        request = model.create_infer_request()

        def run(batch: Any) -> list[Any]:
            outputs = request.infer({0: batch})
            return [outputs[index] for index in range(len(outputs))]

        return run


def main() -> None:
    """Until standard input ends."""
    job = Job(json.loads(sys.argv[1]))
    job.step()
    print("ready", flush=True)
    due_s = time.monotonic()
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], max(0.0, due_s - time.monotonic()))
        if readable:
            if not sys.stdin.readline():
                return
            print(json.dumps({**job.said, "cpu_s": time.process_time()}), flush=True)
            continue
        job.step()
        due_s = max(due_s + job.period_s, time.monotonic() - job.period_s)


if __name__ == "__main__":
    main()
