"""Gazes and dwells of an area that no screen waits for are kept for a moment, to share a message.

Pure: the time is an argument. What somebody waits for goes at once: heartbeats, crossings, and a
gaze that begins, which takes with it what is gathered for the same topic.
"""

from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from streams.contracts.topics import Topic
from streams.contracts.vision import DwellBatch, GazeBatch

#: More than any area tells in a moment, and far less than a message may hold.
_MOST_EVENTS = 500

Batch = GazeBatch | DwellBatch
Message = tuple[Topic, Struct]


@dataclass(slots=True)
class _Gathered:
    topic: Topic
    batches: list[Batch]
    events: int
    until_s: float

    def message(self) -> Message:
        """All of it as one batch, in order; it bears the number of the newest."""
        newest = self.batches[-1]
        if len(self.batches) == 1:
            return self.topic, newest
        events = tuple(event for batch in self.batches for event in batch.events)
        return self.topic, replace(newest, events=events)


class Gathering:
    """Keeps batches for up to `wait_ms`; 0 keeps none."""

    def __init__(self, wait_ms: int) -> None:
        self._wait_s = wait_ms / 1_000
        #: By topic, area and run of a gateway, those that wait longest first.
        self._kept: dict[tuple[str, str, str], _Gathered] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def due_s(self) -> float | None:
        """When something has to go; None while nothing is kept."""
        return next(iter(self._kept.values())).until_s if self._kept else None

    def put(self, topic: Topic, event: Struct, now_s: float) -> Message | None:
        """What is to go now that `event` is told, if something is."""
        if not isinstance(event, GazeBatch | DwellBatch) or self._wait_s <= 0:
            return topic, event
        place = (topic.name, event.area_id, event.gateway_id)
        gathered = self._kept.get(place)
        if gathered is None:
            gathered = self._kept[place] = _Gathered(topic, [], 0, now_s + self._wait_s)
        gathered.batches.append(event)
        gathered.events += len(event.events)
        if _is_awaited(event) or gathered.events >= _MOST_EVENTS:
            return self._kept.pop(place).message()
        return None

    def take_due(self, now_s: float) -> list[Message]:
        """What has waited for long enough."""
        due = [place for place, kept in self._kept.items() if kept.until_s <= now_s]
        return [self._kept.pop(place).message() for place in due]

    def take_all(self) -> list[Message]:
        """All that is kept."""
        kept, self._kept = self._kept, {}
        return [gathered.message() for gathered in kept.values()]


def _is_awaited(batch: Batch) -> bool:
    """Whether a screen may react to it."""
    return isinstance(batch, GazeBatch) and any(gaze.phase == "started" for gaze in batch.events)
