"""The player on a real broker: what it reads, what it proves, and what survives kills."""

import asyncio
import base64
import shutil
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import httpx
import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from playwright.async_api import CDPSession, Page, async_playwright

from infra.stack.ports import LOOPBACK, free_port
from infra.stack.supervisor import Supervisor
from signage.catalogue import load_catalogue
from signage.partitions import partitions_of
from signage.player.headless import HeadlessPage
from signage.player.service import Player, create_player
from signage.settings import PlayerSettings
from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.signage import Content, Play
from streams.contracts.topics import CONTENT, PLAY

pytestmark = pytest.mark.stack

PATIENCE_S = 45

#: A player as the command line runs it, to be killed.
_PROGRAM = """
import asyncio, sys
from pathlib import Path
from signage.catalogue import load_catalogue
from signage.player.service import run_player
from signage.settings import PlayerSettings

settings = PlayerSettings.model_validate_json(sys.argv[1])
asyncio.run(run_player(settings, load_catalogue(), stop=asyncio.Event(), ready=lambda: None))
"""


class Broker:
    """A broker, and the screens of one test on it. The embedded one has a supervisor that starts
    it again when it is killed.
    """

    def __init__(self, bootstrap: str, supervisor: Supervisor | None = None) -> None:
        self.bootstrap = bootstrap
        self._supervisor = supervisor
        self._run = uuid.uuid4().hex[:8]

    def screen(self, name: str = "screen-1") -> str:
        """A screen's name that no other test has."""
        return f"{name}-{self._run}"

    async def kill(self) -> None:
        assert self._supervisor is not None
        before = self._supervisor.restarts["broker"]
        self._supervisor.signal("broker", signal.SIGKILL)
        await until(lambda: self._supervisor.restarts["broker"] > before)
        await self._supervisor.wait_ready("broker")

    async def tell(self, *contents: Content) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True)
        await producer.start()
        try:
            for each in contents:
                content = msgspec.structs.replace(each, screen_id=self.screen(each.screen_id))
                await producer.send_and_wait(**codec.record(CONTENT, content, "/test"))
        finally:
            await producer.stop()

    async def plays(self) -> list[Play]:
        """Every proof of this test's screen that the topic holds, in order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = (await partitions_of(self.bootstrap, PLAY.name))[PLAY.name]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            plays: list[Play] = []
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    # Others may have left anything on a broker that was named.
                    mine = [r.value for r in records if self.screen().encode() in (r.value or b"")]
                    plays += [codec.decode(PLAY.name, value) for value in mine]
            return plays
        finally:
            await consumer.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it becomes true inside the parts under test
            await asyncio.sleep(0.02)


async def until_told(read: Callable[[], Awaitable[list[Play]]], enough: int) -> list[Play]:
    async with asyncio.timeout(PATIENCE_S):
        while len(plays := await read()) < enough:  # noqa: ASYNC110 - it is told by the broker
            await asyncio.sleep(0.2)
        return plays


def _decision(player: Player) -> str | None:
    """Whose programme is on the glass."""
    playing = player.conductor.playing
    return None if playing is None else playing.programme.decision_id


def content(number: int, creative_id: str, valid_ms: int = 600_000) -> Content:
    now_ms = int(time.time() * 1000)
    return Content(
        decision_id=f"d-{number}",
        store_id="demo",
        area_id="main",
        screen_id="screen-1",
        creative_id=creative_id,
        creative_version=1,
        not_before_ms=now_ms,
        expires_at_ms=now_ms + valid_ms,
        arm="adaptive",
        reason="attention",
        sentence="Someone has looked at a shelf.",
        trace=Trace(
            cause_id=f"g-{number}",
            captured_at_ms=now_ms - 300,
            inferred_at_ms=now_ms - 200,
            sent_at_ms=now_ms - 100,
        ),
    )


@pytest.fixture
def broker(served: tuple[str, Supervisor | None]) -> Broker:
    return Broker(*served)


@pytest.fixture
def settings(broker: Broker, tmp_path: Path) -> PlayerSettings:
    return PlayerSettings(
        kafka=broker.bootstrap,
        state=tmp_path / "player",
        store_id="demo",
        area_id="main",
        screen_id=broker.screen(),
        player_port=free_port(),
        rotation_slot_ms=3_600_000,
    )


@asynccontextmanager
async def running(settings: PlayerSettings) -> AsyncIterator[Player]:
    player = create_player(settings, load_catalogue())
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield player
    finally:
        stop.set()
        await asyncio.wait_for(life, PATIENCE_S)


@asynccontextmanager
async def page_of(settings: PlayerSettings) -> AsyncIterator[list[str]]:
    """A page without glass; the decisions' creatives that it was shown."""
    shown: list[str] = []
    stop = asyncio.Event()
    page = HeadlessPage(
        LOOPBACK, settings.player_port, lambda show: shown.append(show["creative_id"])
    )
    following = asyncio.create_task(page.run(stop))
    try:
        yield shown
    finally:
        stop.set()
        await asyncio.wait_for(following, PATIENCE_S)


@pytest.mark.broker
async def test_the_newest_content_is_shown_then_every_change(
    broker: Broker, settings: PlayerSettings
) -> None:
    other = content(90, "fruit")
    await broker.tell(
        content(1, "tea"), content(2, "chocolate"), content(3, "coffee"), content(4, "coffee", 0)
    )
    await broker.tell(*(replace_screen(other, n) for n in range(2, 20)))
    async with running(settings) as player:
        async with page_of(settings) as shown:
            await until(lambda: player.conductor.counts.refused["expired"] == 1)
            await broker.tell(content(5, "chocolate"))
            await until(lambda: shown[-1:] == ["chocolate"])
            await broker.tell(content(6, "tea"))
            await until(lambda: shown[-1:] == ["tea"])
    plays = [play for play in await broker.plays() if not play.decision_id.startswith("fallback-")]
    told = [(play.decision_id, play.phase, play.stop_reason) for play in plays]
    assert told == [
        ("d-5", "started", None),
        ("d-5", "ended", "pre-empted"),
        ("d-6", "started", None),
        ("d-6", "ended", "error"),
    ]
    assert all(play.trace is not None and play.area_id == "main" for play in plays)


def replace_screen(content: Content, number: int) -> Content:
    """The same for another screen: some of those share the partition."""
    return msgspec.structs.replace(
        content, screen_id=f"screen-{number}", decision_id=f"d-other-{number}"
    )


@pytest.mark.broker
async def test_a_starting_player_shows_the_newest_content_alone(
    broker: Broker, settings: PlayerSettings
) -> None:
    await broker.tell(content(1, "tea"), content(2, "coffee"))
    async with running(settings) as player, page_of(settings) as shown:
        # Until the log is read, the rotation plays; it may begin with the same creative.
        await until(lambda: _decision(player) == "d-2")
        await until(lambda: player.conductor.counts.plays_started == len(shown))
    decisions = {play.decision_id for play in await broker.plays()}
    assert "d-2" in decisions
    assert "d-1" not in decisions


async def test_the_screen_plays_on_and_nothing_is_lost_when_the_broker_is_killed(
    broker: Broker, settings: PlayerSettings
) -> None:
    async with running(settings) as player, page_of(settings) as shown:
        await broker.tell(content(1, "tea"))
        await until(lambda: shown[-1:] == ["tea"])
        await asyncio.sleep(2.0)  # the embedded broker saves its log once a second
        await broker.kill()
        assert player.conductor.playing is not None
        assert player.conductor.playing.programme.creative.creative_id == "tea"
        await broker.tell(content(2, "coffee"))
        await until(lambda: shown[-1:] == ["coffee"])
    plays = [p for p in await broker.plays() if not p.decision_id.startswith("fallback-")]
    assert {(p.decision_id, p.phase) for p in plays} == {
        ("d-1", "started"), ("d-1", "ended"), ("d-2", "started"), ("d-2", "ended")
    }  # fmt: skip


@pytest.mark.broker
async def test_a_player_that_starts_without_a_broker_plays_and_proves_later(
    broker: Broker, settings: PlayerSettings
) -> None:
    alone = settings.model_copy(update={"kafka": f"{LOOPBACK}:{free_port()}", "flush_ms": 500})
    async with running(alone) as player, page_of(settings) as shown:
        await until(lambda: len(shown) == 1)
        await until(lambda: player.conductor.counts.plays_started == 1)
    assert await broker.plays() == []
    async with running(settings):
        plays = await until_told(broker.plays, 2)
    assert [play.phase for play in plays] == ["started", "ended"]
    assert plays[0].decision_id.startswith("fallback-")


@pytest.mark.broker
async def test_the_open_play_of_a_killed_player_is_ended_at_its_next_start(
    broker: Broker, settings: PlayerSettings
) -> None:
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, settings.model_dump_json()
    )
    try:
        async with page_of(settings) as shown:
            await until(lambda: len(shown) >= 1)
            await until_told(broker.plays, 1)
            await asyncio.sleep(2.5)  # two heartbeats
            victim.kill()
    finally:
        if victim.returncode is None:
            victim.kill()
        await victim.wait()
    async with running(settings), httpx.AsyncClient() as client:
        plays = await until_told(broker.plays, 2)
        health = await client.get(f"http://{LOOPBACK}:{settings.player_port}/healthz")
        assert health.status_code == 200
    assert [play.phase for play in plays] == ["started", "ended"]
    assert plays[0].play_id == plays[1].play_id
    assert (plays[1].stop_reason, plays[1].error) == ("error", "the player died")
    assert plays[1].duration_ms is not None
    assert plays[1].duration_ms >= 1_000


class Film:
    """What a browser's page looked like, frame by frame."""

    def __init__(self, devtools: CDPSession) -> None:
        self._devtools = devtools
        self._tasks: set[asyncio.Task[object]] = set()
        self.brightness: list[float] = []
        devtools.on("Page.screencastFrame", self._take)

    def _take(self, event: dict[str, object]) -> None:
        jpeg = np.frombuffer(base64.b64decode(str(event["data"])), dtype=np.uint8)
        picture = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
        # The corner of a creative holds its ground colour and little else.
        self.brightness.append(float(picture[:, : picture.shape[1] // 20].mean()))
        answer = self._devtools.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        task = asyncio.ensure_future(answer)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def roll(self) -> None:
        await self._devtools.send("Page.startScreencast", {"format": "jpeg", "quality": 60})

    async def cut(self) -> None:
        await self._devtools.send("Page.stopScreencast")
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def browser_page(settings: PlayerSettings, errors: list[str]) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"],
        )
        page = await browser.new_page(viewport={"width": 960, "height": 540})
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"http://{LOOPBACK}:{settings.player_port}/?why=1")
        yield page
        await browser.close()


@pytest.mark.broker
@pytest.mark.browser
async def test_a_browser_paints_every_change_without_a_dark_frame(
    broker: Broker, settings: PlayerSettings
) -> None:
    errors: list[str] = []
    async with running(settings) as player, browser_page(settings, errors) as page:

        async def on_glass(creative_id: str) -> None:
            await page.wait_for_selector(f"html[data-creative-id={creative_id}]", timeout=30_000)
            await until(
                lambda: (
                    player.conductor.playing is not None
                    and player.conductor.playing.programme.creative.creative_id == creative_id
                )
            )

        await broker.tell(content(1, "fruit"))
        await on_glass("fruit")
        film = Film(await page.context.new_cdp_session(page))
        await film.roll()
        for number in range(2, 8):  # the two brightest, to and fro
            creative_id = ("fruit", "welcome")[number % 2]
            await broker.tell(content(number, creative_id))
            await on_glass(creative_id)
        await film.cut()
        caption = page.locator("#sentence")
        assert await caption.text_content() == "Someone has looked at a shelf."
        assert await page.locator("iframe.on").count() == 1
        headline = page.frame_locator("iframe.on").locator("h1")
        assert "welcome" in (await headline.text_content() or "")
    assert len(film.brightness) >= 6
    assert min(film.brightness) > 140, film.brightness
    assert errors == []
    plays = [p for p in await broker.plays() if not p.decision_id.startswith("fallback-")]
    assert [p.decision_id for p in plays if p.phase == "started"] == [
        f"d-{number}" for number in range(1, 8)
    ]
    assert len([p for p in plays if p.phase == "ended"]) == 7
