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
from streams.contracts import topics
from streams.contracts.attention import Exposure
from streams.contracts.base import Trace
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.ids import event_id
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Creative, Decision, Play
from streams.contracts.vision import (
    Audience,
    Crossing,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
)
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
_TURN_MS = 10_000
#: Who comes now has not left before this: the days end before it, so that nothing lies ahead.
_LONGEST_VISIT = timedelta(minutes=40)
_WINDOW_MS = 60_000
_LATENESS_MS = 2 * 3_600_000
_HOUR_MS = 3_600_000
_PAIRING_MS = 1_000
_CENT = Decimal("0.01")


@dataclass(slots=True)
class _Seen:
    """A presence before a screen, for the exposures of the plays."""

    entered_at_ms: int
    left_at_ms: int
    attention_ms: int


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
        seen: dict[str, list[_Seen]] = {s.screen_id: [] for s in self.layout.screens}
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
        for screen in self.layout.screens:
            yield from self._plays(day, screen.screen_id, screen.area_id, seen[screen.screen_id])

    def _visit(
        self, visit: str, at_ms: int, seen: dict[str, list[_Seen]], rng: np.random.Generator
    ) -> Iterator[Event]:
        """One shopper: through the door, before some zones, past the screens."""
        names = _Names(self.layout.store_id, self.seed, visit)
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
            yield from self._stay(names, zone.zone_id, "zone", zone.area_id, now_ms, stay_ms, rng)
            now_ms += stay_ms + int(rng.uniform(1_000, 10_000))
        for screen in self.layout.screens:
            if rng.random() < _PASSES_SCREEN:
                stay_ms = int(rng.lognormal(9.0, 0.6))
                yield from self._stay(
                    names,
                    screen.screen_id,
                    "screen",
                    screen.area_id,
                    now_ms,
                    stay_ms,
                    rng,
                    seen[screen.screen_id],
                )

    def _stay(
        self,
        names: "_Names",
        target_id: str,
        kind: Any,
        area_id: str,
        at_ms: int,
        stay_ms: int,
        rng: np.random.Generator,
        seen: list[_Seen] | None = None,
    ) -> Iterator[Event]:
        """A presence, and what was looked at meanwhile."""
        common: dict[str, Any] = {"store_id": self.layout.store_id, "area_id": area_id}
        watched = bool(rng.random() < (_WATCHES_SCREEN if kind == "screen" else _WATCHES))
        opportunity_ms = (
            int(stay_ms * rng.uniform(0.2, 0.9)) if rng.random() < 0.8 or watched else 0
        )
        left_ms = at_ms + stay_ms
        trace = Trace(
            cause_id=names.of(target_id),
            captured_at_ms=at_ms,
            inferred_at_ms=at_ms + 60,
            sent_at_ms=at_ms + 65,
        )
        presence = Presence(
            presence_id=names.of(target_id, "presence"),
            track_id=names.track,
            target_id=target_id,
            target_kind=kind,
            entered_at_ms=at_ms,
            left_at_ms=left_ms,
            opportunity_ms=opportunity_ms,
            watched=watched,
        )
        yield (
            topics.AUDIENCE,
            Audience(
                **common,
                gateway_id="simulated",
                camera_id=names.camera,
                seq=at_ms % 2**31,
                captured_at_ms=left_ms,
                inferred_at_ms=left_ms,
                sent_at_ms=left_ms,
                people=0,
                targets=(),
                presences=(presence,),
                calibration_version="simulated",
            ),
        )
        batch: dict[str, Any] = {**common, "gateway_id": "simulated", "seq": at_ms % 2**31}
        part: dict[str, Any] = {"track_id": names.track, "camera_id": names.camera, "trace": trace}
        if kind == "zone" and stay_ms >= self._minimum_ms(target_id):
            dwell = Dwell(
                **part,
                dwell_id=names.of(target_id, "dwell"),
                phase="ended",
                zone_id=target_id,
                entered_at_ms=at_ms,
                left_at_ms=left_ms,
                calibration_version="simulated",
            )
            yield topics.DWELL, DwellBatch(**batch, events=(dwell,))
        attention_ms = 0
        if watched:
            attention_ms = max(300, int(opportunity_ms * rng.uniform(0.2, 0.8)))
            attention_ms = min(attention_ms, stay_ms)
            gaze = Gaze(
                **part,
                gaze_id=names.of(target_id, "gaze"),
                phase="ended",
                target_id=target_id,
                target_kind=kind,
                probability=0.9,
                started_at_ms=at_ms,
                ended_at_ms=at_ms + attention_ms,
                attention_ms=attention_ms,
                distance_m=2.0,
                calibration_version="simulated",
            )
            yield topics.GAZE, GazeBatch(**batch, events=(gaze,))
        if seen is not None:
            seen.append(_Seen(at_ms, left_ms, attention_ms))

    def _minimum_ms(self, zone_id: str) -> int:
        return next(z.min_dwell_ms for z in self.layout.zones if z.zone_id == zone_id)

    def _basket(self, number: int, at_ms: int, rng: np.random.Generator) -> Basket:
        closed_at_ms = at_ms + int(rng.uniform(300_000, 1_500_000))
        maker = BasketMaker(self.layout, self.seed, at_ms, 60.0)
        basket = maker.basket(number, closed_at_ms)
        arm, _ = self.plan.arm(closed_at_ms)
        if arm != "adaptive" or not self.effect:
            return basket
        return _grown(basket, self.effect, rng)

    def _plays(self, day: date, screen_id: str, area_id: str, seen: list[_Seen]) -> Iterator[Event]:
        opens, closes = (int(self._at(day, h).timestamp() * 1000) for h in (_OPENS, _CLOSES))
        if self.until is not None:
            closes = min(closes, int(self.until.timestamp() * 1000) - _TURN_MS)
        ordered = sorted(seen, key=lambda s: s.entered_at_ms)
        for at_ms in range(opens, closes, _TURN_MS):
            creative = self.creatives[at_ms // _TURN_MS % len(self.creatives)]
            arm, probability = self.plan.arm(at_ms)
            watching = next(
                (s for s in ordered if s.attention_ms and s.entered_at_ms <= at_ms < s.left_at_ms),
                None,
            )
            reacts = arm == "adaptive" and watching is not None
            common: dict[str, Any] = {
                "store_id": self.layout.store_id,
                "area_id": area_id,
                "screen_id": screen_id,
                "decision_id": event_id(self.seed, screen_id, at_ms),
                "creative_id": creative.creative_id,
                "creative_version": creative.version,
            }
            reason: Any = "attention" if reacts else "rotation" if arm == "adaptive" else "control"
            yield (
                topics.DECISION,
                Decision(
                    **common,
                    decided_at_ms=at_ms,
                    slot_start_ms=at_ms - at_ms % self.slot_ms,
                    arm=arm,
                    arm_probability=probability,
                    policy_version="simulated",
                    context=(),
                    showing=None,
                    candidates=(),
                    reason=reason,
                    sentence=f"Simulated: {creative.title} for the next 10 s.",
                ),
            )
            cause = Trace(
                cause_id=str(at_ms),
                captured_at_ms=at_ms - 400,
                inferred_at_ms=at_ms - 340,
                sent_at_ms=at_ms - 335,
            )
            play = Play(
                **common,
                play_id=event_id(self.seed, screen_id, at_ms, "play"),
                phase="ended",
                player_id=f"player-{screen_id}",
                scheduled_at_ms=at_ms,
                rendered_at_ms=at_ms,
                duration_ms=_TURN_MS,
                stop_reason="finished",
                trace=cause if reacts else None,
            )
            yield topics.PLAY, play
            ordered = [s for s in ordered if s.left_at_ms > at_ms]
            yield topics.EXPOSURE, _exposure(play, ordered)


@dataclass(frozen=True, slots=True)
class _Names:
    """Ids that are the same each time."""

    store_id: str
    seed: int
    visit: str

    @property
    def track(self) -> str:
        return event_id(self.store_id, self.seed, self.visit)

    @property
    def camera(self) -> str:
        return "simulated"

    def of(self, *what: str) -> str:
        return event_id(self.store_id, self.seed, self.visit, *what)


def _exposure(play: Play, seen: list[_Seen]) -> Exposure:
    end_ms = play.rendered_at_ms + _TURN_MS
    over = [
        (s, min(end_ms, s.left_at_ms) - max(play.rendered_at_ms, s.entered_at_ms))
        for s in seen
        if s.entered_at_ms < end_ms
    ]
    present = [(s, ms) for s, ms in over if ms > 0]
    paired = [(s, ms) for s, ms in present if ms >= _PAIRING_MS]
    looked = [min(ms, s.attention_ms) for s, ms in present if s.attention_ms]
    return Exposure(
        play_id=play.play_id,
        store_id=play.store_id,
        area_id=play.area_id,
        screen_id=play.screen_id,
        decision_id=play.decision_id,
        creative_id=play.creative_id,
        creative_version=play.creative_version,
        started_at_ms=play.rendered_at_ms,
        ended_at_ms=end_ms,
        ended=True,
        gross_impressions=len(present),
        ots=len(paired),
        verified_impressions=len(paired),
        exposed_ms=sum(ms for _, ms in paired),
        watchers=len(looked),
        attention_ms=sum(looked),
        late=0,
        through_offset=play.rendered_at_ms,
    )


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
