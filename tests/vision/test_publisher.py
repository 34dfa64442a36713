"""Events to a broker that misbehaves."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from msgspec import json

from streams.contracts.base import Trace
from streams.contracts.topics import AUDIENCE, GAZE, Topic
from streams.contracts.vision import Audience, Gaze, GazeBatch
from vision import publisher as module
from vision.errors import PublishError
from vision.publisher import KafkaPublisher
from vision.settings import GatewaySettings


class Broker:
    """What the producers of one test talk to: `faults` are met in order, None means none."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.start_faults: list[Exception | None] = []
        self.seqs: list[int] = []
        self.topics: list[str] = []
        self.producers = 0
        self.open = 0
        self.arrived = asyncio.Event()

    def fault(self) -> Exception | None:
        return self.faults.pop(0) if self.faults else None


class Producer:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    async def start(self) -> None:
        fault = self.broker.start_faults.pop(0) if self.broker.start_faults else None
        if fault is not None:
            raise fault
        self.broker.producers += 1
        self.broker.open += 1
        self.started = True

    async def stop(self) -> None:
        self.broker.open -= getattr(self, "started", False)

    async def send(self, **message: Any) -> asyncio.Future[int]:
        fault = self.broker.fault()
        if isinstance(fault, MessageSizeTooLargeError):
            raise fault
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if fault is not None:
            done.set_exception(fault)
        else:
            self.broker.seqs.append(json.decode(message["value"])["seq"])
            self.broker.topics.append(message["topic"])
            done.set_result(len(self.broker.seqs))
            self.broker.arrived.set()
        return done


def beat(seq: int) -> Audience:
    return Audience(
        store_id="s",
        area_id="a",
        gateway_id="g",
        camera_id="c",
        seq=seq,
        captured_at_ms=1,
        inferred_at_ms=2,
        sent_at_ms=3,
        people=0,
        targets=(),
    )


def publisher_to(broker: Broker, **settings: int) -> KafkaPublisher:
    made = GatewaySettings(**settings)  # type: ignore[arg-type]
    return KafkaPublisher(made, "gateway/g", lambda: Producer(broker))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.001)


async def sent(broker: Broker, count: int = 5) -> KafkaPublisher:
    async with publisher_to(broker) as publisher:
        for seq in range(count):
            publisher.publish(AUDIENCE, beat(seq))
        assert await publisher.flush(5)
    return publisher


async def test_all_arrive_in_order_and_the_producer_is_closed() -> None:
    broker = Broker()
    publisher = await sent(broker)
    assert broker.seqs == [0, 1, 2, 3, 4]
    assert (publisher.dropped, publisher.rebuilt, broker.open) == (0, 0, 0)


async def test_a_refused_producer_is_replaced_and_the_rest_sent_again() -> None:
    broker = Broker(None, OutOfOrderSequenceNumber(), OutOfOrderSequenceNumber())
    broker.start_faults = [None, KafkaConnectionError("away"), OSError("still away")]
    publisher = await sent(broker)
    assert sorted(broker.seqs) == [0, 1, 2, 3, 4]
    assert (publisher.rebuilt, broker.producers, broker.open) == (1, 2, 0)
    assert publisher.last_error is not None


async def test_a_message_that_is_too_large_is_counted_and_the_others_go_on() -> None:
    broker = Broker(None, MessageSizeTooLargeError())
    publisher = await sent(broker)
    assert broker.seqs == [0, 2, 3, 4]
    assert publisher.dropped == 1


async def test_no_broker_at_the_start_is_one_sentence() -> None:
    broker = Broker()
    broker.start_faults = [KafkaConnectionError("refused")]
    with pytest.raises(PublishError, match=r"no broker answers at .*SMARTSTORE_KAFKA"):
        await publisher_to(broker).__aenter__()


async def test_a_full_buffer_drops_heartbeats_first_and_counts() -> None:
    broker = Broker()
    publisher = publisher_to(broker, buffer_messages=10)
    for seq in range(10):
        publisher.publish(AUDIENCE if seq != 0 else as_gaze(), beat(seq))
    for seq in range(10, 14):
        publisher.publish(AUDIENCE, beat(seq))
    assert publisher.dropped == 4
    assert publisher.unsent == 10
    assert not await publisher.flush(0.001)
    async with publisher:
        assert await publisher.flush(5)
    assert broker.topics == [GAZE.name] + [AUDIENCE.name] * 9
    assert broker.seqs == [0, 5, 6, 7, 8, 9, 10, 11, 12, 13]


def gazes(seq: int, phase: str) -> GazeBatch:
    trace = Trace(cause_id="x", captured_at_ms=1, inferred_at_ms=2, sent_at_ms=3)
    over = 2 if phase == "ended" else None
    gaze = Gaze(
        gaze_id=f"gaze-{seq}", phase=phase, track_id="t", camera_id="c", target_id="tea",  # type: ignore[arg-type]
        target_kind="zone", probability=0.8, started_at_ms=1, ended_at_ms=over,
        calibration_version="1", trace=trace,
    )  # fmt: skip
    return GazeBatch(store_id="s", area_id="a", gateway_id="g", seq=seq, events=(gaze,))


async def test_what_nobody_waits_for_is_gathered_and_goes_by_itself() -> None:
    broker = Broker()
    async with publisher_to(broker) as publisher:
        for seq in range(3):
            publisher.publish(GAZE, gazes(seq, "ended"))
        assert (publisher.unsent, broker.seqs) == (1, [])
        await asyncio.wait_for(broker.arrived.wait(), 5)
    assert broker.seqs == [2]


async def test_a_gaze_that_begins_is_sent_at_once_after_what_was_gathered() -> None:
    broker = Broker()
    async with publisher_to(broker) as publisher:
        publisher.publish(GAZE, gazes(0, "ended"))
        publisher.publish(GAZE, gazes(1, "started"))
        publisher.publish(GAZE, gazes(2, "ended"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert broker.seqs == [1]
        assert await publisher.flush(5)
    assert broker.seqs == [1, 2]


def as_gaze() -> Topic:
    """The gaze topic, taking heartbeats: only its name matters here."""
    return Topic(GAZE.name, Audience, AUDIENCE.key, AUDIENCE.identity, GAZE.retention_ms)
