"""The moment as numbers, for one creative: what the bandit may know. Pure.

It reads zones, counts and clocks; there is nothing of a single person in a `Moment`, and a test
walks its fields. What is not known is 0.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from signage.core.bandit import Floats
from signage.core.eligibility import made_for
from streams.contracts.layout import Zone
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, ZoneAttention

#: The names of the features, in order. `here` are the zones that the creative is made for.
FEATURES = (
    "one",
    "attention-here",
    "watchers-here",
    "people-here",
    "dwell-here",
    "attention-elsewhere",
    "watchers-elsewhere",
    "crowd",
    "hour-sin",
    "hour-cos",
    "weekend",
    "stock",
    "on-show",
)

#: Each is cut where more says no more, and scaled to the order of 1: the attention of one person in
#: the processor's window of 3 s, three watchers, ten people before a shelf and twenty in the area,
#: half a minute's stay, and twenty units on the shelf.
_ATTENTION_MS, _WATCHERS, _PEOPLE, _CROWD = 3_000.0, 3.0, 10.0, 20.0
_DWELL_MS, _UNITS = 30_000.0, 20.0
_DAY_MINUTES, _SATURDAY = 1_440.0, 6


def features(
    moment: Moment,
    creatives: Sequence[Creative],
    zones: Sequence[Zone],
    stock: Mapping[str, Decimal | None],
) -> Floats:
    """The moment for each of `creatives`: (K, d), d = len(FEATURES), in the order of both."""
    known = {zone.zone_id: zone for zone in zones}
    seen = [entry for entry in moment.attention if entry.zone_id in known]
    clock = _clock(moment)
    crowd = _cut(sum(entry.people for entry in seen), _CROWD)
    rows = []
    for creative in creatives:
        here = [entry for entry in seen if made_for(creative, known[entry.zone_id])]
        elsewhere = [entry for entry in seen if entry not in here]
        rows.append(
            (
                1.0,
                _cut(sum(entry.attention_ms for entry in here), _ATTENTION_MS),
                _cut(sum(entry.watchers for entry in here), _WATCHERS),
                _cut(sum(entry.people for entry in here), _PEOPLE),
                _cut(_dwell_ms(here), _DWELL_MS),
                _cut(sum(entry.attention_ms for entry in elsewhere), _ATTENTION_MS),
                _cut(sum(entry.watchers for entry in elsewhere), _WATCHERS),
                crowd,
                *clock,
                _cut(_scarcest(creative, stock), _UNITS),
                1.0 if creative.creative_id == moment.showing else 0.0,
            )
        )
    return np.array(rows, dtype=np.float64).reshape(len(creatives), len(FEATURES))


def _clock(moment: Moment) -> tuple[float, float, float]:
    if moment.minute is None:
        return 0.0, 0.0, 0.0
    turn = 2.0 * math.pi * moment.minute / _DAY_MINUTES
    weekend = moment.weekday is not None and moment.weekday >= _SATURDAY
    return math.sin(turn), math.cos(turn), float(weekend)


def _dwell_ms(entries: Sequence[ZoneAttention]) -> float:
    return max((float(entry.dwell_ms or 0) for entry in entries), default=0.0)


def _scarcest(creative: Creative, stock: Mapping[str, Decimal | None]) -> float:
    told = [stock.get(sku) for sku in creative.skus]
    return min((float(units) for units in told if units is not None), default=0.0)


def _cut(value: float, most: float) -> float:
    return min(max(0.0, float(value)), most) / most
