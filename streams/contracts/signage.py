# SPDX-License-Identifier: Apache-2.0
"""What is decided for a screen, and the proof that it was shown."""

from decimal import Decimal
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

#: Who chose. The reason code says what brought the decision about, this who then picked.
Algorithm = Literal["rotation", "rule", "bandit"]

StopReason = Literal["finished", "pre-empted", "error", "shutdown"]

#: Day of the week as ISO 8601 counts: 1 is Monday, 7 Sunday.
Weekday = Annotated[int, Meta(ge=1, le=7)]

_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Path = Annotated[str, Meta(min_length=1, max_length=255)]


class Hours(Struct, frozen=True, kw_only=True):
    """When something may be shown, in the store's local time.

    From `from_minute` of the day until before `until_minute`; where the end is not after the
    beginning, past midnight into the next day. No `days` means every day.
    """

    days: Annotated[tuple[Weekday, ...], Meta(max_length=7)] = ()
    from_minute: Annotated[int, Meta(ge=0, le=1439)] = 0
    until_minute: Annotated[int, Meta(ge=1, le=1440)] = 1440


class MediaFile(Struct, frozen=True, kw_only=True):
    """A file of a creative: where a page asks for it, and which bytes it must have."""

    path: _Path
    sha256: _Sha256
    bytes: Count


class Field(Struct, frozen=True, kw_only=True):
    """A place in a template: `{{name}}` is filled with `value`."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    value: Sentence


class AiLabel(Struct, frozen=True, kw_only=True):
    """What was found on and in an AI-generated creative, as GB 45438-2025 asks for it.

    `label` and the names are those of the implicit label in the file's metadata ("1" is, "2" may
    be, "3" is suspected to be AI-generated). `height_share` is the height of the explicit label's
    text by the shortest side, measured in the pixels; `seconds` how long a video shows it from its
    beginning.
    """

    label: Literal["1", "2", "3"]
    content_producer: Annotated[str, Meta(min_length=1, max_length=128)]
    produce_id: Annotated[str, Meta(min_length=1, max_length=128)]
    content_propagator: Annotated[str, Meta(max_length=128)] = ""
    propagate_id: Annotated[str, Meta(max_length=128)] = ""
    text: Annotated[str, Meta(min_length=1, max_length=40)]
    height_share: Probability
    seconds: Annotated[float, Meta(ge=0.0)] | None = None


class Creative(Struct, frozen=True, kw_only=True):
    """A version of a creative, never changed once published; an empty value withdraws it.

    `zones` and `screens` name where it is eligible; an empty tuple means everywhere.
    `media` is the path of the page below the player's media folder; `sha256` that of its bytes. A
    picture or a video comes with a page that shows it. `files` are all that the page needs, itself
    included.
    `hours`, `valid_from_ms` and `valid_until_ms` say when it may be shown; `max_plays_per_hour`
    caps one screen, `budget_plays` the campaign in one store. `skus` are what it advertises: one
    that is sold out bars it. `prices` are the skus whose price it shows, `fields` the other places
    of a template.
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
    kind: Literal["page", "picture", "video", "template"] = "page"
    campaign: Id | None = None
    hours: Annotated[tuple[Hours, ...], Meta(max_length=32)] = ()
    valid_from_ms: TimeMs | None = None
    valid_until_ms: TimeMs | None = None
    max_plays_per_hour: Annotated[int, Meta(ge=1)] | None = None
    budget_plays: Annotated[int, Meta(ge=1)] | None = None
    skus: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    prices: Annotated[tuple[Id, ...], Meta(max_length=20)] = ()
    fields: Annotated[tuple[Field, ...], Meta(max_length=40)] = ()
    files: Annotated[tuple[MediaFile, ...], Meta(max_length=256)] = ()
    label: AiLabel | None = None


class Barred(Struct, frozen=True, kw_only=True):
    """A creative that may not be shown here and now, and the first reason why.

    The reasons: `screen` and `zone` (made for another), `not-yet`, `over` and `hours` (schedule),
    `label` (AI-generated and not labelled), `language`, `price` (none is known), `stock` (sold
    out), `cap` (often enough this hour), `budget` (the campaign has had its plays).
    """

    creative_id: Id
    why: Id


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
    """A zone's part in the moment: a context, never a person.

    `dwell_ms` is the mean stay of those who left the zone in the last minute, None where nobody
    did.
    """

    zone_id: Id
    attention_ms: DurationMs
    watchers: Count
    people: Count
    dwell_ms: DurationMs | None = None


class StockSeen(Struct, frozen=True, kw_only=True):
    """What was known of a sku's stock at the decision."""

    sku: Id
    units: Decimal


class Shown(Struct, frozen=True, kw_only=True):
    """How often a creative with a cap or a budget had been shown: on this screen in the last hour,
    and its campaign in the store.
    """

    creative_id: Id
    last_hour: Count
    campaign: Count


class Decision(Struct, frozen=True, kw_only=True):
    """The whole decision: enough to replay it and to learn from it.

    `showing`, `shown_since_ms` and `shown_reason` tell what the screen showed before it, and
    `before_ms` when that was decided. `weekday` (ISO 8601) and `minute` of the day are the store's.
    `algorithm` picked, by the `snapshot` of a policy if it needs one; `features` is the moment as
    it saw it for the creative chosen, in the order of the snapshot's names. `stock`, `priced` (the
    skus with a known price) and `shown` are what eligibility asked for; `barred` are those it left
    out. `adaptive` False: whoever runs the store has switched adaptive content off.
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
    algorithm: Algorithm | None = None
    snapshot: Id | None = None
    features: Annotated[tuple[float, ...], Meta(max_length=30)] = ()
    experiment_id: Id | None = None
    before_ms: TimeMs | None = None
    weekday: Weekday | None = None
    minute: Annotated[int, Meta(ge=0, le=1439)] | None = None
    stock: Annotated[tuple[StockSeen, ...], Meta(max_length=1_000)] = ()
    priced: Annotated[tuple[Id, ...], Meta(max_length=1_000)] = ()
    shown: Annotated[tuple[Shown, ...], Meta(max_length=1_000)] = ()
    barred: Annotated[tuple[Barred, ...], Meta(max_length=1_000)] = ()
    adaptive: bool = True


class PriceShown(Struct, frozen=True, kw_only=True):
    """A price as it stood on the glass."""

    sku: Id
    price: Decimal
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Play(Struct, frozen=True, kw_only=True):
    """A play on the glass: told when the page has rendered it and again when it stops.

    `duration_ms` comes from a monotonic clock. `content` version and ids are an immutable snapshot.
    `prices` are those that were shown. `clock_note` says what was wrong with the player's clock and
    how its times were put right.

    The proofs of one `player_id` are a hash chain: `seq` counts from 1 without a gap,
    `previous_sha256` is the `sha256` of the one before (absent at a chain's beginning), and
    `sha256` that of the canonical bytes of all other fields. A repeat is the same proof again.
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
    prices: Annotated[tuple[PriceShown, ...], Meta(max_length=20)] = ()
    clock_note: Sentence | None = None
    seq: Annotated[int, Meta(ge=1)] | None = None
    previous_sha256: _Sha256 | None = None
    sha256: _Sha256 | None = None

    def __post_init__(self) -> None:
        ended = self.phase == "ended"
        if ended != (self.duration_ms is not None) or ended != (self.stop_reason is not None):
            raise ValueError("duration_ms and stop_reason are given exactly when phase is 'ended'")
