"""Messages as a producer takes them, and the same events in messages of another size. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from streams.contracts.codec import record
from streams.contracts.topics import DWELL, GAZE, Topic
from streams.contracts.vision import Dwell, DwellBatch, Gaze, GazeBatch


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as a producer takes it; `events` are those that it tells: gazes and dwells, or a
    heartbeat and its presences.
    """

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    at_ms: int
    events: int


def regrouped(sent: Sequence[Sent], events: int) -> Iterator[Sent]:
    """The gazes and dwells of the same messages, so many in each message."""
    waiting: dict[tuple[str, bytes], list[Gaze | Dwell]] = defaultdict(list)
    for message in sent:
        if message.topic == GAZE.name:
            gazes = msgspec.json.decode(message.value, type=GazeBatch)
            yield from _cut(GAZE, gazes, waiting[message.topic, message.key], events, message.at_ms)
        elif message.topic == DWELL.name:
            stays = msgspec.json.decode(message.value, type=DwellBatch)
            yield from _cut(
                DWELL, stays, waiting[message.topic, message.key], events, message.at_ms
            )


def _cut(
    topic: Topic,
    batch: GazeBatch | DwellBatch,
    waiting: list[Gaze | Dwell],
    events: int,
    at_ms: int,
) -> Iterator[Sent]:
    waiting.extend(batch.events)
    while len(waiting) >= events:
        together = msgspec.structs.replace(batch, events=tuple(waiting[:events]))
        del waiting[:events]
        yield written(topic, together, at_ms)


def written(topic: Topic, event: msgspec.Struct, sent_ms: int) -> Sent:
    """An event as its message, sent at a time."""
    made = record(topic, event, "smartstore/gateway")
    told = getattr(event, "events", None)
    count = len(told) if told is not None else 1 + len(getattr(event, "presences", ()))
    return Sent(topic.name, made["key"], made["value"], made["headers"], sent_ms, count)
