"""A real browser on the store's network pairs with a screen, and keeps it after a restart."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from infra.stack.ports import free_port
from signage.catalogue import load_catalogue
from signage.player.pairing import Pairing
from signage.player.ports import Listener
from signage.player.service import Player, create_player
from signage.settings import PlayerSettings

pytestmark = pytest.mark.browser

PATIENCE_S = 45


class Quiet:
    """A broker that says nothing and takes everything."""

    connected = True

    async def run(self, listener: Listener) -> None:
        await asyncio.Event().wait()

    async def send(self, plays: Any) -> None:
        pass

    async def close(self) -> None:
        pass


@asynccontextmanager
async def running(settings: PlayerSettings) -> AsyncIterator[Player]:
    player = create_player(settings, load_catalogue(), feed=Quiet(), proofs=Quiet())
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield player
    finally:
        stop.set()
        await asyncio.wait_for(life, PATIENCE_S)


async def test_a_browser_pairs_with_the_code_and_comes_back(tmp_path: Path) -> None:
    settings = PlayerSettings(
        kafka="127.0.0.1:1",
        state=tmp_path,
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        player_port=free_port(),
        player_pairing="on",
        rotation_slot_ms=3_600_000,
    )
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"],
        )
        # The certificate is the player's own: a person would compare the fingerprint and accept it.
        context = await browser.new_context(ignore_https_errors=True)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        async with running(settings) as player:
            url = f"https://127.0.0.1:{player.port}"
            await page.goto(f"{url}/")
            assert page.url == f"{url}/pair"
            await page.fill("#code", "00000000")
            await page.click("button")
            await page.wait_for_function("document.getElementById('said').textContent !== ''")
            assert "wrong, used, or too old" in await page.inner_text("#said")
            code = Pairing(settings.folder).offer(time.time_ns() // 1_000_000)
            assert player.certificate is not None
            await page.goto("about:blank")
            await page.goto(f"{url}/pair#code={code}&fingerprint={player.certificate.fingerprint}")
            assert await page.input_value("#code") == code
            assert player.certificate.fingerprint in await page.inner_text("#fingerprint")
            assert "#" not in page.url  # the code stays in no history
            await page.click("button")
            await page.wait_for_selector("html[data-play-id]", timeout=30_000)
            assert player.conductor.counts.plays_started == 1
        async with running(settings) as player:
            await page.wait_for_function(
                "first => document.documentElement.dataset.playId !== first",
                arg=await page.evaluate("document.documentElement.dataset.playId"),
                timeout=30_000,
            )
            assert player.conductor.counts.plays_started == 1
        await browser.close()
    assert errors == []
