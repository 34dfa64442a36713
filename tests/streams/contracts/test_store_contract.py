"""Stock and price: exact numbers, bounded, under one key."""

from decimal import Decimal

import msgspec
import pytest

from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.store import Price, Stock
from streams.contracts.topics import PRICE, STOCK


def test_numbers_survive_the_wire_exactly() -> None:
    price = Price(
        store_id="s",
        sku="4001",
        price=Decimal("0.10"),
        currency="EUR",
        valid_from_ms=1,
        unit_text="/kg",
    )
    stock = Stock(store_id="s", sku="4001", units=Decimal("2.5"), at_ms=1)
    assert codec.decode(PRICE.name, codec.encode(price)) == price
    assert codec.decode(STOCK.name, codec.encode(stock)) == stock
    assert PRICE.key(price) == STOCK.key(stock) == "s/4001"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-0.01", "10000000"])
def test_a_price_that_is_none_is_refused(number: str) -> None:
    text = msgspec.json.encode(
        {"store_id": "s", "sku": "1", "price": number, "currency": "EUR", "valid_from_ms": 0}
    )
    with pytest.raises(UndecodableError, match="price must be a number"):
        codec.decode(PRICE.name, text)


def test_stock_that_is_not_counted_is_told_as_such() -> None:
    text = b'{"store_id":"s","sku":"1","units":null,"at_ms":0}'
    assert codec.decode(STOCK.name, text).units is None
    with pytest.raises(UndecodableError, match="units must be a number"):
        codec.decode(STOCK.name, text.replace(b"null", b'"sNaN"'))
