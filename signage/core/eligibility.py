"""Which creative may be shown here and now, and which was made for which zone. Pure.

Eligible: `screens` and `zones` of a creative name where it may be shown, an empty tuple means
everywhere; then schedule, label, language, price, stock, cap and budget are asked, in this order.
Made for a zone: the creative names the zone, or, naming no zones, the zone's category.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from signage.core.labels import label_fault
from signage.core.schedule import LocalTime, schedule_fault
from streams.contracts.layout import Zone
from streams.contracts.signage import Barred, Creative


@dataclass(frozen=True, slots=True)
class Given:
    """What is known at the moment of asking; what is not known is left out.

    `now_ms` (UTC epoch) and `local` (the store's clock): without them a creative that has a
    schedule is barred. `stock`: units by sku in this store; a sku that is not in it is not counted
    and bars nothing. `prices`: the skus of this store that have a price; a creative that shows a
    price needs it. `languages`: those that the screen takes (BCP 47), all where there are none.
    `plays_last_hour`: by creative, on this screen. `campaign_plays`: by campaign, in this store;
    a creative without a campaign counts under its own id.
    """

    now_ms: int | None = None
    local: LocalTime | None = None
    stock: Mapping[str, Decimal | None] = field(default_factory=dict)
    prices: Collection[str] = ()
    languages: Sequence[str] = ()
    plays_last_hour: Mapping[str, int] = field(default_factory=dict)
    campaign_plays: Mapping[str, int] = field(default_factory=dict)


#: A caller that knows nothing but where the screen hangs.
NOTHING_GIVEN = Given()


class Eligibility(NamedTuple):
    """Who may be shown, in order of their ids, and who may not and why."""

    allowed: tuple[Creative, ...]
    barred: tuple[Barred, ...]


def made_for(creative: Creative, zone: Zone) -> bool:
    """Whether attention to `zone` is a reason to show `creative`."""
    if creative.zones:
        return zone.zone_id in creative.zones
    return zone.category is not None and zone.category in creative.categories


def eligible(
    creatives: Iterable[Creative],
    screen_id: str,
    zones: Sequence[Zone] | None = None,
    given: Given = NOTHING_GIVEN,
) -> Eligibility:
    """The creatives that a screen may show, and the others, each with its first reason.

    `zones` are those of the screen's area; None (a player that knows no layout) skips that test.
    """
    area = None if zones is None else frozenset(zone.zone_id for zone in zones)
    allowed: list[Creative] = []
    barred: list[Barred] = []
    for creative in sorted(creatives, key=lambda c: c.creative_id):
        why = _placed_elsewhere(creative, screen_id, area) or _barred_now(creative, given)
        if why is None:
            allowed.append(creative)
        else:
            barred.append(Barred(creative_id=creative.creative_id, why=why))
    return Eligibility(tuple(allowed), tuple(barred))


def budget_key(creative: Creative) -> str:
    """Under which name the plays of a creative are counted against its budget."""
    return creative.campaign or creative.creative_id


def speaks(language: str, wanted: Sequence[str]) -> bool:
    """Whether a creative's language is one of those wanted; no wish takes every language.

    >>> speaks("en-GB", ["de", "en"]), speaks("en", ["en-GB"]), speaks("fr", [])
    (True, False, True)

    Reference: RFC 4647, 3.3.1 (basic filtering).
    """
    tag = language.lower()
    ranges = [each.lower() for each in wanted]
    return not ranges or any(tag == each or tag.startswith(f"{each}-") for each in ranges)


def _placed_elsewhere(
    creative: Creative, screen_id: str, area: frozenset[str] | None
) -> str | None:
    if creative.screens and screen_id not in creative.screens:
        return "screen"
    if creative.zones and area is not None and area.isdisjoint(creative.zones):
        return "zone"
    return None


def _barred_now(creative: Creative, given: Given) -> str | None:
    scheduled = schedule_fault(creative, given.now_ms, given.local)
    if scheduled is not None:
        return scheduled
    if label_fault(creative) is not None:
        return "label"
    if not speaks(creative.language, given.languages):
        return "language"
    if any(sku not in given.prices for sku in creative.prices):
        return "price"
    if any(_sold_out(given.stock.get(sku)) for sku in creative.skus):
        return "stock"
    cap, budget = creative.max_plays_per_hour, creative.budget_plays
    if cap is not None and given.plays_last_hour.get(creative.creative_id, 0) >= cap:
        return "cap"
    if budget is not None and given.campaign_plays.get(budget_key(creative), 0) >= budget:
        return "budget"
    return None


def _sold_out(units: Decimal | None) -> bool:
    return units is not None and units <= 0
