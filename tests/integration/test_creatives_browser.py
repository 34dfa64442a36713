"""Creatives in a real browser: on their page, and on the glass."""

import asyncio
import io
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import async_playwright

from infra.creatives.page import Gallery, serve_gallery
from signage.catalogue import OWN_CREATIVES, load_catalogue
from signage.labels import measuring
from signage.labels.aigc import Aigc
from signage.labels.pictures import label_picture
from signage.player.service import create_player
from signage.settings import PlayerSettings

pytestmark = pytest.mark.browser

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1")


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("DID NOT RUN: there is no chromium on this machine")
    return found


def _poster() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (480, 800), "orange").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_creatives_shows_them_and_can_be_read_by_all(scheme: Any) -> None:
    chromium = _chromium()
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
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as writing:
        stream = writing.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 360, 640, "yuv420p"
        for number in range(30):
            picture = np.full((640, 360, 3), 60 + 6 * number, np.uint8)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        writing.mux(stream.encode(None))
    return path.read_bytes()


async def test_a_player_shows_pictures_whole_and_plays_films_again_and_again(
    tmp_path: Path,
) -> None:
    chromium = _chromium()
    shelf = tmp_path / "creatives"
    said = "version: 1\ntitle: Sun\nalt_text: A sun.\nlanguage: en\nowner: test\n"
    for name, kind, file, data in (
        ("clip", "video", "clip.mp4", _clip(tmp_path / "clip.mp4")),
        ("poster", "picture", "poster.png", label_picture(_poster(), "png", LABEL)),
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
        picture = page.frame_locator("iframe.on >> nth=-1").locator("img.front")
        assert await picture.evaluate("img => [img.naturalWidth, img.alt]") == [480, "A sun."]
        # On the glass: the player's own additions cover no part of the label.
        await page.locator("#ask").wait_for(state="visible")
        glass = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
        label = measuring.find(np.asarray(glass, np.uint8))
        assert label is not None
        assert label.height_share >= 0.05
        await page.wait_for_selector("html[data-creative-id=clip]", timeout=30_000)
        film = page.frame_locator("iframe.on >> nth=-1").locator("video")
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


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080)])
async def test_our_own_creatives_fill_a_screen_and_cut_no_word(size: tuple[int, int]) -> None:
    chromium = _chromium()
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
