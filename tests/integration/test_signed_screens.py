"""Publisher, broker, player and page with signed playlists: recall, tampering, a real browser with
the shoppers' code, and other vendors' players tried against the contract.
"""

import asyncio
import shutil
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from infra.layouts import load_layout
from infra.proofs import read_proofs
from infra.stack.ports import LOOPBACK, free_port
from signage.catalogue import load_catalogue
from signage.core.chain import verify
from signage.player.certify.follower import certify_follower
from signage.player.certify.page import certify_page
from signage.player.headless import HeadlessPage
from signage.player.service import Player, create_player
from signage.publisher.service import Publisher
from signage.settings import PlayerSettings, PublisherSettings
from signage.signing import Signer, new_key
from streams.contracts import codec
from streams.contracts.layout import StoreLayout
from streams.contracts.playlist import Playlist
from streams.contracts.signage import Play
from streams.contracts.topics import CREATIVE, PLAYLIST

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
PATIENCE_S = 45

#: A player as the command line runs it, to be killed.
_PROGRAM = """
import asyncio, sys
from signage.catalogue import load_catalogue
from signage.player.service import run_player
from signage.settings import PlayerSettings

settings = PlayerSettings.model_validate_json(sys.argv[1])
asyncio.run(run_player(settings, load_catalogue(), stop=asyncio.Event(), ready=lambda: None))
"""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it becomes true inside the parts under test
            await asyncio.sleep(0.02)


@dataclass
class Store:
    """A store of this test's own on the broker, with a publisher's keys."""

    bootstrap: str
    folder: Path
    layout: StoreLayout
    screen: str

    async def tell(self, topic: str, key: str, value: bytes | None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, key=key.encode())
        finally:
            await producer.stop()

    async def publish(self) -> None:
        for creative in load_catalogue().creatives:
            record = codec.record(CREATIVE, creative, "/test")
            await self.tell(CREATIVE.name, creative.creative_id, record["value"])

    async def withdraw(self, creative_id: str) -> None:
        await self.tell(CREATIVE.name, creative_id, None)

    @property
    def signer(self) -> Signer:
        return Signer.load(self.folder / "signing.key")

    def settings(self, **fields: Any) -> PlayerSettings:
        screen = self.layout.screens[0]
        values = {
            "kafka": self.bootstrap,
            "state": self.folder / "player",
            "store_id": self.layout.store_id,
            "area_id": screen.area_id,
            "screen_id": self.screen,
            "player_port": free_port(),
            "player_trust": self.folder / "trust.json",
            "rotation_slot_ms": 1_000,
            "store_name": self.layout.name,
        }
        return PlayerSettings(**{**values, **fields})

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[Publisher]:
        settings = PublisherSettings(
            kafka=self.bootstrap,
            state=self.folder,
            publisher_key=self.folder / "signing.key",
            publisher_port=0,
            rotation_slot_ms=1_000,
        )
        made = Publisher(settings, self.layout, load_catalogue())
        async with living(made):
            yield made

    @asynccontextmanager
    async def player(self, settings: PlayerSettings) -> AsyncIterator[Player]:
        made = create_player(settings, load_catalogue())
        async with living(made):
            yield made


@asynccontextmanager
async def living(part: Player | Publisher) -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(part.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(life, PATIENCE_S)


@asynccontextmanager
async def page_of(port: int) -> AsyncIterator[list[tuple[float, str]]]:
    """A page without glass; when it was shown which creative."""
    shown: list[tuple[float, str]] = []
    stop = asyncio.Event()
    page = HeadlessPage(
        LOOPBACK, port, lambda show: shown.append((time.monotonic(), show["creative_id"]))
    )
    following = asyncio.create_task(page.run(stop))
    try:
        yield shown
    finally:
        stop.set()
        await asyncio.wait_for(following, PATIENCE_S)


@pytest.fixture
def store(bootstrap: str, tmp_path: Path) -> Store:
    demo = load_layout(ROOT / "examples" / "store.yaml")
    screen = f"screen-{uuid.uuid4().hex[:8]}"
    layout = msgspec.structs.replace(
        demo,
        store_id=f"store-{uuid.uuid4().hex[:8]}",
        screens=(msgspec.structs.replace(demo.screens[0], screen_id=screen),),
    )
    new_key(tmp_path / "signing.key", tmp_path / "trust.json")
    return Store(bootstrap, tmp_path, layout, screen)


async def test_a_withdrawn_creative_leaves_the_glass_within_five_seconds(store: Store) -> None:
    await store.publish()
    settings = store.settings()
    async with (
        store.publisher(),
        store.player(settings) as player,
        page_of(settings.player_port) as shown,
    ):
        await until(lambda: shown[-1:] != [] and shown[-1][1] not in ("player-rest",))
        victim = shown[-1][1]
        began = time.monotonic()
        await store.withdraw(victim)
        await until(lambda: shown[-1][1] != victim)
        assert shown[-1][0] - began < 5.0
        seen = len(shown)
        await until(lambda: len(shown) > seen + 7)  # the rotation has gone round without it
        assert victim not in {name for _, name in shown[seen:]}
        playlist = player.supply.playlist if player.supply is not None else None
        assert playlist is not None
        assert victim not in {entry.creative_id for entry in playlist.entries}
    # An offline player has it no more either: what it kept is the newest playlist.
    away = store.settings(kafka=f"{LOOPBACK}:{free_port()}", flush_ms=100)
    async with store.player(away), page_of(away.player_port) as shown:
        await until(lambda: len(shown) > 7)
        assert {name for _, name in shown}.isdisjoint({victim, "player-rest"})
    [chain] = [c for c in verify(await read_proofs(store.bootstrap)) if c.player_id == store.screen]
    assert chain.intact


async def test_what_was_tampered_with_is_never_shown(store: Store) -> None:
    """A changed byte in the manifest, on the log and on the disk, and in a medium."""
    await store.publish()
    settings = store.settings()
    async with (
        store.publisher(),
        store.player(settings) as player,
        page_of(settings.player_port) as shown,
    ):
        assert player.supply is not None
        await until(lambda: player.supply is not None and player.supply.playlist is not None)
        playlist = player.supply.playlist
        assert playlist is not None
        await until(lambda: len({name for _, name in shown} - {"player-rest"}) >= 2)
        forged = msgspec.structs.replace(playlist, version=playlist.version + 1, entries=())
        await store.tell(PLAYLIST.name, store.screen, msgspec.json.encode(forged))
        await until(lambda: player.supply is not None and bool(player.supply.refused))
        assert player.supply.refused == {"wrong signature": 1}
        assert player.supply.playlist == playlist
        spoiled = next(f for f in playlist.files if f.path == "coffee/1/index.html")
        blob = settings.folder / "media" / spoiled.sha256
        blob.write_bytes(blob.read_bytes().replace(b"Fresh roast", b"Stale roast"))
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{player.port}") as client:
            answer = await client.get(f"/media/{spoiled.path}?sha256=x")
            assert answer.status_code == 409
            assert "Stale" not in answer.text
            state = (await client.get("/state")).json()
        assert state["playlist_refused"] == {"wrong signature": 1, "medium": 1}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def brightness(page: Page) -> float:
    picture = cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return float(picture.mean())


@pytest.mark.browser
async def test_a_killed_player_darkens_no_screen(store: Store) -> None:
    """kill -9 of the service: the browser's page stays lit, and the next one goes on."""
    await store.publish()
    body = store.settings()
    async with store.publisher(), chromium() as browser:
        page = await browser.new_page(viewport={"width": 480, "height": 270})
        for _ in range(2):
            victim = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _PROGRAM, body.model_dump_json()
            )
            try:
                if page.url == "about:blank":
                    await _open(page, f"http://{LOOPBACK}:{body.player_port}/")
                await page.wait_for_function(_SHOWS_ANOTHER, timeout=30_000)
            finally:
                victim.send_signal(signal.SIGKILL)
                await victim.wait()
            for _ in range(4):
                assert await page.locator("iframe.on").count() >= 1
                assert await brightness(page) > 40
                await asyncio.sleep(0.3)
    async with store.player(body), httpx.AsyncClient() as client:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                url = f"http://{LOOPBACK}:{body.player_port}/healthz"
                health = (await client.get(url)).json()
                if health["kafka"] and not health["proofs_waiting"]:
                    break
                await asyncio.sleep(0.05)
    [chain] = [c for c in verify(await read_proofs(store.bootstrap)) if c.player_id == store.screen]
    assert chain.intact


#: A creative is on the glass that was not there when this was asked first.
_SHOWS_ANOTHER = """() => {
  const now = document.documentElement.dataset.playId;
  window.__first ??= now ?? "none";
  if (now === undefined || now === window.__first) return false;
  if (document.documentElement.dataset.creativeId === "player-rest") return false;
  window.__first = undefined;
  return true;
}"""


async def _open(page: Page, url: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await page.goto(url)
            except Exception:
                await asyncio.sleep(0.1)
                continue
            return


@pytest.mark.browser
async def test_the_code_on_the_screen_leads_to_the_shoppers_page(store: Store) -> None:
    await store.publish()
    port = free_port()
    about = f"http://{LOOPBACK}:{port}/about"
    settings = store.settings(
        player_port=port,
        player_shopper_url=about,
        store_contact="Ask at the till",
        rotation_slot_ms=3_600_000,
        simulated=True,
    )
    errors: list[str] = []
    async with store.publisher(), store.player(settings), chromium() as browser:
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        await page.goto(f"http://{LOOPBACK}:{port}/")
        await page.wait_for_selector("html[data-play-id]", timeout=30_000)
        await page.wait_for_function("document.getElementById('code').complete")
        picture = cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        corner = picture[-260:, -260:]
        read, _, _ = cv2.QRCodeDetector().detectAndDecode(
            cv2.resize(corner, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        )
        assert read == about
        for scheme in ("light", "dark"):
            phone = await browser.new_page(
                viewport={"width": 390, "height": 844}, color_scheme=scheme, locale="de-DE"
            )
            phone.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
            await phone.goto(read)
            assert await phone.locator("html").get_attribute("lang") == "de"
            assert "Ask at the till" in await phone.inner_text("main")
            assert await phone.evaluate("document.body.scrollWidth") <= 390
            found = await Axe().run(phone)
            assert found.violations_count == 0, found.generate_report()
            await phone.get_by_text("English", exact=True).click()
            assert await phone.locator("html").get_attribute("lang") == "en"
            await phone.close()
    assert errors == []


@pytest.mark.browser
@pytest.mark.parametrize("folder", [None, ROOT / "examples" / "player"], ids=["ours", "example"])
async def test_pages_pass_the_contract(folder: Path | None) -> None:
    address: asyncio.Queue[str] = asyncio.Queue()
    async with chromium() as browser:
        trying = asyncio.create_task(certify_page(0, 30.0, address.put_nowait, folder))
        page = await browser.new_page(viewport={"width": 480, "height": 270})
        await page.goto(await address.get())
        checks = await asyncio.wait_for(trying, 90.0)
    assert [check for check in checks if not check.passed] == []
    assert len(checks) == 13


async def test_a_program_passes_and_a_careless_one_does_not() -> None:
    address: asyncio.Queue[str] = asyncio.Queue()
    trying = asyncio.create_task(certify_page(0, 30.0, address.put_nowait))
    port = int((await address.get()).rsplit(":", 1)[1].strip("/"))
    async with page_of(port):
        checks = await asyncio.wait_for(trying, 90.0)
    assert [check for check in checks if not check.passed] == []
    trying = asyncio.create_task(certify_page(0, 30.0, address.put_nowait))
    url = (await address.get()).replace("http", "ws") + "ws"
    careless = asyncio.create_task(_acknowledge_all(url))
    checks = await asyncio.wait_for(trying, 90.0)
    careless.cancel()
    await asyncio.gather(careless, return_exceptions=True)
    failed = {check.name for check in checks if not check.passed}
    assert failed == {
        "fetches the creative from the service",
        "acknowledges when it is painted, not when it is asked",
        "a show that was overtaken is answered with nothing",
        "says failed where a creative cannot be shown",
        "pings at least every 5 s",
        "connects again after a restart of the service",
    }


async def _acknowledge_all(url: str) -> None:
    """Says of everything that it was shown, and shows nothing."""
    import websockets

    async with websockets.connect(url) as socket:
        async for text in socket:
            message = msgspec.json.decode(text)
            if message["type"] == "show":
                answer = {"type": "rendered", "play_id": message["play_id"]}
                await socket.send(msgspec.json.encode(answer).decode())


async def test_our_own_player_passes_as_a_follower_of_kafka(store: Store) -> None:
    settings = store.settings(player_trust=None)
    async with store.player(settings), page_of(settings.player_port):
        area = settings.area_id
        checks = await certify_follower(store.bootstrap, store.screen, area, 30.0)
    assert [check for check in checks if not check.passed] == []
    assert len(checks) >= 12


async def test_a_screen_on_another_machine_fetches_its_files_from_the_publisher(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.publish()
    async with store.publisher() as publisher:
        url = f"http://{LOOPBACK}:{publisher.port}"
        # Another machine has none of the store's files.
        monkeypatch.setattr("signage.player.service.FolderSource", _Nothing)
        settings = store.settings(player_media_url=url)
        async with store.player(settings), page_of(settings.player_port) as shown:
            await until(lambda: {n for _, n in shown} >= {"coffee", "tea"})
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/files/{'0' * 64}")).status_code == 404
            assert (await client.get(f"{url}/files/..%2fsigning.key")).status_code == 404


class _Nothing:
    def __init__(self, *_: object) -> None:
        pass

    async def fetch(self, file: Any) -> bytes:
        from signage.errors import MediumError

        raise MediumError("not on this machine")


def test_the_structs_of_the_log_are_those_that_are_signed() -> None:
    assert PLAYLIST.struct is Playlist
    assert {"seq", "previous_sha256", "sha256"} <= set(Play.__struct_fields__)
