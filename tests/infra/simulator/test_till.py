"""The till loses nothing while the broker is away, and its queue is bounded."""

import asyncio
from collections.abc import Callable
from itertools import takewhile
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber

from infra.simulator.baskets import Till
from infra.simulator.receipts import BasketMaker
from streams.contracts import codec
from streams.contracts.layout import Area, StoreLayout
from streams.contracts.pos import Basket

LAYOUT = StoreLayout(store_id="s", name="A store", areas=(Area(area_id="a"),))


class FakeBroker:
    """Takes records in order; refuses while it is away, or fails once as told."""

    def __init__(self) -> None:
        self.taken: list[Basket] = []
        self.away = False
        self.fail_once: Exception | None = None
        self.senders = 0

    def sender(self) -> "FakeBroker":
        self.senders += 1
        return self

    async def start(self) -> None:
        if self.away:
            raise KafkaConnectionError("away")

    async def send_and_wait(self, topic: str, **message: Any) -> object:
        await asyncio.sleep(0)
        if self.away:
            raise KafkaConnectionError("away")
        self.taken.append(codec.decode(topic, message["value"]))
        error, self.fail_once = self.fail_once, None
        if error is not None:
            raise error
        return None

    async def stop(self) -> None:
        return


def till(broker: FakeBroker, clock: list[int], limit: int = 100) -> Till:
    baskets = BasketMaker(LAYOUT, 1, 0, 0.01).baskets()
    return Till(baskets, "test", broker.sender, lambda: clock[0], limit)


def expected(until_ms: int) -> list[Basket]:
    every = BasketMaker(LAYOUT, 1, 0, 0.01).baskets()
    return list(takewhile(lambda basket: basket.closed_at_ms <= until_ms, every))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 -- the till is asked from outside, as a process is
            await asyncio.sleep(0.01)


async def test_an_absence_loses_nothing_and_ready_is_told_once() -> None:
    broker, clock, stop, ready = FakeBroker(), [0], asyncio.Event(), []
    broker.away = True
    running = asyncio.create_task(till(broker, clock).run(stop, lambda: ready.append(1)))
    await until(lambda: broker.senders >= 2)
    clock[0] = 300
    assert not ready
    broker.away = False
    first, all_of_them = expected(300), expected(500)
    await until(lambda: len(broker.taken) == len(first))
    broker.away = True
    clock[0] = 500
    await asyncio.sleep(0.05)
    broker.away = False
    await until(lambda: len(broker.taken) == len(all_of_them))
    stop.set()
    await running
    assert broker.taken == all_of_them
    assert ready == [1]


async def test_a_producer_that_is_of_no_more_use_is_replaced() -> None:
    broker, clock, stop = FakeBroker(), [200], asyncio.Event()
    due = expected(200)
    broker.fail_once = OutOfOrderSequenceNumber()
    running = asyncio.create_task(till(broker, clock).run(stop, lambda: None))
    await until(lambda: len(broker.taken) == len(due) + 1)
    stop.set()
    await running
    assert broker.senders == 2
    # Taken twice under one id: readers know it for a repeat.
    assert broker.taken[0] == broker.taken[1]
    assert broker.taken[1:] == due


async def test_the_queue_is_bounded_and_the_till_pauses() -> None:
    broker, clock, stop = FakeBroker(), [1_000], asyncio.Event()
    broker.away = True
    bounded = till(broker, clock, limit=5)
    running = asyncio.create_task(bounded.run(stop, lambda: None))
    await until(lambda: broker.senders >= 2)
    clock[0] = 0
    broker.away = False
    await until(lambda: bounded.sent == 5)
    stop.set()
    await running
    assert broker.taken == expected(1_000)[:5]


@pytest.mark.parametrize("away", [True, False])
async def test_stopping_ends_it(away: bool) -> None:
    broker, stop = FakeBroker(), asyncio.Event()
    broker.away = away
    running = asyncio.create_task(till(broker, [100]).run(stop, lambda: None))
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(20):
        await running
    assert bool(broker.taken) is not away
