"""Creatives on a real broker by the command line, and onto the glass and into the proof."""

import asyncio
import io
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from PIL import Image

from infra.latest import latest
from infra.layouts import load_layout
from infra.snapshots import publish_snapshots
from infra.stack.ports import free_port
from signage.labels.aigc import Aigc
from signage.labels.pictures import label_picture
from signage.media import MediaArchive
from signage.player.headless import HeadlessPage
from signage.signing import new_key
from streams.contracts import codec
from streams.contracts.signage import Play
from streams.contracts.topics import CREATIVE, PLAY, PRICE, STOCK

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1")


class CommandLine:
    """`smartstore` as a user types it, with a broker and a state folder."""

    def __init__(self, bootstrap: str, state: Path) -> None:
        self.env = {
            **os.environ,
            "SMARTSTORE_KAFKA": bootstrap,
            "SMARTSTORE_STATE": str(state),
            "SMARTSTORE_LAYOUT": "examples/store.yaml",
            "COLUMNS": "200",
        }

    async def run(self, *words: object) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infra", *map(str, words)),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, " ".join(out.decode().split())


@pytest.fixture
def smartstore(bootstrap: str, tmp_path: Path) -> CommandLine:
    return CommandLine(bootstrap, tmp_path / "state")


def creative(tmp_path: Path, picture: bytes, version: int = 1) -> tuple[str, Path]:
    """A folder with an AI-generated poster, of a name that no other test has."""
    name = f"poster-{uuid.uuid4().hex[:8]}"
    home = tmp_path / name
    home.mkdir()
    (home / "creative.yaml").write_text(
        f"creative_id: {name}\nversion: {version}\nkind: picture\nfile: poster.png\ntitle: Sun\n"
        "alt_text: A sun.\nlanguage: en\nowner: test\nai_generated: true\n"
    )
    (home / "poster.png").write_bytes(picture)
    return name, home


def poster(color: str = "orange") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (480, 800), color).save(out, "PNG")
    return out.getvalue()


@pytest.mark.stack
@pytest.mark.broker
async def test_a_creative_is_published_once_and_recalled(
    smartstore: CommandLine, bootstrap: str, tmp_path: Path
) -> None:
    name, home = creative(tmp_path, poster())
    code, said = await smartstore.run("creative", "add", home)
    assert code == 2
    assert "it is AI-generated and has no label in its metadata" in said

    plain = home / "poster.png"
    code, said = await smartstore.run(
        *("creative", "label", plain, "--producer", "ACME", "--id", "7"),
        *("--out", tmp_path / "labelled.png"),
    )
    assert (code, "AI生成" in said) == (0, True)
    shutil.copy(tmp_path / "labelled.png", plain)
    for was in ("new", "the same"):
        code, said = await smartstore.run("creative", "add", home)
        assert (code, f": {was}" in said) == (0, True), said

    known = (await latest(bootstrap, CREATIVE))[name]
    archive = MediaArchive(tmp_path / "state")
    assert all(archive.intact(file.sha256) for file in known.files)
    assert known.label is not None
    assert known.label.content_producer == "ACME"
    _, said = await smartstore.run("creative", "list")
    assert name in said

    (home / "poster.png").write_bytes(label_picture(poster("blue"), "png", LABEL))
    code, said = await smartstore.run("creative", "add", home)
    assert code == 2
    assert "versions never change; give it `version: 2`" in said

    code, _ = await smartstore.run("creative", "withdraw", name)
    assert code == 0
    assert name not in await latest(bootstrap, CREATIVE)
    code, said = await smartstore.run("creative", "withdraw", name)
    assert (code, "is published" in said) == (2, True)
    # Even when the log has forgotten it, the archive has not.
    code, said = await smartstore.run("creative", "add", home)
    assert (code, "versions never change" in said) == (2, True)


@pytest.mark.stack
@pytest.mark.broker
async def test_stock_and_price_are_told_and_forgotten(
    smartstore: CommandLine, bootstrap: str
) -> None:
    sku = f"sku-{uuid.uuid4().hex[:8]}"
    assert (await smartstore.run("stock", "set", sku, "2.5"))[0] == 0
    assert (await smartstore.run("price", "set", sku, "3.49", "--unit-text", "per kg"))[0] == 0
    stock = {key: each for key, each in (await latest(bootstrap, STOCK)).items() if sku in key}
    prices = {key: each for key, each in (await latest(bootstrap, PRICE)).items() if sku in key}
    (key,) = stock
    assert key == f"{stock[key].store_id}/{sku}"
    assert str(stock[key].units) == "2.5"
    assert (str(prices[key].price), prices[key].unit_text) == ("3.49", "per kg")
    assert (await smartstore.run("price", "unset", sku))[0] == 0
    assert key not in await latest(bootstrap, PRICE)
    code, said = await smartstore.run("price", "set", sku, "cheap")
    assert (code, "is no number" in said) == (2, True)
    code, said = await smartstore.run("price", "set", sku, "99999999999")
    assert (code, "cannot be told" in said) == (2, True)


async def _part(words: list[str], env: dict[str, str], ready: Path) -> asyncio.subprocess.Process:
    """A process of ours, once it says that it works."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra", *words, "--ready-file", str(ready)), env=env
    )
    async with asyncio.timeout(60):
        while not ready.exists():  # noqa: ASYNC240 - made by the other process
            assert process.returncode is None, words
            await asyncio.sleep(0.1)
    return process


async def _plays(bootstrap: str) -> list[Play]:
    consumer = AIOKafkaConsumer(
        PLAY.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        batches = [await consumer.getmany(timeout_ms=500) for _ in range(4)]
    finally:
        await consumer.stop()
    records = [r for found in batches for batch in found.values() for r in batch]
    return [codec.decode(PLAY.name, record.value) for record in records]


@pytest.mark.stack
async def test_a_price_goes_from_the_command_line_onto_the_glass_and_into_the_proof(
    smartstore: CommandLine, bootstrap: str, tmp_path: Path
) -> None:
    """Publisher and player are processes of their own; the template is the example's."""
    example = Path(__file__).parents[2] / "examples" / "creatives" / "coffee-offer"
    key, trust, port = tmp_path / "signing.key", tmp_path / "trust.json", free_port()
    new_key(key, trust, "test")
    env = {
        **smartstore.env,
        "SMARTSTORE_PUBLISHER_KEY": str(key),
        "SMARTSTORE_PUBLISHER_PORT": "0",
        "SMARTSTORE_PLAYER_TRUST": str(trust),
        "SMARTSTORE_ROTATION_SLOT_MS": "1000",
        "SMARTSTORE_FETCH_PAUSE_MS": "10",
    }
    said: list[dict[str, Any]] = []
    stop = asyncio.Event()
    assert (await smartstore.run("creative", "add", example))[0] == 0
    player = ["player", "--screen", "screen-1", "--port", str(port)]
    parts = [
        await _part(["publisher"], env, tmp_path / "publisher.ready"),
        await _part(player, env, tmp_path / "player.ready"),
    ]
    page = asyncio.create_task(HeadlessPage("127.0.0.1", port, said.append).run(stop))

    def shown(price: str) -> bool:
        return any(m["creative_id"] == "coffee-offer" and price in m["url"] for m in said)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - becomes true in the parts under test
                await asyncio.sleep(0.05)

    try:
        await until(lambda: len(said) > 0)
        assert {m["creative_id"] for m in said} != {"coffee-offer"}, "no price is known yet"
        text = "500 g, ground or whole"
        words = ("price", "set", "coffee-house-blend", "7.49", "--unit-text", text)
        assert (await smartstore.run(*words))[0] == 0
        await until(lambda: shown(""))
        url = next(m["url"] for m in said if m["creative_id"] == "coffee-offer")
        async with httpx.AsyncClient() as client:
            glass = (await client.get(f"http://127.0.0.1:{port}{url}")).text
        assert "<b>€7.49</b><span>500 g, ground or whole</span>" in glass
        assert (await smartstore.run("creative", "withdraw", "coffee-offer"))[0] == 0
        await until(lambda: said[-1]["creative_id"] != "coffee-offer")
    finally:
        stop.set()
        await page
        for part in reversed(parts):
            part.terminate()
            await part.wait()
    plays = [play for play in await _plays(bootstrap) if play.creative_id == "coffee-offer"]
    assert plays
    for play in plays:
        assert [(p.sku, str(p.price), p.currency) for p in play.prices] == [
            ("coffee-house-blend", "7.49", "EUR")
        ]
        assert play.screen_id == "screen-1"


@pytest.mark.stack
@pytest.mark.broker
async def test_a_second_start_brings_back_nothing_that_was_withdrawn(bootstrap: str) -> None:
    layout = load_layout(Path(__file__).parents[2] / "examples" / "store.yaml")
    await publish_snapshots(bootstrap, layout)
    assert await publish_snapshots(bootstrap, layout) == 1
