"""The delay bench follows a real log: a gaze, what it caused, and the light."""

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from infra.bench.latency.bench import LatencyBench
from infra.bench.latency.store import bays_of
from infra.commands.demo import DEMO_LAYOUT
from infra.layouts import load_layout
from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.signage import Decision, Play
from streams.contracts.topics import DECISION, GAZE, PLAY
from streams.contracts.vision import Gaze, GazeBatch

pytestmark = pytest.mark.stack


async def test_a_reaction_is_followed_on_the_log(bootstrap: str, tmp_path: Path) -> None:
    bays = bays_of(load_layout(DEMO_LAYOUT), tmp_path / "latency.yaml")
    bench = LatencyBench(bays, scenes=(), glances=1, limit_s=30.0, say=lambda _: None)
    following = asyncio.create_task(bench._follow(bootstrap))  # noqa: SLF001
    waiting = asyncio.create_task(bench._wait(following))  # noqa: SLF001
    await asyncio.sleep(2.0)  # it begins at the log's end
    now_ms = time.time_ns() // 1_000_000
    trace = Trace(
        cause_id="g", captured_at_ms=now_ms, inferred_at_ms=now_ms + 60, sent_at_ms=now_ms + 70
    )
    gaze = Gaze(
        gaze_id="g",
        phase="started",
        track_id="t",
        camera_id="c",
        target_id="tea-bay-1",
        target_kind="zone",
        probability=0.9,
        started_at_ms=now_ms - 300,
        calibration_version="v",
        trace=trace,
    )
    decision = Decision(
        decision_id="d",
        store_id="latency",
        area_id="bay-1",
        screen_id=bays.glass,
        decided_at_ms=now_ms + 80,
        slot_start_ms=0,
        arm="adaptive",
        arm_probability=1.0,
        policy_version="p",
        context=(),
        showing=None,
        candidates=(),
        creative_id="tea",
        creative_version=1,
        reason="attention",
        sentence="",
        trace=trace,
    )
    play = Play(
        play_id="p",
        phase="started",
        player_id=bays.glass,
        store_id="latency",
        area_id="bay-1",
        screen_id=bays.glass,
        decision_id="d",
        creative_id="tea",
        creative_version=1,
        scheduled_at_ms=now_ms + 80,
        rendered_at_ms=now_ms + 230,
        trace=trace,
    )
    batch = GazeBatch(store_id="latency", area_id="bay-1", gateway_id="g", seq=0, events=(gaze,))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for topic, event in ((GAZE, batch), (DECISION, decision), (PLAY, play)):
            await producer.send_and_wait(**codec.record(topic, event, "/test"))
    finally:
        await producer.stop()
    await asyncio.wait_for(waiting, 45.0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert bench.errors == []
    [found] = bench._log.reactions({})  # noqa: SLF001
    assert (found.rendered_ms - found.captured_ms, found.decided_ms - found.sent_ms) == (230, 10)
