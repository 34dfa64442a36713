"""How soon a withdrawn creative is off every screen: real player processes on a real broker, each
with a page that acknowledges what it shows.

A round puts one creative on all screens by decisions, withdraws it on the log, and waits until each
page has acknowledged another. The pages are read by this program; what a browser adds (painting)
is measured by `bench latency`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from operator import eq, ne
from typing import Any

import msgspec
from msgspec import Struct

from infra.bench.versions import versions
from infra.creatives.publishing import published
from infra.errors import UserError
from infra.latest import told_to
from infra.report import Percentiles, percentiles
from infra.snapshots import publish_snapshots
from infra.stack.part import Part
from infra.stack.ports import LOOPBACK, free_port
from infra.stack.process import Command
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.topics import create_topics
from signage.player.headless import HeadlessPage
from streams.contracts.codec import record
from streams.contracts.ids import event_id
from streams.contracts.layout import Area, Screen, StoreLayout
from streams.contracts.signage import Content, Creative
from streams.contracts.topics import CONTENT, CREATIVE

#: What the product promises: within 5 s on screens that are online.
GOAL_MS = 5_000
#: A screen that still shows it after so long has kept it.
_PATIENCE_S = 30.0
#: Watched on after each recall, while the rotation goes round once: it must not come back.
_WATCHED_S = 7.0
_SLOT_MS = 1_000
_HOLD_MS = 600_000
_STORE = "recall"

Say = Callable[[str], None]


class RecallReport(Struct, frozen=True, kw_only=True):
    """The figures. `recall_ms`: from the withdrawal's sending to a page's word that it shows
    something else, for each screen and round. `shown_again`: shows of a withdrawn creative after
    that, by the rotation; `obeyed_late`: by a decision that came after the withdrawal.
    """

    screens: int
    rounds: int
    recall_ms: Percentiles
    slowest_ms: float
    last_screen_ms: Percentiles
    goal_ms: int
    within_goal: bool
    shown_again: int
    obeyed_late: int
    load: float
    versions: dict[str, str]


class _Glass:
    """What the page of one screen shows, and since when (monotonic seconds)."""

    def __init__(self) -> None:
        self.creative_id = ""
        self.since_s = 0.0
        self.shown: list[str] = []
        self.changed = asyncio.Event()

    def rendered(self, message: dict[str, Any]) -> None:
        self.shown.append(message["creative_id"])
        if message["creative_id"] != self.creative_id:
            self.creative_id, self.since_s = message["creative_id"], time.monotonic()
            self.changed.set()

    async def until(self, wanted: Callable[[str], bool], what: str) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not wanted(self.creative_id):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise UserError(
                f"a screen shows {self.creative_id or 'nothing'!r} and {what} within "
                f"{_PATIENCE_S:.0f} s; look at the players' logs"
            ) from None


async def bench_recall(
    state: StateFolder, settings: StackSettings, *, screens: int, rounds: int, say: Say
) -> RecallReport:
    """Measures on the embedded broker of `state`.

    Raises:
        StackError, UserError: something does not start, or a screen never changed.
    """
    layout = StoreLayout(
        store_id=_STORE,
        name="Recall",
        areas=(Area(area_id="main"),),
        screens=tuple(
            Screen(screen_id=f"screen-{n}", area_id="main", name=f"Screen {n}")
            for n in range(1, screens + 1)
        ),
    )
    path = state.run / "recall.yaml"
    path.write_bytes(msgspec.yaml.encode(layout))
    stack = EmbeddedStack(state, settings, parts={"broker"}, fresh_broker=True)
    async with stack:
        bootstrap = stack.broker.bootstrap
        await create_topics(bootstrap, 4)
        await publish_snapshots(bootstrap, layout)
        say(f"starting {screens} players")
        ports = {screen.screen_id: free_port() for screen in layout.screens}
        env = {
            **state.marker,
            "SMARTSTORE_KAFKA": bootstrap,
            "SMARTSTORE_LAYOUT": str(path),
            "SMARTSTORE_STATE": str(state.run),
            "SMARTSTORE_ROTATION_SLOT_MS": str(_SLOT_MS),
            "SMARTSTORE_FETCH_PAUSE_MS": "10",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        for screen_id, port in ports.items():
            # One after another: ten interpreters at once would only wait for each other.
            await stack.supervisor.start(_player(state, screen_id, port, env))
        glasses = {screen_id: _Glass() for screen_id in ports}
        stop = asyncio.Event()
        pages = [
            asyncio.create_task(HeadlessPage(LOOPBACK, ports[name], glass.rendered).run(stop))
            for name, glass in glasses.items()
        ]
        try:
            return await _measure(bootstrap, glasses, rounds, say)
        finally:
            stop.set()
            await asyncio.gather(*pages)


def _player(state: StateFolder, screen_id: str, port: int, env: dict[str, str]) -> Part:
    ready = state.run / f"player-{screen_id}.ready"
    words = ["player", "--screen", screen_id, "--port", str(port), "--ready-file", str(ready)]
    return Part(
        f"player-{screen_id}",
        Command([sys.executable, "-m", "infra", *words], env=env),
        ready=ready,
        ready_timeout_s=90.0,
        stop_timeout_s=25.0,
    )


async def _measure(
    bootstrap: str, glasses: dict[str, _Glass], rounds: int, say: Say
) -> RecallReport:
    creatives = sorted((await published(bootstrap)).values(), key=lambda each: each.creative_id)
    recalls: list[float] = []
    slowest: list[float] = []
    again = obeyed_late = 0
    for number in range(rounds):
        creative = creatives[number % len(creatives)]
        say(f"round {number + 1} of {rounds}: {creative.creative_id}")
        await _tell(bootstrap, creative, glasses, number)
        name = creative.creative_id
        await _all(glasses, partial(eq, name), "was told another")
        sent_s = time.monotonic()  # the producer's connection is in it, as for an operator
        await _withdraw(bootstrap, creative.creative_id)
        await _all(glasses, partial(ne, name), "keeps it")
        took = [(glass.since_s - sent_s) * 1000 for glass in glasses.values()]
        recalls += took
        slowest.append(max(took))
        for glass in glasses.values():
            glass.shown.clear()
        await asyncio.sleep(_WATCHED_S / 2)
        before = sum(glass.shown.count(creative.creative_id) for glass in glasses.values())
        # A processor that has not heard of it yet may still decide for it.
        await _tell(bootstrap, creative, glasses, number + rounds)
        await asyncio.sleep(_WATCHED_S / 2)
        after = sum(glass.shown.count(creative.creative_id) for glass in glasses.values())
        again += before
        obeyed_late += after - before
        async with told_to(bootstrap) as producer:
            await producer.send_and_wait(**record(CREATIVE, creative, "smartstore/catalogue"))
    return RecallReport(
        screens=len(glasses),
        rounds=rounds,
        recall_ms=percentiles(recalls),
        slowest_ms=round(max(recalls), 1),
        last_screen_ms=percentiles(slowest),
        goal_ms=GOAL_MS,
        within_goal=max(recalls) <= GOAL_MS and again == obeyed_late == 0,
        shown_again=again,
        obeyed_late=obeyed_late,
        load=round(os.getloadavg()[0], 2),
        versions=versions(),
    )


async def _tell(
    bootstrap: str, creative: Creative, glasses: dict[str, _Glass], number: int
) -> None:
    """A decision for every screen to show the creative, as the processor would send it."""
    now_ms = time.time_ns() // 1_000_000
    async with told_to(bootstrap) as producer:
        for screen_id in glasses:
            content = Content(
                decision_id=event_id(_STORE, screen_id, number, now_ms),
                store_id=_STORE,
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


async def _withdraw(bootstrap: str, creative_id: str) -> None:
    """As `smartstore creative withdraw`, without looking first."""
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(CREATIVE.name, None, key=creative_id.encode())


async def _all(glasses: dict[str, _Glass], wanted: Callable[[str], bool], what: str) -> None:
    await asyncio.gather(*(glass.until(wanted, what) for glass in glasses.values()))
