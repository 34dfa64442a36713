"""What a decision was worth, from 0 to 1: three kinds, which are never mixed. Pure."""

from decimal import Decimal

#: A screen that three people watch all the time has all that we ask of it.
_MOST_WATCHERS = 3.0

#: Units that a creative's products sell beyond their usual in one stretch, either way.
_MOST_UNITS = 10.0

#: Units of a basket, about the upper tenth of a grocer's (mean 13.5, median 7).
_MOST_BASKET = 40.0


def by_attention(attention_ms: int, shown_ms: int) -> float:
    """The mean number of watchers while the creative was on the glass, of three at the most.

    Reference: attention time is the sum over watchers; divided by the time shown it says the same
    of a short play and a long one.

    >>> by_attention(6_000, 4_000), by_attention(0, 4_000)
    (0.5, 0.0)
    """
    if shown_ms <= 0:
        return 0.0
    return min(_MOST_WATCHERS, attention_ms / shown_ms) / _MOST_WATCHERS


def by_sales(units: Decimal, usual: Decimal) -> float:
    """Units that the creative's products sold in the stretch after it, beside their usual in one.

    One half is the usual: a product that always sells well earns nothing by it.

    >>> by_sales(Decimal(3), Decimal(3)), by_sales(Decimal(5), Decimal(0))
    (0.5, 0.75)
    """
    more = max(-_MOST_UNITS, min(_MOST_UNITS, float(units - usual)))
    return 0.5 + 0.5 * more / _MOST_UNITS


def by_basket(units: Decimal, transactions: int) -> float | None:
    """Units a transaction in the stretch after it; None where nobody paid.

    >>> by_basket(Decimal(40), 4)
    0.25
    """
    if transactions <= 0:
        return None
    return min(_MOST_BASKET, max(0.0, float(units) / transactions)) / _MOST_BASKET
