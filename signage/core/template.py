"""Fills the places of an HTML template: `{{name}}` with a text, `{{price:sku}}` with a price. Pure.

It is given the creative and the store's prices and nothing else, so a price cannot depend on who
looks. Everything that is filled in is escaped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from streams.contracts.signage import Creative
from streams.contracts.store import Price

_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PRICE = re.compile(r"(price|unit):([^\s{}<>\"'&]{1,128})")

#: How people write the currencies of the most stores; others by their code.
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CNY": "¥", "JPY": "¥"}
#: Currencies without a smaller unit (ISO 4217).
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})
#: Languages that write 1.234,50 and put the sign behind.
_COMMA = frozenset({"de", "fr", "it", "es", "nl", "pt", "pl", "cs", "da", "sv", "nb", "fi", "tr"})


@dataclass(frozen=True, slots=True)
class Places:
    """What a template wants filled in, each once, in order; `unknown` are no places."""

    names: tuple[str, ...]
    skus: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with everything in its place, and the prices that it shows."""

    text: str
    prices: tuple[Price, ...]


def places(text: str) -> Places:
    """The places of a template.

    >>> places("<p>{{title}} {{price:4001}} {{ unit:4001 }}</p>{{1}}")
    Places(names=('title',), skus=('4001',), unknown=('1',))
    """
    names: list[str] = []
    skus: list[str] = []
    unknown: list[str] = []
    for match in _PLACE.finditer(text):
        priced = _PRICE.fullmatch(match[1])
        if priced is not None:
            skus.append(priced[2])
        elif _NAME.fullmatch(match[1]):
            names.append(match[1])
        else:
            unknown.append(match[1])
    return Places(*(tuple(dict.fromkeys(each)) for each in (names, skus, unknown)))


def fill(
    creative: Creative, text: str, prices: Mapping[str, Price], unknown: str | None = None
) -> Filled | None:
    """The page of a template with the store's `prices` (by sku); None where one is missing.

    With `unknown`, that stands where a price is missing: for who looks at it outside a store.
    """
    if unknown is None and any(sku not in prices for sku in creative.prices):
        return None
    texts = {"title": creative.title, **{field.name: field.value for field in creative.fields}}

    def put(match: re.Match[str]) -> str:
        priced = _PRICE.fullmatch(match[1])
        if priced is None:
            return escape(texts.get(match[1], ""))
        price = prices.get(priced[2])
        if price is None:
            return escape(unknown or "") if priced[1] == "price" else ""
        return escape(
            price_text(price, creative.language) if priced[1] == "price" else price.unit_text
        )

    shown = tuple(prices[sku] for sku in creative.prices if sku in prices)
    return Filled(_PLACE.sub(put, text), shown)


def price_text(price: Price, language: str) -> str:
    """A price as people of that language write it.

    >>> from decimal import Decimal
    >>> told = {"store_id": "s", "sku": "1", "currency": "EUR", "valid_from_ms": 0}
    >>> price = Price(price=Decimal("1234.5"), **told)
    >>> price_text(price, "en"), price_text(price, "de-AT")
    ('€1,234.50', '1.234,50\\xa0€')
    """
    digits = 0 if price.currency in _WHOLE else 2
    amount = f"{price.price:,.{digits}f}"
    sign = _SIGNS.get(price.currency, price.currency)
    if language.lower().split("-")[0] in _COMMA:
        amount = amount.translate(str.maketrans(",.", ".,"))
        return f"{amount}\N{NO-BREAK SPACE}{sign}"
    gap = "\N{NO-BREAK SPACE}" if len(sign) > 1 else ""
    return f"{sign}{gap}{amount}"
