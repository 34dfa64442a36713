# SPDX-License-Identifier: Apache-2.0
"""What the till says, and what of it was refused."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import Count, Id, Sentence, TimeMs

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]

#: A return changes the sums of a store and not its count; a void takes a receipt back as if it had
#: never been.
ReceiptKind = Literal["sale", "return", "void"]


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
    """A closed receipt. `simulated` is set by the simulated store and carried to every page.

    A `void` names the receipt that it takes back in `voids`, has that one's lines with their signs
    turned and its `closed_at_ms`: so it is counted where that one was. When it was voided is not
    told.
    """

    basket_id: Id
    store_id: Id
    area_id: Id
    closed_at_ms: TimeMs
    currency: Currency
    lines: Annotated[tuple[BasketLine, ...], Meta(min_length=1, max_length=1_000)]
    simulated: bool = False
    kind: ReceiptKind = "sale"
    voids: Id | None = None

    def __post_init__(self) -> None:
        if (self.kind == "void") != (self.voids is not None):
            raise ValueError("voids is given exactly when kind is 'void'")

    @property
    def transactions(self) -> int:
        """What it adds to the count of transactions: 1 for a sale, -1 for a void."""
        return {"sale": 1, "return": 0, "void": -1}[self.kind]


#: Why a receipt was refused; the `detail` beside it is for people.
RefusalReason = Literal[
    "unreadable",
    "missing",
    "format",
    "lines",
    "quantity",
    "value",
    "currency",
    "future",
    "too-old",
    "too-large",
    "void",
    "conflict",
]


class RefusedReceipt(Struct, frozen=True, kw_only=True):
    """A receipt that was refused: what it said and why.

    In `masked_text` (its beginning) and `detail` every run of more than 8 digits is masked: it may
    be the number of a card. `source` is where it came from (a file's name, `http`, a topic),
    `place` which line or record of it.
    """

    refused_id: Id
    store_id: Id
    source: Id
    place: Id
    reason: RefusalReason
    detail: Sentence
    masked_text: Sentence
    refused_at_ms: TimeMs


class DoorCount(Struct, frozen=True, kw_only=True):
    """What a counter of the store's own counted from `from_ms` until before `until_ms`; told again
    where it is corrected: of one counter and beginning the newest `told_at_ms` holds.

    `passers_by` went past the door without coming in; None where that is not counted.
    """

    store_id: Id
    counter_id: Id
    from_ms: TimeMs
    until_ms: TimeMs
    entering: Count
    leaving: Count | None = None
    passers_by: Count | None = None
    told_at_ms: TimeMs

    def __post_init__(self) -> None:
        if self.until_ms <= self.from_ms:
            raise ValueError("until_ms must be after from_ms")
