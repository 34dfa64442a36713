"""The attention of an area at this moment: who looks at which zone, and for how long of the last
seconds. Pure; the instant is an argument, and all other times are the gateway's event times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streams.contracts.base import Trace
from streams.contracts.signage import ZoneAttention
from streams.contracts.vision import Audience, Gaze, GazeBatch, Presence

#: How long an ended gaze is remembered beyond any window, so that its late 'started' is known.
_REMEMBER_MS = 30_000

#: Longer than anybody looks at one zone: an open gaze of that age has lost its end.
_LONGEST_GAZE_MS = 600_000

#: The stays of so long ago still tell how long people stay now; of so many, at the most.
_STAYS_MS = 60_000
_MOST_STAYS = 1_000

#: More than an area holds; above it the oldest gazes are given up, so memory stays bounded.
_MOST_GAZES = 10_000


@dataclass(frozen=True, slots=True)
class GazeNow:
    """A gaze that is open, or has just ended."""

    gaze_id: str
    gateway_id: str
    camera_id: str
    track_id: str
    target_id: str
    started_at_ms: int
    ended_at_ms: int | None
    attention_ms: int
    trace: Trace


@dataclass(frozen=True, slots=True)
class _Heard:
    """How far a source has told: its last number, and the newest event time."""

    seq: int
    at_ms: int

    def is_repeat(self, seq: int, at_ms: int) -> bool:
        # A gateway that was started again counts from 0 but its clock has gone on.
        return seq <= self.seq and at_ms <= self.at_ms


@dataclass(frozen=True, slots=True)
class _Camera:
    """The last heartbeat of one camera."""

    heard: _Heard
    people: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Stay:
    """Somebody stayed in a zone; the few figures of it that a mean needs."""

    target_id: str
    left_at_ms: int
    dwell_ms: int


@dataclass(frozen=True, slots=True)
class AreaState:
    """What is known of an area; a new one holds nothing."""

    gazes: Mapping[str, GazeNow] = field(default_factory=dict)
    gateways: Mapping[str, _Heard] = field(default_factory=dict)
    cameras: Mapping[tuple[str, str], _Camera] = field(default_factory=dict)
    stays: tuple[_Stay, ...] = ()
    newest_ms: int = 0


def captured_at_ms(event: GazeBatch | Audience) -> int:
    """The event time of the newest frame that `event` tells of."""
    if isinstance(event, Audience):
        return event.captured_at_ms
    return max(gaze.trace.captured_at_ms for gaze in event.events)


def step(state: AreaState, event: GazeBatch | Audience) -> AreaState:
    """The area after `event`. A message that was already told changes nothing."""
    at_ms = captured_at_ms(event)
    if isinstance(event, GazeBatch):
        told = state.gateways.get(event.gateway_id)
        if told is not None and told.is_repeat(event.seq, at_ms):
            return state
        state = _with_gazes(state, event, restarted=told is not None and event.seq < told.seq)
        heard = _Heard(event.seq, max(at_ms, told.at_ms if told else 0))
        state = replace(state, gateways={**state.gateways, event.gateway_id: heard})
    else:
        key = (event.gateway_id, event.camera_id)
        camera = state.cameras.get(key)
        if camera is not None and camera.heard.is_repeat(event.seq, at_ms):
            return state
        people = {target.target_id: target.people for target in event.targets}
        told_at_ms = max(at_ms, camera.heard.at_ms if camera else 0)
        camera = _Camera(_Heard(event.seq, told_at_ms), people)
        gazes = _without_the_unseen(state.gazes, event)
        stays = (*state.stays, *map(_stay, event.presences)) if event.presences else state.stays
        state = replace(state, gazes=gazes, cameras={**state.cameras, key: camera}, stays=stays)
    return _pruned(replace(state, newest_ms=max(state.newest_ms, at_ms)))


def _with_gazes(state: AreaState, batch: GazeBatch, *, restarted: bool) -> AreaState:
    gazes = dict(state.gazes)
    if restarted:  # what the run before left open will never be ended
        gone = state.gateways[batch.gateway_id].at_ms
        for gaze in state.gazes.values():
            if gaze.gateway_id == batch.gateway_id and gaze.ended_at_ms is None:
                gazes[gaze.gaze_id] = _closed(gaze, gone)
    for event in batch.events:
        if event.phase == "started" and event.gaze_id in gazes:
            continue
        now = _gaze_now(event, batch.gateway_id)
        for gaze in [g for g in gazes.values() if _gave_way(g, now)]:
            gazes[gaze.gaze_id] = _closed(gaze, now.started_at_ms)
        later_ms = [g.started_at_ms for g in gazes.values() if _gave_way(now, g)]
        gazes[now.gaze_id] = _closed(now, min(later_ms)) if later_ms else now
    return replace(state, gazes=gazes)


def _gave_way(gaze: GazeNow, later: GazeNow) -> bool:
    """Whether an open gaze must be over, since its shopper looked at something later: nobody has
    two gazes at once, so its end was lost (a broker that was killed may forget it).
    """
    same = (gaze.gateway_id, gaze.track_id) == (later.gateway_id, later.track_id)
    return same and gaze.ended_at_ms is None and gaze.started_at_ms < later.started_at_ms


def _without_the_unseen(gazes: Mapping[str, GazeNow], beat: Audience) -> Mapping[str, GazeNow]:
    """The gazes after a heartbeat: where it counts no gaze on a target, none is open any more,
    whether or not its end was told yet; an end that comes after all says more and takes its place.
    """
    idle = {t.target_id for t in beat.targets if t.watchers == 0 and t.attention_ms == 0}
    over = [
        gaze
        for gaze in gazes.values()
        if gaze.ended_at_ms is None
        and gaze.target_id in idle
        and (gaze.gateway_id, gaze.camera_id) == (beat.gateway_id, beat.camera_id)
        and gaze.trace.captured_at_ms < beat.captured_at_ms
    ]
    if not over:
        return gazes
    return {**gazes, **{g.gaze_id: _closed(g, beat.captured_at_ms) for g in over}}


def _closed(gaze: GazeNow, at_ms: int) -> GazeNow:
    """The gaze, ended at the latest moment at which it can have been open."""
    ended_at_ms = max(gaze.started_at_ms, at_ms)
    return replace(gaze, ended_at_ms=ended_at_ms, attention_ms=ended_at_ms - gaze.started_at_ms)


def _gaze_now(event: Gaze, gateway_id: str) -> GazeNow:
    return GazeNow(
        gaze_id=event.gaze_id,
        gateway_id=gateway_id,
        camera_id=event.camera_id,
        track_id=event.track_id,
        target_id=event.target_id,
        started_at_ms=event.started_at_ms,
        ended_at_ms=event.ended_at_ms,
        attention_ms=event.attention_ms,
        trace=event.trace,
    )


def _pruned(state: AreaState) -> AreaState:
    """Forgets what no moment can need again."""
    oldest_end_ms = state.newest_ms - _REMEMBER_MS
    oldest_start_ms = state.newest_ms - _LONGEST_GAZE_MS
    gazes = {
        gaze_id: gaze
        for gaze_id, gaze in state.gazes.items()
        if gaze.started_at_ms >= oldest_start_ms
        and (gaze.ended_at_ms is None or gaze.ended_at_ms >= oldest_end_ms)
    }
    if len(gazes) > _MOST_GAZES:
        newest = sorted(gazes.values(), key=lambda g: g.started_at_ms)[-_MOST_GAZES:]
        gazes = {gaze.gaze_id: gaze for gaze in newest}
    return replace(
        state,
        gazes=gazes,
        gateways={k: v for k, v in state.gateways.items() if v.at_ms >= oldest_start_ms},
        cameras={k: v for k, v in state.cameras.items() if v.heard.at_ms >= oldest_start_ms},
        stays=_recent(state.stays, state.newest_ms),
    )


def _stay(presence: Presence) -> _Stay:
    dwell_ms = presence.left_at_ms - presence.entered_at_ms
    return _Stay(presence.target_id, presence.left_at_ms, dwell_ms)


def _recent(stays: tuple[_Stay, ...], now_ms: int) -> tuple[_Stay, ...]:
    oldest_ms = now_ms - _STAYS_MS
    if len(stays) <= _MOST_STAYS and all(stay.left_at_ms > oldest_ms for stay in stays):
        return stays
    return tuple(stay for stay in stays if stay.left_at_ms > oldest_ms)[-_MOST_STAYS:]


def _dwell_ms(stays: Sequence[_Stay], zone_id: str, now_ms: int) -> int | None:
    """The mean stay of those who left the zone in the last minute; None where nobody did."""
    told = [
        stay.dwell_ms
        for stay in stays
        if stay.target_id == zone_id and now_ms - _STAYS_MS < stay.left_at_ms <= now_ms
    ]
    return sum(told) // len(told) if told else None


def moment(
    state: AreaState,
    zone_ids: Sequence[str],
    now_ms: int,
    *,
    window_ms: int,
    silence_ms: int,
) -> tuple[ZoneAttention, ...]:
    """One entry for each of `zone_ids`, of the last `window_ms` before `now_ms`.

    `watchers` are those whose gaze is open now. A gaze counts as ended at its gateway's last word
    once the gateway has been silent for `silence_ms`.
    """
    heard_ms = _heard_by_gateway(state)
    attention = dict.fromkeys(zone_ids, 0)
    watchers: dict[str, set[str]] = {zone_id: set() for zone_id in zone_ids}
    for gaze in state.gazes.values():
        if gaze.target_id not in attention:
            continue
        end_ms = _end_ms(gaze, heard_ms.get(gaze.gateway_id, 0), now_ms, silence_ms)
        if end_ms is None:
            watchers[gaze.target_id].add(gaze.track_id)
            until_ms, share = now_ms, 1.0
        else:
            until_ms = end_ms
            share = _facing_share(gaze)
        since_ms = max(gaze.started_at_ms, now_ms - window_ms)
        attention[gaze.target_id] += int(share * max(0, min(until_ms, now_ms) - since_ms))
    return tuple(
        ZoneAttention(
            zone_id=zone_id,
            attention_ms=attention[zone_id],
            watchers=len(watchers[zone_id]),
            people=_people(state, zone_id, now_ms, silence_ms),
            dwell_ms=_dwell_ms(state.stays, zone_id, now_ms),
        )
        for zone_id in zone_ids
    )


def newest_open_gaze(
    state: AreaState, zone_id: str, now_ms: int, *, silence_ms: int
) -> GazeNow | None:
    """The gaze on `zone_id` that began last and is still open at `now_ms`, if there is one."""
    heard_ms = _heard_by_gateway(state)
    looking = [
        gaze
        for gaze in state.gazes.values()
        if gaze.target_id == zone_id
        and _end_ms(gaze, heard_ms.get(gaze.gateway_id, 0), now_ms, silence_ms) is None
    ]
    return max(looking, key=lambda g: (g.started_at_ms, g.gaze_id), default=None)


def _heard_by_gateway(state: AreaState) -> dict[str, int]:
    heard = {gateway_id: told.at_ms for gateway_id, told in state.gateways.items()}
    for (gateway_id, _), camera in state.cameras.items():
        heard[gateway_id] = max(heard.get(gateway_id, 0), camera.heard.at_ms)
    return heard


def _end_ms(gaze: GazeNow, heard_ms: int, now_ms: int, silence_ms: int) -> int | None:
    """When the gaze ended; None while it is open."""
    if gaze.ended_at_ms is not None:
        return gaze.ended_at_ms
    if heard_ms + silence_ms < now_ms:
        return max(heard_ms, gaze.started_at_ms)
    return None


def _facing_share(gaze: GazeNow) -> float:
    """The part of an ended gaze in which the face was directed at the target."""
    if gaze.ended_at_ms is None:
        return 1.0
    return gaze.attention_ms / max(1, gaze.ended_at_ms - gaze.started_at_ms)


def _people(state: AreaState, zone_id: str, now_ms: int, silence_ms: int) -> int:
    # The gateway counts each person under one camera, also where the views of several overlap.
    return sum(
        camera.people.get(zone_id, 0)
        for camera in state.cameras.values()
        if camera.heard.at_ms + silence_ms >= now_ms
    )
