"""Why a screen did not follow a gaze at once: what the policy itself holds back, told from the log
as the processor read it, and not from how long it took. Pure.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from signage.core.eligibility import made_for
from signage.core.pacing import may_change
from signage.core.policy import RuleSettings
from signage.core.rule import leader
from streams.contracts.layout import Zone
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, Decision, ReasonCode, ZoneAttention
from streams.contracts.vision import Audience, Gaze, GazeBatch
from streams.core import attention_now
from streams.core.attention_now import AreaState

Why = Literal["minimum display", "another zone leads", "on show already"]

#: As the processor looks at attention by default.
_WINDOW_MS = _SILENCE_MS = 3_000


@dataclass(frozen=True, slots=True)
class OnShow:
    """What a screen shows from a decision on."""

    from_ms: int
    creative_id: str
    since_ms: int
    reason: ReasonCode


@dataclass(slots=True)
class Holding:
    """What the screens showed, and who looked at what, as the log tells it in its order."""

    zones: Sequence[Zone]
    creatives: Sequence[Creative]
    settings: RuleSettings = field(default_factory=RuleSettings)
    _areas: dict[str, AreaState] = field(default_factory=dict)
    _looks: dict[str, tuple[ZoneAttention, ...]] = field(default_factory=dict)
    _shown: dict[str, list[OnShow]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def see(self, event: GazeBatch | Audience) -> None:
        """Who looks at what changes; at each gaze that begins it is kept."""
        area_id = event.area_id
        before = self._areas.get(area_id, AreaState())
        state = self._areas[area_id] = attention_now.step(before, event)
        if isinstance(event, Audience):
            return
        names = [zone.zone_id for zone in self._zones_of(area_id)]
        for gaze in event.events:
            if gaze.phase == "started" and gaze.gaze_id not in self._looks:
                self._looks[gaze.gaze_id] = attention_now.moment(
                    state,
                    names,
                    gaze.trace.sent_at_ms,
                    window_ms=_WINDOW_MS,
                    silence_ms=_SILENCE_MS,
                )

    def decided(self, decision: Decision) -> None:
        """The screen shows something else from now on, or the same for another reason."""
        if decision.decision_id in self._known:
            return
        self._known.add(decision.decision_id)
        goes_on = decision.showing == decision.creative_id and decision.shown_since_ms is not None
        since_ms = decision.shown_since_ms if goes_on else None
        self._shown.setdefault(decision.screen_id, []).append(
            OnShow(
                from_ms=decision.decided_at_ms,
                creative_id=decision.creative_id,
                since_ms=decision.decided_at_ms if since_ms is None else since_ms,
                reason=decision.reason,
            )
        )

    def why(self, gaze: Gaze, screen_id: str) -> Why | None:
        """Why the policy kept the screen as it was when the gaze was told; None where the screen
        was free to follow it.
        """
        at_ms, shown = gaze.trace.sent_at_ms, self._at(screen_id, gaze.trace.sent_at_ms)
        attention = self._looks.get(gaze.gaze_id)
        zone = next((z for z in self.zones if z.zone_id == gaze.target_id), None)
        if shown is None or attention is None or zone is None:
            return None
        moment = Moment(
            store_id="",
            area_id=zone.area_id,
            screen_id=screen_id,
            now_ms=at_ms,
            arm="adaptive",
            attention=attention,
            showing=shown.creative_id,
            shown_since_ms=shown.since_ms,
            shown_reason=shown.reason,
        )
        first = self._leader(moment)
        if first is not None and first.zone_id != gaze.target_id:
            return "another zone leads"
        if shown.creative_id in self._made_for(zone):
            return "on show already" if shown.reason == "attention" else None
        free = may_change(moment, "attention", self.settings.pacing)
        return None if free else "minimum display"

    def _at(self, screen_id: str, at_ms: int) -> OnShow | None:
        history = sorted(self._shown.get(screen_id, []), key=lambda each: each.from_ms)
        number = bisect_right(history, at_ms, key=lambda each: each.from_ms)
        return history[number - 1] if number else None

    def _leader(self, moment: Moment) -> ZoneAttention | None:
        zones: Mapping[str, Zone] = {z.zone_id: z for z in self._zones_of(moment.area_id)}
        return leader(
            moment,
            self.creatives,
            zones,
            threshold_ms=self.settings.threshold_ms,
            lead_share=self.settings.lead_share,
        )

    def _made_for(self, zone: Zone) -> set[str]:
        return {c.creative_id for c in self.creatives if made_for(c, zone)}

    def _zones_of(self, area_id: str) -> list[Zone]:
        return [zone for zone in self.zones if zone.area_id == area_id]
