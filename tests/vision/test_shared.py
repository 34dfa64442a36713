"""Frames in shared memory: no name while a picture is in it, and what happens when Triton goes."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from vision import shared as module
from vision.shared import SharedFrames, owner_of

PICTURE = np.full((48, 64, 3), 7, dtype=np.uint8)


class Server:
    """Triton's side: opens a region when it is registered, as the real one maps it."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.folder, self.error = folder, error
        self.regions: dict[str, int] = {}
        self.refused = 0

    async def register_system_shared_memory(
        self, name: str, key: str, size: int, client_timeout: float
    ) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        self.regions[name] = os.open(self.folder / key.lstrip("/"), os.O_RDONLY)

    async def unregister_system_shared_memory(self, name: str, client_timeout: float) -> None:
        os.close(self.regions.pop(name))

    async def get_system_shared_memory_status(self, client_timeout: float) -> Any:
        return SimpleNamespace(regions=dict(self.regions))

    def bytes_of(self, name: str) -> bytes:
        return os.pread(self.regions[name], 1 << 20, 0)


@pytest.fixture
def shm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_SHM", tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return os.listdir(folder)


Frames = Callable[[Server], SharedFrames]


@pytest.fixture
def frames() -> Frames:
    return lambda server: SharedFrames(server, "ours_", "gateway-1", 1.0)


def refusal(text: str, status: str = "StatusCode.INTERNAL") -> InferenceServerException:
    return InferenceServerException(text, status=status)


async def test_a_picture_is_there_for_triton_and_has_no_name(shm: Path, frames: Frames) -> None:
    server = Server(shm)
    shared = frames(server)
    async with shared.holding(PICTURE) as region:
        assert names(shm) == []
        [name] = server.regions
        assert region == name
        assert name.startswith("gateway-1-ours_")
        assert server.bytes_of(name) == PICTURE.tobytes()
    await shared.close()
    assert server.regions == {}


async def test_a_region_serves_one_frame_after_the_other(shm: Path, frames: Frames) -> None:
    server = Server(shm)
    shared = frames(server)
    for _ in range(3):
        async with shared.holding(PICTURE):
            pass
    assert len(server.regions) == 1
    async with shared.holding(PICTURE), shared.holding(PICTURE):
        assert len(server.regions) == 2
    larger = np.zeros((96, 128, 3), dtype=np.uint8)
    async with shared.holding(larger) as region:
        assert region is not None
    assert len(server.regions) == 1


async def test_where_triton_refuses_frames_go_another_way(
    shm: Path, frames: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(shm, refusal("Unable to open shared memory region"))
    shared = frames(server)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            async with shared.holding(PICTURE) as region:
                assert region is None
    assert not shared.usable
    assert len(caplog.records) == 1
    assert server.refused == 2
    assert names(shm) == []


async def test_a_server_that_is_away_is_no_refusal(shm: Path, frames: Frames) -> None:
    server = Server(shm, refusal("connection refused", "StatusCode.UNAVAILABLE"))
    shared = frames(server)
    with pytest.raises(InferenceServerException):
        async with shared.holding(PICTURE):
            pass
    assert shared.usable
    assert names(shm) == []


async def test_a_server_that_was_started_again_is_told_anew(shm: Path, frames: Frames) -> None:
    first = Server(shm)
    shared = frames(first)
    async with shared.holding(PICTURE):
        old = set(first.regions)
        lost = refusal("Unable to find shared memory region: 'x'", "StatusCode.NOT_FOUND")
        assert shared.forgotten(lost)
        assert not shared.forgotten(refusal("the network failed"))
    async with shared.holding(PICTURE):
        assert len(set(first.regions) - old) == 1


async def test_what_a_killed_gateway_left_is_let_go(shm: Path, frames: Frames) -> None:
    server = Server(shm)
    for name in ("gateway-1-ours_dead", "gateway-2-ours_alive"):
        (shm / name).write_bytes(b"x")
        await server.register_system_shared_memory(name, f"/{name}", 1, 1.0)
        (shm / name).unlink()
    async with frames(server).holding(PICTURE):
        assert "gateway-1-ours_dead" not in server.regions
        assert "gateway-2-ours_alive" in server.regions
        assert len(server.regions) == 2


def test_an_areas_gateway_keeps_its_name(tmp_path: Path) -> None:
    assert owner_of(tmp_path, "a") == owner_of(tmp_path, "a") != owner_of(tmp_path, "b")
