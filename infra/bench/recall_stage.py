"""The screens of `bench recall`: what their pages say, and what the log tells them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.errors import UserError
from infra.latest import told_to
from streams.contracts.codec import record
from streams.contracts.ids import event_id
from streams.contracts.signage import Content, Creative
from streams.contracts.topics import CONTENT, CREATIVE

STORE = "recall"

#: A screen that still shows it after so long has kept it.
_PATIENCE_S = 30.0
_HOLD_MS = 600_000


class Glass:
    """What the page of one screen shows, and since when (monotonic seconds)."""

    def __init__(self) -> None:
        self.creative_id = ""
        self.since_s = 0.0
        self.shown: list[str] = []
        self._changed = asyncio.Event()

    def rendered(self, message: dict[str, Any]) -> None:
        """The page has acknowledged a show."""
        self.shown.append(message["creative_id"])
        if message["creative_id"] != self.creative_id:
            self.creative_id, self.since_s = message["creative_id"], time.monotonic()
            self._changed.set()

    async def until(self, wanted: Callable[[str], bool], what: str) -> None:
        """Waits until it shows what is wanted. Raises UserError."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not wanted(self.creative_id):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise UserError(
                f"a screen shows {self.creative_id or 'nothing'!r} and {what} for "
                f"{_PATIENCE_S:.0f} s; look at the players' logs"
            ) from None


Glasses = Mapping[str, Glass]


async def all_show(glasses: Glasses, wanted: Callable[[str], bool], what: str) -> None:
    """Waits for all screens. Raises UserError."""
    await asyncio.gather(*(glass.until(wanted, what) for glass in glasses.values()))


def shows(glasses: Glasses, creative_id: str) -> int:
    """How often a creative was shown since the glasses were last wiped."""
    return sum(glass.shown.count(creative_id) for glass in glasses.values())


def wipe(glasses: Glasses) -> None:
    """Forgets what was shown until now."""
    for glass in glasses.values():
        glass.shown.clear()


async def tell(bootstrap: str, creative: Creative, glasses: Glasses) -> None:
    """A decision for every screen to show the creative, as the processor would send it."""
    now_ms = time.time_ns() // 1_000_000
    async with told_to(bootstrap) as producer:
        for screen_id in glasses:
            content = Content(
                decision_id=event_id(STORE, screen_id, creative.creative_id, now_ms),
                store_id=STORE,
                area_id="main",
                screen_id=screen_id,
                creative_id=creative.creative_id,
                creative_version=creative.version,
                not_before_ms=now_ms,
                expires_at_ms=now_ms + _HOLD_MS,
                arm="adaptive",
                reason="attention",
                sentence="The bench wants this creative on every screen.",
            )
            await producer.send(**record(CONTENT, content, "smartstore/bench"))


async def withdraw(bootstrap: str, creative_id: str) -> None:
    """As `smartstore creative withdraw`, without looking first."""
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(CREATIVE.name, None, key=creative_id.encode())


async def bring_back(bootstrap: str, creative: Creative) -> None:
    """Publishes it again, for another round."""
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(**record(CREATIVE, creative, "smartstore/catalogue"))
