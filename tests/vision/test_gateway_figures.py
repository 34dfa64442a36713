"""What a gateway tells of itself: counts that are those of its report."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec import Struct

from streams.contracts.layout import StoreLayout
from streams.contracts.topics import AUDIENCE, Topic
from vision.cameras.supervised import CameraHealth
from vision.figures import GatewayFigures
from vision.gateway import run_gateway
from vision.ports import Detections, DetectorInfo, Frame, Image
from vision.settings import GatewaySettings

PICTURE = np.zeros((72, 128, 3), dtype=np.uint8)
START_MS = 1_700_000_000_000
NOBODY = Detections(
    np.zeros(0, dtype=np.float32),
    np.zeros((0, 4), dtype=np.float32),
    np.zeros((0, 17, 3), dtype=np.float32),
)


class Source:
    """Ten pictures."""

    async def __aiter__(self) -> AsyncIterator[Frame]:
        for index in range(10):
            await asyncio.sleep(0)
            yield Frame(PICTURE, START_MS + 200 * index, index)

    async def close(self) -> None:
        """Nothing to close."""


class Network:
    async def detect(self, image: Image) -> Detections:
        return NOBODY

    async def describe(self) -> DetectorInfo:
        return DetectorInfo("none", "0" * 64)


class Outbox:
    dropped = 0

    def __init__(self) -> None:
        self.told: list[str] = []

    def publish(self, topic: Topic, event: Struct) -> None:
        self.told.append(topic.name)

    async def flush(self, timeout_s: float) -> bool:
        return True


async def test_figures_are_those_of_the_gateway(aisle: StoreLayout) -> None:
    queue: Any = SimpleNamespace(dropped=4, unsent=2)
    figures, outbox = GatewayFigures(queue), Outbox()
    report = await run_gateway(
        aisle,
        "main",
        {"cam": Source()},
        figures.timed(Network()),
        figures.counted(outbox),
        GatewaySettings(adaptive_rate="never"),
        stop=asyncio.Event(),
        ready=lambda: None,
        on_open=figures.watch,
    )

    (camera,) = report.cameras
    told = samples(figures)
    assert told["frames_captured_total", "cam"] == camera.frames_captured == 10
    assert told["frames_inferred_total", "cam"] == camera.frames_inferred == 10
    assert told["inference_seconds_count", ""] == 10
    assert told["events_total", AUDIENCE.name] == len(outbox.told) > 0
    assert told["queue_messages", ""] == 2
    assert told["queue_dropped_total", ""] == 4
    # A recording has no health.
    assert "camera_up" not in {name for name, _ in told}


@pytest.mark.parametrize(("state", "up"), [("live", 1), ("frozen", 0), ("lost", 0)])
def test_a_live_camera_tells_how_it_fares(state: Any, up: int) -> None:
    health = CameraHealth(state=state, reconnects=3, frames_dropped=7, frozen_s=1.5)
    camera: Any = SimpleNamespace(
        camera=SimpleNamespace(camera_id="cam"),
        frames_captured=5,
        frames_inferred=4,
        frames_failed=1,
        nudges=0,
        health=health,
    )
    queue: Any = SimpleNamespace(dropped=0, unsent=0)
    figures = GatewayFigures(queue)
    figures.watch([camera])
    told = samples(figures)
    assert told["camera_up", "cam"] == up
    assert told["camera_reconnects_total", "cam"] == 3
    assert told["camera_frames_missed_total", "cam"] == 7
    assert told["camera_frozen_seconds_total", "cam"] == 1.5
    assert told["frames_failed_total", "cam"] == 1


def samples(figures: GatewayFigures) -> dict[tuple[str, str], float]:
    """By name and the value of the only label."""
    return {
        (s.name.removeprefix("smartstore_"), "".join(s.labels.values())): s.value
        for family in figures.collect()
        for s in family.samples
    }
