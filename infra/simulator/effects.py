"""What the simulated store's screens truly do to what is bought. Pure.

Attention is the way: of the shoppers of an adaptive slot some look at the screens, and only their
baskets change; who looks is drawn for each basket, so that the effect on the mean basket is exact.
A screen may make baskets larger, or it may move one category and take as much from the others, so
that the product sells and the basket stays.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from streams.contracts.pos import BasketLine

#: Of the shoppers in an adaptive slot, those who look at a screen. Ours.
ATTENTIVE = 0.4

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TrueEffect:
    """The truth of a simulated store: by which share adaptive slots change the mean basket
    (`basket`), or the sales of `category` with the basket as it was (`product`).
    """

    basket: float = 0.0
    product: float = 0.0
    category: str = "tea"

    def __post_init__(self) -> None:
        # Nobody who looks leaves with less than half of what they came for, or three times as much.
        if not -0.2 <= self.basket <= 2.0 * ATTENTIVE or not 0.0 <= self.product <= 2.0:
            raise ValueError("a basket grows by -20 % to +80 %, a product's sales by 0 to 200 %")

    @property
    def words(self) -> str:
        """How it is said wherever a person reads a number of the simulated store."""
        said = f"simulated, true effect {100 * self.basket:+.3g} %"
        if self.product:
            said += f" on baskets, {100 * self.product:+.3g} % on {self.category}"
        return said


#: Screens that move nothing.
NO_EFFECT = TrueEffect()


def changed(
    lines: tuple[BasketLine, ...],
    effect: TrueEffect,
    category_share: float,
    rng: np.random.Generator,
) -> tuple[BasketLine, ...]:
    """The lines of a basket of an adaptive slot.

    Arguments:
        category_share: the usual share of units of the effect's category in the store.
        rng: of this basket alone.
    """
    if rng.random() >= ATTENTIVE:
        return lines
    if effect.basket:
        lines = tuple(_grown(line, effect.basket / ATTENTIVE, rng) for line in lines)
    if effect.product:
        moved = effect.product * category_share / (ATTENTIVE * (1.0 - category_share))
        lines = _moved(lines, effect.category, min(moved, 1.0), rng)
    return lines


def _grown(line: BasketLine, share: float, rng: np.random.Generator) -> BasketLine:
    """The line with `share` more units on average, at the same price."""
    units = int(line.units)
    whole, rest = divmod(abs(share), 1.0)
    extra = int(whole) * units + int(rng.binomial(units, rest))
    more = units + (extra if share > 0.0 else -extra)
    if more < 1:
        return line
    value = (line.net_value * more / units).quantize(_CENT, ROUND_HALF_EVEN)
    return _line(line.sku, line.category, more, max(value, _CENT))


def _moved(
    lines: tuple[BasketLine, ...], category: str, share: float, rng: np.random.Generator
) -> tuple[BasketLine, ...]:
    """The lines with `share` of the other categories' units moved to `category`, sums unchanged."""
    units, value = 0, Decimal(0)
    sku = f"{category}-01"
    rest: list[BasketLine] = []
    for line in lines:
        if line.category == category:
            sku, units, value = line.sku, units + int(line.units), value + line.net_value
            continue
        count = int(line.units)
        away = int(rng.binomial(count, share))
        worth = (line.net_value * away / count).quantize(_CENT, ROUND_HALF_EVEN)
        units, value = units + away, value + worth
        if count > away:
            rest.append(_line(line.sku, line.category, count - away, line.net_value - worth))
        else:
            value += line.net_value - worth
    return (*rest, _line(sku, category, units, value)) if units else tuple(rest)


def _line(sku: str, category: str, units: int, value: Decimal) -> BasketLine:
    return BasketLine(sku=sku, category=category, units=Decimal(units), net_value=value)
