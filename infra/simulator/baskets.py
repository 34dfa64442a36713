"""The simulated store's till: sends each basket to Kafka when it closes.

Resilient: while the broker is away baskets wait, and when too many wait the till pauses; none is
lost, none is sent under two ids.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.simulator.effects import TrueEffect
from infra.simulator.receipts import BasketMaker
from infra.simulator.settings import SimulatorSettings
from streams.contracts.codec import record
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import Basket
from streams.contracts.signage import Arm
from streams.contracts.topics import BASKET, EXPERIMENT
from streams.follow import Followed, follow
from vision.clock import wall_ms

#: Baskets that wait for the broker at the most: 2 hours at one in three seconds, about 2 MB.
WAITING_LIMIT = 2_400

#: A restarted till sends the last seconds again: they may not have been acknowledged. Readers know
#: repeats by the basket's id.
REPEAT_MS = 10_000

_REQUEST_TIMEOUT_MS = 5_000
_START_S = 10.0
_CLOSE_S = 3.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 2.0

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """Sends baskets; a new one is made after it failed."""

    async def start(self) -> None:
        """Reach the broker."""
        ...

    async def send_and_wait(self, topic: str, **message: Any) -> object:
        """Send one record and wait until it is acknowledged."""
        ...

    async def stop(self) -> None:
        """Let go of the connections."""
        ...


class Till:
    """Baskets in the order of closing, each sent when its time has come.

    Arguments:
        baskets: with rising `closed_at_ms`.
        make_sender: a fresh sender, for the first one and after each failure.
        now_ms: the wall clock.
    """

    def __init__(
        self,
        baskets: Iterator[Basket],
        source: str,
        make_sender: Callable[[], Sender],
        now_ms: Callable[[], int] = wall_ms,
        limit: int = WAITING_LIMIT,
    ) -> None:
        self._baskets, self._source = baskets, source
        self._make_sender, self._now_ms, self._limit = make_sender, now_ms, limit
        self._coming = next(baskets)
        self._waiting: deque[Basket] = deque()
        self._sender: Sender | None = None
        #: Baskets acknowledged.
        self.sent = 0

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Sell until `stop`, then send what still waits, once, and let go of the broker."""
        wait_s = _FIRST_WAIT_S
        told = False
        while not stop.is_set():
            self._close_due()
            if await self._send_waiting():
                wait_s = _FIRST_WAIT_S
                if not told and self.sent:
                    told = True
                    ready()
                pause_s = (self._coming.closed_at_ms - self._now_ms()) / 1_000
            else:
                pause_s, wait_s = wait_s, min(2 * wait_s, _LONGEST_WAIT_S)
            await _until(stop, pause_s)
        await _at_most(self._send_waiting(), _CLOSE_S)
        await self._discard()

    def _close_due(self) -> None:
        while self._coming.closed_at_ms <= self._now_ms() and len(self._waiting) < self._limit:
            self._waiting.append(self._coming)
            self._coming = next(self._baskets)

    async def _send_waiting(self) -> bool:
        """Send what waits; False when the broker did not take it."""
        try:
            if self._sender is None:
                self._sender = self._make_sender()
                await asyncio.wait_for(self._sender.start(), _START_S)
            while self._waiting:
                await self._sender.send_and_wait(**record(BASKET, self._waiting[0], self._source))
                self._waiting.popleft()
                self.sent += 1
        except (KafkaError, OSError, TimeoutError) as error:
            # An idempotent producer whose broker lost records is of no more use: make a new one.
            _log.warning(
                "the broker does not take baskets (%s); %d wait", error, len(self._waiting)
            )
            await self._discard()
            return False
        return True

    async def _discard(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await _at_most(sender.stop(), _CLOSE_S)


async def run_till(
    settings: SimulatorSettings,
    layout: StoreLayout,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Sell until `stop`; `ready` is called when the broker has acknowledged the first basket."""
    now_ms = wall_ms()
    start_ms = now_ms if settings.start_ms is None else settings.start_ms
    effect = TrueEffect(basket=settings.true_effect, product=settings.true_product_effect)
    plans = _Plans(layout.store_id)
    maker = BasketMaker(layout, settings.seed, start_ms, settings.basket_every_s, effect, plans.arm)
    following = asyncio.create_task(plans.follow(settings.kafka, stop))
    try:
        await plans.known_or(stop)
        till = Till(
            maker.from_time(now_ms - REPEAT_MS),
            f"smartstore/simulator/{layout.store_id}",
            lambda: _producer(settings.kafka),
        )
        await till.run(stop, ready)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class _Plans:
    """The store's newest experiment, followed live: shoppers live in the arm that screens show."""

    def __init__(self, store_id: str) -> None:
        self._store_id = store_id
        self._plan: ExperimentPlan | None = None
        self._known = asyncio.Event()

    def take(self, topic: str, key: str, event: ExperimentPlan | None) -> bool:
        """See `streams.follow.Table`."""
        if key == self._store_id:
            self._plan = event
        return False

    def arm(self, at_ms: int) -> Arm:
        """The arm of the store; where screens are drawn one by one, no basket is in one."""
        if self._plan is None or self._plan.unit != "store-slot":
            return "control"
        return self._plan.arm(at_ms)[0]

    async def follow(self, kafka: str, stop: asyncio.Event) -> None:
        """Reads the plans until `stop`."""

        async def nothing() -> None:
            return

        followed = Followed((EXPERIMENT.name,), {})
        await follow(
            kafka, followed, self, known=self._known.set, changed=nothing, over=stop.is_set
        )

    async def known_or(self, stop: asyncio.Event) -> None:
        """Waits until the plan is known, or `stop`: before, every basket would be of the control
        arm.
        """
        waits = [asyncio.ensure_future(each.wait()) for each in (self._known, stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


def _producer(kafka: str) -> Sender:
    producer: Sender = AIOKafkaProducer(
        bootstrap_servers=kafka,
        client_id="smartstore-till",
        enable_idempotence=True,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    return producer


async def _until(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        await _at_most(stop.wait(), seconds)


async def _at_most(work: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except (KafkaError, OSError, TimeoutError):
        return
