"""Whole days of a simulated store's events, without pictures, for the pages of days and weeks.

Pure: seed and days give the same events every time. Shoppers come by the hour of the day, stop
before some zones and look at some; screens follow their rotation; the till's baskets are those of
`receipts`, in adaptive slots larger by the true effect. Everything is marked simulated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from infra.simulator.receipts import BasketMaker
from infra.simulator.weeks_screens import TURN_MS, Rotation, Seen
from infra.simulator.weeks_stays import Names, Stay
from streams.contracts import topics
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.layout import Screen, StoreLayout, Zone
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Creative
from streams.contracts.vision import Crossing
from streams.core.baskets import BasketWindows

Event = tuple[topics.Topic, Any]

#: Shoppers an hour by the hour of the day, of a small supermarket.
_OPENS, _CLOSES = 8, 20
_BY_HOUR = (14, 20, 26, 30, 34, 28, 24, 26, 36, 46, 40, 22)
#: Saturday is the busiest day, Monday the quietest; on Sunday the store is closed.
_BY_WEEKDAY = (0.8, 0.85, 0.9, 1.0, 1.2, 1.4, 0.0)

_BUYS = 0.72
_STOPS = 1.6
_WATCHES = 0.42
_PASSES_SCREEN = 0.85
_WATCHES_SCREEN = 0.3
_FACES = 0.7
#: Who comes now has not left before this: the days end before it, so that nothing lies ahead.
_LONGEST_VISIT = timedelta(minutes=40)
_WINDOW_MS = 60_000
_LATENESS_MS = 2 * 3_600_000
_HOUR_MS = 3_600_000
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SimulatedWeeks:
    """The events of `days` days from `first` on, of one store.

    `effect` is the true effect of the screens on baskets: units and value are larger by that share
    in adaptive slots. `creatives` take turns on the screens.
    """

    layout: StoreLayout
    creatives: tuple[Creative, ...]
    first: date
    days: int
    seed: int
    effect: float
    slot_ms: int = _HOUR_MS
    until: datetime | None = None
    _interest: dict[str, float] = field(default_factory=dict)

    @property
    def plan(self) -> ExperimentPlan:
        """The experiment that ran: approved by nobody real."""
        begins = int(self._at(self.first, 0).timestamp() * 1000)
        return ExperimentPlan(
            experiment_id=f"simulated-{self.seed}",
            store_id=self.layout.store_id,
            unit="store-slot",
            salt=f"simulated-{self.seed}",
            slot_ms=self.slot_ms,
            washout_ms=0,
            adaptive_share=0.5,
            outcome="basket_value",
            starts_at_ms=begins - begins % self.slot_ms,
            ends_at_ms=None if self.until is None else int(self.until.timestamp() * 1000),
            approved_by="The simulator",
            approved_at_ms=begins,
            hypothesis="Screens that follow attention make baskets larger.",
            simulated=True,
            true_effect=self.effect,
        )

    def events(self) -> Iterator[Event]:
        """All events, day by day; the summaries of a day after its facts."""
        yield topics.EXPERIMENT, self.plan
        for creative in self.creatives:
            yield topics.CREATIVE, creative
        windows = BasketWindows(
            self.plan.experiment(),
            window_ms=_WINDOW_MS,
            lateness_ms=_LATENESS_MS,
            keep_ms=40 * 24 * _HOUR_MS,
        )
        offset = 0
        for number in range(self.days):
            day = self.first + timedelta(days=number)
            rng = np.random.default_rng([self.seed, number])
            for event in self._day(day, number, rng):
                if event[0] is topics.BASKET:
                    basket: Basket = event[1]
                    windows.add(basket, "simulated", offset, basket.closed_at_ms + _HOUR_MS)
                    offset += 1
                yield event
        for window in windows.changed():
            yield topics.BASKET_METRICS, window

    def _at(self, day: date, hour: float) -> datetime:
        midnight = datetime.combine(day, time.min, ZoneInfo(self.layout.time_zone))
        return midnight.astimezone(UTC) + timedelta(hours=hour)

    def _day(self, day: date, number: int, rng: np.random.Generator) -> Iterator[Event]:
        busy = _BY_WEEKDAY[day.weekday()]
        if not busy:
            return
        seen: dict[str, list[Seen]] = {s.screen_id: [] for s in self.layout.screens}
        visit = 0
        for hour, usual in enumerate(_BY_HOUR, _OPENS):
            for _ in range(int(rng.poisson(usual * busy))):
                came = self._at(day, hour) + timedelta(seconds=float(rng.uniform(0, 3600)))
                if self.until is not None and came > self.until - _LONGEST_VISIT:
                    continue
                visit += 1
                at_ms = int(came.timestamp() * 1000)
                yield from self._visit(f"{number}-{visit}", at_ms, seen, rng)
                if rng.random() < _BUYS:
                    yield topics.BASKET, self._basket(number * 10_000 + visit, at_ms, rng)
        opens, closes = (int(self._at(day, h).timestamp() * 1000) for h in (_OPENS, _CLOSES))
        if self.until is not None:
            closes = min(closes, int(self.until.timestamp() * 1000) - TURN_MS)
        rotation = Rotation(self.layout.store_id, self.creatives, self.plan, self.seed)
        for screen in self.layout.screens:
            yield from rotation.plays(screen, opens, closes, seen[screen.screen_id])

    def _visit(
        self, visit: str, at_ms: int, seen: dict[str, list[Seen]], rng: np.random.Generator
    ) -> Iterator[Event]:
        """One shopper: through the door, before some zones, past the screens."""
        names = Names(self.layout.store_id, self.seed, visit)
        zones = self.layout.zones
        weights = np.array([1.0 + 0.8 * ((i * 7 + self.seed) % 5) for i in range(len(zones))])
        for line in self.layout.lines[:1]:
            yield (
                topics.CROSSING,
                Crossing(
                    crossing_id=names.of("in"),
                    store_id=self.layout.store_id,
                    area_id=line.area_id,
                    camera_id=names.camera,
                    line_id=line.line_id,
                    direction="in",
                    crossed_at_ms=at_ms,
                    calibration_version="simulated",
                ),
            )
        now_ms = at_ms + int(rng.uniform(20_000, 120_000))
        stops = min(len(zones), int(rng.poisson(_STOPS)))
        chosen = rng.choice(len(zones), stops, replace=False, p=weights / weights.sum())
        for index in chosen:
            zone = zones[int(index)]
            stay_ms = int(rng.lognormal(9.1, 0.7))
            yield from self._stay(names, zone, now_ms, stay_ms, rng)
            now_ms += stay_ms + int(rng.uniform(1_000, 10_000))
        for screen in self.layout.screens:
            if rng.random() < _PASSES_SCREEN:
                stay_ms = int(rng.lognormal(9.0, 0.6))
                here = seen[screen.screen_id]
                yield from self._stay(names, screen, now_ms, stay_ms, rng, here)

    def _stay(
        self,
        names: Names,
        target: Zone | Screen,
        at_ms: int,
        stay_ms: int,
        rng: np.random.Generator,
        seen: list[Seen] | None = None,
    ) -> Iterator[Event]:
        """A presence, and what was looked at meanwhile."""
        watches = _WATCHES_SCREEN if isinstance(target, Screen) else _WATCHES
        watched = bool(rng.random() < watches)
        opportunity_ms = (
            int(stay_ms * rng.uniform(0.2, 0.9)) if rng.random() < 0.8 or watched else 0
        )
        stay = Stay(names, target, at_ms, at_ms + stay_ms)
        yield topics.AUDIENCE, stay.audience(opportunity_ms, watched=watched)
        if isinstance(target, Zone) and stay_ms >= target.min_dwell_ms:
            yield topics.DWELL, stay.dwell()
        attention_ms = 0
        if watched:
            attention_ms = max(300, int(opportunity_ms * rng.uniform(0.2, 0.8)))
            attention_ms = min(attention_ms, stay_ms)
            yield topics.GAZE, stay.gaze(attention_ms)
        if seen is not None:
            seen.append(Seen(stay.at_ms, stay.left_ms, attention_ms))

    def _basket(self, number: int, at_ms: int, rng: np.random.Generator) -> Basket:
        closed_at_ms = at_ms + int(rng.uniform(300_000, 1_500_000))
        maker = BasketMaker(self.layout, self.seed, at_ms, 60.0)
        basket = maker.basket(number, closed_at_ms)
        arm, _ = self.plan.arm(closed_at_ms)
        if arm != "adaptive" or not self.effect:
            return basket
        return _grown(basket, self.effect, rng)


def _grown(basket: Basket, effect: float, rng: np.random.Generator) -> Basket:
    """The basket, larger by `effect` on average in units and value."""
    grow = Decimal(str(1.0 + effect))

    def more(line: BasketLine) -> BasketLine:
        extra = float(line.units) * effect
        whole = int(np.floor(extra + rng.random()))
        return msgspec.structs.replace(
            line,
            units=line.units + whole,
            net_value=(line.net_value * grow).quantize(_CENT),
        )

    return msgspec.structs.replace(basket, lines=tuple(more(line) for line in basket.lines))
