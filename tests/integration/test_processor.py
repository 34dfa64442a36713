"""The processor on a real broker: what goes in comes out as content, decisions and windows; what is
broken goes to the dead letters; and a worker that is killed goes on where it was.
"""

import asyncio
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata
from aiokafka.admin import AIOKafkaAdminClient

from streams.contracts import codec
from streams.contracts.attention import AttentionWindow, BasketWindow
from streams.contracts.base import Trace
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.topics import (
    ATTENTION,
    AUDIENCE,
    BASKET,
    BASKET_METRICS,
    CONTENT,
    DECISION,
    DWELL,
    GAZE,
)
from streams.contracts.vision import (
    Audience,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
    TargetAudience,
)
from streams.kafka_log import side_consumer
from streams.liveness import EXIT_STUCK

pytestmark = [pytest.mark.stack, pytest.mark.broker, pytest.mark.timeout(240)]

#: Far beyond what anything here takes; a wait that ends by it is a failure.
_PATIENCE_S = 40.0

#: A worker as the command line makes one, with a policy of a few lines: the zone that is watched
#: most, tea while nobody looks.
_PROGRAM = """
import sys
import msgspec
from streams.contracts.experiment import Experiment
from streams.contracts.layout import StoreLayout
from streams.contracts.policy import Choice
from streams.contracts.signage import Candidate, Creative
from streams.settings import MeasureSettings, ReactSettings
from streams.worker import run_worker

class MostWatched:
    version = "most-watched-1"

    def choose(self, moment):
        watched = [z for z in moment.attention if z.watchers]
        zone = max(watched, key=lambda z: z.attention_ms).zone_id if watched else "tea"
        creative = Creative(
            creative_id=zone, version=1, title=zone, alt_text=zone, language="en",
            media=zone + ".html", sha256="0" * 64, owner="us", zones=(zone,),
        )
        candidate = Candidate(creative_id=zone, creative_version=1, propensity=1.0)
        return Choice(
            creative=creative, candidates=(candidate,), sentence="because", hold_ms=600_000,
            reason="attention" if watched else "rotation",
        )

kind, kafka, state, run, layout = sys.argv[1:]
layout = msgspec.json.decode(layout, type=StoreLayout)
experiment = Experiment(salt="x", slot_ms=3_600_000, adaptive_share=1.0)
given = {"kafka": kafka, "state": state, "group": f"{kind}-{run}", "member": f"{kind}-{run}-1"}
ready = lambda: print("ready", flush=True)
if kind == "react":
    from streams.react.app import create_app
    app = create_app(ReactSettings(**given), MostWatched(), layout, experiment, ready=ready)
else:
    from streams.measure.app import create_app
    app = create_app(MeasureSettings(**given), layout, experiment, ready=ready)
sys.exit(run_worker(app))
"""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Store:
    """A store with a name that no other run has, its gateway, and what its topics say."""

    def __init__(self, bootstrap: str, state: Path) -> None:
        self.run = uuid.uuid4().hex[:8]
        self.area_id = f"area-{self.run}"
        self.screen_id = f"screen-{self.run}"
        self.bootstrap = bootstrap
        self.layout = StoreLayout(
            store_id=f"store-{self.run}",
            name="Store",
            areas=(Area(area_id=self.area_id),),
            zones=(
                Zone(zone_id="tea", area_id=self.area_id, name="Tea"),
                Zone(zone_id="coffee", area_id=self.area_id, name="Coffee"),
            ),
            screens=(Screen(screen_id=self.screen_id, area_id=self.area_id, name="Screen"),),
        )
        self._state = state
        self._seq = 0
        self._records: list[Any] = []
        self._workers: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Store":
        self._stack = AsyncExitStack()
        self._producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await self._producer.start()
        self._stack.push_async_callback(self._producer.stop)
        topics = [t.name for t in (CONTENT, DECISION, ATTENTION, BASKET_METRICS)]
        self._consumer = AIOKafkaConsumer(
            *topics, "react.dlq.v1", "measure.dlq.v1", bootstrap_servers=self.bootstrap
        )
        await self._consumer.start()
        self._stack.push_async_callback(self._consumer.stop)
        for tp in self._consumer.assignment():
            await self._consumer.position(tp)
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.returncode is None:
                worker.kill()
            await worker.wait()
        await self._stack.aclose()

    async def start(self, kind: str) -> asyncio.subprocess.Process:
        """A worker, once it is ready."""
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PROGRAM,
            kind,
            self.bootstrap,
            str(self._state),
            self.run,
            msgspec.json.encode(self.layout).decode(),
            stdout=asyncio.subprocess.PIPE,
        )
        self._workers.append(worker)
        assert worker.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            assert await worker.stdout.readline() == b"ready\n"
        return worker

    async def send(self, topic: Any, event: Any) -> None:
        await self._producer.send_and_wait(**codec.record(topic, event, "test"))

    async def send_bytes(self, topic: Any, value: bytes | None) -> None:
        key = self.area_id.encode()
        await self._producer.send_and_wait(topic.name, key=key, value=value)

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    async def gaze(self, name: str, zone: str, start: int, end: int | None = None) -> None:
        at = end or start + 300
        gaze = Gaze(
            gaze_id=f"{name}-{self.run}",
            phase="ended" if end else "started",
            track_id=f"track-{name}",
            camera_id="cam",
            target_id=zone,
            target_kind="zone",
            probability=0.9,
            started_at_ms=start,
            ended_at_ms=end,
            attention_ms=at - start,
            calibration_version="c",
            trace=Trace(
                cause_id=f"{name}-{self.run}",
                captured_at_ms=at,
                inferred_at_ms=at,
                sent_at_ms=now_ms(),
            ),
        )
        await self.send(GAZE, self._batch(GazeBatch, gaze))

    async def dwell(self, name: str, zone: str, start: int, end: int) -> None:
        dwell = Dwell(
            dwell_id=f"{name}-{self.run}",
            phase="ended",
            track_id=f"track-{name}",
            camera_id="cam",
            zone_id=zone,
            entered_at_ms=start,
            left_at_ms=end,
            calibration_version="c",
            trace=Trace(cause_id=name, captured_at_ms=end, inferred_at_ms=end, sent_at_ms=end),
        )
        await self.send(DWELL, self._batch(DwellBatch, dwell))

    def _batch(self, kind: Any, event: Any) -> Any:
        return kind(
            store_id=self.layout.store_id,
            area_id=self.area_id,
            gateway_id=f"gw-{self.run}",
            seq=self.next_seq(),
            events=(event,),
        )

    async def audience(self, at: int, *presences: Presence) -> None:
        await self.send(
            AUDIENCE,
            Audience(
                store_id=self.layout.store_id,
                area_id=self.area_id,
                gateway_id=f"gw-{self.run}",
                camera_id="cam",
                seq=self.next_seq(),
                captured_at_ms=at,
                inferred_at_ms=at,
                sent_at_ms=at,
                people=1,
                targets=(
                    TargetAudience(
                        target_id="coffee",
                        target_kind="zone",
                        people=1,
                        watchers=1,
                        attention_ms=0,
                    ),
                ),
                presences=presences,
            ),
        )

    async def basket(self, name: str, at: int, value: str) -> None:
        line = BasketLine(sku="x", category="tea", units=Decimal(2), net_value=Decimal(value))
        await self.send(
            BASKET,
            Basket(
                basket_id=f"{name}-{self.run}",
                store_id=self.layout.store_id,
                area_id=self.area_id,
                closed_at_ms=at,
                currency="EUR",
                lines=(line,),
                simulated=True,
            ),
        )

    async def until(self, true: Callable[[], Any], what: str) -> None:
        """Reads the topics until `true` holds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while not true():
                    await self.read()
        assert true(), f"{what}; the last records were {self._records[-5:]}"

    async def stored(self, kind: str) -> None:
        """Waits until a worker has stored all that it has read, so that a kill repeats nothing."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    offsets = await admin.list_consumer_group_offsets(f"{kind}-{self.run}")
                    ends = await self._consumer.end_offsets(list(offsets))
                    if offsets and all(ends[tp] == at.offset for tp, at in offsets.items()):
                        return
                    await asyncio.sleep(0.2)
        finally:
            await admin.close()

    async def pretend_stored(self, kind: str, topics: list[str], offset: int) -> None:
        """Gives a group that has not begun yet stored offsets."""
        async with side_consumer(self.bootstrap, *topics) as side:
            partitions = list(side.assignment())
        group = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=f"{kind}-{self.run}",
            enable_auto_commit=False,
        )
        await group.start()
        try:
            group.assign(partitions)
            await group.commit({tp: OffsetAndMetadata(offset, "") for tp in partitions})
        finally:
            await group.stop()

    async def read(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=200)
        self._records += [record for records in batches.values() for record in records]

    async def beat(self) -> None:
        """Tells of the audience again and again, as a gateway does."""
        while True:
            await self.audience(now_ms())
            await asyncio.sleep(0.2)

    def of(self, topic: Any, key: str) -> list[Any]:
        return [
            codec.decode(r.topic, r.value)
            for r in self._records
            if r.topic == topic.name and r.key == key.encode()
        ]

    def letters(self, consumer: str) -> list[tuple[str, bytes | None]]:
        found = {}
        for r in self._records:
            if r.topic == f"{consumer}.dlq.v1" and r.key == self.area_id.encode():
                at = dict(r.headers)
                found[at["topic"], at["partition"], at["offset"]] = (at["topic"].decode(), r.value)
        return sorted(found.values(), key=str)

    def windows(self, zone: str) -> list[AttentionWindow]:
        newest: dict[int, AttentionWindow] = {}
        for row in self.of(ATTENTION, zone):
            known = newest.get(row.window_start_ms)
            if row.store_id == self.layout.store_id and (
                known is None or row.through_offset >= known.through_offset
            ):
                newest[row.window_start_ms] = row
        return list(newest.values())

    def baskets(self) -> list[BasketWindow]:
        newest: dict[int, BasketWindow] = {}
        for row in self.of(BASKET_METRICS, self.layout.store_id):
            known = newest.get(row.window_start_ms)
            if known is None or row.through_offset >= known.through_offset:
                newest[row.window_start_ms] = row
        return list(newest.values())


@pytest.fixture
async def store(bootstrap: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(bootstrap, tmp_path / "workers") as store:
        yield store


async def _end(worker: asyncio.subprocess.Process) -> None:
    worker.send_signal(signal.SIGTERM)
    async with asyncio.timeout(_PATIENCE_S):
        assert await worker.wait() == 0


async def test_react_from_gaze_to_content_and_over_a_kill(store: Store) -> None:
    react = await store.start("react")

    def shown() -> list[str]:
        """What follows what on the screen; the same creative may be told again, for a gaze."""
        told = [content.creative_id for content in store.of(CONTENT, store.screen_id)]
        return [creative for creative, _ in groupby(told)]

    await store.until(lambda: shown() == ["tea"], "a screen has content before anybody came")
    await store.send_bytes(GAZE, b"no gaze")
    await store.send_bytes(AUDIENCE, None)
    await store.gaze("first", "coffee", now_ms() - 300)
    await store.until(lambda: shown() == ["tea", "coffee"], "the screen follows the gaze")
    content = store.of(CONTENT, store.screen_id)[-1]
    assert content.trace.cause_id == f"first-{store.run}"
    await store.until(
        lambda: (
            [d.decision_id for d in store.of(DECISION, store.screen_id)][-1:]
            == [content.decision_id]
        ),
        "the decision is told with the content",
    )
    broken = [("vision.audience.v1", None), ("vision.gaze.v1", b"no gaze")]
    await store.until(lambda: store.letters("react") == broken, "the broken ones, and no others")

    react.kill()
    await react.wait()
    beating = asyncio.create_task(store.beat())
    react = await store.start("react")
    await asyncio.sleep(2.0)
    beating.cancel()
    await store.read()
    assert shown() == ["tea", "coffee"], "a restart does not change what is shown"
    await store.gaze("first", "coffee", now_ms() - 900, now_ms() - 310)
    await store.gaze("second", "tea", now_ms() - 300)
    await store.until(lambda: shown() == ["tea", "coffee", "tea"], "it goes on after the kill")
    await _end(react)
    await store.read()
    assert store.letters("react") == broken
    assert shown() == ["tea", "coffee", "tea"]


async def test_measure_windows_and_baskets_and_over_a_kill(store: Store) -> None:
    measure = await store.start("measure")
    # The middle of a window of the baskets, so that what is sent below falls into the same one.
    at = now_ms()
    minute = at - at % 60_000
    for topic, value in ((GAZE, b"no"), (DWELL, b"{}"), (AUDIENCE, None), (BASKET, b"[")):
        await store.send_bytes(topic, value)
    await store.gaze("first", "coffee", at - 14_000)
    await store.gaze("first", "coffee", at - 14_000, at - 2_000)
    await store.dwell("first", "coffee", at - 15_000, at - 1_000)
    presence = Presence(
        presence_id=f"p-{store.run}",
        track_id="track-first",
        target_id="coffee",
        target_kind="zone",
        entered_at_ms=at - 15_000,
        left_at_ms=at - 1_000,
        opportunity_ms=9_000,
    )
    await store.audience(at, presence)
    await store.basket("one", minute, "3.30")

    def told() -> tuple[int, int, int]:
        rows = store.windows("coffee")
        return (
            sum(row.attention_ms for row in rows),
            sum(row.dwell_ms for row in rows),
            min([row.gross_impressions for row in rows], default=0),
        )

    await store.until(lambda: told() == (12_000, 14_000, 1), "the windows hold what was told")
    assert all(row.ots == 1 for row in store.windows("coffee"))
    await store.until(lambda: [b.transactions for b in store.baskets()] == [1], "a basket")
    broken = [
        ("pos.basket.v1", b"["),
        ("vision.audience.v1", None),
        ("vision.dwell.v1", b"{}"),
        ("vision.gaze.v1", b"no"),
    ]
    await store.until(lambda: store.letters("measure") == broken, "the broken ones, no others")

    await store.stored("measure")
    measure.kill()
    await measure.wait()
    await store.basket("one", minute, "3.30")  # a repeat, while nobody listens
    await store.basket("two", minute + 1, "1.20")
    measure = await store.start("measure")
    await store.gaze("second", "coffee", at - 500, at + 100)
    await store.until(
        lambda: [b.transactions for b in store.baskets()] == [2],
        "the state of before the kill was read back",
    )
    (baskets,) = store.baskets()
    assert (baskets.basket_units, baskets.basket_value) == (4, Decimal("4.50"))
    assert (baskets.category_units, baskets.simulated) == ({"tea": 4}, True)
    await _end(measure)  # tells at once what changed
    await store.until(lambda: told()[:2] == (12_600, 14_000), "the stop tells what is left")
    assert store.letters("measure") == broken


@pytest.mark.parametrize("kind", ["react", "measure"])
async def test_a_group_whose_log_lost_its_end_goes_on(store: Store, kind: str) -> None:
    topics = (GAZE, AUDIENCE) if kind == "react" else (GAZE, DWELL, AUDIENCE, BASKET)
    await store.pretend_stored(kind, [topic.name for topic in topics], 1_000_000_000)
    worker = await store.start(kind)
    at = now_ms()
    await store.gaze("first", "coffee", at - 300)
    await store.gaze("first", "coffee", at - 300, at)
    if kind == "react":
        await store.until(
            lambda: [d.reason for d in store.of(DECISION, store.screen_id)] != [],
            "a screen is decided",
        )
        # A named broker holds what others left; a gaze that waits behind it would be too old.
        await store.stored(kind)
        await store.gaze("second", "coffee", now_ms() - 300)
        await store.until(
            lambda: "coffee" in [c.creative_id for c in store.of(CONTENT, store.screen_id)],
            "the screen follows the gaze",
        )
    else:
        await store.until(
            lambda: sum(row.attention_ms for row in store.windows("coffee")) == 300,
            "the gaze is in a window",
        )
    await store.stored(kind)
    await _end(worker)


_WATCHED = """
import sys, time
from streams import liveness
from streams.settings import MeasureSettings

settings = MeasureSettings(kafka=sys.argv[1], liveness_interval_s=0.2)
liveness.start(settings, sys.argv[2], ["vision.gaze.v1"])
time.sleep(60)
"""


async def test_a_process_whose_group_is_beyond_its_log_ends_to_be_started_again(
    store: Store,
) -> None:
    await store.pretend_stored("measure", [GAZE.name], 1_000_000_000)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WATCHED, store.bootstrap, f"measure-{store.run}"
    )
    async with asyncio.timeout(_PATIENCE_S):
        assert await process.wait() == EXIT_STUCK
