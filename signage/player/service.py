"""The player of one screen: follows its content, drives its page, keeps proofs of play."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from signage.catalogue import Catalogue
from signage.errors import PlayerError, SpoolFullError
from signage.media import MediaArchive
from signage.player.certificate import Certificate, own_certificate
from signage.player.clock import Reading, SteadyClock, system_reading
from signage.player.conductor import Conductor
from signage.player.kafka import KafkaContentFeed, KafkaProofChannel
from signage.player.medium import OwnLibrary
from signage.player.pairing import Pairing
from signage.player.ports import ContentFeed, MediaSource, ProofChannel
from signage.player.prices import Prices
from signage.player.programme import Place
from signage.player.proofs import ProofKeeper
from signage.player.protocol import MAX_MESSAGE_BYTES
from signage.player.rest import rest_creative
from signage.player.serving import QuietServer, bind, first_of
from signage.player.sources import FolderSource, HttpSource
from signage.player.spool import Spool
from signage.player.stage import Stage
from signage.player.supply import Supply
from signage.player.web import create_app
from signage.settings import PlayerSettings
from signage.signing import Trust
from streams.contracts.signage import Content, Creative
from streams.contracts.store import Price

_log = logging.getLogger(__name__)

#: How much of a play's duration a kill may cost.
_HEARTBEAT_S = 1.0
#: Connections to a player: a page, some mirrors, some look-ups.
_MAX_CONNECTIONS = 64
_GRACE_S = 2


class Player:
    """One player; `run` is its life. `port` is where its page is served."""

    def __init__(
        self,
        settings: PlayerSettings,
        catalogue: Catalogue,
        feed: ContentFeed,
        proofs: ProofChannel,
        clock: SteadyClock,
        supply: Supply | None,
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._clock = clock
        self.supply = supply
        page = settings.player_page
        if page is not None and not (page / "index.html").is_file():
            raise PlayerError(
                f"{page}: there is no index.html to serve in place of the player's page; name the "
                "folder that holds it"
            )
        self.certificate: Certificate | None = None
        pairing = None
        if settings.paired:
            now = dt.datetime.now(dt.UTC)
            self.certificate = own_certificate(settings.folder, settings.player_host, now)
            pairing = Pairing(settings.folder)
        self._socket = bind(settings.player_host, settings.player_port)
        self.port: int = self._socket.getsockname()[1]
        self._keeper = ProofKeeper(self._first_spool(), proofs, self._open_spool)
        place = Place(settings.store_id, settings.area_id, settings.screen_id, settings.player)
        prices = Prices()
        stage = Stage(
            place,
            catalogue.creatives if supply is None else (),
            settings.rotation_slot_ms,
            lambda: str(uuid4()),
            rest=rest_creative(),
            prices_of=prices.shown,
        )
        self.conductor = Conductor(
            stage,
            clock,
            self._keeper.keep,
            prices=prices,
            ask=settings.player_shopper_url or None,
            doubts=lambda: clock.note,
        )
        library = supply or OwnLibrary(catalogue)
        self.app: FastAPI = create_app(settings, library, self.conductor, self._health, pairing)

    def _open_spool(self) -> Spool:
        settings = self._settings
        return Spool(
            settings.folder.with_name(f"{settings.folder.name}.sqlite"),
            settings.spool_max_rows,
            settings.spool_reserve_mb * 1024 * 1024,
        )

    def _first_spool(self) -> Spool | None:
        """None where the disk is full: the screen plays all the same."""
        try:
            return self._open_spool()
        except SpoolFullError as error:
            _log.error("%s", error)
            return None
        except PlayerError:
            self._socket.close()
            raise

    def _health(self) -> dict[str, Any]:
        health: dict[str, Any] = {
            "kafka": self._feed.connected,
            "proofs_waiting": self._keeper.waiting,
            "proofs_dropped": self._keeper.dropped,
        }
        # Said only where there is something to say: probes compare the usual answer.
        if not self._keeper.on_disk:
            health["proofs_on_disk"] = False
        if self._clock.note is not None:
            health["clock"] = self._clock.note
        if self.supply is not None:
            playlist = self.supply.playlist
            health["playlist"] = None if playlist is None else playlist.version
            health["playlist_refused"] = dict(self.supply.refused)
        return health

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Play until `stop` is set; `ready` is called once the page can be opened."""
        anchor = await self._keeper.start()
        if anchor is not None:
            self._clock.resume(anchor)
        if self.supply is not None:
            self.supply.tell = self.conductor.stock
            held = await asyncio.to_thread(self.supply.load)
            if held is not None:
                self.conductor.stock(held)
        tls = self.certificate
        server = QuietServer(
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
                ssl_certfile=None if tls is None else tls.certificate,
                ssl_keyfile=None if tls is None else tls.key,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        others = [
            asyncio.create_task(self._feed.run(self)),
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._beat()),
        ]
        if self.supply is not None:
            others.append(asyncio.create_task(self.supply.run()))
        stopping = asyncio.create_task(stop.wait())
        watched = [stopping, serving, *others, *self._keeper.tasks]
        try:
            await first_of(server.is_up.wait(), watched)
            if not stop.is_set():
                ready()
            await first_of(stop.wait(), watched)
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
            await asyncio.sleep(self._settings.tick_ms / 1000)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            playing = self.conductor.playing
            if playing is not None:
                lasted_ms = self.conductor.playing_for_ms()
                await self._keeper.heartbeat(playing.play_id, lasted_ms, self._clock.anchor())

    def content(self, content: Content | None) -> None:
        """See `Listener`."""
        self.conductor.content(content)

    def playlist(self, message: bytes) -> None:
        """See `Listener`; a player without trusted keys follows no playlist."""
        if self.supply is not None:
            self.supply.take(message)

    def creative(self, creative_id: str, creative: Creative | None) -> None:
        """See `Listener`."""
        self.conductor.creative(creative_id, creative)

    def price(self, sku: str, price: Price | None) -> None:
        """See `Listener`."""
        self.conductor.price(sku, price)

    def logged(self, at_ms: int) -> None:
        """See `Listener`."""
        self._clock.logged(at_ms)


def create_player(
    settings: PlayerSettings,
    catalogue: Catalogue,
    *,
    feed: ContentFeed | None = None,
    proofs: ProofChannel | None = None,
    read_clock: Callable[[], Reading] = system_reading,
) -> Player:
    """A player that is ready to run, on Kafka unless told otherwise. With trusted keys it shows
    signed playlists alone, without them the creatives of `catalogue`.

    Raises:
        PlayerError: its port is taken, or its spool cannot be opened.
        KeyFileError: the file of trusted keys cannot be used.
        PairingError: its certificate cannot be made.
    """
    supply = None
    if settings.player_trust is not None:
        archive = MediaArchive(settings.state).folder
        sources: list[MediaSource] = [FolderSource(catalogue.files, catalogue.made, archive)]
        if settings.player_media_url:
            sources.append(HttpSource(settings.player_media_url))
        trust = Trust.load(settings.player_trust)
        supply = Supply(settings.folder, settings.screen_id, trust, sources)
    return Player(
        settings,
        catalogue,
        feed
        or KafkaContentFeed(
            settings.kafka, settings.store_id, settings.screen_id, settings.lookback_ms
        ),
        proofs or KafkaProofChannel(settings.kafka, settings.player),
        SteadyClock(read_clock),
        supply,
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
        PlayerError, KeyFileError, PairingError: as `create_player`.
    """
    await create_player(settings, catalogue).run(stop, ready)
