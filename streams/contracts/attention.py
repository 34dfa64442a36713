# SPDX-License-Identifier: Apache-2.0
"""What the processor measures: attention, exposure and basket metrics by window.

A window is told again when later events change it; the row with the greatest `through_offset` for
its key wins.
"""

from decimal import Decimal

from msgspec import Struct

from streams.contracts.base import Count, DurationMs, Id, TimeMs
from streams.contracts.pos import Currency
from streams.contracts.signage import Arm
from streams.contracts.vision import TargetKind


class AttentionWindow(Struct, frozen=True, kw_only=True):
    """Audience of one zone or screen in one tumbling window of event time.

    `gross_impressions`, `ots` and `watchers` are separate rungs of the audience ladder; `ots` is
    None where no calibration lets it be measured. `watchers_measured` False: no camera could tell
    who looked, so `watchers` and `attention_ms` say nothing. `late` counts events that came after
    the window's allowed lateness and were not added. Key of a row: (target_id, window_start_ms,
    window_end_ms).
    """

    store_id: Id
    area_id: Id
    target_id: Id
    target_kind: TargetKind
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    gross_impressions: Count
    ots: Count | None
    watchers: Count
    attention_ms: DurationMs
    dwell_ms: DurationMs
    late: Count
    through_offset: Count
    watchers_measured: bool = True


class Exposure(Struct, frozen=True, kw_only=True):
    """Who was before a screen while a piece of content was on its glass: play, presence and pairing
    on event time. Told again while it may change; of the rows of one `play_id` the one with the
    greatest `through_offset` holds.

    A presence in the screen's exposure zone is paired with the play where the two overlap by at
    least 1 s (`PAIRING_MS`); the overlap is the exposed time. The rungs are separate:
    `gross_impressions` were present at any time of the play, `ots` of the paired ones had place and
    heading to see the screen (None where that was not measured), `verified_impressions` are paired,
    `watchers` looked at the screen meanwhile (None where nobody can tell), `attention_ms` is how
    long. `ended` False: the play goes on, and the row says what is known of it so far.
    """

    play_id: Id
    store_id: Id
    area_id: Id
    screen_id: Id
    decision_id: Id
    creative_id: Id
    creative_version: Count
    started_at_ms: TimeMs
    ended_at_ms: TimeMs
    ended: bool
    gross_impressions: Count
    ots: Count | None
    verified_impressions: Count
    exposed_ms: DurationMs
    watchers: Count | None
    attention_ms: DurationMs
    late: Count
    through_offset: Count


class BasketWindow(Struct, frozen=True, kw_only=True):
    """Basket metrics of one store, slot and arm in one tumbling window of event time.

    `basket_units` and `basket_value` are net sums: `returns` and `voids` are taken off. UPT and ATV
    are those over `transactions`: sales less voids, never below 0. `experiment_id` names the plan
    that drew the arm; None outside of one.
    Key of a row: (store_id, window_start_ms, arm, currency).
    """

    store_id: Id
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    slot_start_ms: TimeMs
    arm: Arm
    currency: Currency
    transactions: Count
    basket_units: Decimal
    basket_value: Decimal
    category_units: dict[str, Decimal]
    late: Count
    simulated: bool
    through_offset: Count
    returns: Count = 0
    voids: Count = 0
    experiment_id: Id | None = None
