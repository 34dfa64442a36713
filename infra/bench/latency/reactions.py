"""Reactions out of the log and the simulated store's truth. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infra.simulator.truth import TrueGaze
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Gaze

#: A gaze belongs to the true glance that its picture fell into; pictures are this far apart.
_SLACK_MS = 400


@dataclass(frozen=True, slots=True)
class Reaction:
    """One gaze that a screen followed; times in UTC epoch ms. `looked_ms` and `looked_away_ms` are
    the true beginning and end of the glance, None where nobody looked there.
    """

    screen_id: str
    captured_ms: int
    inferred_ms: int
    sent_ms: int
    decided_ms: int
    rendered_ms: int
    looked_ms: int | None
    looked_away_ms: int | None


@dataclass(slots=True)
class Log:
    """What the log holds of reactions: gazes by id, first decisions by cause, plays by decision."""

    gazes: dict[str, Gaze] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    plays: dict[str, Play] = field(default_factory=dict)

    def add(self, event: object) -> None:
        """Take an event of the log; a repeat changes nothing."""
        if isinstance(event, Gaze):
            self.gazes.setdefault(event.gaze_id, event)
        elif isinstance(event, Decision) and event.trace is not None:
            key = (event.screen_id, event.trace.cause_id)
            known = self.decisions.get(key)
            if known is None or event.decided_at_ms < known.decided_at_ms:
                self.decisions[key] = event
        elif isinstance(event, Play) and event.phase == "started" and event.trace is not None:
            self.plays.setdefault(event.decision_id, event)

    @property
    def proven(self) -> int:
        """How many reactions are complete."""
        return sum(1 for each in self.decisions.values() if each.decision_id in self.plays)

    def reactions(self, truth: Mapping[str, Iterable[TrueGaze]]) -> list[Reaction]:
        """The complete ones; `truth` holds each area's glances."""
        glances = {
            area: sorted(of, key=lambda gaze: gaze.started_at_ms) for area, of in truth.items()
        }
        found = []
        for decision in self.decisions.values():
            play, trace = self.plays.get(decision.decision_id), decision.trace
            if play is None or trace is None:
                continue
            gaze = self.gazes.get(trace.cause_id)
            glance = _glance(gaze, trace.captured_at_ms, glances.get(decision.area_id, []))
            found.append(
                Reaction(
                    screen_id=decision.screen_id,
                    captured_ms=trace.captured_at_ms,
                    inferred_ms=trace.inferred_at_ms,
                    sent_ms=trace.sent_at_ms,
                    decided_ms=decision.decided_at_ms,
                    rendered_ms=play.rendered_at_ms,
                    looked_ms=None if glance is None else glance.started_at_ms,
                    looked_away_ms=None if glance is None else glance.ended_at_ms,
                )
            )
        return found


def _glance(gaze: Gaze | None, captured_ms: int, glances: Iterable[TrueGaze]) -> TrueGaze | None:
    """The true glance at the gaze's target that the picture fell into."""
    if gaze is None:
        return None
    near = [
        glance
        for glance in glances
        if glance.target_id == gaze.target_id
        and glance.started_at_ms <= captured_ms <= glance.ended_at_ms + _SLACK_MS
    ]
    return near[-1] if near else None
