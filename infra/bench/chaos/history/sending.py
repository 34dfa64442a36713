"""From events to messages, with the stamps of clocks that are wrong. Pure."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from infra.bench.chaos.history.store import Story, Told
from streams.contracts import codec, topics
from streams.contracts.base import Trace
from streams.contracts.pos import Basket
from streams.contracts.signage import Decision, Play
from streams.contracts.topics import Topic
from streams.contracts.vision import DwellBatch, GazeBatch

#: Messages from the future, as a share of them.
_FUTURE = 0.003
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


def messages(story: Story) -> list[tuple[Message, Topic]]:
    """What a store with right clocks and a good line would send; with each, its topic."""
    batches: dict[tuple[str, int, int], list[Told]] = defaultdict(list)
    sent: list[tuple[Message, Topic]] = []
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
    story: Story, topic: Topic, at_ms: int, area: int, event: Any
) -> tuple[Message, Topic]:
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
    return message, topic


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
