"""Between the stage's rules and the world: pages that come and go, contents, time, proofs.

Everything here runs on the event loop without waiting, so one step is never torn by another.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from signage.player import protocol
from signage.player.prices import Prices
from signage.player.programme import Ask, Now, Playing, Refusal, State, Step
from signage.player.repertoire import Repertoire
from signage.player.stage import Stage
from streams.contracts.signage import Content, Creative, Play
from streams.contracts.store import Price

_log = logging.getLogger(__name__)

#: Prices that pages may still ask to be filled with.
_MAX_FILLINGS = 64


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
    """Owns the state of one screen. `keep` takes each proof; `clock` tells the time and `doubts`
    what is wrong with it; `prices` are those that the stage asks for; `ask` is where shoppers find
    what is measured here.
    """

    def __init__(
        self,
        stage: Stage,
        clock: Callable[[], Now],
        keep: Callable[[Play], None],
        *,
        prices: Prices | None = None,
        ask: str | None = None,
        doubts: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._keep = keep
        self._doubts = doubts
        self._ask = ask
        self._prices = prices or Prices()
        self._state = State()
        self._unknown: Content | None = None
        self._page: Link | None = None
        self._preloaded: tuple[str, ...] = ()
        self._doubted: str | None = None
        self._fillings: dict[str, Mapping[str, Price]] = {}
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
        self._unknown = None
        if content is None:
            self._do(self._stage.withdrawn(self._state, now))
        else:
            self._do(self._stage.content(self._state, content, now))
            if self._stage.lacks(self._state, content, now):
                self._unknown = content

    def stock(self, repertoire: Repertoire) -> None:
        """What the screen may show from now on."""
        self._do(self._stage.stock(self._state, repertoire, self._clock()))
        if self._unknown is not None:
            self.content(self._unknown)
        urls = self.preload().urls
        if self._page is not None and urls != self._preloaded:
            self._preloaded = urls
            self._page.put(protocol.Preload(urls=urls))

    def creative(self, creative_id: str, creative: Creative | None) -> None:
        """A creative was published, or withdrawn: then it leaves the glass at once."""
        step = self._stage.returned if creative is not None else self._stage.recalled
        self._do(step(self._state, creative_id, self._clock()))

    def price(self, sku: str, price: Price | None) -> None:
        """A price of the store."""
        now = self._clock()
        if self._prices.put(sku, price, now.wall_ms):
            self._do(self._stage.repriced(self._state, sku, now))

    def preload(self) -> protocol.Preload:
        """What the page may be asked to show."""
        known = self._stage.repertoire(self._state).known.values()
        urls = tuple(protocol.media_url(c.media, c.sha256) for c in known if c.kind != "template")
        return protocol.Preload(urls=urls, ask=self._ask)

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock()
        for sku in self._prices.due(now.wall_ms):
            self._do(self._stage.repriced(self._state, sku, now))
        self._do(self._stage.tick(self._state, now))

    def shut_down(self) -> None:
        """End what is on the glass, in good order."""
        self._page = None
        self._do(self._stage.shut_down(self._state, self._clock()))

    def page_came(self, link: Link) -> None:
        """The newest page is the one that counts; an older one is told to keep quiet."""
        older, self._page = self._page, link
        if older is not None:
            older.put(protocol.Stop())
        preload = self.preload()
        self._preloaded = preload.urls
        link.put(preload)
        self._do(self._stage.page_came(self._state, self._clock()))

    def page_went(self, link: Link, error: str) -> None:
        """A page is gone; whether it mattered is decided here."""
        if link is self._page:
            self._page = None
            self._do(self._stage.page_went(self._state, self._clock(), error))

    def mirror_came(self, link: Link) -> None:
        """A page that only watches: it is shown everything and proves nothing."""
        self._mirrors.add(link)
        link.put(self.preload())
        playing = self.playing
        if playing is not None:
            link.put(protocol.show(Ask(playing.play_id, playing.programme, playing.prices)))

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
        self._remember_prices(ask)
        for link in (self._page, *self._mirrors):
            if link is not None:
                link.put(message)

    def _remember_prices(self, ask: Ask) -> None:
        prices = self._prices.of(ask.programme.creative)
        if ask.prices and prices is not None:
            self._fillings[protocol.prices_key(ask.prices)] = prices
            if len(self._fillings) > _MAX_FILLINGS:
                del self._fillings[next(iter(self._fillings))]

    def filling(self, key: str) -> Mapping[str, Price] | None:
        """The prices that a page is to be filled with, by the key in its address; no key, none."""
        return self._fillings.get(key) if key else {}

    def template(self, media: str) -> Creative | None:
        """The template whose page this is, if it is one."""
        known = self._stage.repertoire(self._state).known.values()
        return next((c for c in known if c.kind == "template" and c.media == media), None)

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
        doubts = self._doubts()
        if play.phase == "started":
            self._doubted = doubts
        else:
            doubts = self._doubted or doubts  # it also tells when it began
        self._keep(msgspec.structs.replace(play, clock_note=doubts))

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
