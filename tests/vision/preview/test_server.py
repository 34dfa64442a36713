"""The preview's server over a real socket: pictures while somebody looks on, and the messages."""

import asyncio
import json
from collections.abc import AsyncIterator

import cv2
import httpx
import numpy as np
import pytest
from msgspec import Struct

from streams.contracts import codec
from streams.contracts.layout import StoreLayout
from streams.contracts.topics import AUDIENCE, Topic
from streams.contracts.vision import Audience
from vision.core import scene as scenes
from vision.core.scene import Scene
from vision.core.targets import SceneRules
from vision.errors import PreviewError
from vision.pipeline import View
from vision.ports import Detections
from vision.preview import feed as feeds
from vision.preview.server import Preview

NOBODY = Detections(
    np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32)
)


class Outbox:
    """A publisher that keeps the bytes."""

    dropped = 3

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def publish(self, topic: Topic, event: Struct) -> None:
        self.sent.append(codec.record(topic, event, "test")["value"])

    async def flush(self, timeout_s: float) -> bool:
        return timeout_s == 7.0


def view_of(layout: StoreLayout, grey: int, at_ms: int) -> View:
    around = scenes.surroundings(layout, "cam", None, SceneRules())
    image = np.full((90, 160, 3), grey, dtype=np.uint8)
    return View("cam", image, NOBODY, (), Scene(cameras={"cam": at_ms}), around)


async def show(preview: Preview, layout: StoreLayout) -> None:
    """Pictures for ever, brighter and brighter."""
    at_ms = 0
    while True:
        preview.take(view_of(layout, 60 + at_ms // 2 % 150, at_ms))
        at_ms += 10
        await asyncio.sleep(0.01)


@pytest.fixture
async def preview(aisle: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Preview]:
    monkeypatch.setattr(feeds, "_PERIOD_S", 0.02)
    monkeypatch.setattr(feeds, "_AGAIN_S", 0.5)
    async with Preview(aisle, 0) as opened:
        showing = asyncio.create_task(show(opened, aisle))
        yield opened
        showing.cancel()
        await asyncio.wait([showing])


@pytest.fixture
async def client(preview: Preview) -> AsyncIterator[httpx.AsyncClient]:
    base = preview.url.removesuffix("/preview.mjpg")
    async with httpx.AsyncClient(base_url=base, timeout=20) as opened:
        yield opened


def picture(jpeg: bytes) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


async def test_one_picture(client: httpx.AsyncClient) -> None:
    answer = await client.get("/preview.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert picture(answer.content).shape == (90, 160, 3)


async def test_pictures_follow_each_other(client: httpx.AsyncClient) -> None:
    parts: list[bytes] = []
    async with client.stream("GET", "/preview.mjpg?camera=cam") as answer:
        kind = answer.headers["content-type"]
        assert kind == "multipart/x-mixed-replace; boundary=frame"
        assert answer.headers["cache-control"] == "no-store"
        received = b""
        async for chunk in answer.aiter_bytes():
            received += chunk
            parts = received.split(b"--frame\r\n")
            if len(parts) > 5:
                break
    assert parts[0] == b""
    for part in parts[1:5]:
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"Content-Type: image/jpeg" in head
        assert f"Content-Length: {len(body) - 2}".encode() in head
        assert picture(body[:-2]).shape == (90, 160, 3)
    assert len(set(parts[1:5])) > 1


async def test_nothing_is_drawn_while_nobody_looks_on(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    real = feeds.annotate

    def annotate(view: View, *rest: object, **named: object) -> np.ndarray:
        drawn.append(view.scene.at_ms)
        return real(view, *rest, **named)

    monkeypatch.setattr(feeds, "annotate", annotate)
    await asyncio.sleep(0.2)
    assert drawn == []
    await client.get("/preview.jpg")
    assert drawn
    await asyncio.sleep(0.1)
    before = len(drawn)
    await asyncio.sleep(0.2)
    assert len(drawn) == before


async def test_a_few_may_look_on_and_a_place_is_given_back(client: httpx.AsyncClient) -> None:
    started = [await client.send(client.build_request("GET", "/preview.mjpg"), stream=True)]
    for _ in range(7):
        started.append(await client.send(client.build_request("GET", "/preview.mjpg"), stream=True))
    assert {answer.status_code for answer in started} == {200}
    assert (await client.get("/preview.mjpg")).status_code == 503
    assert (await client.get("/preview.jpg")).status_code == 503
    await started.pop().aclose()
    for _ in range(200):
        if (await client.get("/preview.jpg")).status_code == 200:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the place was not given back")
    for answer in started:
        await answer.aclose()


async def test_an_unknown_camera_and_a_foreign_name(client: httpx.AsyncClient) -> None:
    assert (await client.get("/preview.jpg?camera=other")).status_code == 404
    assert (await client.get("/preview.mjpg?camera=other")).status_code == 404
    foreign = await client.get("/messages", headers={"Host": "shop.example"})
    assert foreign.status_code == 400


async def test_a_camera_without_pictures_says_so(
    aisle: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_AGAIN_S", 0.1)
    async with Preview(aisle, 0) as preview, httpx.AsyncClient() as client:
        answer = await client.get(preview.url.replace(".mjpg", ".jpg"))
    assert answer.status_code == 503
    assert "no picture" in answer.text


async def test_a_picture_that_cannot_be_drawn_ends_nothing(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> np.ndarray:
        raise ValueError("no drawing today")

    with monkeypatch.context() as patch:
        patch.setattr(feeds, "annotate", broken)
        assert (await client.get("/preview.jpg")).status_code == 503
    assert (await client.get("/preview.jpg")).status_code == 200


async def test_the_very_messages_newest_first(preview: Preview, client: httpx.AsyncClient) -> None:
    outbox = Outbox()
    watched = preview.watch(outbox)
    for seq in range(60):
        event = Audience(
            store_id="shop",
            area_id="main",
            gateway_id="gw",
            camera_id="cam",
            seq=seq,
            captured_at_ms=1,
            inferred_at_ms=2,
            sent_at_ms=3,
            people=0,
            targets=(),
        )
        watched.publish(AUDIENCE, event)
    answer = await client.get("/messages")
    assert answer.headers["cache-control"] == "no-store"
    messages = answer.json()["messages"]
    assert [m["value"]["seq"] for m in messages] == list(range(59, 9, -1))
    assert messages[0]["topic"] == AUDIENCE.name
    assert messages[0]["key"] == "main"
    assert outbox.sent[-1] in answer.content
    assert json.loads(outbox.sent[-1]) == messages[0]["value"]
    assert watched.dropped == 3
    assert await watched.flush(7.0)


async def test_leaving_ends_the_streams(aisle: StoreLayout) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        async with Preview(aisle, 0) as preview:
            showing = asyncio.create_task(show(preview, aisle))
            answer = await client.send(client.build_request("GET", preview.url), stream=True)
            chunks = answer.aiter_bytes()
            await anext(chunks)
        showing.cancel()
        await asyncio.wait([showing])
        async for _ in chunks:
            pass
        await answer.aclose()


async def test_it_listens_on_this_machine_alone_and_says_which_port_is_taken(
    aisle: StoreLayout, preview: Preview
) -> None:
    assert preview.url.startswith("http://127.0.0.1:")
    port = int(preview.url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(PreviewError, match=str(port)):
        async with Preview(aisle, port):
            pass
