"""The live page on a real broker and a real PostgreSQL, filled by the real sink."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics
from infra.web.run import run_web
from infra.web.settings import WebSettings
from streams.contracts import codec, topics
from streams.contracts.base import Trace
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Audience, TargetAudience
from streams.sink.run import run_sink
from streams.sink.settings import SinkSettings

pytestmark = pytest.mark.stack

_LAYOUT = StoreLayout(
    store_id="s",
    name="Shop",
    areas=(Area(area_id="a"),),
    zones=(Zone(zone_id="tea", area_id="a", name="Tea"),),
    screens=(Screen(screen_id="sc", area_id="a", name="Above"),),
)


@pytest.fixture
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    with StateFolder(tmp_path_factory.mktemp("web") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("broker", "postgres")) as running:
            await create_topics(running.broker.bootstrap, 3)
            yield running
        forget_home(state, "postgres")


def _events(now_ms: int) -> list[tuple[topics.Topic, Any]]:
    trace = Trace(
        cause_id="g",
        captured_at_ms=now_ms,
        inferred_at_ms=now_ms + 50,
        sent_at_ms=now_ms + 60,
    )
    names = {"store_id": "s", "area_id": "a", "screen_id": "sc"}
    creative = {"creative_id": "cr", "creative_version": 1}
    decision = Decision(
        **names,
        **creative,
        decision_id="d",
        decided_at_ms=now_ms + 80,
        slot_start_ms=0,
        arm="control",
        arm_probability=0.5,
        policy_version="p",
        context=(),
        showing=None,
        candidates=(),
        reason="control",
        sentence="The usual rotation.",
        trace=trace,
    )
    play = {
        **names,
        **creative,
        "play_id": "p",
        "player_id": "pl",
        "decision_id": "d",
        "scheduled_at_ms": now_ms + 80,
        "rendered_at_ms": now_ms + 640,
        "trace": trace,
    }
    line = BasketLine(sku="x", category="tea", units=Decimal(3), net_value=Decimal("4.50"))
    basket = {"store_id": "s", "area_id": "a", "currency": "EUR", "simulated": True}
    target = TargetAudience(
        target_id="tea", target_kind="zone", people=2, watchers=1, attention_ms=900
    )
    audience = Audience(
        store_id="s",
        area_id="a",
        gateway_id="gw",
        camera_id="c",
        seq=1,
        captured_at_ms=now_ms,
        inferred_at_ms=now_ms,
        sent_at_ms=now_ms,
        people=2,
        targets=(target,),
    )
    return [
        (topics.AUDIENCE, audience),
        (topics.DECISION, decision),
        (topics.PLAY, Play(**play, phase="started")),
        (topics.PLAY, Play(**play, phase="ended", duration_ms=9, stop_reason="finished")),
        (topics.BASKET, Basket(**basket, basket_id="b1", closed_at_ms=now_ms, lines=(line,))),
        (topics.BASKET, Basket(**basket, basket_id="b2", closed_at_ms=now_ms, lines=(line, line))),
    ]


async def _produce(bootstrap: str, events: list[tuple[topics.Topic, Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for topic, event in events:
            await producer.send_and_wait(**codec.record(topic, event, "test"))
    finally:
        await producer.stop()


async def _follow(client: httpx.AsyncClient, wanted: Any) -> dict[str, Any]:
    """Read the page's stream of events until one satisfies `wanted`."""
    async with asyncio.timeout(30), client.stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                view: dict[str, Any] = json.loads(line.removeprefix("data: "))
                if wanted(view):
                    return view
    raise AssertionError("the stream ended")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_page_tells_what_the_log_and_the_database_hold(stack: EmbeddedStack) -> None:
    database = SecretStr(stack.postgres.dsn)
    migrate(database, lambda _: None)
    kafka, port = stack.broker.bootstrap, _free_port()
    now_ms = int(time.time() * 1_000)
    stop = asyncio.Event()
    up = [asyncio.Event(), asyncio.Event()]
    settings = WebSettings(
        kafka=kafka, database=database, web_port=port, web_since_ms=now_ms - 1_000
    )
    sink = run_sink(SinkSettings(kafka=kafka, database=database), stop=stop, ready=up[0].set)
    page = run_web(settings, _LAYOUT, stop=stop, ready=up[1].set)
    async with asyncio.TaskGroup() as tasks, httpx.AsyncClient(timeout=10) as client:
        client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        running = [tasks.create_task(sink), tasks.create_task(page)]
        await asyncio.gather(*(event.wait() for event in up))
        await _produce(kafka, _events(now_ms))

        def complete(view: dict[str, Any]) -> bool:
            counts = {c["what"]: (c["log"], c["database"]) for c in view["counts"]}
            return counts["baskets"] == (2, 2) and counts["plays"] == (1, 1)

        view = await _follow(client, complete)
        assert view["simulated"] is True
        assert view["latency"]["last_ms"] == 640
        assert view["screens"][0]["sentence"] == "The usual rotation."
        assert view["screens"][0]["arm"] == "control"
        assert view["reaction"]["latency_ms"] == 640
        assert view["broker_forgot"] == 0
        (basket,) = view["baskets"]
        assert (basket["transactions"], basket["units"], basket["value"]) == (2, 9.0, 13.5)
        assert (basket["units_per_basket"], basket["value_per_basket"]) == (4.5, 6.75)
        assert basket["simulated"] is True

        left = (await client.get("/api/left")).json()
        assert left["total"]["messages"] == 1
        assert json.loads(left["messages"][0]["text"])["people"] == 2
        assert (await client.get("/healthz")).json() == {
            "status": "ok",
            "broker": True,
            "database": True,
        }

        # The broker dies and comes back: the page says so, and counts nothing twice.
        stack.supervisor.signal("broker", 9)
        view = await _follow(client, lambda v: v["servers"]["broker_breaks"] > 0)
        view = await _follow(client, lambda v: v["servers"]["broker"])
        assert complete(view)
        view = await _follow(client, lambda v: v["outage"]["equal_at_ms"] is not None)
        assert complete(view)
        outage = view["outage"]
        assert outage["killed_at_ms"] is None
        assert outage["gone_at_ms"] < outage["back_at_ms"] < outage["equal_at_ms"]

        # An open stream does not hold up the stop.
        async with client.stream("GET", "/api/events") as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            stop.set()
            async with asyncio.timeout(10):
                async for _ in lines:
                    pass
                await asyncio.gather(*running)
