"""What is on the glass, and what the proof of it says. Pure: time and play ids are arguments.

`(state, what happened, now) -> (state, what to do)`: asking the page to show something, telling a
play, refusing a content. The screen never goes dark by decision: without a valid content the
stage follows the rotation of its repertoire, and where that is empty it shows a fallback picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from signage.core import sentences
from signage.core.rotation import in_rotation, slot_end_ms
from signage.player.programme import (
    Ask,
    Now,
    Place,
    Playing,
    PricesOf,
    Programme,
    Refusal,
    State,
    Step,
    Why,
)
from signage.player.repertoire import Repertoire, of_catalogue
from streams.contracts.ids import event_id
from streams.contracts.signage import (
    Content,
    Creative,
    Play,
    StopReason,
)

#: A creative that could not be shown is left out of the rotation for so long.
AVOID_MS = 60_000
#: Contents that lie further ahead come from a broken clock.
MAX_AHEAD_MS = 3_600_000
#: So many decisions are remembered, to know a repeat when the log is read again.
_REMEMBERED = 64
#: A page that is this many shows behind will never catch up on the first.
_MAX_ASKED = 8


class Stage:
    """The rules of one screen; `mint` makes the id of a play.

    `rest` is the fallback picture, which comes with the player; `prices_of` knows what a creative
    would show now.
    """

    def __init__(
        self,
        place: Place,
        creatives: Sequence[Creative],
        slot_ms: int,
        mint: Callable[[], str],
        rest: Creative | None = None,
        prices_of: PricesOf = lambda _: (),
    ) -> None:
        self._place = place
        self._own = of_catalogue(creatives, place.screen_id, slot_ms)
        self._mint = mint
        self._rest = rest
        self._prices_of = prices_of

    def repertoire(self, state: State) -> Repertoire:
        """What the screen may show."""
        return state.repertoire or self._own

    def stock(self, state: State, repertoire: Repertoire, now: Now) -> Step:
        """Another repertoire. What is not in it leaves the glass at once; who was withdrawn stays
        so.
        """
        withdrawn = self.repertoire(state).withdrawn
        return self._restock(state, replace(repertoire, withdrawn=withdrawn), now)

    def recalled(self, state: State, creative_id: str, now: Now) -> Step:
        """A creative was withdrawn: it leaves the glass at once and does not come back."""
        old = self.repertoire(state)
        return self._restock(state, replace(old, withdrawn=old.withdrawn | {creative_id}), now)

    def returned(self, state: State, creative_id: str, now: Now) -> Step:
        """A creative that had been withdrawn was published again."""
        old = self.repertoire(state)
        if creative_id not in old.withdrawn:
            return state, ()
        return self._restock(state, replace(old, withdrawn=old.withdrawn - {creative_id}), now)

    def _restock(self, state: State, repertoire: Repertoire, now: Now) -> Step:
        def still(programme: Programme | None) -> Programme | None:
            if programme is None:
                return None
            creative = programme.creative
            known = repertoire.get(creative.creative_id, creative.version, now.wall_ms)
            return None if known is None else programme

        state = replace(
            state,
            repertoire=repertoire,
            content=still(state.content),
            waiting=still(state.waiting),
            fallback=still(state.fallback),
        )
        return self.tick(state, now)

    def repriced(self, state: State, sku: str, now: Now) -> Step:
        """A price has changed: a screen that shows it is asked to show it anew."""
        last = state.asked[-1] if state.asked else state.playing
        state, outputs = self.tick(state, now)
        newest = state.asked[-1] if state.asked else state.playing
        if last is None or newest is not last or sku not in last.programme.creative.prices:
            return state, outputs
        prices = self._prices_of(last.programme.creative)
        if not state.page or prices is None or prices == last.prices:
            return state, outputs
        ask = Ask(self._mint(), last.programme, prices)
        return replace(state, asked=(*state.asked, ask)[-_MAX_ASKED:]), (*outputs, ask)

    def content(self, state: State, content: Content, now: Now) -> Step:
        """The newest content of the log. A repeat changes nothing."""
        if content.decision_id in state.seen:
            return state, ()
        creative = self._known(state, content, now)
        if creative is not None:
            state = replace(state, seen=(*state.seen, content.decision_id)[-_REMEMBERED:])
        why = self._refuses(content, creative, now)
        if creative is None or why is not None:
            return state, (Refusal(content.decision_id, why or "unknown creative"),)
        programme = Programme(
            decision_id=content.decision_id,
            creative=creative,
            scheduled_at_ms=content.not_before_ms,
            expires_at_ms=content.expires_at_ms,
            reason=content.reason,
            sentence=content.sentence,
            arm=content.arm,
            trace=content.trace,
        )
        return self.tick(replace(state, waiting=programme), now)

    def lacks(self, state: State, content: Content, now: Now) -> bool:
        """Whether a content is for this screen, but names a creative that is not here (yet)."""
        return self._refuses(content, self._known(state, content, now), now) == "unknown creative"

    def withdrawn(self, state: State, now: Now) -> Step:
        """The screen's content was deleted from the log."""
        return self.tick(replace(state, content=None, waiting=None), now)

    def tick(self, state: State, now: Now) -> Step:
        """Time has passed: contents begin and expire, the rotation moves on."""
        if state.waiting is not None and state.waiting.scheduled_at_ms <= now.wall_ms:
            state = replace(state, content=state.waiting, waiting=None)
        if state.content is not None and state.content.expires_at_ms <= now.wall_ms:
            state = replace(state, content=None)
        if state.content is not None and not self._showable(state, state.content.creative, now):
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
        ask = Ask(self._mint(), wanted, self._prices_of(wanted.creative) or ())
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
        playing = Playing(play_id, ask.programme, now.wall_ms, now.mono_ms, ask.prices)
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
            Playing(play_id, ask.programme, now.wall_ms, now.mono_ms, ask.prices),
            0,
            "error",
            error,
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

    def _known(self, state: State, content: Content, now: Now) -> Creative | None:
        return self.repertoire(state).get(
            content.creative_id, content.creative_version, now.wall_ms
        )

    def _showable(self, state: State, creative: Creative, now: Now) -> bool:
        known = self.repertoire(state).get(creative.creative_id, creative.version, now.wall_ms)
        return known is not None and self._prices_of(creative) is not None

    def _refuses(self, content: Content, creative: Creative | None, now: Now) -> Why | None:
        if content.screen_id != self._place.screen_id:
            return "another screen"
        if creative is None:
            return "unknown creative"
        if content.expires_at_ms <= max(now.wall_ms, content.not_before_ms):
            return "expired"
        if content.not_before_ms > now.wall_ms + MAX_AHEAD_MS:
            return "too far ahead"
        if self._prices_of(creative) is None:
            return "no price"
        return None

    def _fallback(self, state: State, now: Now) -> Programme | None:
        repertoire = self.repertoire(state)
        ends = slot_end_ms(now.wall_ms, repertoire.slot_ms)
        old = state.fallback
        if old is not None and old.expires_at_ms == ends and self._goes_on(state, old, now):
            return old
        avoid = {creative_id for creative_id, _ in state.avoid}
        left = [
            c
            for c in repertoire.turn(now.wall_ms)
            if c.creative_id not in avoid and self._prices_of(c) is not None
        ]
        creative = in_rotation(left, now.wall_ms, repertoire.slot_ms) or self._rest
        if creative is None:
            return None
        if old is not None and creative is self._rest and old.creative is self._rest:
            return old  # the picture stands still: nothing is shown anew
        name = event_id(self._place.player_id, now.wall_ms, creative.creative_id)
        return Programme(
            decision_id=f"fallback-{name}",
            creative=creative,
            scheduled_at_ms=now.wall_ms,
            expires_at_ms=ends,
            reason="fallback",
            sentence=sentences.FALLBACK,
        )

    def _goes_on(self, state: State, programme: Programme, now: Now) -> bool:
        return programme.creative is not self._rest and self._showable(
            state, programme.creative, now
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
            prices=playing.prices,
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
        prices=started.prices,
        clock_note=started.clock_note,
    )
