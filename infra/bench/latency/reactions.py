"""Reactions out of the log and the simulated store's truth. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from infra.bench.latency.holding import Holding, Why
from infra.simulator.truth import TrueGaze
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Audience, Gaze, GazeBatch

#: A gaze belongs to the true glance that its picture fell into; pictures are this far apart.
_SLACK_MS = 400


@dataclass(frozen=True, slots=True)
class Reaction:
    """One gaze that a screen followed; times in UTC epoch ms. `looked_ms` and `looked_away_ms` are
    the true beginning and end of the glance, None where nobody looked there. `held`: why the policy
    kept the screen as it was when the event was sent, None where it was free to switch. `glance` is
    the true glance.
    """

    screen_id: str
    captured_ms: int
    inferred_ms: int
    sent_ms: int
    decided_ms: int
    rendered_ms: int
    looked_ms: int | None
    looked_away_ms: int | None
    held: Why | None = None
    glance: TrueGaze | None = None


@dataclass(slots=True)
class Log:
    """What the log holds of reactions to gazes of pictures taken since `since_ms`; what came before
    tells what the screens showed.
    """

    holding: Holding
    since_ms: int = 0
    gazes: dict[str, Gaze] = field(default_factory=dict)
    caused: dict[tuple[str, str], Decision] = field(default_factory=dict)
    plays: dict[str, Play] = field(default_factory=dict)
    areas: dict[str, str] = field(default_factory=dict)

    def add(self, event: object) -> None:
        """Take an event of the log; a repeat changes nothing."""
        if isinstance(event, GazeBatch | Audience):
            self.holding.see(event)
        if isinstance(event, GazeBatch):
            for gaze in event.events:
                self.gazes.setdefault(gaze.gaze_id, gaze)
                self.areas.setdefault(gaze.gaze_id, event.area_id)
        elif isinstance(event, Decision):
            self.holding.decided(event)
            if event.trace is not None:
                key = (event.screen_id, event.trace.cause_id)
                known = self.caused.get(key)
                if known is None or event.decided_at_ms < known.decided_at_ms:
                    self.caused[key] = event
        elif isinstance(event, Play) and event.phase == "started" and event.trace is not None:
            self.plays.setdefault(event.decision_id, event)

    @property
    def proven(self) -> int:
        """How many reactions are complete."""
        return sum(1 for _ in self._complete())

    def _complete(self) -> Iterable[tuple[Decision, Play]]:
        for decision in self.caused.values():
            play, trace = self.plays.get(decision.decision_id), decision.trace
            if play is not None and trace is not None and trace.captured_at_ms >= self.since_ms:
                yield decision, play

    def reactions(self, truth: Mapping[str, Iterable[TrueGaze]]) -> list[Reaction]:
        """The complete ones; `truth` holds each area's glances."""
        glances = {
            area: sorted(of, key=lambda gaze: gaze.started_at_ms) for area, of in truth.items()
        }
        found = []
        for decision, play in self._complete():
            trace = decision.trace
            if trace is None:
                raise AssertionError("it is complete")
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
                    held=None if gaze is None else self.holding.why(gaze, decision.screen_id),
                    glance=glance,
                )
            )
        return found

    def unanswered(self, screen_of: Mapping[str, str]) -> Counter[str]:
        """Gazes at zones that caused no decision, by why; `free`: there was no reason. `screen_of`
        an area. A gaze at what is on show needs none.
        """
        answered = {cause for _, cause in self.caused}
        counts: Counter[str] = Counter()
        for gaze in self.gazes.values():
            if (
                gaze.target_kind == "zone"
                and gaze.phase == "started"
                and gaze.trace.captured_at_ms >= self.since_ms
                and gaze.gaze_id not in answered
            ):
                counts[self.holding.why(gaze, screen_of[self.areas[gaze.gaze_id]]) or "free"] += 1
        return counts


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


def floor_ms(
    glance: TrueGaze, pictures_ms: Sequence[int], fixation_ms: int, model_ms: float
) -> float | None:
    """From the true beginning of a glance to the earliest moment at which anything could know of
    the fixation: the first picture that another one of the same glance precedes, and in which the
    fixation time has passed, and the model's answer to it. None where there is no such picture.

    >>> look = TrueGaze(person_id="p", target_id="t", target_kind="zone",
    ...                 started_at_ms=1_000, ended_at_ms=3_000)
    >>> floor_ms(look, [1_100, 1_433, 1_767], 300, 50.0)
    483.0
    >>> floor_ms(look, [1_100], 300, 50.0) is None
    True
    """
    telling = [at for at in pictures_ms[1:] if at - glance.started_at_ms >= fixation_ms]
    return telling[0] - glance.started_at_ms + model_ms if telling else None
