"""The messages of the stream bench: a gateway's own, of people who are drawn."""

from collections import Counter

import pytest

from infra.bench.stream_sent import Sent, regrouped
from infra.bench.stream_world import PROBE_ZONE, messages, probe, store_of
from streams.contracts import codec
from streams.contracts.topics import AUDIENCE, DWELL, GAZE
from streams.contracts.vision import Audience, DwellBatch, GazeBatch

BEGIN = 1_790_000_000_000


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    return list(messages(store_of(4), people=3, begin_ms=BEGIN, length_ms=20_000, seed=1))


def test_every_message_is_of_the_contract_and_known_to_the_layout(sent: list[Sent]) -> None:
    layout = store_of(4)
    targets = {z.zone_id for z in layout.zones} | {s.screen_id for s in layout.screens}
    for message in sent:
        event = codec.decode(message.topic, message.value)
        assert event.store_id == layout.store_id
        assert message.key == event.area_id.encode()
        if isinstance(event, GazeBatch):
            assert {g.target_id for g in event.events} <= targets - {PROBE_ZONE}
            assert message.events == len(event.events)
        elif isinstance(event, DwellBatch):
            assert {d.zone_id for d in event.events} <= targets
        else:
            assert isinstance(event, Audience)
            assert message.events == 1 + len(event.presences)


def test_what_begins_ends_and_is_told_once(sent: list[Sent]) -> None:
    told: Counter[tuple[str, str]] = Counter()
    for message in sent:
        if message.topic == GAZE.name:
            for gaze in codec.decode(message.topic, message.value).events:
                told[gaze.gaze_id, gaze.phase] += 1
                if gaze.ended_at_ms is not None:
                    assert gaze.ended_at_ms <= gaze.trace.captured_at_ms
    assert set(told.values()) == {1}
    begun = {name for name, phase in told if phase == "started"}
    over = {name for name, phase in told if phase == "ended"}
    assert len(begun & over) > 0.8 * len(begun)


def test_heartbeats_come_five_times_a_second_from_each_camera(sent: list[Sent]) -> None:
    beats = Counter(
        codec.decode(message.topic, message.value).camera_id
        for message in sent
        if message.topic == AUDIENCE.name
    )
    assert set(beats.values()) == {100}
    assert len(beats) == 4


def test_the_same_seed_is_the_same_history() -> None:
    def drawn(seed: int) -> list[Sent]:
        layout = store_of(2)
        return list(messages(layout, people=1, begin_ms=BEGIN, length_ms=2_000, seed=seed))

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_regrouping_changes_the_messages_and_no_event(sent: list[Sent]) -> None:
    twenty = list(regrouped(sent, 20))
    assert {message.events for message in twenty} == {20}

    def ids(those: list[Sent]) -> list[tuple[str, str]]:
        return [
            (gaze.gaze_id, gaze.phase)
            for message in those
            if message.topic == GAZE.name
            for gaze in codec.decode(message.topic, message.value).events
        ]

    assert ids(twenty) == ids(sent)[: len(ids(twenty))]
    assert {message.topic for message in twenty} <= {GAZE.name, DWELL.name}


def test_a_probe_is_a_gaze_that_nobody_else_has() -> None:
    (gaze,) = codec.decode(GAZE.name, probe(BEGIN, 1).value).events
    assert gaze.target_id == PROBE_ZONE
    assert probe(BEGIN, 1).value != probe(BEGIN, 2).value
