"""The page over HTTP, without servers behind it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

import infra.web
from infra.pages.builders import BUILDERS
from infra.web.app import create_web
from infra.web.errors import PortTakenError
from infra.web.hub import Hub
from infra.web.left import Left
from infra.web.run import run_web
from infra.web.settings import WebSettings
from streams.contracts import topics
from streams.contracts.layout import Area, StoreLayout, Zone

_STATIC = Path(infra.web.__file__).parent / "static"
_LAYOUT = StoreLayout(
    store_id="s",
    name="Shop",
    areas=(Area(area_id="a"),),
    zones=(Zone(zone_id="tea", area_id="a", name="Tea"),),
)


def _settings(**changes: object) -> WebSettings:
    base = {
        "kafka": "127.0.0.1:1",
        "database": SecretStr("postgresql://me:hunter2@127.0.0.1:1/shop"),
        "player_url": "http://127.0.0.1:9001/?screen=1",
        "preview_url": "http://127.0.0.1:9002/preview",
    }
    return WebSettings(**{**base, **changes})  # type: ignore[arg-type]


def _client(settings: WebSettings, host: str = "127.0.0.1") -> httpx.AsyncClient:
    app = create_web(settings, _LAYOUT, Hub(settings, _LAYOUT))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with _client(_settings()) as made:
        yield made


async def test_the_page_may_load_only_its_own_and_what_it_embeds(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "img-src 'self' data: http://127.0.0.1:9002;" in policy
    assert "frame-src http://127.0.0.1:9001;" in policy
    assert "unsafe" not in policy


async def test_numbers_are_unknown_before_anything_was_told(client: httpx.AsyncClient) -> None:
    live = (await client.get("/api/live")).json()
    assert live["servers"] == {
        "broker": False,
        "database": False,
        "preview": False,
        "player": False,
        "broker_breaks": 0,
    }
    assert (live["people"], live["watchers"]) == (None, None)
    assert {c["what"]: (c["log"], c["database"]) for c in live["counts"]} == dict.fromkeys(
        ("gaze", "dwell", "decisions", "plays", "baskets"), (0, None)
    )
    assert (await client.get("/healthz")).json()["status"] == "ok"


async def test_the_page_gets_no_secret(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/config", "/api/live", "/api/left", "/healthz"):
        assert "hunter2" not in (await client.get(path)).text


async def test_the_button_is_there_only_with_a_control_address() -> None:
    for url, expected in ((None, False), ("http://127.0.0.1:1/kill", True)):
        async with _client(_settings(kill_broker_url=url)) as client:
            assert (await client.get("/api/config")).json()["can_kill_broker"] is expected


async def test_the_page_is_told_of_the_experiment_and_the_true_effect() -> None:
    settings = _settings(
        web_simulated=True,
        web_true_effect=0.0,
        experiment_slot_ms=20_000,
        experiment_adaptive_share=0.75,
    )
    async with _client(settings) as client:
        config = (await client.get("/api/config")).json()
        live = (await client.get("/api/live")).json()
    assert (config["slot_ms"], config["adaptive_share"]) == (20_000, 0.75)
    assert (live["simulated"], live["true_effect"]) == (True, 0.0)


async def test_a_real_store_has_no_true_effect_to_tell(client: httpx.AsyncClient) -> None:
    live = (await client.get("/api/live")).json()
    assert (live["simulated"], live["true_effect"]) == (False, None)
    assert (live["reaction"], live["outage"], live["silent_ms"]) == (None, None, None)


def test_all_fields_of_what_left_are_named_and_none_is_a_picture_or_a_name() -> None:
    fields = Left().page().fields
    assert "track_id" in fields[topics.GAZE.name]
    assert "watchers" in fields[topics.AUDIENCE.name]
    for names in fields.values():
        words = {word for name in names for word in name.split("_")}
        assert not words & {"picture", "image", "frame", "jpeg", "face", "embedding", "name"}


async def test_only_the_page_itself_may_kill_the_broker() -> None:
    async with _client(_settings(kill_broker_url="http://127.0.0.1:1/kill")) as client:
        assert (await client.post("/api/kill-broker")).status_code == 403
        own = {"X-Smartstore": "page"}
        # Nobody listens there: the page is told, nothing breaks.
        assert (await client.post("/api/kill-broker", headers=own)).status_code == 502
    async with _client(_settings()) as client:
        assert (await client.post("/api/kill-broker", headers=own)).status_code == 404


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("evil.example", 400)])
async def test_other_names_are_not_answered(host: str, status: int) -> None:
    async with _client(_settings(), host) as client:
        assert (await client.get("/api/live")).status_code == status


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named.get("src") or named.get("href") or ""]
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)


def test_the_page_has_nothing_inline_and_what_its_scripts_ask_for() -> None:
    page = _Page()
    page.feed((_STATIC / "index.html").read_text())
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))
    for link in filter(None, page.links):
        known = link.startswith("#") or link.removeprefix("/") in BUILDERS
        assert known or (_STATIC / link.removeprefix("/static/")).is_file()
    scripts = "".join(path.read_text() for path in _STATIC.glob("*.js"))
    asked = set(re.findall(r'(?:byId|setText)\("([a-z0-9-]+)"', scripts))
    assert len(asked) > 20
    assert asked <= set(page.ids)


def test_nothing_comes_from_elsewhere() -> None:
    for path in _STATIC.glob("*"):
        if path.is_file():
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text
            assert "https://" not in text


def test_what_left_is_counted_once_and_beats_do_not_hide_gazes() -> None:
    left = Left()
    left.add(topics.GAZE.name, 0, 0, 1_000, b'{"gaze":1}')
    for i in range(100):
        left.add(topics.AUDIENCE.name, 0, i, 1_000 + i, b"{}")
    for i in range(100):
        left.add(topics.AUDIENCE.name, 0, i, 1_000 + i, b"{}")
    page = left.page()
    assert (page.total.messages, page.total.size_bytes) == (101, 210)
    assert '{"gaze":1}' in [message.text for message in page.messages]
    assert page.messages[0].offset == 99
    # The broker lost the end of its log and gives an offset out again.
    left.add(topics.AUDIENCE.name, 0, 50, 5_000, b"{}")
    assert left.total().messages == 102


async def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{port} .*SMARTSTORE_WEB_PORT"):
            await run_web(
                _settings(web_port=port), _LAYOUT, stop=asyncio.Event(), ready=lambda: None
            )
