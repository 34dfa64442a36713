"""A client's own cancellation is an error; a task that is told to end ends."""

import asyncio

import pytest

from streams.errors import GivenUpError
from streams.uncancelled import uncancelled


async def test_a_request_that_a_client_cancels_is_an_error() -> None:
    request: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    request.cancel()
    with pytest.raises(GivenUpError, match=r"the question was given up .* started again"):
        async with uncancelled("the question"):
            await request


async def test_a_task_that_is_told_to_end_is_cancelled() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        async with uncancelled("the wait"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_errors_pass() -> None:
    with pytest.raises(KeyError):
        async with uncancelled("anything"):
            raise KeyError("x")
