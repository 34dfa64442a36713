"""The publisher of a store: signs a playlist for every screen whenever its creatives change and
again long before it runs out, and hands out the files that it names.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from signage.catalogue import Catalogue
from signage.media import MediaArchive
from signage.partitions import partitions_of
from signage.player.serving import QuietServer, bind
from signage.publisher.plan import Planned, make_playlist
from signage.settings import PublisherSettings, is_loopback
from signage.signing import Signer, new_key
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.layout import Screen, StoreLayout
from streams.contracts.signage import Creative
from streams.contracts.topics import CREATIVE, PLAYLIST

_log = logging.getLogger(__name__)

_SOURCE = "/publisher"
_RETRY_S = 1.0
#: Many creatives are published together: one playlist for all of them.
_GATHER_S = 0.3
_POLL_MS = 500
_REQUEST_TIMEOUT_MS = 10_000
_MAX_CONNECTIONS = 64


class Publisher:
    """One store's publisher; `run` is its life. `port` is where files are handed out."""

    def __init__(
        self, settings: PublisherSettings, layout: StoreLayout, catalogue: Catalogue
    ) -> None:
        self._settings = settings
        key, trust = settings.publisher_key, settings.publisher_trust
        if trust is not None and not key.exists():
            new_key(key, trust, layout.name)
        self._signer = Signer.load(key)
        self._planned = [_planned(settings, layout, screen) for screen in layout.screens]
        self._creatives: dict[str, Creative] = {}
        self._known = asyncio.Event()
        self._changed = asyncio.Event()
        self._archive = MediaArchive(settings.state)
        self._own = _by_sha256(catalogue)
        self._socket = bind(settings.publisher_host, settings.publisher_port)
        self.port: int = self._socket.getsockname()[1]
        self.published = 0

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Publish until `stop` is set; `ready` is called once the first playlists are out."""
        server = QuietServer(
            uvicorn.Config(
                self._app(),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        working = [
            asyncio.create_task(self._follow()),
            asyncio.create_task(self._publish(ready)),
            serving,
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *working], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            server.should_exit = True
            for task in (stopping, *working[:2]):
                task.cancel()
            await asyncio.gather(stopping, *working, return_exceptions=True)
            self._socket.close()

    async def _follow(self) -> None:
        """The creatives of the log, now and whenever they change."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("no creatives from the broker (%s)", error or type(error).__name__)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await consumer.stop()
            await asyncio.sleep(_RETRY_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        places = await partitions_of(self._settings.kafka, CREATIVE.name)
        partitions = places[CREATIVE.name]
        if not partitions:
            raise KafkaError(f"the topic {CREATIVE.name} does not exist yet")
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: dict[str, Creative] = {}
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            await self._poll(consumer, found)
        if not self._known.is_set() or found != self._creatives:
            self._creatives = found
            self._known.set()
            self._changed.set()
        while True:
            if await self._poll(consumer, self._creatives):
                self._changed.set()

    async def _poll(self, consumer: AIOKafkaConsumer, into: dict[str, Creative]) -> bool:
        batches = await consumer.getmany(timeout_ms=_POLL_MS)
        for record in (each for batch in batches.values() for each in batch):
            name = (record.key or b"").decode(errors="replace")
            if record.value is None:
                into.pop(name, None)
                continue
            try:
                into[name] = codec.decode(CREATIVE.name, record.value)
            except UndecodableError as error:
                _log.error("%s", error)
        return bool(batches)

    async def _publish(self, ready: Callable[[], None]) -> None:
        await self._known.wait()
        while True:
            self._changed.clear()
            try:
                await self._send()
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("playlists could not be told (%s)", error or type(error).__name__)
                await asyncio.sleep(_RETRY_S)
                continue
            if self.published == 0:
                ready()
            self.published += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._settings.renew_ms / 1000)
                await asyncio.sleep(_GATHER_S)

    async def _send(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        creatives = list(self._creatives.values())
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            enable_idempotence=True,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
            for planned in self._planned:
                playlist = self._signer.sign(make_playlist(planned, creatives, now_ms))
                await producer.send_and_wait(**codec.record(PLAYLIST, playlist, _SOURCE))
        finally:
            await producer.stop()

    def _app(self) -> FastAPI:
        app = FastAPI(title="smartstore publisher", docs_url=None, redoc_url=None, openapi_url=None)
        host = self._settings.publisher_host
        names = [host, "127.0.0.1", "localhost"] if is_loopback(host) else ["*"]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=names)

        @app.get("/healthz")
        async def healthz() -> dict[str, object]:
            return {"status": "ok", "published": self.published}

        @app.get("/files/{sha256}")
        async def file(sha256: str) -> Response:
            named = {f.sha256 for c in self._creatives.values() for f in c.files}
            if sha256 not in named:
                raise HTTPException(404, "no creative has this file")
            held = self._own.get(sha256, self._archive.path(sha256))
            if isinstance(held, bytes):
                return Response(held, media_type="application/octet-stream")
            if not held.is_file():
                raise HTTPException(404, "this file is not here")
            return FileResponse(held, media_type="application/octet-stream")

        return app


def _by_sha256(catalogue: Catalogue) -> Mapping[str, Path | bytes]:
    held: dict[str, Path | bytes] = {}
    for creative in catalogue.creatives:
        for file in creative.files:
            if file.path in catalogue.files:
                held[file.sha256] = catalogue.files[file.path]
            elif file.path in catalogue.made:
                held[file.sha256] = catalogue.made[file.path]
    return held


def _planned(settings: PublisherSettings, layout: StoreLayout, screen: Screen) -> Planned:
    try:
        zone: tzinfo = ZoneInfo(layout.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        _log.warning("the time zone %r is not known: hours are taken as UTC", layout.time_zone)
        zone = UTC
    return Planned(
        store_id=layout.store_id,
        screen=screen,
        zones=[each for each in layout.zones if each.area_id == screen.area_id],
        horizon_ms=settings.horizon_ms,
        slot_ms=settings.rotation_slot_ms,
        time_zone=zone,
    )


async def run_publisher(
    settings: PublisherSettings,
    layout: StoreLayout,
    catalogue: Catalogue,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Run a publisher until `stop` is set.

    Raises:
        KeyFileError: its signing key cannot be used.
        PlayerError: its port is taken.
    """
    await Publisher(settings, layout, catalogue).run(stop, ready)
