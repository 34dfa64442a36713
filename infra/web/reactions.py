"""What shoppers caused on the screens, and how long it took. Pure.

A play that carries a trace was caused by a shopper; its latency runs from the frame that completed
the glance to the glass.
"""

from collections.abc import Mapping
from statistics import quantiles

from infra.web.view import LatencyView, ReactionView, StepsView
from streams.contracts.signage import Decision, Play

#: Plays whose latency is kept for the chart.
_MOST_PLAYS = 120

#: Gazes whose target may be looked up: a play follows its gaze within a second or two.
_MOST_GAZES = 1_000


class Reactions:
    """The newest plays that a shopper caused."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}
        self._plays: dict[str, tuple[int, int, Play]] = {}

    def gaze(self, gaze_id: str, target_id: str) -> None:
        """A gaze began at, or ended at, a target."""
        self._targets[gaze_id] = target_id
        while len(self._targets) > _MOST_GAZES:
            self._targets.pop(next(iter(self._targets)))

    def play(self, play: Play) -> None:
        """A play was rendered."""
        if play.trace is None or not play.success:
            return
        latency_ms = max(0, play.rendered_at_ms - play.trace.captured_at_ms)
        self._plays[play.play_id] = (play.rendered_at_ms, latency_ms, play)
        while len(self._plays) > _MOST_PLAYS:
            self._plays.pop(min(self._plays, key=lambda k: self._plays[k][0]))

    def latency(self, decisions: Mapping[str, Decision]) -> LatencyView:
        """Glance to screen, of the newest plays that a shopper caused."""
        plays = self._in_order()
        recent = [ms for _, ms, _ in plays]
        cuts = quantiles(recent, n=20, method="inclusive") if len(recent) > 1 else recent * 19
        return LatencyView(
            last_ms=recent[-1] if recent else None,
            p50_ms=round(cuts[9]) if cuts else None,
            p95_ms=round(cuts[18]) if cuts else None,
            plays=len(recent),
            last_steps=_steps(plays[-1][2], decisions) if plays else None,
            recent_ms=tuple(recent),
        )

    def last(
        self, names: Mapping[str, str], titles: Mapping[tuple[str, int], str]
    ) -> ReactionView | None:
        """The newest of them, told as a story; None before the first."""
        plays = self._in_order()
        if not plays:
            return None
        rendered_at_ms, latency_ms, play = plays[-1]
        target_id = self._targets.get(play.trace.cause_id) if play.trace else None
        return ReactionView(
            target_id=target_id,
            target_name=names.get(target_id) if target_id else None,
            screen_id=play.screen_id,
            creative_id=play.creative_id,
            title=titles.get((play.creative_id, play.creative_version)),
            rendered_at_ms=rendered_at_ms,
            latency_ms=latency_ms,
        )

    def _in_order(self) -> list[tuple[int, int, Play]]:
        return sorted(self._plays.values(), key=lambda item: item[:2])


def _steps(play: Play, decisions: Mapping[str, Decision]) -> StepsView | None:
    decision, trace = decisions.get(play.decision_id), play.trace
    if decision is None or trace is None:
        return None
    return StepsView(
        infer_ms=trace.inferred_at_ms - trace.captured_at_ms,
        event_ms=trace.sent_at_ms - trace.inferred_at_ms,
        decide_ms=decision.decided_at_ms - trace.sent_at_ms,
        render_ms=play.rendered_at_ms - decision.decided_at_ms,
    )
