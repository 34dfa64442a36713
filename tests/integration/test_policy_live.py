"""react and the learner as the command line starts them, on a real broker: what is published, they
follow at once; and what was decided is decided again in a replay.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from infra.policies import approved, known, tell
from infra.replay import replay_log
from streams.contracts import codec, topics
from streams.contracts.attention import Exposure
from streams.contracts.base import Trace
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.signage import Creative, Decision
from streams.contracts.vision import Gaze, GazeBatch

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

_PATIENCE_S = 30.0

LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    areas=(Area(area_id="a"),),
    zones=tuple(
        Zone(zone_id=name, area_id="a", name=name.capitalize(), category=name)
        for name in ("tea", "coffee")
    ),
    screens=(Screen(screen_id="one", area_id="a", name="One"),),
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def creative(name: str) -> Creative:
    return Creative(
        creative_id=name,
        version=1,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}/1/index.html",
        sha256="0" * 64,
        owner="us",
        categories=(name,),
    )


class Store:
    """The broker's side of the test: what is told, and what the processes say."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self._folder = folder
        self._layout = folder / "layout.json"
        self._layout.write_bytes(msgspec.json.encode(LAYOUT))
        self._seq = 0
        self.decisions: list[Decision] = []
        self.snapshots: list[PolicySnapshot] = []
        self.processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Store":
        self._producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            topics.DECISION.name,
            topics.POLICY.name,
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
        )
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await self._producer.stop()
        await self._consumer.stop()

    async def start(self, part: str, **env: str) -> asyncio.subprocess.Process:
        ready = self._folder / f"{part}-{len(self.processes)}.ready"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "infra",
            part,
            "--layout",
            str(self._layout),
            "--ready-file",
            str(ready),
            env={
                **os.environ,
                "SMARTSTORE_KAFKA": self.bootstrap,
                "SMARTSTORE_STATE": str(self._folder),
                "SMARTSTORE_EXPERIMENT_SALT": "all",
                "SMARTSTORE_EXPERIMENT_ADAPTIVE_SHARE": "1.0",
                "SMARTSTORE_FETCH_PAUSE_MS": "10",
                **env,
            },
        )
        self.processes.append(process)
        async with asyncio.timeout(_PATIENCE_S):
            while not ready.exists():
                assert process.returncode is None, f"{part} ended at its start"
                await asyncio.sleep(0.1)
        return process

    async def tell(self, topic: topics.Topic, event: Any) -> None:
        await self._producer.send_and_wait(**codec.record(topic, event, "test"))

    async def withdraw(self, creative_id: str) -> None:
        await self._producer.send_and_wait(topics.CREATIVE.name, None, key=creative_id.encode())

    async def look_at(self, zone: str) -> None:
        self._seq += 1
        name, at = f"g{self._seq}", now_ms()
        gaze = Gaze(
            gaze_id=name,
            phase="started",
            track_id=f"t{self._seq}",
            camera_id="cam",
            target_id=zone,
            target_kind="zone",
            probability=0.9,
            started_at_ms=at - 400,
            attention_ms=400,
            calibration_version="c",
            trace=Trace(cause_id=name, captured_at_ms=at, inferred_at_ms=at, sent_at_ms=at),
        )
        batch = GazeBatch(store_id="s", area_id="a", gateway_id="gw", seq=self._seq, events=(gaze,))
        await self.tell(topics.GAZE, batch)

    async def watched(self, decision: Decision, attention_ms: int) -> None:
        """The screen was watched while it showed what was decided."""
        exposure = Exposure(
            play_id=f"play-{decision.decision_id}",
            store_id="s",
            area_id="a",
            screen_id="one",
            decision_id=decision.decision_id,
            creative_id=decision.creative_id,
            creative_version=1,
            started_at_ms=decision.decided_at_ms,
            ended_at_ms=decision.decided_at_ms + 3_000,
            ended=True,
            gross_impressions=1,
            ots=1,
            verified_impressions=1,
            exposed_ms=3_000,
            watchers=1,
            attention_ms=attention_ms,
            late=0,
            through_offset=1,
        )
        await self.tell(topics.EXPOSURE, exposure)

    async def read(self) -> None:
        batches = await self._consumer.getmany(timeout_ms=100)
        for records in batches.values():
            for record in records:
                event = codec.decode(record.topic, record.value)
                if isinstance(event, Decision):
                    self.decisions.append(event)
                else:
                    self.snapshots.append(event)

    async def until(self, true: Callable[[], Any], what: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while not true():
                    await self.read()
        assert true(), f"{what}; last decided: {self.decisions[-3:]}"


@pytest.fixture
async def store(bootstrap: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(bootstrap, tmp_path) as store:
        for name in ("tea", "coffee"):
            await store.tell(topics.CREATIVE, creative(name))
        yield store


async def test_nothing_adapts_before_it_is_approved_and_a_recall_is_followed(store: Store) -> None:
    await store.start("react")
    await store.until(lambda: store.decisions, "a screen has content")
    first = store.decisions[0]
    assert (first.algorithm, first.snapshot, first.arm) == ("rotation", None, "adaptive")
    assert "approved" in first.sentence

    rule = (await known(store.bootstrap, "s"))["rule"]
    await tell(store.bootstrap, approved(rule, "Ada Lovelace", now_ms()))
    await asyncio.sleep(1.0)
    await store.look_at("coffee")
    await store.until(lambda: store.decisions[-1].algorithm == "rule", "the approved rule decides")
    assert (store.decisions[-1].creative_id, store.decisions[-1].snapshot) == ("coffee", "rule/1")

    withdrawn_ms = now_ms()
    await store.withdraw("coffee")
    await store.until(lambda: store.decisions[-1].creative_id == "tea", "the recall is followed")
    assert store.decisions[-1].decided_at_ms - withdrawn_ms < 5_000
    assert [c.creative_id for c in store.decisions[-1].candidates] == ["tea"]

    told = await replay_log(store.bootstrap, LAYOUT, 0, now_ms())
    assert (told.decisions, told.equal) == (len(store.decisions), len(store.decisions))


async def test_what_is_learned_is_published_used_once_approved_and_not_doubled_by_a_kill(
    store: Store,
) -> None:
    quick = {
        "SMARTSTORE_LEARN_HORIZON_MS": "1000",
        "SMARTSTORE_LEARN_INTERVAL_MS": "200",
        "SMARTSTORE_LEARN_PUBLISH_MS": "1000",
    }
    learner = await store.start("learner", **quick)
    await store.start("react")
    await store.until(lambda: store.snapshots, "the learner publishes before it knows anything")
    bandit = (await known(store.bootstrap, "s"))["bandit"]
    await tell(store.bootstrap, approved(bandit, "Ada Lovelace", now_ms()))
    await store.look_at("tea")
    await store.until(
        lambda: store.decisions and store.decisions[-1].algorithm == "bandit", "the bandit decides"
    )
    assert sum(c.propensity for c in store.decisions[-1].candidates) == pytest.approx(1.0)
    assert min(c.propensity for c in store.decisions[-1].candidates) >= 0.01

    answered: set[str] = set()

    async def answer() -> None:
        for decision in store.decisions:
            if decision.decision_id not in answered:
                answered.add(decision.decision_id)
                await store.watched(decision, 3_000 if decision.creative_id == "tea" else 0)

    for glance in range(4):
        seen = len(store.decisions)
        await store.look_at("coffee" if glance % 2 else "tea")
        await store.until(lambda seen=seen: len(store.decisions) > seen, "a glance draws anew")
        await answer()
        if glance == 1:
            learner.send_signal(signal.SIGKILL)
            await learner.wait()
            learner = await store.start("learner", **quick)
    await store.until(
        lambda: store.snapshots[-1].rewards >= len(answered) - 2, "the rewards are learned"
    )
    newest = store.snapshots[-1]
    assert newest.rewards <= len(answered), "a kill doubled what was learned"
    assert newest.rewards == sum(arm.rewards for arm in newest.arms)
    assert newest.approved_by == "Ada Lovelace"
    assert [s.version for s in store.snapshots] == sorted(s.version for s in store.snapshots)
    told = await replay_log(store.bootstrap, LAYOUT, 0, now_ms())
    assert told.equal == told.decisions > 0, told.differences
