"""The policy of a store as it is now: it follows what is published, and chooses by the newest.

It is fed from outside (`take`), never reads a topic itself, and chooses purely by what it was fed.
"""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from signage.core.caps import PlayBook
from signage.core.eligibility import Given
from signage.core.policy import RuleSettings, StorePolicy
from signage.errors import PolicyError
from streams.contracts import topics
from streams.contracts.layout import StoreLayout
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Creative
from streams.contracts.store import Price, Stock

log = logging.getLogger(__name__)

#: What it is fed: of these topics the newest value of each key, and plays as they come.
FOLLOWED = (topics.CREATIVE.name, topics.POLICY.name, topics.STOCK.name, topics.PRICE.name)

_HOUR_MS = 3_600_000


def in_force(snapshots: Mapping[str, PolicySnapshot], store_id: str) -> PolicySnapshot | None:
    """Of a store's approved snapshots that which was approved last; None where none is."""
    approved = [
        (snapshot.approved_at_ms, snapshot.policy_id, snapshot)
        for snapshot in snapshots.values()
        if snapshot.store_id == store_id and snapshot.approved_at_ms is not None
    ]
    return max(approved, key=lambda each: each[:2])[2] if approved else None


class LivePolicy:
    """Implements `streams.contracts.policy.ContentPolicy`; is fed as `streams.follow.Table`."""

    def __init__(
        self, layout: StoreLayout, *, adaptive: bool = True, settings: RuleSettings | None = None
    ) -> None:
        self._layout = layout
        self._adaptive = adaptive
        self._settings = settings or RuleSettings()
        self._languages: dict[str, Sequence[str]] = {
            screen.screen_id: screen.languages for screen in layout.screens if screen.languages
        }
        self._creatives: dict[str, Creative] = {}
        self._snapshots: dict[str, PolicySnapshot] = {}
        self._stock: dict[str, Decimal | None] = {}
        self._prices: dict[str, list[Price]] = {}
        self._plays = PlayBook()
        self._capped = False
        self._policy = self._made(None)

    @property
    def version(self) -> str:
        """See `ContentPolicy`."""
        return self._policy.version

    @property
    def snapshot(self) -> PolicySnapshot | None:
        """The snapshot in force."""
        return self._policy.snapshot

    @property
    def creatives(self) -> Mapping[str, Creative]:
        """The creatives that are published now, by id."""
        return self._creatives

    def choose(self, moment: Moment) -> Choice | None:
        """See `ContentPolicy`."""
        return self._policy.choose(moment, self._given(moment))

    def plays_since_ms(self, now_ms: int) -> int | None:
        """From when on plays must be counted: the last hour for caps; from the log's beginning
        (None) where a campaign has a budget.
        """
        if any(creative.budget_plays is not None for creative in self._creatives.values()):
            return None
        return now_ms - _HOUR_MS

    def take(self, topic: str, key: str, event: Any | None) -> bool:
        """See `streams.follow.Table`."""
        if topic == topics.PLAY.name:
            if event is not None and event.store_id == self._layout.store_id:
                self._plays.count(event)
            return False
        if topic == topics.STOCK.name:
            return self._take_stock(key, event)
        if topic == topics.PRICE.name:
            return self._take_price(key, event)
        if topic == topics.CREATIVE.name:
            return self._take_creative(key, event)
        return topic == topics.POLICY.name and self._take_snapshot(key, event)

    def _take_creative(self, creative_id: str, creative: Creative | None) -> bool:
        if creative == self._creatives.get(creative_id):
            return False
        if creative is None:
            log.info("the creative %r was withdrawn", creative_id)
            del self._creatives[creative_id]
        else:
            self._creatives[creative_id] = creative
            self._plays.know(creative)
        # Counting an hour's plays at every glance is for those alone who asked for it.
        self._capped = any(c.max_plays_per_hour is not None for c in self._creatives.values())
        self._policy = self._made(self._policy.snapshot)
        return True

    def _take_snapshot(self, key: str, snapshot: PolicySnapshot | None) -> bool:
        if snapshot is None:
            self._snapshots.pop(key, None)
        elif snapshot.store_id == self._layout.store_id:
            self._snapshots[key] = snapshot
        else:
            return False
        chosen = in_force(self._snapshots, self._layout.store_id)
        if chosen == self._policy.snapshot:
            return False
        try:
            self._policy = self._made(chosen)
        except PolicyError as error:  # what runs goes on
            log.error("a policy is not used: %s", error)
            return False
        name = (
            "none, so all screens rotate"
            if chosen is None
            else f"{chosen.name}, approved by {chosen.approved_by}"
        )
        log.info("the policy in force is now %s", name)
        return True

    def _take_stock(self, key: str, stock: Stock | None) -> bool:
        store_id, _, sku = key.partition("/")
        if store_id != self._layout.store_id:
            return False
        before = self._stock.get(sku)
        if stock is None:
            self._stock.pop(sku, None)
        else:
            self._stock[sku] = stock.units
        return before != self._stock.get(sku)

    def _take_price(self, key: str, price: Price | None) -> bool:
        store_id, _, sku = key.partition("/")
        if store_id != self._layout.store_id:
            return False
        if price is None:
            return self._prices.pop(sku, None) is not None
        # One that is not valid yet does not make the one before it unknown.
        self._prices[sku] = [*self._prices.get(sku, [])[-1:], price]
        return True

    def _given(self, moment: Moment) -> Given:
        return Given(
            stock=self._stock,
            prices=frozenset(
                sku
                for sku, prices in self._prices.items()
                if any(price.valid_from_ms <= moment.now_ms for price in prices)
            ),
            plays_last_hour=(
                self._plays.last_hour(moment.screen_id, moment.now_ms) if self._capped else {}
            ),
            campaign_plays=self._plays.by_campaign,
        )

    def _made(self, snapshot: PolicySnapshot | None) -> StorePolicy:
        return StorePolicy(
            tuple(self._creatives.values()),
            self._layout.zones,
            self._settings,
            snapshot=snapshot,
            adaptive=self._adaptive,
            languages=self._languages,
        )
