"""Which creative may be shown where, and which was made for which zone. Pure.

Eligible: `screens` and `zones` of a creative name where it may be shown, an empty tuple means
everywhere. Made for a zone: the creative names the zone, or, naming no zones, the zone's category.
"""

from collections.abc import Iterable, Sequence

from streams.contracts.layout import Zone
from streams.contracts.signage import Creative


def made_for(creative: Creative, zone: Zone) -> bool:
    """Whether attention to `zone` is a reason to show `creative`."""
    if creative.zones:
        return zone.zone_id in creative.zones
    return zone.category is not None and zone.category in creative.categories


def eligible(
    creatives: Iterable[Creative], screen_id: str, zones: Sequence[Zone] | None = None
) -> tuple[Creative, ...]:
    """The creatives that a screen may show, in order of their ids.

    `zones` are those of the screen's area; None (a player that knows no layout) skips that test.
    """
    area = None if zones is None else {zone.zone_id for zone in zones}
    allowed = (
        creative
        for creative in creatives
        if (not creative.screens or screen_id in creative.screens)
        and (not creative.zones or area is None or not area.isdisjoint(creative.zones))
    )
    return tuple(sorted(allowed, key=lambda c: c.creative_id))
