"""One write in hand while the next is made ready: in order, and nothing after a failure."""

import asyncio

import pytest

from streams.sink.pipeline import OneAhead


async def test_writes_keep_their_order_and_one_is_in_hand() -> None:
    told: list[str] = []
    go = asyncio.Event()

    async def write(name: str) -> None:
        told.append(f"{name} begun")
        await go.wait()
        told.append(f"{name} done")

    async with OneAhead() as ahead:
        await ahead.put(write("first"))
        told.append("second is made ready")
        go.set()
        await ahead.put(write("second"))
    assert told == [
        "first begun",
        "second is made ready",
        "first done",
        "second begun",
        "second done",
    ]


async def test_after_a_failure_nothing_is_written() -> None:
    written: list[int] = []

    async def fail() -> None:
        raise OSError("the database went away")

    async def write() -> None:
        written.append(1)

    async def both() -> None:
        async with OneAhead() as ahead:
            await ahead.put(fail())
            await ahead.put(write())

    with pytest.raises(OSError, match="went away"):
        await both()
    assert written == []


async def test_what_is_in_hand_is_given_up_when_the_caller_fails() -> None:
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def caller() -> None:
        async with OneAhead() as ahead:
            await ahead.put(hang())
            raise ValueError("the caller")

    with pytest.raises(ValueError, match="the caller"):
        await caller()
    assert ended.is_set()
