"""The service as a page and a browser meet it; Kafka is a fake behind the ports."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from signage.catalogue import load_catalogue
from signage.errors import PlayerError, ProofSendError, SpoolError
from signage.player.clock import Reading
from signage.player.headless import HeadlessPage
from signage.player.ports import Listener
from signage.player.service import Player, create_player
from signage.player.stage import ended_play
from signage.settings import PlayerSettings
from streams.contracts.signage import Content, Play

MakeContent = Callable[..., Content]
HOST = "127.0.0.1"
PATIENCE_S = 20


class FakeKafka:
    """Both ports: contents are put in by hand, proofs are kept in a list."""

    def __init__(self) -> None:
        self.contents: asyncio.Queue[Content | None] = asyncio.Queue()
        self.proofs: list[Play] = []
        self.connected = True

    async def run(self, listener: Listener) -> None:
        while True:
            listener.content(await self.contents.get())

    async def send(self, plays: Sequence[Play]) -> None:
        if not self.connected:
            raise ProofSendError("the broker is away")
        self.proofs += plays

    async def close(self) -> None:
        pass


def settings_for(state: Path, **fields: Any) -> PlayerSettings:
    values = {
        "kafka": "127.0.0.1:1",
        "state": state,
        "store_id": "store",
        "area_id": "main",
        "screen_id": "screen-1",
        "player_port": 0,
        "rotation_slot_ms": 3_600_000,
        "flush_ms": 1_000,
        "spool_reserve_mb": 0,
    }
    return PlayerSettings(**{**values, **fields})


@asynccontextmanager
async def running(player: Player) -> AsyncIterator[Player]:
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield player
    finally:
        stop.set()
        await asyncio.wait_for(life, PATIENCE_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it becomes true inside the player
            await asyncio.sleep(0.01)


async def next_show(page: websockets.ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message: dict[str, Any] = json.loads(await page.recv())
            if message["type"] == "show":
                return message


async def let_go(page: websockets.ClientConnection) -> tuple[str, int | None]:
    """What the page was told last, and the code with which the service closed."""
    last = ""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                last = str(await page.recv())
        except websockets.ConnectionClosed as closed:
            return last, closed.rcvd.code if closed.rcvd else None


async def acknowledge(page: websockets.ClientConnection, show: dict[str, Any]) -> None:
    await page.send(json.dumps({"type": "rendered", "play_id": show["play_id"]}))


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def settings(tmp_path: Path) -> PlayerSettings:
    return settings_for(tmp_path)


@pytest.fixture
async def player(settings: PlayerSettings, kafka: FakeKafka) -> AsyncIterator[Player]:
    made = create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)
    async with running(made):
        yield made


@pytest.fixture
def fresh(make_content: MakeContent) -> MakeContent:
    """Contents that are valid now."""

    def make(**fields: Any) -> Content:
        now_ms = int(time.time() * 1000)
        return make_content(
            **{"not_before_ms": now_ms, "expires_at_ms": now_ms + 600_000, **fields}
        )

    return make


def connect(player: Player, query: str = "", **more: Any) -> websockets.connect:
    return websockets.connect(f"ws://{HOST}:{player.port}/ws{query}", **more)


async def test_a_content_is_shown_acknowledged_and_proven(
    player: Player, kafka: FakeKafka, fresh: MakeContent
) -> None:
    async with connect(player) as page:
        preload = json.loads(await page.recv())
        assert preload["type"] == "preload"
        assert len(preload["urls"]) == 6
        fallback = await next_show(page)
        assert (fallback["reason"], fallback["arm"]) == ("fallback", None)
        await acknowledge(page, fallback)
        content = fresh()
        await kafka.contents.put(content)
        show = await next_show(page)
        assert (show["creative_id"], show["version"]) == ("coffee", 1)
        assert (show["arm"], show["sentence"]) == ("adaptive", content.sentence)
        await acknowledge(page, show)
        await until(lambda: len(kafka.proofs) == 3)
        began, over, now = kafka.proofs
        assert (began.phase, over.phase, now.phase) == ("started", "ended", "started")
        assert began.decision_id.startswith("fallback-")
        assert over.stop_reason == "pre-empted"
        assert (now.play_id, now.decision_id) == (show["play_id"], content.decision_id)
        assert now.scheduled_at_ms == content.not_before_ms <= now.rendered_at_ms
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{player.port}") as client:
            state = (await client.get("/state")).json()
        assert state["showing"]["sentence"] == content.sentence
        assert state["last_reaction_ms"] == now.rendered_at_ms - now.trace.captured_at_ms  # type: ignore[union-attr]
    await until(lambda: len(kafka.proofs) == 4)
    assert (kafka.proofs[3].stop_reason, kafka.proofs[3].success) == ("error", False)


async def test_a_stop_ends_the_open_play_and_delivers_it(
    settings: PlayerSettings, kafka: FakeKafka
) -> None:
    player = create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)
    async with running(player):
        page = await connect(player)
        await acknowledge(page, await next_show(page))
        await until(lambda: len(kafka.proofs) == 1)
    assert [p.stop_reason for p in kafka.proofs] == [None, "shutdown"]
    await page.close()


async def test_proofs_made_while_the_broker_is_away_are_kept_for_the_next_start(
    settings: PlayerSettings, kafka: FakeKafka
) -> None:
    kafka.connected = False
    player = create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)
    async with running(player):
        page = await connect(player)
        show = await next_show(page)
        await acknowledge(page, show)
        await until(lambda: player.conductor.playing is not None)
        await page.close()
    assert kafka.proofs == []
    kafka.connected = True
    async with running(create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)):
        await until(lambda: len(kafka.proofs) == 2)
    assert [(p.play_id, p.phase) for p in kafka.proofs] == [
        (show["play_id"], "started"),
        (show["play_id"], "ended"),
    ]


async def test_a_content_expires_on_the_players_own_clock(
    settings: PlayerSettings, kafka: FakeKafka, make_content: MakeContent
) -> None:
    clock = [Reading(1_700_000_000_000, 0, 0)]
    player = create_player(
        settings, load_catalogue(), feed=kafka, proofs=kafka, read_clock=lambda: clock[0]
    )
    async with running(player), connect(player) as page:
        await next_show(page)
        await kafka.contents.put(make_content())
        await acknowledge(page, await next_show(page))
        await until(lambda: player.conductor.playing is not None)
        clock[0] = Reading(1_700_000_030_000, 30_000, 30_000)
        show = await next_show(page)
        assert show["reason"] == "fallback"
        await acknowledge(page, show)
        await until(lambda: len(kafka.proofs) == 3)
    assert (kafka.proofs[1].stop_reason, kafka.proofs[1].duration_ms) == ("finished", 30_000)


async def test_the_newest_page_counts_and_the_older_is_told_to_stop(
    player: Player, kafka: FakeKafka
) -> None:
    async with connect(player) as older, connect(player, "?mirror=1") as mirror:
        first = await next_show(older)
        await acknowledge(older, first)
        await until(lambda: len(kafka.proofs) == 1)
        async with connect(player) as newer:
            second = await next_show(newer)
            assert await let_go(older) == ('{"type":"stop"}', 4000)
            assert (await next_show(mirror))["play_id"] == second["play_id"]
            await acknowledge(mirror, second)  # counts for nothing
            await acknowledge(newer, second)
            await until(lambda: len(kafka.proofs) == 3)
    reasons = [(p.play_id, p.phase, p.stop_reason) for p in kafka.proofs]
    assert reasons[:3] == [
        (first["play_id"], "started", None),
        (first["play_id"], "ended", "pre-empted"),
        (second["play_id"], "started", None),
    ]


async def test_a_page_that_cannot_show_is_given_something_else(
    player: Player, kafka: FakeKafka, fresh: MakeContent
) -> None:
    async with connect(player) as page:
        await next_show(page)
        await kafka.contents.put(fresh())
        show = await next_show(page)
        failed = {"type": "failed", "play_id": show["play_id"], "error": "no picture"}
        await page.send(json.dumps(failed))
        other = await next_show(page)
        assert other["creative_id"] != "coffee"
        await until(lambda: len(kafka.proofs) == 1)
    assert (kafka.proofs[0].phase, kafka.proofs[0].error) == ("ended", "no picture")


@pytest.mark.parametrize("message", ["[]", '{"type":"rendered"}', '{"type":"boo"}', "x" * 20_000])
async def test_a_page_that_talks_nonsense_is_let_go(player: Player, message: str) -> None:
    async with connect(player) as page:
        await next_show(page)
        await page.send(message)
        _, code = await let_go(page)
        assert code == (1009 if len(message) > 16_384 else 4002)
    async with connect(player) as page:
        await next_show(page)


async def test_a_silent_page_is_taken_for_gone(tmp_path: Path, kafka: FakeKafka) -> None:
    settings = settings_for(tmp_path, page_silence_ms=1_000)
    player = create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)
    async with running(player), connect(player) as page:
        await acknowledge(page, await next_show(page))
        await until(lambda: len(kafka.proofs) == 2)
    assert kafka.proofs[1].error == "the page said nothing for 1000 ms"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://{own}"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_only_our_own_page_may_connect(
    player: Player, headers: dict[str, str], allowed: bool
) -> None:
    own = f"{HOST}:{player.port}"
    named = {name: value.format(own=own) for name, value in headers.items()}
    if allowed:
        async with connect(player, additional_headers=named) as page:
            await next_show(page)
    else:
        with pytest.raises(websockets.InvalidStatus):
            await connect(player, additional_headers=named)


async def test_files_are_served_from_the_table_alone(player: Player) -> None:
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{player.port}") as client:
        page = await client.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        coffee = await client.get("/media/coffee/1/index.html?sha256=x")
        policy = coffee.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "immutable" in coffee.headers["cache-control"]
        assert (await client.get("/fonts/outfit.woff2")).headers["content-type"] == "font/woff2"
        for path in (
            "/media/coffee/1/creative.yaml",
            "/media/coffee/2/index.html",
            "/media/../settings.py",
            "/media/coffee/1/..%2f..%2f..%2fsettings.py",
            "/media/%2fetc%2fpasswd",
            "/static/..%2fservice.py",
            "/fonts/outfit.LICENSE.txt",
        ):
            assert (await client.get(path)).status_code == 404, path
        foreign = await client.get("/state", headers={"Host": "evil.example"})
        assert foreign.status_code == 400
        health = (await client.get("/healthz")).json()
    assert health == {"status": "ok", "kafka": True, "proofs_waiting": 0, "proofs_dropped": 0}


async def test_a_page_without_glass_follows_and_comes_back(
    settings: PlayerSettings, kafka: FakeKafka
) -> None:
    player = create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)
    shows: list[str] = []
    page = HeadlessPage(HOST, player.port, lambda show: shows.append(show["play_id"]))
    stop = asyncio.Event()
    following = asyncio.create_task(page.run(stop))
    async with running(player):
        await until(lambda: len(kafka.proofs) == 1)
    again = create_player(
        settings.model_copy(update={"player_port": player.port}),
        load_catalogue(),
        feed=kafka,
        proofs=kafka,
    )
    async with running(again):
        await until(lambda: len(kafka.proofs) == 3)
        stop.set()
        await asyncio.wait_for(following, PATIENCE_S)
    assert page.rendered == len(shows) == 2
    assert kafka.proofs[0].play_id == shows[0]


async def test_a_taken_port_is_one_sentence(
    player: Player, tmp_path: Path, kafka: FakeKafka
) -> None:
    settings = settings_for(tmp_path / "other", player_port=player.port)
    with pytest.raises(PlayerError, match="name another with --port"):
        create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)


async def test_a_second_player_of_the_same_name_is_refused(
    player: Player, settings: PlayerSettings, kafka: FakeKafka
) -> None:
    with pytest.raises(SpoolError, match="state folder of its own"):
        create_player(settings, load_catalogue(), feed=kafka, proofs=kafka)


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="colour"):
        settings_for(tmp_path, colour="red")


def test_an_end_keeps_what_the_beginning_said(make_play: Callable[..., Play]) -> None:
    end = ended_play(make_play(), 10, "shutdown")
    assert (end.play_id, end.rendered_at_ms, end.success) == ("p-1", 1_700_000_000_100, True)
