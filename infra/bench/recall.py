"""How soon a withdrawn creative is off every screen: real player processes with signed playlists on
a real broker, each with a page that acknowledges what it shows.

A round puts one creative on all screens by decisions, withdraws it on the log, and waits until each
page has acknowledged another. In the last round the network of all screens is cut before the
withdrawal and comes back after it. The pages are read by this program; what a browser adds
(painting) is measured by `bench latency`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from operator import eq, ne

import msgspec
from msgspec import Struct

from infra.bench.chaos.proxy import CuttingProxy
from infra.bench.recall_stage import (
    STORE,
    Glass,
    Glasses,
    all_show,
    bring_back,
    shows,
    tell,
    wipe,
    withdraw,
)
from infra.bench.versions import versions
from infra.creatives.publishing import published
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
from signage.signing import new_key
from streams.contracts.layout import Area, Screen, StoreLayout
from streams.contracts.signage import Creative

#: What the product promises: within 5 s on screens that are online.
GOAL_MS = 5_000
#: Watched on after each recall while the rotation goes round: it must not come back.
_WATCHED_S = 7.0
#: How long the network is away.
_CUT_S = 6.0
_SLOT_MS = 1_000

Say = Callable[[str], None]


class RecallReport(Struct, frozen=True, kw_only=True):
    """The figures. `recall_ms`: from the withdrawal's sending to a page's word that it shows
    something else, for each screen and round; `last_screen_ms`: of the last screen of each round.
    `shown_again`: shows of a withdrawn creative after that, by the rotation; `obeyed_late`: by a
    decision that came after the withdrawal. `offline_ms`: from the network's return to a page's
    word, of a withdrawal while it was away; `offline_shown_again`: plays of it that began after
    that.
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
    offline_ms: Percentiles
    offline_shown_again: int
    load: float
    versions: dict[str, str]


async def bench_recall(
    state: StateFolder, settings: StackSettings, *, screens: int, rounds: int, say: Say
) -> RecallReport:
    """Measures on the embedded broker of `state`.

    Raises:
        StackError, UserError: something does not start, or a screen never changed.
    """
    layout = StoreLayout(
        store_id=STORE,
        name="Recall",
        areas=(Area(area_id="main"),),
        screens=tuple(
            Screen(screen_id=f"screen-{n}", area_id="main", name=f"Screen {n}")
            for n in range(1, screens + 1)
        ),
    )
    stack = EmbeddedStack(state, settings, parts={"broker"}, fresh_broker=True)
    async with stack:
        bootstrap = stack.broker.bootstrap
        await create_topics(bootstrap, 4)
        await publish_snapshots(bootstrap, layout)
        network = CuttingProxy(bootstrap)
        ports = {screen.screen_id: free_port() for screen in layout.screens}
        env = _environment(state, layout, bootstrap)
        async with network:
            say(f"starting {screens} players")
            await stack.supervisor.start(_part(state, "publisher", ["publisher"], env))
            behind = {**env, "SMARTSTORE_KAFKA": network.bootstrap}
            for screen_id, port in ports.items():
                # One after another: ten interpreters at once would only wait for each other.
                words = ["player", "--screen", screen_id, "--port", str(port)]
                await stack.supervisor.start(_part(state, f"player-{screen_id}", words, behind))
            glasses = {screen_id: Glass() for screen_id in ports}
            stop = asyncio.Event()
            pages = [
                asyncio.create_task(HeadlessPage(LOOPBACK, ports[name], glass.rendered).run(stop))
                for name, glass in glasses.items()
            ]
            try:
                return await _Bench(bootstrap, network, glasses, rounds, say).run()
            finally:
                stop.set()
                await asyncio.gather(*pages)


def _environment(state: StateFolder, layout: StoreLayout, bootstrap: str) -> dict[str, str]:
    path, key, trust = (state.run / name for name in ("recall.yaml", "signing.key", "trust.json"))
    path.write_bytes(msgspec.yaml.encode(layout))
    new_key(key, trust, "bench recall")
    return {
        **state.marker,
        "SMARTSTORE_KAFKA": bootstrap,
        "SMARTSTORE_LAYOUT": str(path),
        "SMARTSTORE_STATE": str(state.run),
        "SMARTSTORE_PUBLISHER_KEY": str(key),
        "SMARTSTORE_PUBLISHER_PORT": "0",
        "SMARTSTORE_PLAYER_TRUST": str(trust),
        "SMARTSTORE_ROTATION_SLOT_MS": str(_SLOT_MS),
        # The embedded broker answers an empty fetch at once.
        "SMARTSTORE_FETCH_PAUSE_MS": "10",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _part(state: StateFolder, name: str, words: list[str], env: dict[str, str]) -> Part:
    ready = state.run / f"{name}.ready"
    return Part(
        name,
        Command([sys.executable, "-m", "infra", *words, "--ready-file", str(ready)], env=env),
        ready=ready,
        ready_timeout_s=90.0,
        stop_timeout_s=25.0,
    )


class _Bench:
    """The rounds and what was measured in them."""

    def __init__(
        self, bootstrap: str, network: CuttingProxy, glasses: Glasses, rounds: int, say: Say
    ) -> None:
        self._bootstrap = bootstrap
        self._network = network
        self._glasses = glasses
        self._rounds = rounds
        self._say = say

    async def run(self) -> RecallReport:
        """All rounds."""
        known = await published(self._bootstrap)
        creatives = [known[name] for name in sorted(known)]
        recalls: list[float] = []
        slowest: list[float] = []
        again = late = 0
        for number in range(self._rounds):
            creative = creatives[number % len(creatives)]
            self._say(f"round {number + 1} of {self._rounds}: {creative.creative_id}")
            took = await self._online(creative)
            recalls += took
            slowest.append(max(took))
            again += await self._watched(creative)
            # A processor that has not heard of it yet may still decide for it.
            await tell(self._bootstrap, creative, self._glasses)
            late += await self._watched(creative)
            await bring_back(self._bootstrap, creative)
        self._say("the network is cut")
        offline = await self._offline(creatives[-1])
        offline_again = await self._watched(creatives[-1])
        return RecallReport(
            screens=len(self._glasses),
            rounds=self._rounds,
            recall_ms=percentiles(recalls),
            slowest_ms=round(max(recalls), 1),
            last_screen_ms=percentiles(slowest),
            goal_ms=GOAL_MS,
            within_goal=max(recalls) <= GOAL_MS and again == late == offline_again == 0,
            shown_again=again,
            obeyed_late=late,
            offline_ms=percentiles(offline),
            offline_shown_again=offline_again,
            load=round(os.getloadavg()[0], 2),
            versions=versions(),
        )

    async def _everywhere(self, creative: Creative) -> None:
        await tell(self._bootstrap, creative, self._glasses)
        await all_show(self._glasses, partial(eq, creative.creative_id), "nothing else")

    async def _online(self, creative: Creative) -> list[float]:
        await self._everywhere(creative)
        sent_s = time.monotonic()  # the producer's connection is in it, as for an operator
        await withdraw(self._bootstrap, creative.creative_id)
        return await self._gone(creative, sent_s)

    async def _offline(self, creative: Creative) -> list[float]:
        await self._everywhere(creative)
        await self._network.__aexit__(None, None, None)
        try:
            await withdraw(self._bootstrap, creative.creative_id)
            await asyncio.sleep(_CUT_S)
        finally:
            await self._network.__aenter__()
        return await self._gone(creative, time.monotonic())

    async def _gone(self, creative: Creative, since_s: float) -> list[float]:
        """How long after `since_s` each screen showed something else, ms."""
        await all_show(self._glasses, partial(ne, creative.creative_id), "keeps it")
        took = [(glass.since_s - since_s) * 1000 for glass in self._glasses.values()]
        wipe(self._glasses)
        return took

    async def _watched(self, creative: Creative) -> int:
        """How often it is shown in the next seconds."""
        before = shows(self._glasses, creative.creative_id)
        await asyncio.sleep(_WATCHED_S / 2)
        return shows(self._glasses, creative.creative_id) - before
