"""The store's prices as the screen knows them: nothing but what the store has told. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.signage import Creative, PriceShown
from streams.contracts.store import Price


@dataclass(slots=True)
class Prices:
    """Prices by sku; one that is told for later waits until then."""

    _now: dict[str, Price] = field(default_factory=dict)
    _later: dict[str, Price] = field(default_factory=dict)

    def put(self, sku: str, price: Price | None, now_ms: int) -> bool:
        """Take what the store told; whether the price of today is another one now."""
        if price is not None and price.valid_from_ms > now_ms:
            self._later[sku] = price
            return False
        self._later.pop(sku, None)
        before = self._now.get(sku)
        if price is None:
            self._now.pop(sku, None)
        else:
            self._now[sku] = price
        return before != price

    def due(self, now_ms: int) -> list[str]:
        """The skus whose price changes now."""
        skus = [sku for sku, price in self._later.items() if price.valid_from_ms <= now_ms]
        for sku in skus:
            self._now[sku] = self._later.pop(sku)
        return skus

    def of(self, creative: Creative) -> dict[str, Price] | None:
        """The prices that a creative shows; None where one is not known."""
        if any(sku not in self._now for sku in creative.prices):
            return None
        return {sku: self._now[sku] for sku in creative.prices}

    def shown(self, creative: Creative) -> tuple[PriceShown, ...] | None:
        """The same as a proof of play holds them."""
        prices = self.of(creative)
        return None if prices is None else told(prices)


def told(prices: Mapping[str, Price]) -> tuple[PriceShown, ...]:
    """Prices as a proof of play holds them."""
    return tuple(
        PriceShown(sku=sku, price=price.price, currency=price.currency)
        for sku, price in prices.items()
    )
