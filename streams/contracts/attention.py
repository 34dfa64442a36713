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
    None where no calibration lets it be measured. `late` counts events that came after the
    window's allowed lateness and were not added. Key of a row: (target_id, window_start_ms).
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


class BasketWindow(Struct, frozen=True, kw_only=True):
    """Basket metrics of one store, slot and arm in one tumbling window of event time.

    `basket_units` and `basket_value` are sums; UPT and ATV are those over `transactions`.
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
