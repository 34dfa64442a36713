"""The stretches of simulated time that are measured: one for each density, each with its own seed.
Pure.
"""

from dataclasses import dataclass

from infra.bench.truth.facts import Span
from infra.simulator.crowd import Crowd
from infra.simulator.population import DensityName
from streams.contracts.layout import StoreLayout

#: When simulated time begins: a morning in the past, the same in every run (2025-03-01 09:00 UTC).
START_MS = 1_740_819_600_000

#: Between one stretch and the next, so that event times of two never meet.
_APART_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time of one density; `number` sets it apart from the others."""

    density: DensityName
    number: int
    seed: int
    minutes: float

    @property
    def during(self) -> Span:
        """Its event time."""
        from_ms = START_MS + self.number * _APART_MS
        return Span(from_ms, from_ms + round(60_000 * self.minutes))

    def crowd(self, layout: StoreLayout, area_id: str) -> Crowd:
        """Its people."""
        return Crowd(layout, self.seed, self.during.from_ms, self.density, area_id=area_id)
