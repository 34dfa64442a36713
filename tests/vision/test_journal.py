"""What a killed gateway left open is ended by the next one, once, with its own ids."""

from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from streams.contracts.base import Trace
from streams.contracts.topics import AUDIENCE, DWELL, GAZE, Topic
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch
from vision.journal import JournaledPublisher

TRACE = Trace(cause_id="g-1", captured_at_ms=1_300, inferred_at_ms=1_350, sent_at_ms=1_360)
GAZE_EVENT = Gaze(
    gaze_id="g-1", phase="started", track_id="t-1", camera_id="c", target_id="tea",
    target_kind="zone", probability=0.8, started_at_ms=1_000, attention_ms=300,
    calibration_version="1", trace=TRACE,
)  # fmt: skip
DWELL_EVENT = Dwell(
    dwell_id="d-1", phase="started", track_id="t-1", camera_id="c", zone_id="tea",
    entered_at_ms=500, calibration_version="1", trace=TRACE,
)  # fmt: skip


class Sent:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[Topic, Struct]] = []
        self.unsent = 0
        self.dropped = 0

    def publish(self, topic: Topic, event: Struct) -> None:
        self.told.append((topic, event))

    async def flush(self, timeout_s: float) -> bool:
        return True


def gazes(*events: Gaze, seq: int = 4, gateway_id: str = "dead") -> GazeBatch:
    return GazeBatch(store_id="s", area_id="a", gateway_id=gateway_id, seq=seq, events=events)


def dwells(*events: Dwell, seq: int = 2) -> DwellBatch:
    return DwellBatch(store_id="s", area_id="a", gateway_id="dead", seq=seq, events=events)


def beat(at_ms: int) -> Audience:
    return Audience(
        store_id="s", area_id="a", gateway_id="dead", camera_id="c", seq=at_ms, people=1,
        captured_at_ms=at_ms, inferred_at_ms=at_ms, sent_at_ms=at_ms, targets=(),
    )  # fmt: skip


def over(gaze: Gaze, at_ms: int) -> Gaze:
    trace = replace(TRACE, captured_at_ms=at_ms)
    return replace(gaze, phase="ended", ended_at_ms=at_ms, attention_ms=700, trace=trace)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateways" / "a.json"


def recovered(path: Path) -> list[Struct]:
    sent = Sent()
    count = JournaledPublisher(sent, path).recover(9_000)
    assert count == len(sent.told)
    return [event for _, event in sent.told]


def test_a_first_start_finds_nothing(path: Path) -> None:
    assert recovered(path) == []


def test_what_was_open_is_ended_where_it_was_last_seen(path: Path) -> None:
    dead = JournaledPublisher(Sent(), path)
    dead.publish(GAZE, gazes(GAZE_EVENT))
    dead.publish(DWELL, dwells(DWELL_EVENT))
    dead.publish(AUDIENCE, beat(2_500))
    gaze_batch, dwell_batch = recovered(path)
    assert isinstance(gaze_batch, GazeBatch)
    assert isinstance(dwell_batch, DwellBatch)
    assert (gaze_batch.gateway_id, gaze_batch.seq) == ("dead", 5)
    assert (dwell_batch.gateway_id, dwell_batch.seq) == ("dead", 3)
    (gaze,), (dwell,) = gaze_batch.events, dwell_batch.events
    assert (gaze.gaze_id, gaze.phase, gaze.ended_at_ms, gaze.censored) == (
        "g-1", "ended", 2_500, True,
    )  # fmt: skip
    assert gaze.attention_ms == 300
    assert (gaze.trace.captured_at_ms, gaze.trace.sent_at_ms) == (2_500, 9_000)
    assert (dwell.left_at_ms, dwell.censored, dwell.entered_at_ms) == (2_500, True, 500)


def test_a_heartbeat_is_noted_once_a_second(path: Path) -> None:
    dead = JournaledPublisher(Sent(), path)
    dead.publish(GAZE, gazes(GAZE_EVENT))
    noted = []
    for at_ms in range(1_400, 4_000, 200):
        path.write_bytes(b"old")
        dead.publish(AUDIENCE, beat(at_ms))
        noted += [at_ms] if path.read_bytes() != b"old" else []
    assert noted == [2_400, 3_400]


def test_what_was_ended_and_acknowledged_is_not_told_again(path: Path) -> None:
    dead = JournaledPublisher(Sent(), path)
    dead.publish(GAZE, gazes(GAZE_EVENT))
    dead.publish(GAZE, gazes(over(GAZE_EVENT, 2_000), seq=5))
    dead.publish(AUDIENCE, beat(2_200))
    assert recovered(path) == []


def test_an_end_that_the_broker_did_not_acknowledge_is_told_again_as_it_was(path: Path) -> None:
    sent = Sent()
    dead = JournaledPublisher(sent, path)
    dead.publish(GAZE, gazes(GAZE_EVENT))
    sent.unsent = 1
    dead.publish(GAZE, gazes(over(GAZE_EVENT, 2_000), seq=5))
    dead.publish(AUDIENCE, beat(2_200))
    (batch,) = recovered(path)
    assert isinstance(batch, GazeBatch)
    assert batch.events == (over(GAZE_EVENT, 2_000),)
    assert batch.seq == 6


def test_several_are_numbered_one_after_the_other(path: Path) -> None:
    dead = JournaledPublisher(Sent(), path)
    dead.publish(GAZE, gazes(GAZE_EVENT, replace(GAZE_EVENT, gaze_id="g-2")))
    batches = recovered(path)
    assert [batch.seq for batch in batches if isinstance(batch, GazeBatch)] == [5, 6]


def test_a_second_kill_before_the_ends_were_taken_loses_nothing(path: Path) -> None:
    JournaledPublisher(Sent(), path).publish(GAZE, gazes(GAZE_EVENT))
    away = Sent()
    away.unsent = 1
    JournaledPublisher(away, path).recover(9_000)
    (batch,) = recovered(path)
    assert isinstance(batch, GazeBatch)
    assert batch.events[0].ended_at_ms == 1_300


async def test_a_stop_in_good_order_leaves_nothing(path: Path) -> None:
    sent = Sent()
    gateway = JournaledPublisher(sent, path)
    gateway.publish(GAZE, gazes(GAZE_EVENT))
    sent.unsent = 1
    gateway.publish(GAZE, gazes(over(GAZE_EVENT, 2_000), seq=5))
    assert await gateway.flush(1.0)
    assert recovered(path) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"gazes": 3}'])
def test_a_broken_file_is_no_reason_not_to_start(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert recovered(path) == []


def test_a_folder_that_cannot_be_written_costs_no_event(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    sent = Sent()
    JournaledPublisher(sent, path).publish(GAZE, gazes(GAZE_EVENT))
    assert len(sent.told) == 1


def test_the_file_is_for_its_user_alone(path: Path) -> None:
    JournaledPublisher(Sent(), path).publish(GAZE, gazes(GAZE_EVENT))
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
