"""What is decided for a screen, and the proof that it was shown."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import (
    Count,
    DurationMs,
    Id,
    Probability,
    Sentence,
    TimeMs,
    Trace,
)

Arm = Literal["adaptive", "control"]

#: Why a decision fell as it did; the sentence beside it is for people.
ReasonCode = Literal["attention", "rotation", "control", "fallback"]

StopReason = Literal["finished", "pre-empted", "error", "shutdown"]


class Creative(Struct, frozen=True, kw_only=True):
    """A version of a creative, never changed once published.

    `zones` and `screens` name where it is eligible; an empty tuple means everywhere.
    `media` is the path of the page below the player's media folder; `sha256` that of its bytes.
    """

    creative_id: Id
    version: Annotated[int, Meta(ge=1)]
    title: Sentence
    alt_text: Sentence
    language: Annotated[str, Meta(max_length=35)]
    media: Annotated[str, Meta(min_length=1, max_length=255)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    owner: Id
    categories: tuple[Id, ...] = ()
    zones: tuple[Id, ...] = ()
    screens: tuple[Id, ...] = ()
    ai_generated: bool = False


class Content(Struct, frozen=True, kw_only=True):
    """What a screen shall show from `not_before_ms` until `expires_at_ms`; the newest wins.

    `arm`, `reason` and `sentence` are those of the decision, so that the screen can explain itself.
    `shown_since_ms` is when the creative came onto the screen, if this content only renews it.
    `trace` is absent where no shopper caused it (rotation).
    """

    decision_id: Id
    store_id: Id
    area_id: Id
    screen_id: Id
    creative_id: Id
    creative_version: Annotated[int, Meta(ge=1)]
    not_before_ms: TimeMs
    expires_at_ms: TimeMs
    arm: Arm
    reason: ReasonCode
    sentence: Sentence
    shown_since_ms: TimeMs | None = None
    trace: Trace | None = None


class Candidate(Struct, frozen=True, kw_only=True):
    """A creative that could have been chosen, with the probability that it would be."""

    creative_id: Id
    creative_version: Annotated[int, Meta(ge=1)]
    propensity: Probability


class ZoneAttention(Struct, frozen=True, kw_only=True):
    """A zone's part in the moment: a context, never a person."""

    zone_id: Id
    attention_ms: DurationMs
    watchers: Count
    people: Count


class Decision(Struct, frozen=True, kw_only=True):
    """The whole decision: enough to replay it and to learn from it.

    `showing`, `shown_since_ms` and `shown_reason` tell what the screen showed before it.
    """

    decision_id: Id
    store_id: Id
    area_id: Id
    screen_id: Id
    decided_at_ms: TimeMs
    slot_start_ms: TimeMs
    arm: Arm
    arm_probability: Probability
    policy_version: Id
    context: tuple[ZoneAttention, ...]
    showing: Id | None
    shown_since_ms: TimeMs | None = None
    shown_reason: ReasonCode | None = None
    candidates: tuple[Candidate, ...]
    creative_id: Id
    creative_version: Annotated[int, Meta(ge=1)]
    reason: ReasonCode
    sentence: Sentence
    trace: Trace | None = None


class Play(Struct, frozen=True, kw_only=True):
    """A play on the glass: told when the page has rendered it and again when it stops.

    `duration_ms` comes from a monotonic clock. `content` version and ids are an immutable snapshot.
    """

    play_id: Id
    phase: Literal["started", "ended"]
    player_id: Id
    store_id: Id
    area_id: Id
    screen_id: Id
    decision_id: Id
    creative_id: Id
    creative_version: Annotated[int, Meta(ge=1)]
    scheduled_at_ms: TimeMs
    rendered_at_ms: TimeMs
    duration_ms: DurationMs | None = None
    stop_reason: StopReason | None = None
    success: bool = True
    error: Annotated[str, Meta(max_length=500)] | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        ended = self.phase == "ended"
        if ended != (self.duration_ms is not None) or ended != (self.stop_reason is not None):
            raise ValueError("duration_ms and stop_reason are given exactly when phase is 'ended'")
