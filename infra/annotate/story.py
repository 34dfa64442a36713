"""What happened in one video, person by person, put together from the gateway's own events. Pure.

People are numbered in the order of coming in; the numbers die with the video.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from streams.contracts.topics import Topic
from streams.contracts.vision import Audience, DwellBatch, GazeBatch


class Stretch(Struct, frozen=True, kw_only=True):
    """A stay or a gaze, in ms from the video's beginning. `until_ms` None: goes on."""

    target_id: str
    from_ms: int
    until_ms: int | None = None
    attention_ms: int | None = None
    censored: bool = False


class PersonStory(Struct, frozen=True, kw_only=True):
    """One person: `presences` in a target's zone, however short; `dwells` that reached the zone's
    minimum; `gazes`."""

    number: int
    first_seen_ms: int
    last_seen_ms: int
    presences: list[Stretch]
    dwells: list[Stretch]
    gazes: list[Stretch]


class Summary(Struct, frozen=True, kw_only=True):
    """One video. `people` counts tracks; facing is an estimate of attention."""

    video: str
    detector: str
    seconds: float
    frames: int
    people: int
    dwells: int
    gazes: int
    stitched: int
    staff_excluded: int
    persons: list[PersonStory]


@dataclass(slots=True)
class _Person:
    number: int
    first_ms: int
    last_ms: int
    presences: dict[str, Stretch] = field(default_factory=dict)
    dwells: dict[str, Stretch] = field(default_factory=dict)
    gazes: dict[str, Stretch] = field(default_factory=dict)


class Story:
    """An EventPublisher that keeps what it is given, by person; `start_ms`: the video's begin."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._people: dict[str, _Person] = {}
        self.dropped = 0

    def publish(self, topic: Topic, event: Struct) -> None:
        """Note what is told of whom."""
        if isinstance(event, GazeBatch):
            for gaze in event.events:
                self._of(gaze.track_id, gaze.started_at_ms).gazes[gaze.gaze_id] = Stretch(
                    target_id=gaze.target_id,
                    from_ms=gaze.started_at_ms - self._start_ms,
                    until_ms=self._since(gaze.ended_at_ms),
                    attention_ms=gaze.attention_ms,
                    censored=gaze.censored,
                )
        elif isinstance(event, DwellBatch):
            for dwell in event.events:
                self._of(dwell.track_id, dwell.entered_at_ms).dwells[dwell.dwell_id] = Stretch(
                    target_id=dwell.zone_id,
                    from_ms=dwell.entered_at_ms - self._start_ms,
                    until_ms=self._since(dwell.left_at_ms),
                    censored=dwell.censored,
                )
        elif isinstance(event, Audience):
            for presence in event.presences:
                person = self._of(presence.track_id, presence.entered_at_ms)
                person.presences[presence.presence_id] = Stretch(
                    target_id=presence.target_id,
                    from_ms=presence.entered_at_ms - self._start_ms,
                    until_ms=presence.left_at_ms - self._start_ms,
                )

    async def flush(self, timeout_s: float) -> bool:
        """All is there at once."""
        return True

    def see(self, track_id: str, at_ms: int) -> None:
        """Somebody is seen."""
        person = self._of(track_id, at_ms)
        person.last_ms = max(person.last_ms, at_ms - self._start_ms)

    def labels(self, at_ms: int) -> Mapping[str, str]:
        """What to write beside each person: the number, and the longest dwell that goes on."""
        now_ms = at_ms - self._start_ms
        return {track: _label(person, now_ms) for track, person in self._people.items()}

    def persons(self) -> list[PersonStory]:
        """Everybody, in the order of coming in."""
        return [
            PersonStory(
                number=person.number,
                first_seen_ms=person.first_ms,
                last_seen_ms=person.last_ms,
                presences=_ordered(person.presences),
                dwells=_ordered(person.dwells),
                gazes=_ordered(person.gazes),
            )
            for person in self._people.values()
        ]

    def _of(self, track_id: str, at_ms: int) -> _Person:
        person = self._people.get(track_id)
        if person is None:
            since = at_ms - self._start_ms
            person = self._people[track_id] = _Person(len(self._people) + 1, since, since)
        person.first_ms = min(person.first_ms, at_ms - self._start_ms)
        return person

    def _since(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else at_ms - self._start_ms


def _label(person: _Person, now_ms: int) -> str:
    open_dwells = [d.from_ms for d in person.dwells.values() if d.until_ms is None]
    if not open_dwells:
        return f"{person.number}"
    return f"{person.number} · {(now_ms - min(open_dwells)) / 1000:.0f} s"


def _ordered(stretches: Mapping[str, Stretch]) -> list[Stretch]:
    return sorted(stretches.values(), key=lambda each: (each.from_ms, each.target_id))


def write_json(summary: Summary) -> bytes:
    """The summary as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
