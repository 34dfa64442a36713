"""Creatives on a real broker by the command line; their labels read by programs that are not ours;
the page that shows them in a real browser.
"""

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import async_playwright

from infra.creatives.page import Gallery, serve_gallery
from infra.latest import latest
from infra.layouts import load_layout
from infra.snapshots import publish_snapshots
from infra.stack.ports import free_port
from signage.catalogue import OWN_CREATIVES
from signage.labels import measuring
from signage.labels.aigc import Aigc, from_json
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


def _needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"DID NOT RUN: there is no {program} on this machine")
    return found


def _json(*command: str) -> Any:
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_exiftool_reads_the_label_of_a_picture(format: str, tmp_path: Path) -> None:
    exiftool = _needs("exiftool")
    out = io.BytesIO()
    Image.new("RGB", (480, 640), "teal").save(out, format.upper())
    path = tmp_path / f"labelled.{'jpg' if format == 'jpeg' else format}"
    path.write_bytes(label_picture(out.getvalue(), format, LABEL))
    told = _json(exiftool, "-j", "-G1", "-a", "-XMP:all", str(path))[0]
    values = [value for key, value in told.items() if key.lower() == "xmp-tc260:aigc"]
    assert [from_json(value if isinstance(value, str) else json.dumps(value)) for value in values]
    assert len(values) == 1
    assert "Warning" not in told


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_opencv_reads_the_label_of_a_picture(format: str, tmp_path: Path) -> None:
    """ffprobe shows no XMP of pictures, so the second reader of theirs is another."""
    import cv2

    out = io.BytesIO()
    Image.new("RGB", (480, 640), "teal").save(out, format.upper())
    path = tmp_path / f"labelled.{format}"
    path.write_bytes(label_picture(out.getvalue(), format, LABEL))
    _, _, found = cv2.imreadWithMetadata(str(path), cv2.IMREAD_COLOR)
    (xmp,) = [each.tobytes() for each in found if b"tc260" in each.tobytes()]
    assert b"<TC260:AIGC>" in xmp
    assert b"ACME Studio" in xmp


def test_exiftool_and_ffprobe_read_the_label_of_a_video(tmp_path: Path) -> None:
    exiftool, ffprobe = _needs("exiftool"), _needs("ffprobe")
    import av

    from signage.labels.videos import label_video

    plain, path = tmp_path / "plain.mp4", tmp_path / "labelled.mp4"
    with av.open(str(plain), "w", format="mp4") as writing:
        stream = writing.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 360, 480, "yuv420p"
        for level in range(30):
            picture = np.full((480, 360, 3), 80 + level, np.uint8)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        writing.mux(stream.encode(None))
    label_video(plain, path, LABEL)
    tags = _json(ffprobe, "-v", "error", "-of", "json", "-show_format", str(path))["format"]["tags"]
    assert from_json(tags["AIGC"]) == LABEL
    told = _json(exiftool, "-j", "-G1", "-a", "-Keys:all", str(path))[0]
    value = told["Keys:AIGC"]
    assert from_json(value if isinstance(value, str) else json.dumps(value)) == LABEL


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_creatives_shows_them_and_can_be_read_by_all(scheme: Any) -> None:
    chromium = _needs("chromium")
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    gallery = Gallery.of_folder(OWN_CREATIVES)
    serving = asyncio.create_task(
        serve_gallery(gallery, 0, stop=stop, ready=lambda address: url.set_result(address))
    )
    problems: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(await url)
        frames = page.locator("iframe")
        assert await frames.count() == 2 * len(gallery.creatives)
        await frames.nth(0).scroll_into_view_if_needed()
        await page.frame_locator("iframe >> nth=0").locator("h1").wait_for()
        found = await Axe().run(page, options={"iframes": False})
        assert found.violations_count == 0, found.generate_report()
        wide = await page.evaluate("document.documentElement.scrollWidth")
        await page.set_viewport_size({"width": 390, "height": 844})
        narrow = await page.evaluate("document.documentElement.scrollWidth")
        await browser.close()
    stop.set()
    await serving
    assert problems == []
    assert (wide, narrow) == (1400, 390)


class _NoFeed:
    """A log that says nothing: the player follows its own rotation."""

    connected = False

    async def run(self, listener: object) -> None:
        await asyncio.Event().wait()


class _NoProofs:
    """Proofs stay where they are."""

    async def send(self, plays: object) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None


def _clip(path: Path) -> bytes:
    """Three seconds of film, each frame brighter than the one before."""
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as writing:
        stream = writing.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 360, 640, "yuv420p"
        for number in range(30):
            picture = np.full((640, 360, 3), 60 + 6 * number, np.uint8)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        writing.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.browser
async def test_a_player_shows_pictures_whole_and_plays_films_again_and_again(
    tmp_path: Path,
) -> None:
    from signage.catalogue import load_catalogue
    from signage.player.service import create_player
    from signage.settings import PlayerSettings

    chromium = _needs("chromium")
    shelf = tmp_path / "creatives"
    said = "version: 1\ntitle: Sun\nalt_text: A sun.\nlanguage: en\nowner: test\n"
    for name, kind, file, data in (
        ("clip", "video", "clip.mp4", _clip(tmp_path / "clip.mp4")),
        ("poster", "picture", "poster.png", label_picture(poster(), "png", LABEL)),
    ):
        home = shelf / name
        home.mkdir(parents=True)
        (home / file).write_bytes(data)
        ai = "true" if kind == "picture" else "false"
        told = f"creative_id: {name}\nkind: {kind}\nfile: {file}\nai_generated: {ai}\n{said}"
        (home / "creative.yaml").write_text(told)
    settings = PlayerSettings(
        kafka="127.0.0.1:1",
        state=tmp_path / "state",
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        player_port=0,
        player_shopper_url="http://127.0.0.1/about",
        rotation_slot_ms=5_000,
        flush_ms=0,
    )
    player = create_player(settings, load_catalogue(shelf), feed=_NoFeed(), proofs=_NoProofs())
    stop, problems = asyncio.Event(), []
    playing = asyncio.create_task(player.run(stop, lambda: None))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport={"width": 540, "height": 960})
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"http://127.0.0.1:{player.port}/")
        await page.wait_for_selector("html[data-creative-id=poster]", timeout=30_000)
        picture = page.frame_locator("iframe >> nth=-1").locator("img.front")
        assert await picture.evaluate("img => [img.naturalWidth, img.alt]") == [480, "A sun."]
        # On the glass: the player's own additions cover no part of the label.
        await page.locator("#ask").wait_for(state="visible")
        glass = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
        label = measuring.find(np.asarray(glass, np.uint8))
        assert label is not None
        assert label.height_share >= 0.05
        await page.wait_for_selector("html[data-creative-id=clip]", timeout=30_000)
        film = page.frame_locator("iframe >> nth=-1").locator("video")
        seen = [await film.evaluate("v => [v.paused, v.currentTime, v.readyState]")]
        for _ in range(40):
            await asyncio.sleep(0.1)
            if await page.evaluate("document.documentElement.dataset.creativeId") != "clip":
                break
            seen.append(await film.evaluate("v => [v.paused, v.currentTime, v.readyState]"))
        failed = player.conductor.counts.failed
        await browser.close()
    stop.set()
    await playing
    assert not any(paused for paused, _, _ in seen)
    assert len({at for _, at, _ in seen}) > 5
    assert problems == []
    assert failed == 0


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080)])
async def test_our_own_creatives_fill_a_screen_and_cut_no_word(size: tuple[int, int]) -> None:
    chromium = _needs("chromium")
    example = Path(__file__).parents[2] / "examples" / "creatives" / "coffee-offer"
    width, height = size
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for folder in (OWN_CREATIVES, example):
            url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            stop = asyncio.Event()
            gallery = Gallery.of_folder(folder)
            serving = asyncio.create_task(
                serve_gallery(gallery, 0, stop=stop, ready=url.set_result)
            )
            page = await browser.new_page(viewport={"width": width, "height": height})
            for creative in gallery.creatives:
                await page.goto(f"{await url}media/{creative.media}")
                await page.evaluate("document.fonts.ready")
                boxes = await page.evaluate(_WORDS)
                assert len(boxes) >= 2, creative.creative_id
                for left, top, right, bottom in boxes:
                    assert 0.03 * width < left < right <= width, creative.creative_id
                    assert 0 < top < bottom < height, creative.creative_id
                picture = Image.open(io.BytesIO(await page.screenshot())).convert("L")
                assert picture.size == size
                assert np.asarray(picture).std() > 15, creative.creative_id
            await page.close()
            stop.set()
            await serving
        await browser.close()


#: Where the words of a creative are, as (left, top, right, bottom) in pixels.
_WORDS = """() => [...document.querySelectorAll(".words > *")].map((element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const box = range.getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom];
})"""


async def test_a_second_start_brings_back_nothing_that_was_withdrawn(bootstrap: str) -> None:
    layout = load_layout(Path(__file__).parents[2] / "examples" / "store.yaml")
    await publish_snapshots(bootstrap, layout)
    assert await publish_snapshots(bootstrap, layout) == 1
