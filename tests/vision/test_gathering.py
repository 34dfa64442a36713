"""What shares a message, and what never waits."""

import pytest
from msgspec import Struct

from streams.contracts.base import Trace
from streams.contracts.topics import AUDIENCE, DWELL, GAZE, Topic
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch
from vision.gathering import Gathering, Message

TRACE = Trace(cause_id="g", captured_at_ms=3_000, inferred_at_ms=3_050, sent_at_ms=3_060)


def gaze(name: str, phase: str = "ended") -> Gaze:
    return Gaze(
        gaze_id=name, phase=phase, track_id="t", camera_id="c", target_id="tea",  # type: ignore[arg-type]
        target_kind="zone", probability=0.8, started_at_ms=1_000, calibration_version="1",
        ended_at_ms=2_000 if phase == "ended" else None, trace=TRACE,
    )  # fmt: skip


def gazes(seq: int, *events: Gaze, area: str = "a", gateway: str = "g") -> GazeBatch:
    return GazeBatch(store_id="s", area_id=area, gateway_id=gateway, seq=seq, events=events)


def dwells(seq: int, name: str) -> DwellBatch:
    dwell = Dwell(
        dwell_id=name, phase="started", track_id="t", camera_id="c", zone_id="tea",
        entered_at_ms=500, calibration_version="1", trace=TRACE,
    )  # fmt: skip
    return DwellBatch(store_id="s", area_id="a", gateway_id="g", seq=seq, events=(dwell,))


def names(message: Message | None) -> list[str]:
    assert message is not None
    batch = message[1]
    assert isinstance(batch, GazeBatch | DwellBatch)
    return [getattr(event, "gaze_id", None) or event.dwell_id for event in batch.events]  # type: ignore[union-attr]


def put(gathering: Gathering, *told: tuple[float, Topic, Struct]) -> list[Message | None]:
    return [gathering.put(topic, event, at_s) for at_s, topic, event in told]


def test_what_ends_within_the_wait_shares_a_message_in_order() -> None:
    gathering = Gathering(50)
    told = put(
        gathering,
        (1.00, GAZE, gazes(4, gaze("one"))),
        (1.03, GAZE, gazes(5, gaze("two"), gaze("three"))),
    )
    assert told == [None, None]
    assert gathering.due_s == pytest.approx(1.05)
    assert gathering.take_due(1.049) == []
    (message,) = gathering.take_due(1.051)
    assert names(message) == ["one", "two", "three"]
    assert message[1].seq == 5  # type: ignore[attr-defined]
    assert (len(gathering), gathering.due_s) == (0, None)


def test_a_gaze_that_begins_goes_at_once_and_takes_what_is_gathered_with_it() -> None:
    gathering = Gathering(50)
    put(gathering, (1.00, GAZE, gazes(1, gaze("over"))), (1.01, DWELL, dwells(1, "stay")))
    message = gathering.put(GAZE, gazes(2, gaze("new", "started"), gaze("also over")), 1.02)
    assert names(message) == ["over", "new", "also over"]
    assert [names(kept) for kept in gathering.take_due(1.061)] == [["stay"]]


def test_a_heartbeat_is_not_kept() -> None:
    beat = Audience(
        store_id="s", area_id="a", gateway_id="g", camera_id="c", seq=1, people=0, targets=(),
        captured_at_ms=1, inferred_at_ms=2, sent_at_ms=3,
    )  # fmt: skip
    gathering = Gathering(50)
    put(gathering, (1.0, GAZE, gazes(1, gaze("over"))))
    assert gathering.put(AUDIENCE, beat, 1.01) == (AUDIENCE, beat)
    assert len(gathering) == 1


@pytest.mark.parametrize("other", [{"area": "b"}, {"gateway": "h"}])
def test_areas_and_runs_of_a_gateway_share_no_message(other: dict[str, str]) -> None:
    gathering = Gathering(50)
    put(gathering, (1.0, GAZE, gazes(1, gaze("one"))), (1.0, GAZE, gazes(1, gaze("two"), **other)))
    assert [names(message) for message in gathering.take_all()] == [["one"], ["two"]]


def test_many_events_do_not_wait() -> None:
    gathering = Gathering(50)
    kept = gathering.put(GAZE, gazes(1, *(gaze(f"g{n}") for n in range(499))), 1.0)
    assert kept is None
    assert len(names(gathering.put(GAZE, gazes(2, gaze("last")), 1.0))) == 500


def test_nothing_is_kept_where_nothing_may_wait() -> None:
    gathering = Gathering(0)
    assert names(gathering.put(GAZE, gazes(1, gaze("over")), 1.0)) == ["over"]
    assert len(gathering) == 0
