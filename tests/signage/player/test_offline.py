"""Six hours without a network, a clock that jumps, a disk that is full, a player that is killed:
the real service and the real spool with a page that listens, on simulated clocks.
"""

import asyncio
import errno
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import websockets

from signage.catalogue import load_catalogue
from signage.core.chain import PlayerChain, verify
from signage.errors import ProofSendError, SpoolFullError
from signage.player.clock import Reading
from signage.player.ports import Listener
from signage.player.service import Player, create_player
from signage.player.spool import Spool
from signage.settings import PlayerSettings
from streams.contracts.signage import Content, Play

T0 = 1_700_000_000_000
HOUR_MS = 3_600_000
SLOT_MS = 60_000
PATIENCE_S = 30


@dataclass
class World:
    """True time, a machine's clock that may be off, a network that may be away, and a page that
    notes when something was on its glass.
    """

    true_ms: int = T0
    off_ms: int = 0
    online: bool = True
    received: list[bytes] = field(default_factory=list)
    contents: "asyncio.Queue[Content]" = field(default_factory=asyncio.Queue)
    painted_ms: list[int] = field(default_factory=list)
    shows: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> Reading:
        mono_ms = self.true_ms - T0
        return Reading(self.true_ms + self.off_ms, mono_ms, mono_ms)

    @property
    def connected(self) -> bool:
        return self.online

    async def run(self, listener: Listener) -> None:
        while True:
            listener.content(await self.contents.get())

    async def send(self, plays: Sequence[Play]) -> None:
        if not self.online:
            raise ProofSendError("the network is away")
        self.received += [msgspec.json.encode(play) for play in plays]

    async def close(self) -> None:
        pass

    @property
    def plays(self) -> list[Play]:
        return [msgspec.json.decode(each, type=Play) for each in self.received]

    @property
    def chain(self) -> PlayerChain:
        [found] = verify(self.received)
        return found


def settings_for(state: Path, **fields: Any) -> PlayerSettings:
    values = {
        "kafka": "127.0.0.1:1",
        "state": state,
        "store_id": "store",
        "area_id": "main",
        "screen_id": "screen-1",
        "player_port": 0,
        "rotation_slot_ms": SLOT_MS,
        "flush_ms": 2_000,
        "spool_reserve_mb": 0,
        "tick_ms": 1,
    }
    return PlayerSettings(**{**values, **fields})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it becomes true inside the player
            await asyncio.sleep(0.001)


@asynccontextmanager
async def showing(world: World, settings: PlayerSettings) -> AsyncIterator[Player]:
    """A running player with a page that paints what it is told."""
    player = create_player(
        settings, load_catalogue(), feed=world, proofs=world, read_clock=world.read
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    page = asyncio.create_task(_page(world, player.port))
    try:
        await until(lambda: player.conductor.playing is not None)
        yield player
    finally:
        stop.set()
        await asyncio.wait_for(life, PATIENCE_S)
        page.cancel()
        await asyncio.gather(page, return_exceptions=True)


async def _page(world: World, port: int) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as socket:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "show":
                world.shows.append(message)
                world.painted_ms.append(world.true_ms)
                answer = {"type": "rendered", "play_id": message["play_id"]}
                await socket.send(json.dumps(answer))


async def pass_time(world: World, player: Player, ms: int) -> None:
    """Turn by turn: the next one is on the glass before time goes on."""
    until_ms = world.true_ms + ms
    while world.true_ms < until_ms:
        enough = player.conductor.counts.plays_started + 1
        world.true_ms += SLOT_MS
        await until(lambda enough=enough: player.conductor.counts.plays_started >= enough)  # type: ignore[misc]


async def test_six_hours_without_a_network(tmp_path: Path) -> None:
    world = World()
    async with showing(world, settings_for(tmp_path)) as player:
        await pass_time(world, player, 3 * SLOT_MS)
        await until(lambda: len(world.received) == 7)
        world.online = False
        began_ms = world.true_ms
        await pass_time(world, player, 6 * HOUR_MS)
        assert len(world.received) == 7
        world.online = True
        await until(lambda: len(world.received) == 2 * player.conductor.counts.plays_started - 1)
    assert world.chain.intact
    assert (world.chain.repeats, world.chain.begun_anew) == (0, 0)
    started = [play for play in world.plays if play.phase == "started"]
    ended = {play.play_id: play for play in world.plays if play.phase == "ended"}
    # Sent hours later, each with the time at which it was on the glass, one after the other.
    assert [play.rendered_at_ms for play in started] == world.painted_ms
    assert len([p for p in started if p.rendered_at_ms > began_ms]) == 6 * HOUR_MS // SLOT_MS
    for play, following in itertools.pairwise(started):
        over_ms = play.rendered_at_ms + (ended[play.play_id].duration_ms or 0)
        assert over_ms == following.rendered_at_ms  # no dark moment between two
    assert {play.stop_reason for play in ended.values()} == {"finished", "shutdown"}


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
async def test_a_clock_that_jumps_by_an_hour(tmp_path: Path, jump_ms: int) -> None:
    world = World(online=False)
    async with showing(world, settings_for(tmp_path)) as player:
        for off_ms in (0, jump_ms, jump_ms, 0):
            world.off_ms = off_ms
            await pass_time(world, player, 10 * SLOT_MS)
        world.online = True
    assert world.chain.intact
    started = [play for play in world.plays if play.phase == "started"]
    assert [play.rendered_at_ms for play in started] == world.painted_ms
    assert len(started) == 41
    doubted = [play.clock_note is not None for play in started]
    assert doubted == [False] * 11 + [True] * 20 + [False] * 10
    assert {play.duration_ms for play in world.plays if play.phase == "ended"} <= {SLOT_MS, 0}


async def test_a_decision_is_followed_while_the_clock_is_wrong(
    tmp_path: Path, make_content: Callable[..., Content]
) -> None:
    world = World()
    async with showing(world, settings_for(tmp_path)) as player:
        world.off_ms = HOUR_MS
        await pass_time(world, player, 2 * SLOT_MS)
        now_ms = world.true_ms
        await world.contents.put(
            make_content(not_before_ms=now_ms, expires_at_ms=now_ms + 10 * SLOT_MS)
        )
        await until(lambda: world.shows[-1]["decision_id"] == "d-1")


@pytest.mark.stack
async def test_a_player_that_is_killed_again_and_again(tmp_path: Path) -> None:
    """kill -9: what it had written is all there, and nothing twice."""
    world = World(online=False)
    settings = settings_for(tmp_path)
    program = (
        "import asyncio, sys\n"
        "from signage.catalogue import load_catalogue\n"
        "from signage.player.service import run_player\n"
        "from signage.settings import PlayerSettings\n"
        "settings = PlayerSettings.model_validate_json(sys.argv[1])\n"
        "ready = lambda: print('ready', flush=True)\n"
        "asyncio.run(run_player(settings, load_catalogue(), stop=asyncio.Event(), ready=ready))\n"
    )
    port = _free_port()
    body = settings.model_copy(
        update={"player_port": port, "rotation_slot_ms": 1_000, "tick_ms": 100}
    ).model_dump_json()
    seen = 0
    for _ in range(3):
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, body, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert victim.stdout is not None
            await asyncio.wait_for(victim.stdout.readline(), PATIENCE_S)
            page = asyncio.create_task(_page(world, port))
            await until(lambda seen=seen: len(world.shows) >= seen + 2)  # type: ignore[misc]
            seen = len(world.shows)
        finally:
            victim.kill()
            await victim.wait()
        await asyncio.gather(page, return_exceptions=True)
    world.online = True
    async with showing(world, settings):
        await until(lambda: len(world.received) >= 2 * 3)
    assert world.chain.intact
    assert world.chain.begun_anew == 0
    died = [play for play in world.plays if play.error == "the player died"]
    assert len(died) == 3


async def test_a_full_disk_darkens_no_screen_and_loses_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the start, then fills again: proofs wait in memory, in their order."""
    full = True

    class Disk(Spool):
        def __init__(self, *arguments: Any) -> None:
            if full:
                raise SpoolFullError("no space left on device; make room")
            super().__init__(*arguments)

        def add(self, *arguments: Any) -> None:
            if full:
                raise SpoolFullError("no space left on device; make room")
            super().add(*arguments)

    monkeypatch.setattr("signage.player.service.Spool", Disk)
    monkeypatch.setattr("signage.player.proofs._RETRY_S", 0.01)
    world = World()
    async with showing(world, settings_for(tmp_path)) as player:
        await pass_time(world, player, 5 * SLOT_MS)
        assert world.received == []
        full = False
        await until(lambda: len(world.received) == 11)
        full = True
        await pass_time(world, player, 5 * SLOT_MS)
        assert len(world.received) == 11
        full = False
    assert world.chain.intact
    assert world.chain.proofs == 22
    assert [p.rendered_at_ms for p in world.plays if p.phase == "started"] == world.painted_ms


#: A spool in a process that may write no more than some bytes to any file: to SQLite that is a disk
#: without room. It keeps proofs until it is refused, prints how many it kept, and dies.
_FILLS = """
import os, resource, signal, sys
from pathlib import Path
import msgspec
from signage.errors import SpoolError
from signage.player.spool import Spool
from streams.contracts.signage import Play
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, limit, reserve = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
play = msgspec.json.decode(sys.argv[4], type=Play)
spool = Spool(path, 100_000, reserve)
size = max(path.stat().st_size, path.with_name(path.name + "-wal").stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + limit, size + limit))
kept = 0
try:
    while kept < 2_000:
        spool.add([msgspec.structs.replace(play, play_id=f"p-{kept}")])
        kept += 1
except SpoolError:
    pass
print(kept, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.stack
@pytest.mark.parametrize("reserve", [0, 2 * 1024 * 1024])
def test_a_disk_that_really_has_no_room(
    tmp_path: Path, make_play: Callable[..., Play], reserve: int
) -> None:
    path = tmp_path / "spool.sqlite"
    arguments = [path, "65536", str(reserve), msgspec.json.encode(make_play())]
    done = subprocess.run([sys.executable, "-c", _FILLS, *arguments], stdout=subprocess.PIPE)
    assert done.returncode == -9
    kept = int(done.stdout)
    with Spool(path, 100_000) as spool:
        assert spool.waiting() == kept
        proofs = [msgspec.json.encode(play) for _, play in spool.oldest(100_000)]
        [chain] = verify(proofs)
        assert chain.intact
        assert chain.proofs == kept
    if reserve:
        assert kept > 1_000  # the room was taken before the disk was full
    else:
        assert kept < 1_000


@pytest.mark.stack
@pytest.mark.skipif(os.geteuid() != 0, reason="DID NOT RUN: only root may mount a small disk")
async def test_a_small_disk_that_is_filled_by_somebody_else(tmp_path: Path) -> None:
    """A real file system without a free block, with a real player on it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = await asyncio.create_subprocess_exec(
        "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk), stderr=asyncio.subprocess.PIPE
    )
    if await mounted.wait():
        pytest.skip("DID NOT RUN: this machine lets nobody mount a small disk")
    try:
        world = World(online=False)
        async with showing(world, settings_for(disk / "state")) as player:
            await pass_time(world, player, 3 * SLOT_MS)
            ballast = disk / "ballast"
            fill(ballast)
            await pass_time(world, player, 200 * SLOT_MS)
            ballast.unlink()
            world.online = True
            await until(lambda: len(world.received) >= 2 * 203)
        assert world.chain.intact
        assert [p.rendered_at_ms for p in world.plays if p.phase == "started"] == world.painted_ms
    finally:
        await (await asyncio.create_subprocess_exec("umount", "-l", str(disk))).wait()


def fill(ballast: Path) -> None:
    """Take every block that is left."""
    opened = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(opened, b"\0" * 4096)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(opened)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
