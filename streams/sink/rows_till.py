"""The rows of receipts, refused ones, metrics of baskets, and counts at the door. Pure."""

from decimal import Decimal

from streams.contracts.attention import BasketWindow
from streams.contracts.pos import Basket, DoorCount, RefusedReceipt
from streams.sink import tables
from streams.sink.row import Row, Unit, json, moment


def basket(basket: Basket) -> list[Unit]:
    closed_at = moment(basket.closed_at_ms)
    head = Row(
        tables.BASKETS,
        (
            basket.store_id,
            basket.area_id,
            basket.basket_id,
            closed_at,
            basket.currency,
            sum((line.units for line in basket.lines), Decimal()),
            sum((line.net_value for line in basket.lines), Decimal()),
            basket.simulated,
            basket.kind,
            basket.transactions,
            basket.voids,
        ),
    )
    lines = (
        Row(
            tables.BASKET_LINES,
            (
                basket.store_id,
                basket.basket_id,
                closed_at,
                number,
                line.sku,
                line.category,
                line.units,
                line.net_value,
                basket.currency,
                basket.simulated,
            ),
        )
        for number, line in enumerate(basket.lines, start=1)
    )
    return [(head, *lines)]


def basket_metrics(window: BasketWindow) -> list[Unit]:
    values = (
        window.store_id,
        moment(window.window_start_ms),
        moment(window.window_end_ms),
        moment(window.slot_start_ms),
        window.arm,
        window.currency,
        window.transactions,
        window.basket_units,
        window.basket_value,
        json(window.category_units),
        window.late,
        window.simulated,
        window.through_offset,
        window.returns,
        window.voids,
        window.experiment_id,
    )
    return [(Row(tables.BASKET_METRICS, values),)]


def refused(receipt: RefusedReceipt) -> list[Unit]:
    """A receipt that was refused, with its reason."""
    values = (
        receipt.refused_id,
        receipt.store_id,
        receipt.source,
        receipt.place,
        receipt.reason,
        receipt.detail,
        receipt.masked_text,
        moment(receipt.refused_at_ms),
    )
    return [(Row(tables.RECEIPTS_REFUSED, values),)]


def door_count(count: DoorCount) -> list[Unit]:
    """An interval of a counter of the store's own."""
    values = (
        count.store_id,
        count.counter_id,
        moment(count.from_ms),
        moment(count.until_ms),
        count.entering,
        count.leaving,
        count.passers_by,
        moment(count.told_at_ms),
    )
    return [(Row(tables.DOOR_COUNTS, values),)]
