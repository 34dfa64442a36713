"""A moment with what may be shown in it, what an algorithm wishes, what is recorded of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signage.core.eligibility import Given, budget_key, made_for
from streams.contracts.layout import Zone
from streams.contracts.policy import Moment
from streams.contracts.signage import (
    Algorithm,
    Creative,
    ReasonCode,
    Shown,
    StockSeen,
    ZoneAttention,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment, and what may be shown in it."""

    moment: Moment
    zones: Mapping[str, Zone]
    allowed: tuple[Creative, ...]
    given: Given
    leader: ZoneAttention | None

    @property
    def for_the_leader(self) -> tuple[Creative, ...]:
        """The creatives made for the zone that leads."""
        if self.leader is None:
            return ()
        zone = self.zones[self.leader.zone_id]
        return tuple(creative for creative in self.allowed if made_for(creative, zone))

    @property
    def may_stay(self) -> bool:
        """Whether what is on show may still be shown."""
        return any(creative.creative_id == self.moment.showing for creative in self.allowed)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an algorithm wants shown. `chances` by creative, where chance chose."""

    creative: Creative
    reason: ReasonCode
    sentence: str
    hold_ms: int
    algorithm: Algorithm
    chances: Mapping[str, float] | None = None
    features: tuple[float, ...] = ()


def stock_seen(creatives: Sequence[Creative], given: Given) -> tuple[StockSeen, ...]:
    """The stock of what `creatives` advertise, where it is known."""
    skus = sorted({sku for creative in creatives for sku in creative.skus})
    told = ((sku, given.stock.get(sku)) for sku in skus)
    return tuple(StockSeen(sku=sku, units=units) for sku, units in told if units is not None)


def priced(creatives: Sequence[Creative], given: Given) -> tuple[str, ...]:
    """The skus whose price `creatives` show, where it is known."""
    return tuple(sorted({sku for c in creatives for sku in c.prices if sku in given.prices}))


def shown(creatives: Sequence[Creative], given: Given) -> tuple[Shown, ...]:
    """How often those of `creatives` with a cap or a budget had been shown."""
    return tuple(
        Shown(
            creative_id=creative.creative_id,
            last_hour=given.plays_last_hour.get(creative.creative_id, 0),
            campaign=given.campaign_plays.get(budget_key(creative), 0),
        )
        for creative in creatives
        if creative.max_plays_per_hour is not None or creative.budget_plays is not None
    )
