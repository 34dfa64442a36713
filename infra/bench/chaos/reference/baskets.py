"""The sums of receipts by window, arm and currency that a log makes. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import gcd

from infra.bench.chaos.reference.log import Decoded, Row, Rules
from streams.contracts.pos import Basket


@dataclass(slots=True)
class _BasketWindow:
    baskets: dict[str, Basket] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    through: int = 0


def basket_rows(decoded: Sequence[Decoded], rules: Rules) -> tuple[list[Row], int]:
    length = gcd(rules.basket_window_ms, rules.experiment.slot_ms)
    newest: dict[tuple[int, str], int] = defaultdict(int)
    windows: dict[tuple[str, int, str, str], _BasketWindow] = defaultdict(_BasketWindow)
    for each in decoded:
        basket = each.event
        if not isinstance(basket, Basket):
            continue
        closed, log = basket.closed_at_ms, (each.at.partition, basket.store_id)
        horizon = each.at.timestamp_ms + rules.max_ahead_ms
        newest[log] = max(newest[log], min(closed, horizon))
        if closed > horizon:
            continue
        start = closed - closed % length
        arm = rules.experiment.arm(basket.store_id, closed)
        window = windows[basket.store_id, start, arm, basket.currency]
        if basket.basket_id in window.baskets or basket.basket_id in window.late:
            continue
        if newest[log] >= start + length + rules.basket_lateness_ms:
            window.late.add(basket.basket_id)
        else:
            window.baskets[basket.basket_id] = basket
        window.through = max(window.through, each.at.offset + 1)
    rows = [_basket_row(key, length, window, rules) for key, window in windows.items()]
    return rows, sum(len(window.late) for window in windows.values())


def _basket_row(
    key: tuple[str, int, str, str], length: int, window: _BasketWindow, rules: Rules
) -> Row:
    store_id, start, arm, currency = key
    lines = [line for basket in window.baskets.values() for line in basket.lines]
    categories: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        categories[line.category] += line.units
    return {
        "store_id": store_id,
        "window_start": start,
        "window_end": start + length,
        "slot_start": rules.experiment.slot_start_ms(start),
        "arm": arm,
        "currency": currency,
        "transactions": len(window.baskets),
        "basket_units": sum((line.units for line in lines), Decimal()),
        "basket_value": sum((line.net_value for line in lines), Decimal()),
        "category_units": dict(categories),
        "late": len(window.late),
        "simulated": any(basket.simulated for basket in window.baskets.values()),
        "through_offset": window.through,
    }
