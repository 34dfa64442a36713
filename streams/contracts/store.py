# SPDX-License-Identifier: Apache-2.0
"""What a store has and what it asks for it: stock and price, told by the store's own systems.

Where nobody tells them they are absent: whatever needs them is then absent too, never guessed.
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from streams.contracts.base import Id, TimeMs

_MAX_PRICE = Decimal("9999999.99")


class Stock(Struct, frozen=True, kw_only=True):
    """How many units of a sku the store has at `at_ms`; None where it sells it but does not count.

    Units may be fractions (weighed goods). Zero or less is sold out.
    """

    store_id: Id
    sku: Id
    units: Decimal | None
    at_ms: TimeMs

    def __post_init__(self) -> None:
        if self.units is not None and not self.units.is_finite():
            raise ValueError("units must be a number")


class Price(Struct, frozen=True, kw_only=True):
    """What a unit of a sku costs everybody in the store from `valid_from_ms` on.

    `unit_text` is what stands beside it ("per kg", "500 g").
    """

    store_id: Id
    sku: Id
    price: Decimal
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    valid_from_ms: TimeMs
    unit_text: Annotated[str, Meta(max_length=40)] = ""

    def __post_init__(self) -> None:
        if not self.price.is_finite() or not 0 <= self.price <= _MAX_PRICE:
            raise ValueError(f"the price must be a number from 0 to {_MAX_PRICE}")


def store_key(store_id: str, sku: str) -> str:
    """The key of a sku of a store on both topics.

    >>> store_key("store-1", "4001")
    'store-1/4001'
    """
    return f"{store_id}/{sku}"
