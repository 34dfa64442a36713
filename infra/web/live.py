"""The page's state, from the log alone: a reducer without clock, input or output.

Messages may come again (the page reads the log anew after the broker broke away): everything here
is counted by id or judged by time, so a repeat changes nothing.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.web.counted import Counted
from infra.web.reactions import Reactions
from infra.web.view import LatencyView, ReactionView, ScreenView, TargetView
from streams.contracts import topics
from streams.contracts.attention import AttentionWindow
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import Basket
from streams.contracts.signage import Content, Creative, Decision, Play
from streams.contracts.vision import (
    Audience,
    DwellBatch,
    Gaze,
    GazeBatch,
    TargetAudience,
    TargetKind,
)

#: A camera that has not told for this long is not known to see nobody (its beat is 200 to 1000 ms).
STALE_MS = 3_000

#: "Attention now" is that of the last minute.
RECENT_MS = 60_000

#: Decisions and plays of which a screen's sentence may be looked up.
_MOST_DECISIONS = 500


@dataclass(slots=True)
class _Screen:
    content: Content | None = None
    play: Play | None = None
    ended: str | None = None


class Live:
    """What is known of one store. `apply` takes the log's events, the rest reads."""

    def __init__(self, layout: StoreLayout, since_ms: int) -> None:
        self._layout = layout
        self._since_ms = since_ms
        self._names: dict[str, tuple[TargetKind, str]] = {
            **{zone.zone_id: ("zone", zone.name) for zone in layout.zones},
            **{screen.screen_id: ("screen", screen.name) for screen in layout.screens},
        }
        self._audiences: dict[str, Audience] = {}
        self._ended_gazes: deque[Gaze] = deque()
        self._windows: dict[str, AttentionWindow] = {}
        self._screens = {screen.screen_id: _Screen() for screen in layout.screens}
        self._decisions: dict[str, Decision] = {}
        self._titles: dict[tuple[str, int], str] = {}
        self._reactions = Reactions()
        self.counted = Counted()
        #: Whether a basket of this store came from a simulated till.
        self.simulated = False
        self._by_topic: dict[str, Callable[[Any], None]] = {
            topics.AUDIENCE.name: self._audience,
            topics.GAZE.name: self._gaze,
            topics.DWELL.name: self._dwell,
            topics.ATTENTION.name: self._attention,
            topics.CONTENT.name: self._content,
            topics.CREATIVE.name: self._creative,
            topics.DECISION.name: self._decision,
            topics.PLAY.name: self._play,
            topics.BASKET.name: self._basket,
        }

    def reads(self, topic: str) -> bool:
        """Whether events of `topic` change anything here."""
        return topic in self._by_topic

    def apply(self, topic: str, event: Any) -> None:
        """Take in an event of `topic`; one of another store changes nothing."""
        if getattr(event, "store_id", self._layout.store_id) == self._layout.store_id:
            self._by_topic[topic](event)

    # What each kind of event changes.

    def _audience(self, audience: Audience) -> None:
        known = self._audiences.get(audience.camera_id)
        if known is None or known.captured_at_ms <= audience.captured_at_ms:
            self._audiences[audience.camera_id] = audience

    def _gaze(self, batch: GazeBatch) -> None:
        for gaze in batch.events:
            self._reactions.gaze(gaze.gaze_id, gaze.target_id)
            if gaze.ended_at_ms is None or gaze.started_at_ms < self._since_ms:
                continue
            if not self.counted.knows("gaze", gaze.gaze_id):
                self._ended_gazes.append(gaze)
            self.counted.add("gaze", gaze.gaze_id)

    def _dwell(self, batch: DwellBatch) -> None:
        for dwell in batch.events:
            ended = dwell.left_at_ms is not None and not dwell.excluded
            if ended and dwell.entered_at_ms >= self._since_ms:
                self.counted.add("dwell", dwell.dwell_id)

    def _attention(self, window: AttentionWindow) -> None:
        known = self._windows.get(window.target_id)
        order = (window.window_start_ms, window.through_offset)
        if known is None or (known.window_start_ms, known.through_offset) <= order:
            self._windows[window.target_id] = window

    def _content(self, content: Content) -> None:
        screen = self._screens.get(content.screen_id)
        if screen is not None and (
            screen.content is None or screen.content.not_before_ms <= content.not_before_ms
        ):
            screen.content = content

    def _creative(self, creative: Creative) -> None:
        self._titles[creative.creative_id, creative.version] = creative.title

    def _decision(self, decision: Decision) -> None:
        if decision.decided_at_ms >= self._since_ms:
            self.counted.add("decisions", decision.decision_id)
        self._decisions[decision.decision_id] = decision
        while len(self._decisions) > _MOST_DECISIONS:
            self._decisions.pop(next(iter(self._decisions)))

    def _play(self, play: Play) -> None:
        if play.phase == "ended" and play.rendered_at_ms >= self._since_ms:
            self.counted.add("plays", play.play_id)
        screen = self._screens.get(play.screen_id)
        if screen is not None and (
            screen.play is None or screen.play.rendered_at_ms <= play.rendered_at_ms
        ):
            screen.play = play
        if play.rendered_at_ms >= self._since_ms:
            self._reactions.play(play)

    def _basket(self, basket: Basket) -> None:
        self.simulated = self.simulated or basket.simulated
        if basket.closed_at_ms >= self._since_ms:
            self.counted.add("baskets", basket.basket_id)

    # What the page reads.

    def cameras_told_ms(self) -> dict[str, int]:
        """When each camera last told, event time."""
        return {name: audience.captured_at_ms for name, audience in self._audiences.items()}

    def screens_played_ms(self) -> dict[str, int]:
        """When each screen last proved a play, event time."""
        return {
            name: screen.play.rendered_at_ms + (screen.play.duration_ms or 0)
            for name, screen in self._screens.items()
            if screen.play is not None
        }

    def silent_ms(self, now_ms: int) -> int | None:
        """How long no camera has told anything; None where none ever has."""
        newest = max((a.captured_at_ms for a in self._audiences.values()), default=None)
        return None if newest is None else max(0, now_ms - newest)

    def people(self, now_ms: int) -> int | None:
        """People in view: each is counted by one camera."""
        fresh = self._fresh(now_ms)
        return sum(audience.people for audience in fresh) if fresh else None

    def watchers(self, now_ms: int) -> int | None:
        """People whose face is directed at some zone or screen; None if no camera measures it."""
        measured = [t for a in self._fresh(now_ms) for t in a.targets if t.measured]
        return sum(target.watchers for target in measured) if measured else None

    def targets(self, now_ms: int) -> tuple[TargetView, ...]:
        """Each zone and screen of the layout, in its order."""
        self._forget_gazes(now_ms)
        fresh = self._fresh(now_ms)
        return tuple(self._target(target_id, fresh, now_ms) for target_id in self._names)

    def _target(self, target_id: str, fresh: list[Audience], now_ms: int) -> TargetView:
        told: list[TargetAudience] = [
            target
            for audience in fresh
            for target in audience.targets
            if target.target_id == target_id
        ]
        measured = [target for target in told if target.measured]
        ended_ms = sum(g.attention_ms for g in self._ended_gazes if g.target_id == target_id)
        window = self._windows.get(target_id)
        kind, name = self._names[target_id]
        return TargetView(
            target_id=target_id,
            target_kind=kind,
            name=name,
            people=sum(target.people for target in told) if told else None,
            watchers=sum(target.watchers for target in measured) if measured else None,
            attention_ms=ended_ms + sum(target.attention_ms for target in measured),
            window_watchers=None
            if window is None or not window.watchers_measured
            else window.watchers,
        )

    def screens(self) -> tuple[ScreenView, ...]:
        """Each screen of the layout: what is on it by its own proof, and the decision behind."""
        return tuple(self._screen(s.screen_id, s.name) for s in self._layout.screens)

    def _screen(self, screen_id: str, name: str) -> ScreenView:
        screen = self._screens[screen_id]
        play, content = screen.play, screen.content
        decision: Decision | Content | None = None
        if play is not None:
            decision = self._decisions.get(play.decision_id)
            if decision is None and content is not None:
                decision = content if content.decision_id == play.decision_id else None
        ahead = content is not None and (play is None or content.decision_id != play.decision_id)
        return ScreenView(
            screen_id=screen_id,
            name=name,
            creative_id=play.creative_id if play else None,
            title=self._titles.get((play.creative_id, play.creative_version)) if play else None,
            since_ms=play.rendered_at_ms if play else None,
            arm=decision.arm if decision else None,
            reason=decision.reason if decision else None,
            sentence=decision.sentence if decision else None,
            next_creative_id=content.creative_id if content is not None and ahead else None,
        )

    def latency(self) -> LatencyView:
        """Glance to screen, of the newest plays that a shopper caused."""
        return self._reactions.latency(self._decisions)

    def reaction(self) -> ReactionView | None:
        """The newest play that a shopper caused."""
        names = {target_id: name for target_id, (_, name) in self._names.items()}
        return self._reactions.last(names, self._titles)

    def _fresh(self, now_ms: int) -> list[Audience]:
        return [a for a in self._audiences.values() if now_ms - a.captured_at_ms <= STALE_MS]

    def _forget_gazes(self, now_ms: int) -> None:
        # Gazes come nearly in order of their ends; one that comes late leaves a little later.
        while self._ended_gazes and (self._ended_gazes[0].ended_at_ms or 0) < now_ms - RECENT_MS:
            self._ended_gazes.popleft()
