"""What the screens of a simulated store's days showed, and who met it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streams.contracts import topics
from streams.contracts.attention import Exposure
from streams.contracts.base import Trace
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.ids import event_id
from streams.contracts.layout import Screen
from streams.contracts.signage import Creative, Decision, Play

#: A screen shows the next creative after this long.
TURN_MS = 10_000

#: A shorter stay before a screen is none before the play.
_PAIRING_MS = 1_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A presence before a screen, for the exposures of the plays."""

    entered_at_ms: int
    left_at_ms: int
    attention_ms: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """The screens of a store: `creatives` take turns on each; `plan` says which slots react."""

    store_id: str
    creatives: tuple[Creative, ...]
    plan: ExperimentPlan
    seed: int

    def plays(
        self, screen: Screen, opens_ms: int, closes_ms: int, seen: Sequence[Seen]
    ) -> Iterator[tuple[topics.Topic, Any]]:
        """Decision, play and exposure of each turn of one screen, from opening to closing."""
        ordered = sorted(seen, key=lambda s: s.entered_at_ms)
        for at_ms in range(opens_ms, closes_ms, TURN_MS):
            arm, _ = self.plan.arm(at_ms)
            watched = any(
                s.attention_ms and s.entered_at_ms <= at_ms < s.left_at_ms for s in ordered
            )
            reacts = arm == "adaptive" and watched
            decision = self._decision(screen, at_ms, reacts=reacts)
            play = self._play(decision, reacts=reacts)
            yield topics.DECISION, decision
            yield topics.PLAY, play
            ordered = [s for s in ordered if s.left_at_ms > at_ms]
            yield topics.EXPOSURE, _exposure(play, ordered)

    def _decision(self, screen: Screen, at_ms: int, *, reacts: bool) -> Decision:
        creative = self.creatives[at_ms // TURN_MS % len(self.creatives)]
        arm, probability = self.plan.arm(at_ms)
        reason: Any = "attention" if reacts else "rotation" if arm == "adaptive" else "control"
        return Decision(
            decision_id=event_id(self.seed, screen.screen_id, at_ms),
            store_id=self.store_id,
            area_id=screen.area_id,
            screen_id=screen.screen_id,
            creative_id=creative.creative_id,
            creative_version=creative.version,
            decided_at_ms=at_ms,
            slot_start_ms=at_ms - at_ms % self.plan.slot_ms,
            arm=arm,
            arm_probability=probability,
            policy_version="simulated",
            context=(),
            showing=None,
            candidates=(),
            reason=reason,
            sentence=f"Simulated: {creative.title} for the next 10 s.",
        )

    def _play(self, decision: Decision, *, reacts: bool) -> Play:
        at_ms = decision.decided_at_ms
        cause = Trace(
            cause_id=str(at_ms),
            captured_at_ms=at_ms - 400,
            inferred_at_ms=at_ms - 340,
            sent_at_ms=at_ms - 335,
        )
        return Play(
            play_id=event_id(self.seed, decision.screen_id, at_ms, "play"),
            store_id=decision.store_id,
            area_id=decision.area_id,
            screen_id=decision.screen_id,
            decision_id=decision.decision_id,
            creative_id=decision.creative_id,
            creative_version=decision.creative_version,
            phase="ended",
            player_id=f"player-{decision.screen_id}",
            scheduled_at_ms=at_ms,
            rendered_at_ms=at_ms,
            duration_ms=TURN_MS,
            stop_reason="finished",
            trace=cause if reacts else None,
        )


def _exposure(play: Play, seen: Sequence[Seen]) -> Exposure:
    end_ms = play.rendered_at_ms + TURN_MS
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
