# SPDX-License-Identifier: Apache-2.0
"""What a camera gateway says: gaze, dwell, audience, crossings.

No struct here has, or may get, a field that could hold a picture or an embedding. Track ids are
random and live as long as the track.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import Count, DurationMs, Id, Metres, Probability, TimeMs, Trace

Phase = Literal["started", "ended"]
TargetKind = Literal["zone", "screen"]

#: Above this many events in one message a producer is broken, not busy (50 ms of one area).
MAX_BATCH = 10_000


class Gaze(Struct, frozen=True, kw_only=True):
    """A stretch of time in which a shopper's face was directed at one target (facing, which is an
    estimate of attention). Told when it starts, after the fixation time, and when it ends.

    `attention_ms` is the sum of the facing intervals so far, never more than
    `ended_at_ms - started_at_ms`. `censored` marks an end that the gateway did not see (it was
    shut down, or the camera was lost). `probability` is that of the target, 0 to 1.
    """

    gaze_id: Id
    phase: Phase
    track_id: Id
    camera_id: Id
    target_id: Id
    target_kind: TargetKind
    probability: Probability
    started_at_ms: TimeMs
    ended_at_ms: TimeMs | None = None
    attention_ms: DurationMs = 0
    distance_m: Metres | None = None
    censored: bool = False
    calibration_version: Id
    trace: Trace

    def __post_init__(self) -> None:
        if (self.phase == "ended") != (self.ended_at_ms is not None):
            raise ValueError("ended_at_ms is given exactly when phase is 'ended'")
        if self.ended_at_ms is not None:
            if self.ended_at_ms < self.started_at_ms:
                raise ValueError("ended_at_ms lies before started_at_ms")
            if self.attention_ms > self.ended_at_ms - self.started_at_ms:
                raise ValueError("attention_ms is longer than the gaze")


class GazeBatch(Struct, frozen=True, kw_only=True):
    """The gaze events of an area within up to 50 ms. `seq` counts the batches of a gateway run."""

    store_id: Id
    area_id: Id
    gateway_id: Id
    seq: Count
    events: Annotated[tuple[Gaze, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class Dwell(Struct, frozen=True, kw_only=True):
    """A stay in a zone longer than the zone's configured minimum. Told when the minimum is reached
    and when the stay ends. A stay holds while no gap between detections exceeds the gap window.
    `excluded`: the person was taken for staff since it was told, so that it does not count.
    """

    dwell_id: Id
    phase: Phase
    track_id: Id
    camera_id: Id
    zone_id: Id
    entered_at_ms: TimeMs
    left_at_ms: TimeMs | None = None
    censored: bool = False
    excluded: bool = False
    calibration_version: Id
    trace: Trace

    def __post_init__(self) -> None:
        if (self.phase == "ended") != (self.left_at_ms is not None):
            raise ValueError("left_at_ms is given exactly when phase is 'ended'")
        if self.left_at_ms is not None and self.left_at_ms < self.entered_at_ms:
            raise ValueError("left_at_ms lies before entered_at_ms")


class DwellBatch(Struct, frozen=True, kw_only=True):
    """The dwell events of an area within up to 50 ms."""

    store_id: Id
    area_id: Id
    gateway_id: Id
    seq: Count
    events: Annotated[tuple[Dwell, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class TargetAudience(Struct, frozen=True, kw_only=True):
    """Who is before one zone or screen at this instant.

    `people`: in the target's floor zone; `watchers`: of those whose gaze rests on it now;
    `attention_ms`: attention of the gazes that are open on it, so far. `measured` False: this
    camera cannot tell who looks at it (no calibration, a nudge, or a screen that it does not see
    from the screen's own plane), so the two say nothing.
    """

    target_id: Id
    target_kind: TargetKind
    people: Count
    watchers: Count
    attention_ms: DurationMs
    measured: bool = True


class Presence(Struct, frozen=True, kw_only=True):
    """A presence in a target's zone that has ended, of anybody who passed: the rung below dwell.

    `opportunity_ms` is the part of it in which place and heading let the person see the target
    (opportunity to see); None where no calibration lets it be measured. `watched`: the person was a
    watcher in it, so that its length is a dwell time of the audience; None where not measured.
    """

    presence_id: Id
    track_id: Id
    target_id: Id
    target_kind: TargetKind
    entered_at_ms: TimeMs
    left_at_ms: TimeMs
    opportunity_ms: DurationMs | None = None
    watched: bool | None = None

    def __post_init__(self) -> None:
        if self.left_at_ms < self.entered_at_ms:
            raise ValueError("left_at_ms lies before entered_at_ms")


class Audience(Struct, frozen=True, kw_only=True):
    """One camera's heartbeat, 1 to 5 times a second: who is there now, and who has just left.

    `stitched`, `staff_excluded`: since the gateway's start, tracks that went on under a new one,
    and people taken for staff. `nudged`: the camera was moved, its gaze is suspended.
    """

    store_id: Id
    area_id: Id
    gateway_id: Id
    camera_id: Id
    seq: Count
    captured_at_ms: TimeMs
    inferred_at_ms: TimeMs
    sent_at_ms: TimeMs
    people: Count
    targets: Annotated[tuple[TargetAudience, ...], Meta(max_length=1_000)]
    presences: Annotated[tuple[Presence, ...], Meta(max_length=MAX_BATCH)] = ()
    calibration_version: Id = "unknown"
    stitched: Count = 0
    staff_excluded: Count = 0
    nudged: bool = False


class Crossing(Struct, frozen=True, kw_only=True):
    """Somebody crossed an entrance line."""

    crossing_id: Id
    store_id: Id
    area_id: Id
    camera_id: Id
    line_id: Id
    direction: Literal["in", "out"]
    crossed_at_ms: TimeMs
    calibration_version: Id = "unknown"
