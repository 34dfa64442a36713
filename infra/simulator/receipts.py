"""The simulated store's receipts: sizes as in a real panel, moved by signage as `effects` says.

Pure: seed, number, start and the arm of the moment give the same basket every time. Sending is in
`baskets`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from infra.simulator.effects import NO_EFFECT, TrueEffect, changed
from streams.contracts.ids import event_id
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Arm

#: Basket sizes of a real grocery panel (public figures of the Complete Journey data): units are
#: negative binomial with this mean and dispersion, at least 1 (median 7); value is log-normal.
UNITS_MEAN = 13.5
UNITS_DISPERSION = 0.64
VALUE_LOG_MEAN = 2.70
VALUE_LOG_SIGMA = 1.27

#: Who buys more pays more: correlation of the normal scores of units and value. Ours; the panel's
#: marginals hold whatever it is.
UNITS_VALUE_CORRELATION = 0.85

#: A till takes no basket of more units than this; one in 10^12 of the distribution is larger.
_MOST_UNITS = 1_000

#: Categories, with the share of units that each draws on average.
CATEGORIES = (
    ("tea", 0.1),
    ("chocolate", 0.15),
    ("coffee", 0.12),
    ("bakery", 0.2),
    ("fruit", 0.25),
    ("household", 0.18),
)

#: Shoppers buy from a few categories: the smaller, the fewer (Dirichlet concentration).
_VARIETY = 2.5

_SKUS_PER_CATEGORY = 12
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class BasketMaker:
    """Makes the receipts of one store, one after the other.

    Arguments:
        seed: decides the sizes and the times.
        start_ms: when the till opens, UTC epoch ms.
        every_s: mean time between two baskets; times between are exponential.
        effect: what baskets of adaptive slots are changed by; without one, nothing moves them.
        arm: the store's arm at a time.
    """

    layout: StoreLayout
    seed: int
    start_ms: int
    every_s: float
    effect: TrueEffect = NO_EFFECT
    arm: Callable[[int], Arm] | None = None

    def baskets(self) -> Iterator[Basket]:
        """All baskets from the opening on, in the order of closing; there is no last one."""
        at_ms, number = float(self.start_ms), 0
        while True:
            yield self.basket(number, round(at_ms))
            number += 1
            at_ms += self._gap_ms(number)

    def from_time(self, from_ms: int) -> Iterator[Basket]:
        """The baskets that close at `from_ms` or later: where a restarted till goes on."""
        at_ms, number = float(self.start_ms), 0
        while round(at_ms) < from_ms:
            number += 1
            at_ms += self._gap_ms(number)
        while True:
            yield self.basket(number, round(at_ms))
            number += 1
            at_ms += self._gap_ms(number)

    def basket(self, number: int, closed_at_ms: int) -> Basket:
        """The basket of that number."""
        rng = np.random.default_rng([self.seed, number, 2])
        units, value = size(rng)
        lines = _lines(rng, units, value)
        if self.arm is not None and self.arm(closed_at_ms) == "adaptive":
            # A generator of its own: the same basket without an effect is the same to the cent.
            own = np.random.default_rng([self.seed, number, 4])
            share = dict(CATEGORIES).get(self.effect.category, 0.0)
            lines = changed(lines, self.effect, share, own)
        return Basket(
            basket_id=event_id(self.layout.store_id, "basket", self.seed, self.start_ms, number),
            store_id=self.layout.store_id,
            area_id=self.layout.areas[0].area_id,
            closed_at_ms=closed_at_ms,
            currency=self.layout.currency,
            lines=lines,
            simulated=True,
        )

    def _gap_ms(self, number: int) -> float:
        rng = np.random.default_rng([self.seed, number, 3])
        return 1_000.0 * self.every_s * max(0.02, float(rng.exponential()))


def size(rng: np.random.Generator) -> tuple[int, Decimal]:
    """Units and value of one basket: both marginals exact, joined by a Gaussian copula."""
    first, second = (float(z) for z in rng.standard_normal(2))
    rho = UNITS_VALUE_CORRELATION
    rank = 0.5 * (1.0 + math.erf(first / math.sqrt(2.0)))
    units = max(1, int(np.searchsorted(_UNITS_CDF, rank)))
    score = rho * first + math.sqrt(1.0 - rho * rho) * second
    value = Decimal(math.exp(VALUE_LOG_MEAN + VALUE_LOG_SIGMA * score)).quantize(_CENT)
    return units, max(value, _CENT * min(units, len(CATEGORIES)))


def _lines(rng: np.random.Generator, units: int, value: Decimal) -> tuple[BasketLine, ...]:
    """The receipt: a line a category, units and cents dealt out so that their sums are exact."""
    shares = rng.dirichlet([_VARIETY * share for _, share in CATEGORIES])
    counts = rng.multinomial(units, shares)
    bought = [(name, int(n)) for (name, _), n in zip(CATEGORIES, counts, strict=True) if n]
    weights = np.array([n * float(rng.lognormal(0.0, 0.4)) for _, n in bought])
    # Each line has at least one cent; the rest is split by weight at cumulated, rounded borders.
    spare = int(value / _CENT) - len(bought)
    borders = np.round(np.cumsum(weights) / weights.sum() * spare).astype(int)
    cents = np.diff(borders, prepend=0) + 1
    return tuple(
        BasketLine(
            sku=f"{name}-{int(rng.integers(1, _SKUS_PER_CATEGORY + 1)):02d}",
            category=name,
            units=Decimal(n),
            net_value=_CENT * int(c),
        )
        for (name, n), c in zip(bought, cents, strict=True)
    )


def _units_cdf() -> npt.NDArray[np.float64]:
    """P(units <= n) of the negative binomial for n = 0, 1, 2 ..., by its recurrence."""
    r, mean = UNITS_DISPERSION, UNITS_MEAN
    ratio = mean / (r + mean)
    mass = np.empty(_MOST_UNITS)
    mass[0] = (r / (r + mean)) ** r
    for n in range(1, _MOST_UNITS):
        mass[n] = mass[n - 1] * (n - 1 + r) / n * ratio
    return np.cumsum(mass)


_UNITS_CDF = _units_cdf()
