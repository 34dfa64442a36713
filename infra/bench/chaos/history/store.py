"""The store under chaos, and what a story of it is made of. Pure."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.topics import Topic
from streams.contracts.vision import Presence

STORE = "chaos"
AREAS = 4
CAMERAS = 2
ZONES = 3
#: Any clock is off by up to so much, for good.
_MOST_SKEW_MS = 5_000


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a sender tells at a true time."""

    at_ms: int
    area: int
    topic: Topic
    event: Any


@dataclass(slots=True)
class Story:
    """What happens in the store; times are true ones."""

    draw: random.Random
    start_ms: int
    length_ms: int
    run: str
    store_id: str
    skews: dict[str, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    presences: dict[tuple[int, str], list[tuple[int, Presence]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def skew(self, clock: str) -> int:
        """How far a clock is off, for good."""
        if clock not in self.skews:
            self.skews[clock] = self.draw.randint(-_MOST_SKEW_MS, _MOST_SKEW_MS)
        return self.skews[clock]

    def id(self, *parts: str | int) -> str:
        return event_id(self.run, *parts)


def layout(store_id: str = STORE) -> StoreLayout:
    """The store: four areas, each with three zones, a screen and two cameras."""
    areas = range(AREAS)
    return StoreLayout(
        store_id=store_id,
        name="Simulated store under chaos",
        areas=tuple(Area(area_id=f"area-{a}") for a in areas),
        zones=tuple(
            Zone(zone_id=f"zone-{a}-{z}", area_id=f"area-{a}", name=f"Zone {a}.{z}")
            for a in areas
            for z in range(ZONES)
        ),
        screens=tuple(
            Screen(screen_id=f"screen-{a}", area_id=f"area-{a}", name=f"Screen {a}") for a in areas
        ),
    )


def trace(cause: str, at_ms: int) -> Trace:
    return Trace(
        cause_id=cause, captured_at_ms=at_ms, inferred_at_ms=at_ms + 30, sent_at_ms=at_ms + 35
    )
