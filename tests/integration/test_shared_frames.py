"""Frames through shared memory to the real Triton: nameless, and back after its restart."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from tritonclient.grpc.aio import InferenceServerClient

from infra.bench.victims import processes
from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.triton.models import prepare
from infra.triton.probe import probe
from vision.detector import TritonDetector
from vision.settings import GatewaySettings

pytestmark = pytest.mark.stack

OWNER = "gateway-test"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[EmbeddedStack]:
    settings = StackSettings(state=tmp_path / "state")
    root = settings.triton_environment
    if root is None:
        root = (await ensure_environment(settings.cache, lambda _: None)).root
    model = prepare(tmp_path / "models", server_env=root, allow_download=False)
    with StateFolder(tmp_path / "state") as state:
        parts = ("triton",)
        async with EmbeddedStack(
            state, settings, repository=model.repository, parts=parts, probe=probe
        ) as running:
            yield running


def settings(stack: EmbeddedStack, name: str) -> GatewaySettings:
    return GatewaySettings(
        triton=stack.triton.grpc, image_format="shared", shm_prefix=f"smartstore_test{name}_"
    )


def names(prefix: str) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if name.startswith(prefix)]  # noqa: S108


async def regions(stack: EmbeddedStack) -> list[str]:
    client = InferenceServerClient(stack.triton.grpc)
    try:
        status = await client.get_system_shared_memory_status(client_timeout=5.0)
        return [name for name in status.regions if name.startswith(OWNER)]
    finally:
        await client.close()


async def test_frames_reach_triton_in_memory_without_a_name(
    stack: EmbeddedStack, caplog: pytest.LogCaptureFixture
) -> None:
    picture = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    chosen = settings(stack, str(os.getpid()))
    async with TritonDetector(chosen, owner=OWNER) as detector:
        for _ in range(3):
            both = await asyncio.gather(detector.detect(picture), detector.detect(picture))
            assert [len(found) for found in both] == [1, 1]
            assert names(chosen.shm_prefix) == []
        assert len(await regions(stack)) == 2

        over_the_network = chosen.model_copy(update={"image_format": "raw"})
        async with TritonDetector(over_the_network) as other:
            raw = await other.detect(picture)
        np.testing.assert_array_equal(raw.boxes, both[0].boxes)

        [server] = processes("triton", stack.supervisor)
        os.kill(server, signal.SIGKILL)
        again = await detector.detect(picture)
        assert len(again) == 1
        assert names(chosen.shm_prefix) == []
    assert await regions(stack) == []
    assert not [record for record in caplog.records if "shared memory" in record.message]


async def test_a_killed_gateways_memory_is_let_go_by_the_next(stack: EmbeddedStack) -> None:
    picture = np.full((120, 160, 3), 90, np.uint8)
    chosen = settings(stack, f"{os.getpid()}k")
    killed = TritonDetector(chosen, owner=OWNER)
    await killed.__aenter__()
    await killed.detect(picture)
    [left] = await regions(stack)
    async with TritonDetector(chosen, owner=OWNER) as detector:
        await detector.detect(picture)
        assert left not in await regions(stack)
        assert len(await regions(stack)) == 1
        # The killed one's connection is closed at last; its memory is not Triton's any more.
        await killed.__aexit__(None, None, None)
