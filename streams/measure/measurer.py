"""What `measure` does with a record, and when it tells a window. What a window says comes from the
log alone. It must never import Faust.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts import codec
from streams.contracts.experiment import Experiment
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import Basket
from streams.contracts.signage import Play
from streams.contracts.topics import (
    ATTENTION,
    AUDIENCE,
    BASKET,
    BASKET_METRICS,
    DWELL,
    EXPOSURE,
    GAZE,
    PLAY,
)
from streams.core import facts
from streams.core.baskets import BasketWindows
from streams.core.exposure import Exposures
from streams.core.facts import Fact
from streams.core.slots import Slots
from streams.core.windows import AttentionWindows, Outcome
from streams.deadletter import bury
from streams.errors import DeliveryError, UnknownPlaceError
from streams.ports import Incoming, Outbox
from streams.settings import MeasureSettings

log = logging.getLogger(__name__)

CONSUMER = "measure"

#: What feeds the attention windows and exposures of a partition, and what the basket windows.
ATTENTION_TOPICS = (GAZE.name, DWELL.name, AUDIENCE.name, PLAY.name)
BASKET_TOPICS = (BASKET.name,)

_GAZE, _DWELL, _PLAY, _BASKET = GAZE.name, DWELL.name, PLAY.name, BASKET.name


@dataclass(frozen=True, slots=True)
class Counts:
    """How many facts, plays and baskets were added, repeated, late or dropped; `clamped` of them
    had a stamp from the future.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    clamped: int = 0


class Measurer:
    """The windows of the partitions that this worker holds."""

    def __init__(
        self,
        settings: MeasureSettings,
        layout: StoreLayout,
        experiment: Experiment | None,
        outbox: Outbox,
    ) -> None:
        self._settings = settings
        self._max_ahead_ms = settings.max_ahead_ms
        self._layout = layout
        #: What plans of experiments are told to: baskets that come after it are counted by it.
        self.slots = Slots(experiment)
        self._outbox = outbox
        self._areas = {area.area_id for area in layout.areas}
        self._targets = {zone.zone_id for zone in layout.zones}
        self._screens = {screen.screen_id for screen in layout.screens}
        self._targets |= self._screens
        self._attention: dict[int, tuple[AttentionWindows, ...]] = {}
        self._exposures: dict[int, Exposures] = {}
        self._baskets: dict[int, BasketWindows] = {}
        self._emitting = asyncio.Lock()
        self._counted = Counts()
        self._recalled = Counts()
        #: Rows that the broker took, by topic.
        self.emitted: Counter[str] = Counter()
        self.hold({}, {})

    def hold(
        self, attention_floors_ms: Mapping[int, int], basket_floors_ms: Mapping[int, int]
    ) -> None:
        """From now on this worker holds these partitions and none else; of windows that start
        before a partition's floor it does not know all.
        """
        settings = self._settings
        self._counted = self.counts()
        self._recalled = Counts()
        self._attention = {
            partition: tuple(
                AttentionWindows(
                    window_ms=window_ms,
                    hop_ms=hop_ms,
                    lateness_ms=settings.allowed_lateness_ms,
                    keep_ms=settings.keep_ms,
                    floor_ms=floor_ms,
                )
                for window_ms, hop_ms in _spans(settings)
            )
            for partition, floor_ms in attention_floors_ms.items()
        }
        self._exposures = {
            partition: Exposures(
                lateness_ms=settings.allowed_lateness_ms,
                keep_ms=settings.keep_ms,
                floor_ms=floor_ms,
                watermarks=self._attention[partition][0].watermarks,
            )
            for partition, floor_ms in attention_floors_ms.items()
        }
        self._baskets = {
            partition: BasketWindows(
                self.slots,
                window_ms=settings.basket_window_ms,
                lateness_ms=settings.basket_lateness_ms,
                keep_ms=settings.keep_ms,
                floor_ms=floor_ms,
            )
            for partition, floor_ms in basket_floors_ms.items()
        }

    def recall(self, record: Incoming) -> None:
        """A record that was handled in an earlier life: it is only remembered."""
        try:
            self._take(record)
        except Exception as error:
            log.debug("%s at %d is not recalled: %s", record.topic, record.offset, error)

    def recalled(self) -> None:
        """All is remembered. What the earlier life had not yet told when it ended is not known, so
        all windows are told again; the same row told twice is one row.
        """
        for attention in self._all_attention():
            attention.mark_all_changed()
        for exposures in self._exposures.values():
            exposures.mark_all_changed()
        for baskets in self._baskets.values():
            baskets.mark_all_changed()
        self._recalled = self._kept_counts()

    async def on_record(self, record: Incoming) -> bool:
        """A record of any of the topics. Returns when it may be acknowledged; False where it went
        to the dead letters.
        """
        error = self.take(record)
        if error is not None:
            await self.bury(record, error)
        return error is None

    def take(self, record: Incoming) -> Exception | None:
        """The same, without a wait; what it returns has to be buried before the next record."""
        try:
            self._take(record)
        except Exception as error:  # whatever is wrong with one record must not stop the others
            return error
        return None

    async def bury(self, record: Incoming, error: Exception) -> None:
        """Sends a record that could not be handled to the dead letters."""
        await bury(CONSUMER, self._outbox, record, error)

    async def emit(self) -> None:
        """Tells the windows that changed. Those that the broker does not take wait."""
        async with self._emitting:
            for attention in self._all_attention():
                rows = attention.changed()
                records = [codec.record(ATTENTION, row, CONSUMER) for row in rows]
                if not await self._deliver(records):
                    attention.mark_changed(rows)
            for exposures in list(self._exposures.values()):
                told = exposures.changed()
                records = [codec.record(EXPOSURE, row, CONSUMER) for row in told]
                if not await self._deliver(records):
                    exposures.mark_changed(told)
            for baskets in list(self._baskets.values()):
                sums = baskets.changed()
                records = [codec.record(BASKET_METRICS, row, CONSUMER) for row in sums]
                if not await self._deliver(records):
                    baskets.mark_changed(sums)

    def counts(self) -> Counts:
        """What became of the facts, plays and baskets that were handled here, not of those that
        were only remembered: it does not fall when partitions come and go.
        """
        kept, recalled = self._kept_counts(), self._recalled
        return Counts(
            self._counted.outcomes + (kept.outcomes - recalled.outcomes),
            self._counted.clamped + kept.clamped - recalled.clamped,
        )

    def sizes(self) -> Counter[str]:
        """How much is kept of each kind."""
        total: Counter[str] = Counter()
        for attention in self._all_attention():
            total.update(attention.sizes())
        for exposures in self._exposures.values():
            total.update(exposures.sizes())
        for baskets in self._baskets.values():
            total.update(baskets.sizes())
        return total

    def watermarks_ms(self) -> dict[tuple[str, int], tuple[int, int]]:
        """By topic and partition, how far the source told that told least far, and the furthest."""
        spans: dict[tuple[str, int], tuple[int, int]] = {}
        held = [
            (partition, windows[0].watermarks) for partition, windows in self._attention.items()
        ]
        held += [(partition, windows.watermarks) for partition, windows in self._baskets.items()]
        for partition, watermarks in held:
            for log, span in watermarks.spans_ms().items():
                spans[log, partition] = span
        return spans

    def _kept_counts(self) -> Counts:
        outcomes: Counter[Outcome] = Counter()
        clamped = 0
        for attention in self._all_attention():
            outcomes.update(attention.outcomes)
            clamped += attention.clamped
        for exposures in self._exposures.values():
            outcomes.update(exposures.outcomes)
        for baskets in self._baskets.values():
            outcomes.update(baskets.outcomes)
            clamped += baskets.clamped
        return Counts(outcomes, clamped)

    async def _deliver(self, records: list[dict[str, object]]) -> bool:
        if not records:
            return True
        try:
            await self._outbox.deliver(records)
            self.emitted.update(str(record["topic"]) for record in records)
        except DeliveryError as error:
            log.warning("%d windows wait: %s", len(records), error)
            return False
        return True

    def _take(self, record: Incoming) -> None:
        topic, offset = record.topic, record.offset
        event = codec.decode(topic, record.value)
        if event.store_id != self._layout.store_id:
            raise UnknownPlaceError("store", event.store_id, self._layout.store_id)
        if event.area_id not in self._areas:
            raise UnknownPlaceError("area", event.area_id, self._layout.store_id)
        if topic == _BASKET:
            self._take_basket(event, record)
            return
        windows = self._attention[record.partition]
        exposures = self._exposures[record.partition]
        horizon_ms = self._horizon_ms(record)
        if topic == _GAZE:
            self._take_facts(windows, exposures, facts.of_gazes(event, topic, offset, horizon_ms))
        elif topic == _DWELL:
            self._take_facts(windows, exposures, facts.of_dwells(event, topic, offset, horizon_ms))
        elif topic == _PLAY:
            self._take_play(exposures, event, record)
        else:
            at_ms = min(event.captured_at_ms, horizon_ms)
            for each in windows:
                each.observe(topic, event.camera_id, at_ms)
            if event.presences:
                told = facts.of_audience(event, topic, offset, horizon_ms)
                self._take_facts(windows, exposures, told)

    def _take_facts(
        self, windows: tuple[AttentionWindows, ...], exposures: Exposures, told: list[Fact]
    ) -> None:
        """Adds what is known of the layout; a stranger makes the record a dead letter after."""
        stranger: str | None = None
        targets = self._targets
        for fact in told:
            if fact.target_id not in targets:
                stranger = fact.target_id
                continue
            for each in windows:
                each.add(fact)
            if fact.target_kind == "screen":
                exposures.add(fact)
        if stranger is not None:
            raise UnknownPlaceError("zone or screen", stranger, self._layout.store_id)

    def _take_play(self, exposures: Exposures, play: Play, record: Incoming) -> None:
        if play.screen_id not in self._screens:
            raise UnknownPlaceError("screen", play.screen_id, self._layout.store_id)
        exposures.add_play(play, record.topic, record.offset, self._horizon_ms(record))

    def _take_basket(self, basket: Basket, record: Incoming) -> None:
        windows = self._baskets[record.partition]
        windows.add(basket, record.topic, record.offset, self._horizon_ms(record))

    def _all_attention(self) -> list[AttentionWindows]:
        return [each for windows in self._attention.values() for each in windows]

    def _horizon_ms(self, record: Incoming) -> int:
        """How far a record's stamps may move the clocks, told by the log alone."""
        return record.logged_ms + self._max_ahead_ms


def _spans(settings: MeasureSettings) -> list[tuple[int, int]]:
    """Length and hop of the attention windows: tumbling ones, and sliding ones where asked for."""
    spans = [(settings.attention_window_ms, settings.attention_window_ms)]
    if settings.sliding_window_ms:
        spans.append((settings.sliding_window_ms, settings.sliding_hop_ms))
    return spans
