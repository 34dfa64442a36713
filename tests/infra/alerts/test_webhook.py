"""The webhook gets every change, in order, also after it was away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from infra.alerts import webhook
from infra.alerts.watch import Alert, Change


def _change(subject: str, *, up: bool = True) -> Change:
    return Change(Alert("camera-dark", subject, f"Camera {subject} is dark.", "Look at it."), up)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, list[dict[str, Any]], list[int]]]:
    got: list[dict[str, Any]] = []
    answers: list[int] = []

    async def take(request: web.Request) -> web.Response:
        status = answers.pop(0) if answers else 204
        if status < 400:
            got.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/hook?token=secret", got, answers
    await runner.cleanup()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the receiver has no event to wait for
            await asyncio.sleep(0.01)


async def test_every_change_arrives_in_order_after_refusals(
    receiver: tuple[str, list[dict[str, Any]], list[int]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, got, answers = receiver
    monkeypatch.setattr(webhook, "_FIRST_PAUSE_S", 0.01)
    answers += [500, 302 + 100, 204]
    hook = webhook.Webhook(SecretStr(url), "demo", lambda: 17)
    stop = asyncio.Event()
    running = asyncio.create_task(hook.run(stop))
    hook.tell(_change("a"))
    hook.tell(_change("a", up=False))
    hook.tell(_change("b"))
    await _until(lambda: len(got) == 3)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert [(m["subject"], m["state"]) for m in got] == [("a", "up"), ("a", "over"), ("b", "up")]
    assert got[0]["at_ms"] == 17
    assert got[0]["store_id"] == "demo"
    assert hook.waiting == 0
    assert "secret" not in caplog.text


async def test_what_waits_is_bounded_and_the_loss_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "_MOST_WAITING", 2)
    hook = webhook.Webhook(SecretStr("http://127.0.0.1:1/"), "demo", lambda: 0)
    for name in "abc":
        hook.tell(_change(name))
    assert hook.waiting == 2
    assert hook.dropped == 1
