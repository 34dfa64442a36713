"""Files as a page asks for them: in stretches, refused, and filled with the store's prices."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI

from signage.catalogue import load_catalogue
from signage.errors import MediumError
from signage.player.medium import add_media
from signage.player.ports import Listener
from signage.player.service import create_player
from signage.settings import PlayerSettings
from streams.contracts.signage import Creative, Play
from streams.contracts.store import Price

FILM = bytes(range(100))
OFFERS = Path(__file__).parents[3] / "examples" / "creatives"


class Shelf:
    """A library and a conductor with one film and one file that was changed."""

    async def medium(self, path: str) -> bytes | None:
        if path == "film/1/spoiled.mp4":
            raise MediumError("it was changed")
        return FILM if path == "film/1/film.mp4" else None

    def template(self, media: str) -> Creative | None:
        return None


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    add_media(app, Shelf(), Shelf(), {"X-Policy": "none"})  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://player") as client:
        yield client


@pytest.mark.parametrize(
    ("wanted", "status", "begin", "end"),
    [
        ("", 200, 0, 100),
        ("bytes=0-", 206, 0, 100),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=90-500", 206, 90, 100),
        ("bytes=-7", 206, 93, 100),
        ("bytes=-700", 206, 0, 100),
        ("bytes=100-", 416, 0, 0),
        ("bytes=20-10", 416, 0, 0),
        ("bytes=-", 200, 0, 100),
        ("bytes=0-1,5-6", 200, 0, 100),
        ("lines=1-2", 200, 0, 100),
    ],
)
async def test_a_film_is_read_in_stretches(
    client: httpx.AsyncClient, wanted: str, status: int, begin: int, end: int
) -> None:
    headers = {"Range": wanted} if wanted else {}
    answer = await client.get("/media/film/1/film.mp4?sha256=x", headers=headers)
    assert (answer.status_code, answer.content) == (status, FILM[begin:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/100"
    if status != 416:
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["x-policy"] == "none"


async def test_what_was_changed_is_refused_and_what_is_unknown_is_not_there(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/media/film/1/spoiled.mp4")).status_code == 409
    assert (await client.get("/media/film/2/film.mp4")).status_code == 404


class Store:
    """Tells prices, takes proofs."""

    connected = True

    def __init__(self) -> None:
        self.prices: asyncio.Queue[Price] = asyncio.Queue()
        self.proofs: list[Play] = []

    async def run(self, listener: Listener) -> None:
        while True:
            price = await self.prices.get()
            listener.price(price.sku, price)

    async def send(self, plays: Any) -> None:
        self.proofs += plays

    async def close(self) -> None:
        pass


async def test_a_template_shows_the_store_s_price_and_proves_it(tmp_path: Path) -> None:
    catalogue = load_catalogue(OFFERS)
    offer = next(creative for creative in catalogue.creatives if creative.prices)
    settings = PlayerSettings(
        kafka="127.0.0.1:1",
        state=tmp_path,
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        player_port=0,
        rotation_slot_ms=3_600_000,
        spool_reserve_mb=0,
    )
    store = Store()
    only = type(catalogue)(creatives=(offer,), files=catalogue.files, made=catalogue.made)
    player = create_player(settings, only, feed=store, proofs=store)
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    await ready.wait()
    base = f"http://127.0.0.1:{player.port}"
    seen = []
    async with (
        websockets.connect(f"ws://127.0.0.1:{player.port}/ws") as page,
        httpx.AsyncClient(base_url=base) as client,
    ):
        async with asyncio.timeout(20):
            while len(seen) < 3:
                message = json.loads(await page.recv())
                if message["type"] != "show":
                    continue
                body = (await client.get(message["url"])).text
                seen.append((message["creative_id"], message["url"], body))
                await page.send(json.dumps({"type": "rendered", "play_id": message["play_id"]}))
                amount = Decimal("2.49") if len(seen) == 1 else Decimal("1.99")
                for sku in offer.prices:
                    price = Price(
                        store_id="store", sku=sku, price=amount, currency="EUR", valid_from_ms=0
                    )
                    await store.prices.put(price)
        # An address with prices that are not shown any more is nobody's.
        unknown = await client.get(seen[1][1].rsplit("=", 1)[0] + "=" + "0" * 16)
        assert unknown.status_code == 404
    stop.set()
    await life
    assert [name for name, _, _ in seen] == ["player-rest", offer.creative_id, offer.creative_id]
    assert "2.49" in seen[1][2]
    assert "1.99" in seen[2][2]
    assert seen[1][1] != seen[2][1]
    shown = [
        {str(price.price) for price in play.prices}
        for play in store.proofs
        if play.phase == "started" and play.creative_id == offer.creative_id
    ]
    assert shown == [{"2.49"}, {"1.99"}]
