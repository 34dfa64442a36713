# SPDX-License-Identifier: Apache-2.0
"""The port through which the processor is given its content policy.

The policy itself lives in `signage/`; `streams/` never imports it. What it sees is a moment of an
area, never a person.
"""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from streams.contracts.base import DurationMs, Id, Sentence, TimeMs
from streams.contracts.signage import (
    Algorithm,
    Arm,
    Barred,
    Candidate,
    Creative,
    ReasonCode,
    Shown,
    StockSeen,
    Weekday,
    ZoneAttention,
)


class Moment(Struct, frozen=True, kw_only=True):
    """What is known of a screen's area at `now_ms`.

    `attention` holds one entry a zone of the area, of the last seconds (the processor's window).
    `showing` is the creative on the screen since `shown_since_ms`, for `shown_reason`; None before
    the first decision. A choice that was only renewed keeps its beginning; `decided_ms` is when
    the screen was last decided. `weekday` (ISO 8601) and `minute` of the day are the store's own.
    """

    store_id: Id
    area_id: Id
    screen_id: Id
    now_ms: TimeMs
    arm: Arm
    attention: tuple[ZoneAttention, ...]
    showing: Id | None = None
    shown_since_ms: TimeMs | None = None
    shown_reason: ReasonCode | None = None
    decided_ms: TimeMs | None = None
    weekday: Weekday | None = None
    minute: Annotated[int, Meta(ge=0, le=1439)] | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """What a policy wants shown, from which candidates, and why in one plain sentence.

    `hold_ms` is how long the screen may show it before it falls back to its own rotation. `drawn`:
    it was drawn by chance just now, so it is told as a decision of its own even where it is what
    the screen shows already. The rest is what the choice hung on; see `Decision`.
    """

    creative: Creative
    candidates: tuple[Candidate, ...]
    reason: ReasonCode
    sentence: Sentence
    hold_ms: DurationMs
    drawn: bool = False
    algorithm: Algorithm | None = None
    snapshot: Id | None = None
    features: tuple[float, ...] = ()
    stock: tuple[StockSeen, ...] = ()
    priced: tuple[Id, ...] = ()
    shown: tuple[Shown, ...] = ()
    barred: tuple[Barred, ...] = ()
    adaptive: bool = True


class ContentPolicy(Protocol):
    """Decides what a screen shows. Pure: the same moment gives the same choice."""

    @property
    def version(self) -> str:
        """Names the policy and its snapshot on every decision."""
        ...

    def choose(self, moment: Moment) -> Choice | None:
        """The creative to show now, or None to leave the screen as it is."""
        ...
