"""What is on the glass, and what the proof of it says. Pure: time and play ids are arguments.

`(state, what happened, now) -> (state, what to do)`: asking the page to show something, telling a
play, refusing a content. The screen never goes dark by decision: without a valid content the
stage follows its own rotation of the catalogue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from signage.core import sentences
from signage.core.eligibility import eligible
from signage.core.rotation import in_rotation, slot_end_ms
from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.signage import Arm, Content, Creative, Play, ReasonCode, StopReason

#: A creative that could not be shown is left out of the rotation for so long.
AVOID_MS = 60_000
#: Contents that lie further ahead come from a broken clock.
MAX_AHEAD_MS = 3_600_000
#: So many decisions are remembered, to know a repeat when the log is read again.
_REMEMBERED = 64
#: A page that is this many shows behind will never catch up on the first.
_MAX_ASKED = 8

Why = Literal["expired", "too far ahead", "another screen", "unknown creative"]


@dataclass(frozen=True, slots=True)
class Now:
    """One instant on both clocks: UTC epoch for stamps, monotonic for durations."""

    wall_ms: int
    mono_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stage stands; a part of every play."""

    store_id: str
    area_id: str
    screen_id: str
    player_id: str


@dataclass(frozen=True, slots=True)
class Programme:
    """Something to show: a decision's content, or a turn of the stage's own rotation."""

    decision_id: str
    creative: Creative
    scheduled_at_ms: int
    expires_at_ms: int
    reason: ReasonCode
    sentence: str
    arm: Arm | None = None
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """The page is asked to show `programme`; it answers with `play_id`."""

    play_id: str
    programme: Programme


@dataclass(frozen=True, slots=True)
class Refusal:
    """A content that is not shown, and why."""

    decision_id: str
    why: Why


@dataclass(frozen=True, slots=True)
class Playing:
    """A play that the page has painted."""

    play_id: str
    programme: Programme
    rendered_at_ms: int
    rendered_mono_ms: int

    def duration_ms(self, now: Now) -> int:
        """How long it has been on the glass."""
        return max(0, now.mono_ms - self.rendered_mono_ms)


@dataclass(frozen=True, slots=True)
class State:
    """All that the stage knows. `asked` are shows that the page has not answered, oldest first."""

    page: bool = False
    content: Programme | None = None
    waiting: Programme | None = None
    fallback: Programme | None = None
    asked: tuple[Ask, ...] = ()
    playing: Playing | None = None
    avoid: tuple[tuple[str, int], ...] = ()
    seen: tuple[str, ...] = ()


Output = Ask | Play | Refusal
Step = tuple[State, tuple[Output, ...]]


class Stage:
    """The rules of one screen; `mint` makes the id of a play."""

    def __init__(
        self, place: Place, creatives: Sequence[Creative], slot_ms: int, mint: Callable[[], str]
    ) -> None:
        self._place = place
        self._known = {(c.creative_id, c.version): c for c in creatives}
        self._rotation = eligible(creatives, place.screen_id)
        self._slot_ms = slot_ms
        self._mint = mint

    def content(self, state: State, content: Content, now: Now) -> Step:
        """The newest content of the log. A repeat changes nothing."""
        if content.decision_id in state.seen:
            return state, ()
        state = replace(state, seen=(*state.seen, content.decision_id)[-_REMEMBERED:])
        why = self._refuses(content, now)
        if why is not None:
            return state, (Refusal(content.decision_id, why),)
        programme = Programme(
            decision_id=content.decision_id,
            creative=self._known[content.creative_id, content.creative_version],
            scheduled_at_ms=content.not_before_ms,
            expires_at_ms=content.expires_at_ms,
            reason=content.reason,
            sentence=content.sentence,
            arm=content.arm,
            trace=content.trace,
        )
        return self.tick(replace(state, waiting=programme), now)

    def withdrawn(self, state: State, now: Now) -> Step:
        """The screen's content was deleted from the log."""
        return self.tick(replace(state, content=None, waiting=None), now)

    def tick(self, state: State, now: Now) -> Step:
        """Time has passed: contents begin and expire, the rotation moves on."""
        if state.waiting is not None and state.waiting.scheduled_at_ms <= now.wall_ms:
            state = replace(state, content=state.waiting, waiting=None)
        if state.content is not None and state.content.expires_at_ms <= now.wall_ms:
            state = replace(state, content=None)
        state = replace(state, avoid=tuple(a for a in state.avoid if a[1] > now.mono_ms))
        fallback = self._fallback(state, now) if state.content is None else None
        state = replace(state, fallback=fallback)
        wanted = state.content or state.fallback
        last = state.asked[-1] if state.asked else state.playing
        if not state.page or wanted is None:
            return state, ()
        if last is not None and last.programme.decision_id == wanted.decision_id:
            return state, ()
        ask = Ask(self._mint(), wanted)
        return replace(state, asked=(*state.asked, ask)[-_MAX_ASKED:]), (ask,)

    def page_came(self, state: State, now: Now) -> Step:
        """A page has connected; an older one no longer counts."""
        ended = self._ended(state, now, "pre-empted")
        state, asks = self.tick(replace(state, page=True, asked=(), playing=None), now)
        return state, (*ended, *asks)

    def page_went(self, state: State, now: Now, error: str) -> Step:
        """The page is gone, and with it what it showed."""
        ended = self._ended(state, now, "error", error)
        return replace(state, page=False, asked=(), playing=None), ended

    def rendered(self, state: State, play_id: str, now: Now) -> Step:
        """The page has painted a play. What was on the glass until now ends at this instant."""
        ask = next((a for a in state.asked if a.play_id == play_id), None)
        if ask is None:
            return state, ()
        gone = state.playing
        over = gone is not None and gone.programme.expires_at_ms <= now.wall_ms
        ended = self._ended(state, now, "finished" if over else "pre-empted")
        playing = Playing(play_id, ask.programme, now.wall_ms, now.mono_ms)
        later = state.asked[state.asked.index(ask) + 1 :]
        state = replace(state, asked=later, playing=playing)
        return state, (*ended, self._play(playing))

    def failed(self, state: State, play_id: str, error: str, now: Now) -> Step:
        """The page cannot show a play: that is told, and something else is shown."""
        ask = next((a for a in state.asked if a.play_id == play_id), None)
        if ask is None:
            return state, ()
        decision_id, creative = ask.programme.decision_id, ask.programme.creative
        told = self._end(
            Playing(play_id, ask.programme, now.wall_ms, now.mono_ms), 0, "error", error
        )
        state = replace(
            state,
            asked=tuple(a for a in state.asked if a.play_id != play_id),
            avoid=(*state.avoid, (creative.creative_id, now.mono_ms + AVOID_MS)),
            fallback=None,
        )
        if state.content is not None and state.content.decision_id == decision_id:
            state = replace(state, content=None)
        state, asks = self.tick(state, now)
        return state, (told, *asks)

    def shut_down(self, state: State, now: Now) -> Step:
        """The player stops in good order."""
        ended = self._ended(state, now, "shutdown")
        return replace(state, page=False, asked=(), playing=None), ended

    def _refuses(self, content: Content, now: Now) -> Why | None:
        if content.screen_id != self._place.screen_id:
            return "another screen"
        if (content.creative_id, content.creative_version) not in self._known:
            return "unknown creative"
        if content.expires_at_ms <= max(now.wall_ms, content.not_before_ms):
            return "expired"
        if content.not_before_ms > now.wall_ms + MAX_AHEAD_MS:
            return "too far ahead"
        return None

    def _fallback(self, state: State, now: Now) -> Programme | None:
        ends = slot_end_ms(now.wall_ms, self._slot_ms)
        if state.fallback is not None and state.fallback.expires_at_ms == ends:
            return state.fallback
        avoid = {creative_id for creative_id, _ in state.avoid}
        left = [c for c in self._rotation if c.creative_id not in avoid]
        creative = in_rotation(left, now.wall_ms, self._slot_ms)
        if creative is None:
            return None
        name = event_id(self._place.player_id, now.wall_ms, creative.creative_id)
        return Programme(
            decision_id=f"fallback-{name}",
            creative=creative,
            scheduled_at_ms=now.wall_ms,
            expires_at_ms=ends,
            reason="fallback",
            sentence=sentences.FALLBACK,
        )

    def _ended(
        self, state: State, now: Now, reason: StopReason, error: str | None = None
    ) -> tuple[Play, ...]:
        if state.playing is None:
            return ()
        return (self._end(state.playing, state.playing.duration_ms(now), reason, error),)

    def _end(
        self, playing: Playing, duration_ms: int, reason: StopReason, error: str | None
    ) -> Play:
        return ended_play(self._play(playing), duration_ms, reason, error)

    def _play(self, playing: Playing) -> Play:
        programme = playing.programme
        return Play(
            play_id=playing.play_id,
            phase="started",
            player_id=self._place.player_id,
            store_id=self._place.store_id,
            area_id=self._place.area_id,
            screen_id=self._place.screen_id,
            decision_id=programme.decision_id,
            creative_id=programme.creative.creative_id,
            creative_version=programme.creative.version,
            scheduled_at_ms=programme.scheduled_at_ms,
            rendered_at_ms=playing.rendered_at_ms,
            trace=programme.trace,
        )


def ended_play(
    started: Play, duration_ms: int, reason: StopReason, error: str | None = None
) -> Play:
    """The end of a play, from its beginning."""
    return Play(
        play_id=started.play_id,
        phase="ended",
        player_id=started.player_id,
        store_id=started.store_id,
        area_id=started.area_id,
        screen_id=started.screen_id,
        decision_id=started.decision_id,
        creative_id=started.creative_id,
        creative_version=started.creative_version,
        scheduled_at_ms=started.scheduled_at_ms,
        rendered_at_ms=started.rendered_at_ms,
        duration_ms=duration_ms,
        stop_reason=reason,
        success=error is None,
        error=None if error is None else error[:500],
        trace=started.trace,
    )
