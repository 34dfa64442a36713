"""What `react` does with records and ticks, with a policy and an outbox of a few lines."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Candidate, Content, Creative, Decision
from streams.contracts.topics import AUDIENCE, CONTENT, DECISION, GAZE
from streams.contracts.vision import Audience, Gaze, GazeBatch
from streams.errors import DeliveryError
from streams.ports import Incoming
from streams.react.reactor import Reactor
from streams.settings import ReactSettings

NOW = 1_700_000_000_000
SETTINGS = ReactSettings(kafka="127.0.0.1:9")
LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    areas=(Area(area_id="a"), Area(area_id="b")),
    zones=(
        Zone(zone_id="tea", area_id="a", name="Tea"),
        Zone(zone_id="coffee", area_id="a", name="Coffee"),
    ),
    screens=(
        Screen(screen_id="one", area_id="a", name="One"),
        Screen(screen_id="two", area_id="b", name="Two"),
    ),
)


def creative(name: str, version: int = 1) -> Creative:
    return Creative(
        creative_id=name,
        version=version,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}.html",
        sha256="0" * 64,
        owner="us",
        zones=(name,),
    )


class MostWatched:
    """A policy: the creative of the zone that is watched most, tea while nobody looks."""

    version = "most-watched-1"

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def choose(self, moment: Moment) -> Choice | None:
        self.moments.append(moment)
        most = max(moment.attention, key=lambda z: z.attention_ms, default=None)
        watched = most is not None and most.attention_ms > 0 and moment.arm == "adaptive"
        chosen = creative(most.zone_id if most and watched else "tea")
        return Choice(
            creative=chosen,
            candidates=(
                Candidate(creative_id=chosen.creative_id, creative_version=1, propensity=1.0),
            ),
            reason="attention" if watched else "rotation",
            sentence="because",
            hold_ms=30_000,
        )


class Box:
    """An outbox that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.refuses = False

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        await asyncio.sleep(0)
        if self.refuses:
            raise DeliveryError("the broker is away")
        self.records.extend(records)

    def of(self, topic: str) -> list[Any]:
        found = [r["value"] for r in self.records if r["topic"] == topic]
        return found if topic.endswith(".dlq.v1") else [codec.decode(topic, v) for v in found]


class World:
    def __init__(self, share: float = 1.0) -> None:
        self.now_ms = NOW
        self.box = Box()
        self.policy = MostWatched()
        experiment = Experiment(salt="x", slot_ms=60_000, adaptive_share=share)
        self.reactor = Reactor(
            SETTINGS, self.policy, LAYOUT, experiment, self.box, lambda: self.now_ms
        )
        self.offset = 0

    def record(self, topic: str, value: bytes | None) -> Incoming:
        self.offset += 1
        return Incoming(topic, 0, self.offset, b"a", value, NOW)

    def gaze(self, seq: int, zone: str, **changes: Any) -> Incoming:
        return self.record(GAZE.name, codec.encode(batch(seq, zone, self.now_ms, **changes)))

    @property
    def contents(self) -> list[Content]:
        return self.box.of(CONTENT.name)

    @property
    def decisions(self) -> list[Decision]:
        return self.box.of(DECISION.name)


def batch(
    seq: int, zone: str, at: int, *, store: str = "s", area: str = "a", gaze_id: str | None = None
) -> GazeBatch:
    name = gaze_id or f"g{seq}"
    gaze = Gaze(
        gaze_id=name,
        phase="started",
        track_id=f"t{seq}",
        camera_id="cam",
        target_id=zone,
        target_kind="zone",
        probability=0.9,
        started_at_ms=at - 300 - seq,
        attention_ms=300,
        calibration_version="c",
        trace=Trace(cause_id=name, captured_at_ms=at, inferred_at_ms=at, sent_at_ms=at),
    )
    return GazeBatch(store_id=store, area_id=area, gateway_id="gw", seq=seq, events=(gaze,))


@pytest.fixture
def world() -> World:
    world = World()
    world.reactor.hold(["a", "b"], {})
    return world


async def test_every_screen_held_has_content_though_nobody_was_ever_seen(world: World) -> None:
    await world.reactor.tick()
    assert {c.screen_id: c.creative_id for c in world.contents} == {"one": "tea", "two": "tea"}
    assert {d.decision_id for d in world.decisions} == {c.decision_id for c in world.contents}
    assert all(content.trace is None for content in world.contents)


async def test_a_gaze_changes_the_screen_at_once_and_leaves_its_trace(world: World) -> None:
    await world.reactor.tick()
    await world.reactor.on_record(world.gaze(1, "coffee"))
    content, decision = world.contents[-1], world.decisions[-1]
    assert (content.screen_id, content.creative_id) == ("one", "coffee")
    assert content.trace is not None
    assert content.trace.cause_id == "g1"
    assert decision.trace == content.trace
    assert content.expires_at_ms == NOW + 30_000
    assert (decision.showing, decision.reason, decision.arm_probability) == ("tea", "attention", 1)
    assert {z.zone_id: z.watchers for z in decision.context} == {"tea": 0, "coffee": 1}


async def test_the_choice_that_is_shown_is_not_told_again_but_renewed_in_time(
    world: World,
) -> None:
    world.reactor.hold(["a"], {})
    await world.reactor.tick()
    for seconds, told in ((5, 1), (9, 1), (11, 2), (12, 2)):
        world.now_ms = NOW + seconds * 1_000
        await world.reactor.tick()
        assert len(world.contents) == told
    assert world.contents[0].decision_id != world.contents[1].decision_id


async def test_a_renewal_does_not_begin_the_display_anew(world: World) -> None:
    world.reactor.hold(["a"], {})
    for seconds in (0, 11, 22):
        world.now_ms = NOW + seconds * 1_000
        await world.reactor.tick()
    assert [content.not_before_ms - NOW for content in world.contents] == [0, 11_000, 22_000]
    assert [content.shown_since_ms for content in world.contents] == [None, NOW, NOW]
    assert world.decisions[-1].shown_since_ms == NOW


async def test_who_looks_for_what_is_on_show_is_told_why(world: World) -> None:
    world.reactor.hold(["a"], {})
    await world.reactor.tick()
    world.now_ms += 1_000
    await world.reactor.on_record(world.gaze(1, "tea"))
    await world.reactor.tick()
    assert [c.reason for c in world.contents] == ["rotation", "attention"]
    assert [c.creative_id for c in world.contents] == ["tea", "tea"]
    assert world.contents[-1].shown_since_ms == NOW
    assert world.decisions[-1].shown_reason == "rotation"


async def test_a_restart_goes_on_with_what_the_screens_show(world: World) -> None:
    await world.reactor.on_record(world.gaze(1, "coffee"))
    shown = world.contents[-1]
    again = World()
    again.now_ms = NOW + 1_000
    again.reactor.hold(["a"], {"one": shown})
    again.reactor.recall(world.record(GAZE.name, codec.encode(batch(1, "coffee", NOW))))
    await again.reactor.tick()
    assert again.contents == []
    assert again.policy.moments[-1].showing == "coffee"
    assert again.policy.moments[-1].shown_since_ms == NOW


async def test_content_that_has_expired_is_shown_no_more(world: World) -> None:
    await world.reactor.tick()
    world.now_ms = NOW + 30_000
    await world.reactor.tick()
    assert world.policy.moments[-1].showing is None


async def test_a_backlog_older_than_a_glance_changes_no_screen(world: World) -> None:
    record = world.gaze(1, "coffee")
    world.now_ms = NOW + 5_001
    await world.reactor.on_record(record)
    assert world.policy.moments == []


async def test_a_repeat_is_not_looked_at(world: World) -> None:
    record = world.gaze(1, "coffee")
    await world.reactor.on_record(record)
    looked = len(world.policy.moments)
    await world.reactor.on_record(record)
    assert len(world.policy.moments) == looked


async def test_the_control_arm_is_handed_to_the_policy() -> None:
    world = World(share=0.0)
    world.reactor.hold(["a"], {})
    await world.reactor.on_record(world.gaze(1, "coffee"))
    assert world.decisions[-1].arm == "control"
    assert world.decisions[-1].creative_id == "tea"


async def test_areas_of_other_workers_are_left_to_them(world: World) -> None:
    world.reactor.hold(["b"], {})
    await world.reactor.on_record(world.gaze(1, "coffee"))
    await world.reactor.tick()
    assert [content.screen_id for content in world.contents] == ["two"]


async def test_a_broker_that_takes_nothing_leaves_the_screen_for_the_next_look(
    world: World,
) -> None:
    world.reactor.hold(["a"], {})
    world.box.refuses = True
    await world.reactor.on_record(world.gaze(1, "coffee"))
    world.box.refuses = False
    await world.reactor.tick()
    assert [content.creative_id for content in world.contents] == ["coffee"]
    assert world.box.of("react.dlq.v1") == []


@pytest.mark.parametrize(
    "value",
    [
        b"",
        None,
        b"\xff\xfe",
        b'{"store_id": 1}',
        codec.encode(batch(1, "tea", NOW, store="other")),
        codec.encode(batch(1, "tea", NOW, area="other")),
    ],
)
async def test_what_cannot_be_handled_becomes_a_dead_letter(
    world: World, value: bytes | None
) -> None:
    await world.reactor.on_record(world.record(GAZE.name, value))
    (letter,) = world.box.records
    assert (letter["topic"], letter["key"], letter["value"]) == ("react.dlq.v1", b"a", value)
    assert dict(letter["headers"])["offset"] == b"1"


async def test_people_before_a_zone_reach_the_policy(world: World) -> None:
    audience = Audience(
        store_id="s",
        area_id="a",
        gateway_id="gw",
        camera_id="cam",
        seq=1,
        captured_at_ms=NOW,
        inferred_at_ms=NOW,
        sent_at_ms=NOW,
        people=0,
        targets=(),
    )
    await world.reactor.on_record(world.record(AUDIENCE.name, codec.encode(audience)))
    assert [z.people for z in world.policy.moments[-1].attention] == [0, 0]


async def test_decisions_have_ids_that_a_replay_gives_again(world: World) -> None:
    await world.reactor.on_record(world.gaze(1, "coffee"))
    again = World()
    again.reactor.hold(["a"], {})
    await again.reactor.on_record(again.gaze(1, "coffee"))
    assert again.decisions[-1].decision_id == world.decisions[-1].decision_id
