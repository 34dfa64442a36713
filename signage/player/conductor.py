"""Between the stage's rules and the world: pages that come and go, contents, time, proofs.

Everything here runs on the event loop without waiting, so one step is never torn by another.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from signage.player import protocol
from signage.player.stage import Ask, Now, Playing, Refusal, Stage, State, Step
from streams.contracts.signage import Content, Play

_log = logging.getLogger(__name__)


class Link(Protocol):
    """A connected page."""

    def put(self, message: protocol.ToPage) -> None:
        """Send, without waiting."""
        ...


@dataclass(slots=True)
class Counts:
    """What has happened since the start."""

    shows: int = 0
    plays_started: int = 0
    plays_ended: int = 0
    failed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Conductor:
    """Owns the state of one screen. `keep` takes each proof; `clock` tells the time."""

    def __init__(
        self, stage: Stage, clock: Callable[[], Now], keep: Callable[[Play], None]
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._keep = keep
        self._state = State()
        self._page: Link | None = None
        self._mirrors: set[Link] = set()
        self.counts = Counts()
        self.last_reaction_ms: int | None = None

    @property
    def playing(self) -> Playing | None:
        """What is on the glass."""
        return self._state.playing

    def playing_for_ms(self) -> int:
        """How long it has been there."""
        return 0 if self.playing is None else self.playing.duration_ms(self._clock())

    def content(self, content: Content | None) -> None:
        """The newest content of the log, None where it was deleted."""
        now = self._clock()
        if content is None:
            self._do(self._stage.withdrawn(self._state, now))
        else:
            self._do(self._stage.content(self._state, content, now))

    def tick(self) -> None:
        """Time has passed."""
        self._do(self._stage.tick(self._state, self._clock()))

    def shut_down(self) -> None:
        """End what is on the glass, in good order."""
        self._page = None
        self._do(self._stage.shut_down(self._state, self._clock()))

    def page_came(self, link: Link) -> None:
        """The newest page is the one that counts; an older one is told to keep quiet."""
        older, self._page = self._page, link
        if older is not None:
            older.put(protocol.Stop())
        self._do(self._stage.page_came(self._state, self._clock()))

    def page_went(self, link: Link, error: str) -> None:
        """A page is gone; whether it mattered is decided here."""
        if link is self._page:
            self._page = None
            self._do(self._stage.page_went(self._state, self._clock(), error))

    def mirror_came(self, link: Link) -> None:
        """A page that only watches: it is shown everything and proves nothing."""
        self._mirrors.add(link)
        if self.playing is not None:
            link.put(protocol.show(Ask(self.playing.play_id, self.playing.programme)))

    def mirror_went(self, link: Link) -> None:
        """A watching page is gone."""
        self._mirrors.discard(link)

    def heard(self, link: Link, message: protocol.FromPage) -> None:
        """A page's message; those of a page that no longer counts change nothing."""
        if isinstance(message, protocol.Ping):
            link.put(protocol.Pong())
        elif link is self._page and isinstance(message, protocol.Rendered):
            self._do(self._stage.rendered(self._state, message.play_id, self._clock()))
        elif link is self._page and isinstance(message, protocol.Failed):
            error = message.error or "the page gave no reason"
            self._do(self._stage.failed(self._state, message.play_id, error, self._clock()))

    def _do(self, step: Step) -> None:
        self._state, outputs = step
        for output in outputs:
            if isinstance(output, Ask):
                self._show(output)
            elif isinstance(output, Refusal):
                self.counts.refused[output.why] += 1
                _log.warning("content %s refused: %s", output.decision_id, output.why)
            else:
                self._prove(output)

    def _show(self, ask: Ask) -> None:
        self.counts.shows += 1
        message = protocol.show(ask)
        for link in (self._page, *self._mirrors):
            if link is not None:
                link.put(message)

    def _prove(self, play: Play) -> None:
        if play.phase == "started":
            self.counts.plays_started += 1
            if play.trace is not None:
                self.last_reaction_ms = play.rendered_at_ms - play.trace.captured_at_ms
        else:
            self.counts.plays_ended += 1
            if not play.success:
                self.counts.failed += 1
                _log.warning("play %s of %s: %s", play.play_id, play.creative_id, play.error)
        self._keep(play)

    def report(self) -> dict[str, Any]:
        """What the screen shows and why, for people and their pages."""
        report: dict[str, Any] = {
            "page": self._page is not None,
            "mirrors": len(self._mirrors),
            "showing": None,
            "last_reaction_ms": self.last_reaction_ms,
            "shows": self.counts.shows,
            "plays_started": self.counts.plays_started,
            "plays_ended": self.counts.plays_ended,
            "plays_failed": self.counts.failed,
            "refused": dict(self.counts.refused),
        }
        if self.playing is not None:
            programme = self.playing.programme
            report["showing"] = {
                "play_id": self.playing.play_id,
                "decision_id": programme.decision_id,
                "creative_id": programme.creative.creative_id,
                "creative_version": programme.creative.version,
                "title": programme.creative.title,
                "alt_text": programme.creative.alt_text,
                "reason": programme.reason,
                "sentence": programme.sentence,
                "arm": programme.arm,
                "scheduled_at_ms": programme.scheduled_at_ms,
                "rendered_at_ms": self.playing.rendered_at_ms,
                "expires_at_ms": programme.expires_at_ms,
                "shown_ms": self.playing_for_ms(),
            }
        return report
