"""Dead letters on a real broker: listed, shown, replayed and dropped by the command line."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from infra.stack.broker import EmbeddedBroker
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.topics import create_topics
from streams.contracts.topics import BASKET, GAZE
from streams.deadletter import dead_letter

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def bootstrap(tmp_path: Path) -> AsyncIterator[str]:
    with StateFolder(tmp_path / "state") as state:
        async with Supervisor(state) as supervisor:
            broker = EmbeddedBroker(state)
            await broker.start(supervisor)
            await create_topics(broker.bootstrap, 1)
            yield broker.bootstrap


async def bury(bootstrap: str, *letters: tuple[str, int, bytes, Exception]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for topic, offset, value, error in letters:
        letter = dead_letter(
            "measure",
            topic=topic,
            partition=0,
            offset=offset,
            key=b"main",
            value=value,
            error=error,
        )
        await producer.send_and_wait(**letter)
    await producer.stop()


async def dlq(bootstrap: str, *words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "infra", "dlq", *words],
        env={**os.environ, "SMARTSTORE_KAFKA": bootstrap, "COLUMNS": "200"},
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


async def values(bootstrap: str, topic: str) -> list[tuple[bytes | None, dict[str, bytes]]]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        fetched = await consumer.getmany(timeout_ms=1_000)
    finally:
        await consumer.stop()
    return [(r.value, dict(r.headers)) for records in fetched.values() for r in records]


async def test_letters_are_listed_shown_replayed_and_dropped(bootstrap: str) -> None:
    assert await dlq(bootstrap, "list") == (0, "No dead letters are open.\n")
    await bury(
        bootstrap,
        (GAZE.name, 7, b'{"broken": "', ValueError("no gaze")),
        (GAZE.name, 7, b"again", ValueError("no gaze")),
        (BASKET.name, 3, b"\x00\xff", TypeError("no basket")),
    )
    code, told = await dlq(bootstrap, "list")
    assert code == 0
    assert "ValueError" in told
    assert "no basket" in told
    code, told = await dlq(bootstrap, "show", "measure", "2")
    assert code == 0
    assert "from       pos.basket.v1 partition 0 offset 3" in told
    assert "because    TypeError: no basket" in told
    assert "\\xff" in told

    code, told = await dlq(bootstrap, "replay", "measure", "--through", "1")
    assert (code, told) == (0, "1 records replayed.\n")
    (again,) = await values(bootstrap, GAZE.name)
    assert again == (b"again", {"replayed_from": b"vision.gaze.v1/0/7"})
    code, told = await dlq(bootstrap, "list", "measure")
    assert "pos.basket.v1" in told
    assert "vision.gaze.v1" not in told

    code, told = await dlq(bootstrap, "drop", "measure", "--yes")
    assert (code, told) == (0, "1 letters dropped.\n")
    assert await dlq(bootstrap, "list") == (0, "No dead letters are open.\n")


async def test_mistakes_are_one_sentence(bootstrap: str) -> None:
    for words, says in (
        (("show", "till", "1"), "o consumer 'till' keeps dead letters; name one of react"),
        (("show", "sink", "9"), "sink.dlq.v1 has no letter at offset 9"),
        (("list", "--kafka", "127.0.0.1:9"), "he broker at 127.0.0.1:9 did not answer"),
    ):
        code, told = await dlq(bootstrap, *words)
        assert code == 2, told
        assert says in told
        assert "Traceback" not in told
