"""Who was told to have been before what, in the order of the logs; what the reference's windows and
exposures are made of. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.bench.chaos.reference.log import Decoded, Logged
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch


@dataclass(frozen=True, slots=True)
class Telling:
    """`[start, end)` of a track before a target, as one event told it."""

    kind: str
    fact_id: str
    store_id: str
    area_id: str
    target_id: str
    target_kind: str
    track_id: str
    start: int
    end: int
    amount: int | None
    final: bool
    told: int

    @property
    def name(self) -> tuple[str, str, str]:
        return self.target_id, self.kind, self.fact_id

    @property
    def rank(self) -> tuple[bool, int, int]:
        """An end holds before a start, and of equals the longer."""
        return self.final, self.end, self.amount or 0


@dataclass(frozen=True, slots=True)
class Heard:
    """A telling where it stands, with the newest time its source had told in that log by then."""

    telling: Telling
    topic: str
    offset: int
    newest: int
    believed: bool


def heard_in(decoded: Sequence[Decoded], max_ahead_ms: int) -> list[Heard]:
    """All tellings in the order of their logs. A stamp further beyond the log's own time than
    `max_ahead_ms` moves its source's clock no further than that, and nobody can tell when that was:
    it belongs to no window and no play.
    """
    newest: dict[tuple[str, int, str], int] = defaultdict(int)
    heard: list[Heard] = []
    for each in decoded:
        at, horizon = each.at, each.at.timestamp_ms + max_ahead_ms

        def hear(source: str, told: int, at: Logged = at, horizon: int = horizon) -> int:
            log = (at.topic, at.partition, source)
            newest[log] = max(newest[log], min(told, horizon))
            return newest[log]

        if isinstance(each.event, Audience):
            # A camera's heartbeat tells how far it has seen, also when nobody came.
            hear(each.event.camera_id, each.event.captured_at_ms)
        for source, telling in _tellings(each.event):
            newest_ms = hear(source, telling.told)
            believed = telling.told <= horizon
            heard.append(Heard(telling, at.topic, at.offset, newest_ms, believed))
    return heard


def _tellings(event: Any) -> list[tuple[str, Telling]]:
    """(source, telling) of gazes, of dwells that ended and are not of staff, of presences."""
    if isinstance(event, GazeBatch):
        return [(gaze.camera_id, _of_gaze(event, gaze)) for gaze in event.events]
    if isinstance(event, DwellBatch):
        return [
            (dwell.camera_id, _of_dwell(event, dwell, dwell.left_at_ms))
            for dwell in event.events
            if dwell.left_at_ms is not None and not dwell.excluded
        ]
    if isinstance(event, Audience):
        return _of_presences(event)
    return []


def _of_gaze(batch: GazeBatch, gaze: Gaze) -> Telling:
    so_far = gaze.started_at_ms + gaze.attention_ms
    return Telling(
        "gaze",
        gaze.gaze_id,
        batch.store_id,
        batch.area_id,
        gaze.target_id,
        gaze.target_kind,
        gaze.track_id,
        gaze.started_at_ms,
        so_far if gaze.ended_at_ms is None else gaze.ended_at_ms,
        gaze.attention_ms,
        gaze.ended_at_ms is not None,
        gaze.trace.captured_at_ms,
    )


def _of_dwell(batch: DwellBatch, dwell: Dwell, left_at_ms: int) -> Telling:
    return Telling(
        "dwell",
        dwell.dwell_id,
        batch.store_id,
        batch.area_id,
        dwell.zone_id,
        "zone",
        dwell.track_id,
        dwell.entered_at_ms,
        left_at_ms,
        left_at_ms - dwell.entered_at_ms,
        True,
        dwell.trace.captured_at_ms,
    )


def _of_presences(audience: Audience) -> list[tuple[str, Telling]]:
    return [
        (
            audience.camera_id,
            Telling(
                "presence",
                presence.presence_id,
                audience.store_id,
                audience.area_id,
                presence.target_id,
                presence.target_kind,
                presence.track_id,
                presence.entered_at_ms,
                presence.left_at_ms,
                presence.opportunity_ms,
                True,
                audience.captured_at_ms,
            ),
        )
        for presence in audience.presences
    ]


def overlaps(telling: Telling, start: int, end: int) -> bool:
    if telling.start == telling.end:
        return start <= telling.start < end
    return shared(telling, start, end) > 0


def shared(telling: Telling, start: int, end: int) -> int:
    return max(0, min(telling.end, end) - max(telling.start, start))


def part(telling: Telling, start: int, end: int) -> int:
    """The amount that falls to `[start, end)`, spread evenly; adjoining parts add up exactly."""
    length, amount = telling.end - telling.start, telling.amount or 0
    if length == 0 or not overlaps(telling, start, end):
        return 0
    until = amount * (min(telling.end, end) - telling.start) // length
    since = amount * (max(telling.start, start) - telling.start) // length
    return until - since


def reach(through: dict[str, int], heard: Heard) -> None:
    through[heard.topic] = max(through[heard.topic], heard.offset + 1)


def tracks(facts: Iterable[Telling]) -> int:
    return len({fact.track_id for fact in facts})
