"""Templates are filled with the creative's texts and the store's prices, and with nothing else."""

import inspect
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signage.core import template
from signage.core.template import fill, places, price_text
from streams.contracts.signage import Creative, Field
from streams.contracts.store import Price

OFFER = Creative(
    creative_id="offer",
    version=1,
    title="Tom & Jerry",
    alt_text="An offer.",
    language="en",
    media="offer/1/index.html",
    sha256="0" * 64,
    owner="test",
    kind="template",
    prices=("4001",),
    fields=(Field(name="claim", value="<b>now</b>"),),
)
PRICE = Price(
    store_id="s", sku="4001", price=Decimal("3.4"), currency="EUR", valid_from_ms=0, unit_text="/kg"
)
TEXT = "<h1>{{title}}</h1>{{ claim }} {{price:4001}}{{unit:4001}}"


def test_everything_is_filled_in_and_escaped() -> None:
    filled = fill(OFFER, TEXT, {"4001": PRICE})
    assert filled is not None
    assert filled.text == "<h1>Tom &amp; Jerry</h1>&lt;b&gt;now&lt;/b&gt; €3.40/kg"
    assert filled.prices == (PRICE,)


def test_a_price_that_is_not_known_is_not_guessed() -> None:
    assert fill(OFFER, TEXT, {}) is None
    assert fill(OFFER, TEXT, {"4002": PRICE}) is None


@given(st.text(max_size=200), st.text(max_size=40))
def test_no_text_can_bring_markup_into_the_page(value: str, unit: str) -> None:
    creative = msgspec.structs.replace(
        OFFER, title=value, fields=(Field(name="claim", value=value),)
    )
    price = msgspec.structs.replace(PRICE, unit_text=unit)
    filled = fill(creative, TEXT, {"4001": price})
    assert filled is not None
    inside = filled.text.removeprefix("<h1>").replace("</h1>", "", 1)
    assert "<" not in inside
    assert ">" not in inside
    assert '"' not in inside


def test_a_price_hangs_on_nothing_but_the_creative_and_the_stores_prices() -> None:
    """No audience, no arm, no screen and no time goes into it."""
    assert list(inspect.signature(fill).parameters) == ["creative", "text", "prices", "unknown"]
    imported = inspect.getsource(template)
    for word in ("Moment", "ZoneAttention", "Decision", "Arm", "vision", "random"):
        assert word not in imported


@pytest.mark.parametrize(
    ("amount", "currency", "language", "text"),
    [
        ("3.4", "EUR", "en", "€3.40"),
        ("3.4", "EUR", "de", "3,40\N{NO-BREAK SPACE}€"),
        ("1299", "CNY", "zh-Hans", "¥1,299.00"),
        ("1299", "JPY", "ja", "¥1,299"),
        ("7", "CHF", "en", "CHF\N{NO-BREAK SPACE}7.00"),
    ],
)
def test_prices_are_written_as_people_write_them(
    amount: str, currency: str, language: str, text: str
) -> None:
    price = msgspec.structs.replace(PRICE, price=Decimal(amount), currency=currency)
    assert price_text(price, language) == text


def test_places_are_told_apart() -> None:
    found = places("{{a}}{{a}}{{price:x-1}}{{Bad}}{{price:}} a{b}c")
    assert (found.names, found.skus, found.unknown) == (("a",), ("x-1",), ("Bad", "price:"))
