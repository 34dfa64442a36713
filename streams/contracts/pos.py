"""What the till says."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from streams.contracts.base import Id, TimeMs

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class BasketLine(Struct, frozen=True, kw_only=True):
    """One line of a receipt. `units` and `net_value` are negative for a return."""

    sku: Id
    category: Id
    units: Decimal
    net_value: Decimal

    def __post_init__(self) -> None:
        if not (self.units.is_finite() and self.net_value.is_finite()):
            raise ValueError("units and net_value must be finite numbers")


class Basket(Struct, frozen=True, kw_only=True):
    """A closed receipt. `simulated` is set by the simulated store and carried to every page."""

    basket_id: Id
    store_id: Id
    area_id: Id
    closed_at_ms: TimeMs
    currency: Currency
    lines: Annotated[tuple[BasketLine, ...], Meta(min_length=1, max_length=1_000)]
    simulated: bool = False
