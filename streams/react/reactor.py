"""What `react` does with a record and at a tick: areas' attention, and what their screens show.

Kafka stands behind ports and the clock is handed in; it must never import Faust.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.contracts import codec
from streams.contracts.experiment import Experiment
from streams.contracts.layout import StoreLayout
from streams.contracts.policy import ContentPolicy
from streams.contracts.signage import Content, Decision
from streams.contracts.topics import CONTENT, DECISION
from streams.contracts.vision import Audience, GazeBatch
from streams.core import attention_now
from streams.core.attention_now import AreaState
from streams.core.variety import Guard, Variety
from streams.deadletter import handle_or_bury
from streams.errors import DeliveryError, UnknownPlaceError
from streams.metrics import REACTION_S, Histogram
from streams.ports import Incoming, Outbox
from streams.react.arms import Arms, FixedArms
from streams.react.decide import Place, Sight, decide
from streams.settings import ReactSettings

log = logging.getLogger(__name__)

CONSUMER = "react"


class Reactor:
    """The areas that this worker holds, and their screens."""

    def __init__(
        self,
        settings: ReactSettings,
        policy: ContentPolicy,
        layout: StoreLayout,
        arms: Arms | Experiment,
        outbox: Outbox,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._layout = layout
        self._arms = FixedArms(arms) if isinstance(arms, Experiment) else arms
        self._outbox = outbox
        self._clock_ms = clock_ms
        self._sight = Sight(settings.glance_window_ms, settings.gateway_silence_ms)
        clock = _time_zone(layout)
        self._places: dict[str, list[Place]] = {
            area.area_id: [
                Place(
                    layout.store_id,
                    screen,
                    tuple(z for z in layout.zones if z.area_id == area.area_id),
                    clock,
                )
                for screen in layout.screens
                if screen.area_id == area.area_id
            ]
            for area in layout.areas
        }
        self._turns = {screen.screen_id: asyncio.Lock() for screen in layout.screens}
        self._held: frozenset[str] = frozenset()
        self._strange: set[str] = set()
        self._areas: dict[str, AreaState] = {}
        self._showing: dict[str, Content] = {}
        #: Decisions told, by reason.
        self.decisions: Counter[str] = Counter()
        #: From the look at an area to the broker's word that it has the decision, in seconds.
        self.decision_s = Histogram(REACTION_S)
        #: From the frame in which a gaze was seen to the same, where a gaze decided.
        self.reaction_s = Histogram(REACTION_S)
        #: What the screens of this worker showed lately.
        self.guard = Guard(settings.variety_window_ms)
        self._alarmed = False

    @property
    def held(self) -> frozenset[str]:
        """The areas that this worker holds."""
        return self._held

    def hold(self, area_ids: Iterable[str], showing: Mapping[str, Content]) -> None:
        """From now on these areas are this worker's; `showing` is by screen id. What it knew of
        areas that it held before is forgotten: another worker may have gone on with them.
        """
        self._held = frozenset(area_ids)
        self._areas = {}
        self._showing = dict(showing)
        self.guard.forget_all()

    def recall(self, record: Incoming) -> None:
        """A record from before this worker held the area: it is remembered, and changes nothing.
        One that cannot be understood is left to whoever reads it for the first time.
        """
        try:
            event = self._decoded(record)
        except Exception as error:
            log.debug("%s at %d is not recalled: %s", record.topic, record.offset, error)
            return
        self._areas[event.area_id] = attention_now.step(self._state(event.area_id), event)

    async def on_record(self, record: Incoming) -> bool:
        """A record of gaze or audience. Returns when it may be acknowledged; False where it went
        to the dead letters.
        """
        return await handle_or_bury(CONSUMER, self._outbox, record, self._handle)

    async def tick(self) -> None:
        """Time has passed: each screen of the areas held is looked at."""
        for area_id in self.held:
            try:
                await self._look(area_id)
            except Exception:  # one area's trouble must not leave the others without content
                log.exception("area %r could not be decided", area_id)
        self._watch_variety()

    @property
    def variety(self) -> Variety:
        """What the screens of this worker showed lately."""
        return self.guard.now(self._clock_ms())

    def _watch_variety(self) -> None:
        variety = self.variety
        if variety.alarm and not self._alarmed:
            log.warning(
                "the screens show %.1f of %d creatives in effect, %.0f %% less than they could: "
                "look at the policy, or at the creatives' caps",
                variety.creatives,
                variety.possible,
                100 * variety.loss,
            )
        self._alarmed = variety.alarm

    async def _handle(self, record: Incoming) -> None:
        event = self._decoded(record)
        before = self._state(event.area_id)
        after = attention_now.step(before, event)
        if after is before:
            return
        self._areas[event.area_id] = after
        age_ms = self._clock_ms() - attention_now.captured_at_ms(event)
        if age_ms <= self._settings.stale_after_ms:
            await self._look(event.area_id)

    def _decoded(self, record: Incoming) -> GazeBatch | Audience:
        event: GazeBatch | Audience = codec.decode(record.topic, record.value)
        if event.store_id != self._layout.store_id:
            raise UnknownPlaceError("store", event.store_id, self._layout.store_id)
        if event.area_id not in self._places:
            raise UnknownPlaceError("area", event.area_id, self._layout.store_id)
        return event

    def _state(self, area_id: str) -> AreaState:
        return self._areas.get(area_id, AreaState())

    async def _look(self, area_id: str) -> None:
        if area_id not in self._held:
            if area_id not in self._strange:
                self._strange.add(area_id)
                log.warning(
                    "area %r comes by a partition that its key does not belong to, so its screens "
                    "only rotate: its producer must use the partitioner murmur2_random",
                    area_id,
                )
            return
        await asyncio.gather(*(self._decide(place) for place in self._places[area_id]))

    async def _decide(self, place: Place) -> None:
        """Decides one screen. One at a time, so that what it shows is what was told last."""
        screen_id = place.screen.screen_id
        async with self._turns[screen_id]:
            now_ms = self._clock_ms()
            told = decide(
                place,
                self._state(place.screen.area_id),
                self._showing.get(screen_id),
                now_ms,
                policy=self._policy,
                arms=self._arms,
                sight=self._sight,
            )
            if told is None:
                return
            content, decision, categories = told
            records = [
                codec.record(CONTENT, content, CONSUMER),
                codec.record(DECISION, decision, CONSUMER),
            ]
            try:
                await self._outbox.deliver(records)
            except DeliveryError as error:  # the next look decides anew
                log.warning("screen %r keeps what it shows: %s", screen_id, error)
                return
            self._showing[screen_id] = content
            self._count(decision)
            possible = [candidate.creative_id for candidate in decision.candidates]
            self.guard.shows(screen_id, content.creative_id, categories, possible, now_ms)

    def _count(self, decision: Decision) -> None:
        told_ms = self._clock_ms()
        self.decisions[decision.reason] += 1
        self.decision_s.note((told_ms - decision.decided_at_ms) / 1_000)
        stays = decision.showing == decision.creative_id and decision.shown_reason == "attention"
        # Of a choice that is only told anew, the gaze may be old.
        if decision.trace is not None and not stays:
            self.reaction_s.note((told_ms - decision.trace.captured_at_ms) / 1_000)


def _time_zone(layout: StoreLayout) -> tzinfo:
    """The store's time zone; UTC where this machine does not know the one that the layout names."""
    try:
        return ZoneInfo(layout.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        log.warning("the time zone %r is not known here: hours are UTC", layout.time_zone)
        return UTC
