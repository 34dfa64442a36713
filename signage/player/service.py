"""The player of one screen: follows its content, drives its page, keeps proofs of play."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from signage.catalogue import Catalogue
from signage.errors import PlayerError
from signage.player.conductor import Conductor
from signage.player.kafka import KafkaContentFeed, KafkaProofChannel
from signage.player.ports import ContentFeed, ProofChannel
from signage.player.proofs import ProofKeeper
from signage.player.protocol import MAX_MESSAGE_BYTES
from signage.player.spool import Spool
from signage.player.stage import Now, Place, Stage
from signage.player.web import create_app
from signage.settings import PlayerSettings

#: How late a turn of the rotation may begin or a content expire: no eye sees it.
_TICK_S = 0.1
#: How much of a play's duration a kill may cost.
_HEARTBEAT_S = 1.0
#: Connections to a player: a page, some mirrors, some look-ups.
_MAX_CONNECTIONS = 64
_GRACE_S = 2


def system_now() -> Now:
    """This machine's clocks."""
    return Now(int(time.time() * 1000), time.monotonic_ns() // 1_000_000)


class Player:
    """One player; `run` is its life. `port` is where its page is served."""

    def __init__(
        self,
        settings: PlayerSettings,
        catalogue: Catalogue,
        feed: ContentFeed,
        proofs: ProofChannel,
        clock: Callable[[], Now] = system_now,
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._socket = _bind(settings.player_host, settings.player_port)
        self.port: int = self._socket.getsockname()[1]
        try:
            spool = Spool(
                settings.state / "players" / f"{quote(settings.player, safe='')}.sqlite",
                settings.spool_max_rows,
            )
        except PlayerError:
            self._socket.close()
            raise
        self._spool = spool
        self._keeper = ProofKeeper(spool, proofs)
        place = Place(settings.store_id, settings.area_id, settings.screen_id, settings.player)
        stage = Stage(place, catalogue.creatives, settings.rotation_slot_ms, lambda: str(uuid4()))
        self.conductor = Conductor(stage, clock, self._keeper.keep)
        self.app: FastAPI = create_app(settings, catalogue, self.conductor, self._health)

    def _health(self) -> dict[str, Any]:
        return {
            "kafka": self._feed.connected,
            "proofs_waiting": self._keeper.waiting,
            "proofs_dropped": self._spool.dropped,
        }

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Play until `stop` is set; `ready` is called once the page can be opened."""
        await self._keeper.start()
        server = _Server(
            uvicorn.Config(
                self.app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                server_header=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        others = [
            asyncio.create_task(self._feed.run(self.conductor.content)),
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._beat()),
        ]
        stopping = asyncio.create_task(stop.wait())
        watched = [stopping, serving, *others, *self._keeper.tasks]
        try:
            await _first(server.is_up.wait(), watched)
            if not stop.is_set():
                ready()
            await _first(stop.wait(), watched)
        finally:
            self.conductor.shut_down()
            for task in (stopping, *others):
                task.cancel()
            await asyncio.gather(stopping, *others, return_exceptions=True)
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
            self._socket.close()
            await self._keeper.close(self._settings.flush_ms)

    async def _tick(self) -> None:
        while True:
            self.conductor.tick()
            await asyncio.sleep(_TICK_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            playing = self.conductor.playing
            if playing is not None:
                await self._keeper.heartbeat(playing.play_id, self.conductor.playing_for_ms())


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: signals belong to the command line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


async def _first(wanted: Any, watched: list[asyncio.Task[Any]]) -> None:
    """Wait for `wanted`; a watched task that ends first must tell why (or be the stop)."""
    waiting = asyncio.ensure_future(wanted)
    try:
        done, _ = await asyncio.wait([waiting, *watched], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        waiting.cancel()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PlayerError(
            f"the player's page cannot be served on {host}:{port} ({error.strerror}); "
            "name another with --port or SMARTSTORE_PLAYER_PORT, or stop what uses this one"
        ) from error
    return listening


def create_player(
    settings: PlayerSettings,
    catalogue: Catalogue,
    *,
    feed: ContentFeed | None = None,
    proofs: ProofChannel | None = None,
    clock: Callable[[], Now] = system_now,
) -> Player:
    """A player that is ready to run, on Kafka unless told otherwise.

    Raises:
        PlayerError: its port is taken, or its spool cannot be opened.
    """
    return Player(
        settings,
        catalogue,
        feed or KafkaContentFeed(settings.kafka, settings.screen_id, settings.lookback_ms),
        proofs or KafkaProofChannel(settings.kafka, settings.player),
        clock,
    )


async def run_player(
    settings: PlayerSettings,
    catalogue: Catalogue,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Run a player until `stop` is set; it ends its open play and delivers its proofs first.

    Raises:
        PlayerError: its port is taken, or its spool cannot be opened.
    """
    await create_player(settings, catalogue).run(stop, ready)
