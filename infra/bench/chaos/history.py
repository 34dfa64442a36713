"""A seeded history of a store, and how it arrives: shuffled, repeated, delayed, corrupted, with
clocks that are wrong. Pure: when a message is to be sent is told in ms since the beginning.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from streams.contracts import codec, topics
from streams.contracts.base import Trace
from streams.contracts.errors import ContractError
from streams.contracts.ids import event_id
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Candidate, Decision, Play, ZoneAttention
from streams.contracts.topics import Topic
from streams.contracts.vision import (
    Audience,
    Crossing,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
    TargetAudience,
)

STORE = "chaos"
_AREAS = 4
_CAMERAS = 2
_ZONES = 3

#: What is done to messages, as shares of them.
_SHUFFLED, _REPEATED, _DELAYED, _CORRUPTED, _FUTURE = 0.3, 0.2, 0.02, 0.01, 0.003
_LONGEST_DELAY_MS = 20_000
_MOST_SKEW_MS = 5_000
#: From a clock a little ahead to one that is a day off.
_AHEAD_MS = (10_000, 30_000, 3_600_000, 86_400_000)
#: A gateway sends what its cameras told within this.
_BATCH_MS = 50


@dataclass(frozen=True, slots=True)
class Message:
    """A message, sent `at_ms` after the beginning; `clock_ms` is how wrong its sender's clock is,
    with which the log stamps it.
    """

    at_ms: float
    topic: str
    key: bytes
    value: bytes | None
    clock_ms: int
    events: int
    corrupted: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """All messages in the order in which they are sent, and their store."""

    layout: StoreLayout
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """An event that a sender tells at a true time."""

    at_ms: int
    area: int
    topic: Topic
    event: Any


@dataclass(slots=True)
class _Story:
    """What happens in the store; times are true ones."""

    draw: random.Random
    start_ms: int
    length_ms: int
    run: str
    store_id: str
    skews: dict[str, int] = field(default_factory=dict)
    told: list[_Told] = field(default_factory=list)
    presences: dict[tuple[int, str], list[tuple[int, Presence]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def skew(self, clock: str) -> int:
        """How far a clock is off, for good."""
        if clock not in self.skews:
            self.skews[clock] = self.draw.randint(-_MOST_SKEW_MS, _MOST_SKEW_MS)
        return self.skews[clock]

    def id(self, *parts: str | int) -> str:
        return event_id(self.run, *parts)


def layout(store_id: str = STORE) -> StoreLayout:
    """The store: four areas, each with three zones, a screen and two cameras."""
    areas = range(_AREAS)
    return StoreLayout(
        store_id=store_id,
        name="Simulated store under chaos",
        areas=tuple(Area(area_id=f"area-{a}") for a in areas),
        zones=tuple(
            Zone(zone_id=f"zone-{a}-{z}", area_id=f"area-{a}", name=f"Zone {a}.{z}")
            for a in areas
            for z in range(_ZONES)
        ),
        screens=tuple(
            Screen(screen_id=f"screen-{a}", area_id=f"area-{a}", name=f"Screen {a}") for a in areas
        ),
    )


def history(
    *,
    seed: int,
    start_ms: int,
    length_ms: int,
    events_per_s: float,
    lateness_ms: int,
    store_id: str = STORE,
) -> History:
    """`events_per_s`: about so many events a second of the store, before anything is repeated."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, no secret
    story = _Story(draw, start_ms, length_ms, f"{store_id}-{seed}", store_id)
    for area in range(_AREAS):
        _people(story, area, events_per_s / _AREAS)
        _plays(story, area)
        _heartbeats(story, area)
    _tills(story)
    sent = _messages(story)
    hurt = _hurt(sent, draw, lateness_ms)
    return History(layout(store_id), tuple(sorted(hurt, key=lambda message: message.at_ms)))


def _people(story: _Story, area: int, events_per_s: float) -> None:
    """Visitors come at random; each makes some nine events, heartbeats apart."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    visitors_per_ms = max(0.2, events_per_s - _CAMERAS) / 9 / 1_000
    while True:
        at_ms += round(draw.expovariate(visitors_per_ms))
        if at_ms >= story.start_ms + story.length_ms - min(15_000, story.length_ms // 3):
            return
        number += 1
        _visitor(story, area, number, at_ms)


def _visitor(story: _Story, area: int, number: int, at_ms: int) -> None:
    draw = story.draw
    track, camera = story.id("track", area, number), f"cam-{area}-{draw.randrange(_CAMERAS)}"
    _crossing(story, area, camera, track, at_ms)
    for stay in range(draw.randint(1, 3)):
        zone, length_ms = f"zone-{area}-{draw.randrange(_ZONES)}", draw.randint(1_500, 7_000)
        end_ms = at_ms + length_ms
        _stay(story, area, camera, track, zone, stay, at_ms, end_ms)
        gaze_ms = at_ms
        for look in range(draw.randint(0, 3)):
            gaze_ms += draw.randint(100, 1_500)
            looked_ms = draw.randint(300, 2_500)
            target = draw.choice((zone, zone, f"screen-{area}"))
            name = story.id("gaze", track, stay, look)
            _gaze(story, area, camera, track, name, target, gaze_ms, gaze_ms + looked_ms)
            gaze_ms += looked_ms
        at_ms = end_ms + draw.randint(0, 800)


def _stay(
    story: _Story,
    area: int,
    camera: str,
    track: str,
    zone: str,
    stay: int,
    start_ms: int,
    end_ms: int,
) -> None:
    """A presence in the zone, one before the screen, and a dwell if it was long enough."""
    draw = story.draw
    for target, kind in ((zone, "zone"), (f"screen-{area}", "screen")):
        seen = draw.choice((None, 0, end_ms - start_ms, (end_ms - start_ms) // 2))
        presence = Presence(
            presence_id=story.id("presence", track, stay, target),
            track_id=track,
            target_id=target,
            target_kind="zone" if kind == "zone" else "screen",
            entered_at_ms=start_ms,
            left_at_ms=end_ms,
            opportunity_ms=seen,
        )
        story.presences[area, camera].append((end_ms, presence))
    if end_ms - start_ms < 2_000:
        return
    name = story.id("dwell", track, stay)
    staff = draw.random() < 0.02
    for phase, at_ms in (("started", start_ms + 2_000), ("ended", end_ms)):
        dwell = Dwell(
            dwell_id=name,
            phase="started" if phase == "started" else "ended",
            track_id=track,
            camera_id=camera,
            zone_id=zone,
            entered_at_ms=start_ms,
            left_at_ms=None if phase == "started" else at_ms,
            excluded=staff and phase == "ended",
            calibration_version="c1",
            trace=_trace(name, at_ms),
        )
        story.told.append(_Told(at_ms, area, topics.DWELL, dwell))


def _gaze(
    story: _Story,
    area: int,
    camera: str,
    track: str,
    name: str,
    target: str,
    start_ms: int,
    end_ms: int,
) -> None:
    attention_ms = round((end_ms - start_ms) * story.draw.uniform(0.6, 1.0))
    for ended in (False, True):
        at_ms = end_ms if ended else start_ms + 300
        gaze = Gaze(
            gaze_id=name,
            phase="ended" if ended else "started",
            track_id=track,
            camera_id=camera,
            target_id=target,
            target_kind="screen" if target.startswith("screen") else "zone",
            probability=round(story.draw.uniform(0.5, 1.0), 6),
            started_at_ms=start_ms,
            ended_at_ms=end_ms if ended else None,
            attention_ms=attention_ms if ended else min(300, attention_ms),
            distance_m=story.draw.choice((None, round(story.draw.uniform(0.5, 3.0), 3))),
            calibration_version="c1",
            trace=_trace(name, at_ms),
        )
        story.told.append(_Told(at_ms, area, topics.GAZE, gaze))


def _crossing(story: _Story, area: int, camera: str, track: str, at_ms: int) -> None:
    crossing = Crossing(
        crossing_id=story.id("crossing", track),
        store_id=story.store_id,
        area_id=f"area-{area}",
        camera_id=camera,
        line_id=f"door-{area}",
        direction=story.draw.choice(("in", "out")),
        crossed_at_ms=at_ms,
    )
    story.told.append(_Told(at_ms, area, topics.CROSSING, crossing))


def _plays(story: _Story, area: int) -> None:
    """One play after the other, each with the decision that caused it."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    while (length_ms := draw.randint(3_000, 9_000)) + at_ms < story.start_ms + story.length_ms:
        number += 1
        decision = _decision(story, area, number, at_ms)
        story.told.append(_Told(at_ms, area, topics.DECISION, decision))
        play = Play(
            play_id=story.id("play", area, number),
            phase="started",
            player_id=f"player-{area}",
            store_id=story.store_id,
            area_id=f"area-{area}",
            screen_id=f"screen-{area}",
            decision_id=decision.decision_id,
            creative_id=decision.creative_id,
            creative_version=1,
            scheduled_at_ms=at_ms,
            rendered_at_ms=at_ms + 40,
            trace=decision.trace,
        )
        ended = msgspec.structs.replace(
            play, phase="ended", duration_ms=length_ms - 40, stop_reason="finished"
        )
        story.told.append(_Told(at_ms + 40, area, topics.PLAY, play))
        story.told.append(_Told(at_ms + length_ms, area, topics.PLAY, ended))
        at_ms += length_ms


def _decision(story: _Story, area: int, number: int, at_ms: int) -> Decision:
    name, creative = story.id("decision", area, number), f"creative-{story.draw.randrange(5)}"
    return Decision(
        decision_id=name,
        store_id=story.store_id,
        area_id=f"area-{area}",
        screen_id=f"screen-{area}",
        decided_at_ms=at_ms,
        slot_start_ms=at_ms - at_ms % 60_000,
        arm="adaptive",
        arm_probability=0.5,
        policy_version="chaos-1",
        context=(
            ZoneAttention(
                zone_id=f"zone-{area}-0",
                attention_ms=story.draw.randrange(3_000),
                watchers=1,
                people=2,
            ),
        ),
        showing=None,
        candidates=(Candidate(creative_id=creative, creative_version=1, propensity=0.25),),
        creative_id=creative,
        creative_version=1,
        reason="rotation",
        sentence="In turn.",
        trace=None if number % 2 else _trace(name, at_ms),
    )


def _heartbeats(story: _Story, area: int) -> None:
    """Each camera tells every second who has just left."""
    for camera in (f"cam-{area}-{n}" for n in range(_CAMERAS)):
        waiting = sorted(story.presences[area, camera], key=lambda item: item[0])
        for seq, at_ms in enumerate(range(story.start_ms, story.start_ms + story.length_ms, 1_000)):
            left = [presence for end_ms, presence in waiting if at_ms - 1_000 < end_ms <= at_ms]
            audience = Audience(
                store_id=story.store_id,
                area_id=f"area-{area}",
                gateway_id=f"gateway-{area}",
                camera_id=camera,
                seq=seq,
                captured_at_ms=at_ms,
                inferred_at_ms=at_ms + 30,
                sent_at_ms=at_ms + 35,
                people=len(left),
                targets=(
                    TargetAudience(
                        target_id=f"zone-{area}-0",
                        target_kind="zone",
                        people=len(left),
                        watchers=0,
                        attention_ms=0,
                    ),
                ),
                presences=tuple(left),
            )
            story.told.append(_Told(at_ms, area, topics.AUDIENCE, audience))


def _tills(story: _Story) -> None:
    """Receipts of the store, told under its first area as tills do."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    while at_ms < story.start_ms + story.length_ms:
        number += 1
        lines = tuple(
            BasketLine(
                sku=f"sku-{draw.randrange(40)}",
                category=draw.choice(("tea", "coffee", "chocolate")),
                units=Decimal(draw.choice((1, 1, 2, 3, -1))),
                net_value=Decimal(draw.randint(-500, 2_500)) / 100,
            )
            for _ in range(draw.randint(1, 5))
        )
        basket = Basket(
            basket_id=story.id("basket", number),
            store_id=story.store_id,
            area_id="area-0",
            closed_at_ms=at_ms,
            currency=draw.choice(("EUR", "EUR", "EUR", "USD")),
            lines=lines,
            simulated=True,
        )
        story.told.append(_Told(at_ms, 0, topics.BASKET, basket))
        at_ms += draw.randint(300, 2_500)


def _trace(cause: str, at_ms: int) -> Trace:
    return Trace(
        cause_id=cause, captured_at_ms=at_ms, inferred_at_ms=at_ms + 30, sent_at_ms=at_ms + 35
    )


# From events to messages ------------------------------------------------------------------------


def _messages(story: _Story) -> list[tuple[Message, Any, Topic]]:
    """What a store with right clocks and a good line would send; with each, its event or batch."""
    batches: dict[tuple[str, int, int], list[_Told]] = defaultdict(list)
    sent: list[tuple[Message, Any, Topic]] = []
    for told in sorted(story.told, key=lambda each: each.at_ms):
        if told.topic in (topics.GAZE, topics.DWELL):
            batches[told.topic.name, told.area, told.at_ms // _BATCH_MS].append(told)
        else:
            sent.append(_message(story, told.topic, told.at_ms, told.area, told.event))
    for seq, batch in enumerate(batches.values()):
        first = batch[0]
        kind: Callable[..., Any] = GazeBatch if first.topic is topics.GAZE else DwellBatch
        event = kind(
            store_id=story.store_id,
            area_id=f"area-{first.area}",
            gateway_id=f"gateway-{first.area}",
            seq=seq,
            events=tuple(told.event for told in batch),
        )
        sent.append(_message(story, first.topic, batch[-1].at_ms, first.area, event))
    return sent


def _message(
    story: _Story, topic: Topic, at_ms: int, area: int, event: Any
) -> tuple[Message, Any, Topic]:
    """With the stamps of wrong clocks: each camera's, player's and till's own."""
    stamped = _moved_each(event, lambda source: story.skew(source))
    if story.draw.random() < _FUTURE and topic not in (topics.PLAY, topics.DECISION):
        ahead_ms = story.draw.choice(_AHEAD_MS) + story.draw.randrange(10_000)
        stamped = _moved_each(stamped, lambda _: ahead_ms)
    message = Message(
        at_ms=at_ms - story.start_ms,
        topic=topic.name,
        key=topic.key(stamped).encode(),
        value=codec.encode(stamped),
        clock_ms=story.skew(f"gateway-{area}"),
        events=len(stamped.events) if isinstance(stamped, GazeBatch | DwellBatch) else 1,
    )
    return message, stamped, topic


def _moved_each(event: Any, off_ms: Callable[[str], int]) -> Any:
    if isinstance(event, GazeBatch | DwellBatch):
        events = tuple(_moved(each, off_ms(each.camera_id)) for each in event.events)
        return msgspec.structs.replace(event, events=events)
    if isinstance(event, Play | Decision):
        return _moved(event, off_ms(f"player of {event.screen_id}"))
    source = "till" if isinstance(event, Basket) else event.camera_id
    return _moved(event, off_ms(source))


def _moved(event: Any, off_ms: int) -> Any:
    """The same with all its times of day moved."""
    changes: dict[str, Any] = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name.endswith("_at_ms") and value is not None:
            changes[name] = value + off_ms
        elif isinstance(value, Trace):
            changes[name] = _moved(value, off_ms)
        elif name == "presences":
            changes[name] = tuple(_moved(presence, off_ms) for presence in value)
    return msgspec.structs.replace(event, **changes)


# What happens to messages on their way ----------------------------------------------------------


def _hurt(
    sent: Iterable[tuple[Message, Struct, Topic]], draw: random.Random, lateness_ms: int
) -> list[Message]:
    hurt: list[Message] = []
    for message, _, topic in sent:
        at_ms = message.at_ms + draw.uniform(20, 60)
        if draw.random() < _SHUFFLED:
            at_ms += draw.uniform(0, lateness_ms)
        if draw.random() < _DELAYED:
            at_ms += draw.uniform(lateness_ms, _LONGEST_DELAY_MS)
        hurt.append(replace(message, at_ms=at_ms))
        if draw.random() < _REPEATED:
            again_ms = at_ms + draw.uniform(0, _LONGEST_DELAY_MS)
            hurt.append(replace(message, at_ms=again_ms, events=0))
        if draw.random() < _CORRUPTED and message.value is not None:
            value = _corrupted(topic.name, message.value, draw)
            later_ms = at_ms + draw.uniform(0, lateness_ms)
            hurt.append(replace(message, at_ms=later_ms, value=value, events=0, corrupted=True))
    return hurt


def _corrupted(topic: str, value: bytes, draw: random.Random) -> bytes | None:
    """Bytes that nobody can decode: cut, with a byte changed, of another kind, or none at all."""
    for _ in range(100):
        match draw.randrange(5):
            case 0:
                wrong: bytes | None = value[: draw.randrange(len(value))]
            case 1:
                at = draw.randrange(len(value))
                wrong = value[:at] + bytes([draw.randrange(256)]) + value[at + 1 :]
            case 2:
                wrong = b'{"store_id": 7}'
            case 3:
                wrong = draw.randbytes(40)
            case _:
                wrong = None
        try:
            codec.decode(topic, wrong)
        except ContractError:
            return wrong
    return b""
