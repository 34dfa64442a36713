"""A consumer that finds nothing waits; one that finds something does not."""

import asyncio
import inspect
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher

from infra.stack.pacing import pace_empty_fetches


@pytest.mark.parametrize(("found", "pauses"), [(False, [0.25]), (True, [])])
async def test_only_an_empty_fetch_is_followed_by_a_pause(
    monkeypatch: pytest.MonkeyPatch, found: bool, pauses: list[float]
) -> None:
    slept: list[float] = []

    async def ask(self: Any, assignment: str, node_id: int, request: str) -> bool:
        assert (assignment, node_id, request) == ("all", 1, "please")
        return found

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", ask)
    pace_empty_fetches(0.25)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert await Fetcher._proc_fetch_request(None, "all", 1, "please") is found  # noqa: SLF001
    assert slept == pauses


async def test_a_fetch_that_is_given_up_answers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(self: Any) -> bool:
        return False

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", ask)
    pace_empty_fetches(3_600.0)
    task = asyncio.ensure_future(Fetcher._proc_fetch_request(None))  # noqa: SLF001
    await asyncio.sleep(0)
    task.cancel()
    assert await task is False


def test_the_step_that_is_wrapped_is_there() -> None:
    assert inspect.iscoroutinefunction(Fetcher._proc_fetch_request)  # noqa: SLF001
