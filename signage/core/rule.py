"""The rule: whose zone holds the most attention. Pure.

A zone that is watched now comes before one that was only watched in the last seconds; among equals
the most attention wins, and the zone on show keeps its screen unless a rival clearly leads.
"""

from collections.abc import Mapping, Sequence

from signage.core.eligibility import made_for
from streams.contracts.layout import Zone
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, ZoneAttention


def leader(
    moment: Moment,
    allowed: Sequence[Creative],
    zones: Mapping[str, Zone],
    *,
    threshold_ms: int,
    lead_share: float,
) -> ZoneAttention | None:
    """The zone whose creative should be on show, None where no zone holds enough attention."""
    held: list[ZoneAttention] = []
    on_show: ZoneAttention | None = None
    for entry in sorted(moment.attention, key=lambda e: e.zone_id):
        zone = zones.get(entry.zone_id)
        if zone is None or entry.attention_ms < threshold_ms:
            continue
        made = [c.creative_id for c in allowed if made_for(c, zone)]
        if not made:
            continue
        held.append(entry)
        if moment.showing in made and (on_show is None or _rank(entry) > _rank(on_show)):
            on_show = entry
    if not held:
        return None
    first = max(held, key=_rank)
    return first if on_show is None or _leads(first, on_show, lead_share) else on_show


def _leads(rival: ZoneAttention, on_show: ZoneAttention, lead_share: float) -> bool:
    """Whether `rival` leads the zone on show clearly enough to take its screen."""
    if (rival.watchers > 0) != (on_show.watchers > 0):
        return rival.watchers > 0
    return rival.attention_ms > on_show.attention_ms * (1.0 + lead_share)


def _rank(entry: ZoneAttention) -> tuple[bool, int]:
    return entry.watchers > 0, entry.attention_ms
