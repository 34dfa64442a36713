"""Tries a page, or a program that speaks the page's protocol, against PROTOCOL.md."""

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from signage.player import protocol
from signage.player.certify.checks import Check
from signage.player.certify.trial import Heard, Media, Session, Trial

#: How long a page may take to paint a small creative, and to come back: what a shopper would see.
_PAINT_S = 10.0
_RETURN_S = 5.0
_SLOW_S = 1.5
#: A second answer would come within this time.
_QUIET_S = 1.0
#: "At least every 5 s", and what a busy machine may add.
_PING_EVERY_S = 5.5
_PING_LOOK_S = 11.0

_MEDIA = {
    "first": Media("#7a5cff"),
    "slow": Media("#00a37a", delay_s=_SLOW_S),
    "slower": Media("#c0392b", delay_s=2 * _SLOW_S),
    "again": Media("#e0a100"),
    "gone": Media("#000000", missing=True),
    "back": Media("#1f7ae0"),
}


async def certify_page(
    port: int, wait_s: float, say: Callable[[str], None], page: Path | None = None
) -> list[Check]:
    """Waits for a page at a port (0: any, told by `say`) and tries it. `page` is a folder with the
    vendor's `index.html`, which is served there.

    Raises:
        PlayerError: the port is taken.
    """
    trial = Trial(port, _MEDIA, page)
    async with trial.serving():
        say(trial.url)
        try:
            session = await asyncio.wait_for(trial.sessions.get(), wait_s)
        except TimeoutError:
            return [Check("connects to /ws", False, f"nobody within {wait_s:.0f} s")]
        return await _Trying(trial, session).all()


class _Trying:
    def __init__(self, trial: Trial, session: Session) -> None:
        self._trial = trial
        self._session = session
        self._began_s = time.monotonic()
        self._numbers = itertools.count(1)
        self._earlier: list[Heard] = []
        self._checks = [Check("connects to /ws", True, "connected")]

    async def all(self) -> list[Check]:
        await self._session.send(
            {
                "type": "preload",
                "urls": [_url(name) for name in ("first", "again")],
                "from_the_future": {"a": [1]},
            }
        )
        await self._session.send({"type": "from-the-future", "of": "no concern"})
        await self._first()
        await self._slow()
        await self._overtaken()
        await self._same_again()
        await self._missing()
        await self._pings()
        await self._returns()
        await self._stops()
        heard = [*self._earlier, *self._session.heard]
        strange = [each for each in heard if each.message is None]
        self._note(
            "sends nothing but the protocol's messages, 16 KiB at the most",
            not strange,
            f"{len(heard)} messages" if not strange else f"{strange[0].text!r}",
        )
        return self._checks

    async def _show(self, name: str) -> str:
        play_id = f"certify-{next(self._numbers)}"
        message: dict[str, Any] = {
            "type": "show",
            "play_id": play_id,
            "decision_id": f"d-{play_id}",
            "creative_id": name,
            "version": 1,
            "url": _url(name),
            "alt_text": f"The colour {_MEDIA[name].colour}.",
            "reason": "attention",
            "sentence": "A trial.",
            "arm": "adaptive",
            "from_the_future": True,
        }
        await self._session.send(message)
        return play_id

    async def _first(self) -> None:
        began = time.monotonic()
        play = await self._show("first")
        answer = await self._session.answer(play, _PAINT_S)
        painted = answer is not None and isinstance(answer.message, protocol.Rendered)
        self._note(
            "acknowledges what it has painted; ignores what it does not know",
            painted and not self._session.closed.is_set(),
            f"after {answer.at_s - began:.2f} s" if painted and answer else _said(answer),
        )
        self._note(
            "fetches the creative from the service",
            self._trial.fetched["first"] > 0,
            f"{self._trial.fetched['first']} fetches",
        )
        await asyncio.sleep(_QUIET_S)
        count = len(self._session.answers(play))
        self._note("acknowledges once", count == 1, f"{count} answers")

    async def _slow(self) -> None:
        began = time.monotonic()
        play = await self._show("slow")
        answer = await self._session.answer(play, _PAINT_S)
        late = answer is not None and answer.at_s - began >= _SLOW_S
        self._note(
            "acknowledges when it is painted, not when it is asked",
            late and answer is not None and isinstance(answer.message, protocol.Rendered),
            _said(answer)
            if answer is None
            else f"{answer.at_s - began:.2f} s (bytes: {_SLOW_S} s)",
        )

    async def _overtaken(self) -> None:
        old = await self._show("slower")
        await asyncio.sleep(0.1)
        new = await self._show("first")
        answer = await self._session.answer(new, _PAINT_S)
        await asyncio.sleep(2 * _SLOW_S + _QUIET_S)
        said = self._session.answers(old)
        self._note(
            "a show that was overtaken is answered with nothing",
            answer is not None and not said,
            "the newer one was painted" if not said else _said(said[0]),
        )

    async def _same_again(self) -> None:
        play = await self._show("first")
        await self._session.answer(play, _PAINT_S)
        before = self._trial.fetched["first"]
        play = await self._show("first")
        answer = await self._session.answer(play, _PAINT_S)
        loads = self._trial.fetched["first"] - before
        self._note(
            "the same address again is acknowledged without a reload",
            answer is not None and isinstance(answer.message, protocol.Rendered) and not loads,
            _said(answer) if answer is None else f"{loads} fetches",
        )

    async def _missing(self) -> None:
        play = await self._show("gone")
        answer = await self._session.answer(play, _PAINT_S)
        failed = answer is not None and isinstance(answer.message, protocol.Failed)
        self._note("says failed where a creative cannot be shown", failed, _said(answer))
        play = await self._show("again")
        answer = await self._session.answer(play, _PAINT_S)
        painted = answer is not None and isinstance(answer.message, protocol.Rendered)
        self._note("goes on after a failure", painted, _said(answer))

    async def _pings(self) -> None:
        await asyncio.sleep(max(0.0, self._began_s + _PING_LOOK_S - time.monotonic()))
        at = [h.at_s for h in self._session.heard if isinstance(h.message, protocol.Ping)]
        times = [self._began_s, *at, time.monotonic()]
        gap = max(b - a for a, b in itertools.pairwise(times))
        self._note("pings at least every 5 s", gap <= _PING_EVERY_S, f"longest pause {gap:.1f} s")

    async def _returns(self) -> None:
        await self._session.close(1012)
        began = time.monotonic()
        try:
            session = await asyncio.wait_for(self._trial.sessions.get(), _RETURN_S)
        except TimeoutError:
            self._note("connects again after a restart of the service", False, "it did not")
            return
        took_s = time.monotonic() - began
        self._earlier += self._session.heard
        self._session = session
        play = await self._show("back")
        answer = await session.answer(play, _PAINT_S)
        painted = answer is not None and isinstance(answer.message, protocol.Rendered)
        self._note(
            "connects again after a restart of the service",
            painted,
            f"after {took_s:.1f} s, {_said(answer)}",
        )

    async def _stops(self) -> None:
        await self._session.send({"type": "stop"})
        await self._session.close(4000)
        try:
            await asyncio.wait_for(self._trial.sessions.get(), _RETURN_S)
        except TimeoutError:
            self._note("stays away after stop", True, f"{_RETURN_S:.0f} s of silence")
        else:
            self._note("stays away after stop", False, "it connected again")

    def _note(self, name: str, passed: bool, seen: str) -> None:
        self._checks.append(Check(name, passed, seen))


def _url(name: str) -> str:
    return protocol.media_url(f"{name}/1/index.html", "0" * 64)


def _said(heard: Heard | None) -> str:
    if heard is None:
        return "no answer"
    if isinstance(heard.message, protocol.Failed):
        return f"failed: {heard.message.error or 'no reason'}"
    return type(heard.message).__name__.lower()
