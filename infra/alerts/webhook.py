"""Tells a webhook what came up and what is over: in order, again until it is taken, never twice."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from pydantic import SecretStr

from infra.alerts.watch import Change

_LOG = logging.getLogger(__name__)

_TIMEOUT_S = 10.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0

#: What waits while the webhook is away; the oldest goes first, and is counted.
_MOST_WAITING = 1_000


class Webhook:
    """POSTs `{store_id, kind, subject, state, title, sentence, at_ms}` as JSON. The address may
    hold a token, so it is never logged."""

    def __init__(self, url: SecretStr, store_id: str, clock_ms: Callable[[], int]) -> None:
        self._url = url
        self._store_id = store_id
        self._clock_ms = clock_ms
        self._waiting: deque[dict[str, object]] = deque()
        self._news = asyncio.Event()
        #: Changes that were given up because too many waited.
        self.dropped = 0

    def tell(self, change: Change) -> None:
        """Take a change in; it is sent as soon as may be."""
        alert = change.alert
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(
            {
                "store_id": self._store_id,
                "kind": alert.kind,
                "subject": alert.subject,
                "state": "up" if change.up else "over",
                "title": alert.title,
                "sentence": alert.sentence,
                "at_ms": self._clock_ms(),
            }
        )
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many have not been taken yet."""
        return len(self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        pause_s = _FIRST_PAUSE_S
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not stop.is_set():
                if not self._waiting:
                    self._news.clear()
                    await _first(self._news, stop)
                    continue
                if await self._send(session, self._waiting[0]):
                    self._waiting.popleft()
                    pause_s = _FIRST_PAUSE_S
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _send(self, session: aiohttp.ClientSession, message: dict[str, object]) -> bool:
        try:
            async with session.post(
                self._url.get_secret_value(), json=message, allow_redirects=False
            ) as answer:
                if answer.status < 400:
                    return True
                why = f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            why = type(error).__name__
        _LOG.warning("the webhook did not take an alert (%s); it is tried again", why)
        return False


async def _first(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
