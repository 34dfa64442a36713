"""The page's routes with a rendered picture: what is clicked, refused, saved, and who may ask."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from infra.calibrate.app import create_calibration
from infra.calibrate.pictures import Pictures
from infra.calibrate.session import Session
from infra.layouts import load_layout
from streams.contracts.layout import CameraPose
from vision.core.geometry import camera_model
from vision.core.surfaces import Rectangle
from vision.ports import Frame

EXAMPLE = Path(__file__).parents[3] / "examples" / "store.yaml"
TEXT = EXAMPLE.read_text()
TRUE = CameraPose(
    position_m=(1.5, 0.0, 2.2), yaw_deg=-4.0, pitch_deg=-18.0, horizontal_fov_deg=90.0
)
OWN = {"X-Smartstore": "page"}


class Still:
    """A camera before which nothing moves: squares on grey."""

    async def __aiter__(self) -> AsyncIterator[Frame]:
        rng = np.random.default_rng(4)
        blocks = rng.integers(0, 255, (18, 32, 3), dtype=np.uint8)
        image = np.kron(blocks, np.ones((20, 20, 1), dtype=np.uint8))
        for index in range(6):
            yield Frame(image, 1_000 * index, index)
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


def _read(path: Path) -> str:
    return path.read_text()


def clicked(pose: CameraPose = TRUE) -> dict[str, Any]:
    floor = Rectangle("floor", (0.5, 2.5), (2.3, 3.5))
    camera = camera_model(pose, 640, 360)
    return {
        "surfaces": [
            {
                "surface": "floor",
                "across_m": floor.across_m,
                "other_m": floor.other_m,
                "points": [camera.project(c) for c in floor.corners()],
            }
        ],
        "horizontal_fov_deg": 80.0,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "store.yaml"
    file.write_text(TEXT)
    return file


@pytest.fixture
async def client(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    layout = load_layout(path)
    pictures = Pictures(Still())
    follow = asyncio.create_task(pictures.run())
    app = create_calibration(Session(path, layout, layout.cameras[0], pictures), "")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=OWN
    ) as made:
        yield made
    follow.cancel()


async def test_points_become_a_calibration_in_the_layout(
    client: httpx.AsyncClient, path: Path
) -> None:
    state = (await client.get("/api/state")).json()
    assert (state["camera_id"], state["width_px"], state["height_px"]) == ("shelf-1", 640, 360)
    fit = (await client.post("/api/fit", json=clicked())).json()
    assert fit["pose"]["position_m"] == pytest.approx(TRUE.position_m, abs=0.02)
    assert fit["pose"]["horizontal_fov_deg"] == pytest.approx(90.0, abs=0.5)
    assert {"floor", "post", "given"} <= {stroke["kind"] for stroke in fit["strokes"]}
    saved = (await client.post("/api/save", json=clicked())).json()
    camera = load_layout(path).cameras[0]
    assert camera.calibration_version == saved["version"]
    assert camera.pose is not None
    assert camera.pose.yaw_deg == pytest.approx(-4.0, abs=0.2)
    assert len(camera.landmarks) == saved["landmarks"] > 50
    assert _read(Path(saved["backup"])) == TEXT


async def test_bad_points_are_one_sentence(client: httpx.AsyncClient, path: Path) -> None:
    wrong = clicked()
    wrong["surfaces"][0]["points"].reverse()
    for body in (wrong, {**clicked(), "surfaces": []}, {**clicked(), "more": 1}):
        for route in ("/api/fit", "/api/save"):
            answer = await client.post(route, json=body)
            assert answer.status_code == 422
            assert answer.json()["refused"].endswith(".")
    answer = await client.post("/api/fit", content=b"x" * 70_000)
    assert answer.status_code == 413
    assert _read(path) == TEXT


async def test_pictures_are_for_the_page_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/picture.jpg")
    assert answer.content[:2] == b"\xff\xd8"
    assert answer.headers["cache-control"] == "no-store"
    page = await client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    bare = await client.get("/api/picture.jpg", headers={"X-Smartstore": ""})
    assert bare.status_code == 200  # the header is there; no other site can send it
    del client.headers["X-Smartstore"]
    assert (await client.get("/api/picture.jpg")).status_code == 403
    assert (await client.post("/api/save", json=clicked())).status_code == 403
    foreign = await client.get("/", headers={"Host": "evil.example"})
    assert foreign.status_code == 403


async def test_beyond_this_machine_a_key_is_needed(path: Path) -> None:
    layout = load_layout(path)
    app = create_calibration(Session(path, layout, layout.cameras[0], Pictures(Still())), "secret")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.7") as client:
        for header in ({}, OWN, {"X-Smartstore": "secre"}):
            assert (await client.get("/api/state", headers=header)).status_code == 403
