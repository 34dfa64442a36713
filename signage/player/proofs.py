"""Proofs of play on their way: into the spool first, then to Kafka, in order, until it has them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from signage.errors import ProofSendError, SpoolError
from signage.player.clock import Anchor
from signage.player.ports import ProofChannel
from signage.player.spool import Spool
from streams.contracts.signage import Play

_log = logging.getLogger(__name__)
T = TypeVar("T")

#: Proofs that are held in memory while the disk refuses, about 1 KiB each; the oldest go first.
_MAX_UNWRITTEN = 20_000
#: Proofs sent before the first acknowledgement is awaited; one play makes two.
_BATCH = 200
#: A disk or a broker that refuses is tried again after so long.
_RETRY_S = 1.0


class ProofKeeper:
    """Takes proofs at once and delivers them when it can.

    The spool is only touched from one thread of its own: a slow disk never holds up a reaction.
    `spool` None: the disk has no room for one yet; `open_spool` is tried until it has.
    """

    def __init__(
        self, spool: Spool | None, channel: ProofChannel, open_spool: Callable[[], Spool]
    ) -> None:
        self._spool = spool
        self._open_spool = open_spool
        self._channel = channel
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._new: list[Play] = []
        self._forgotten = 0
        self._given_up = 0
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._in_spool = 0
        self.delivering = True

    async def start(self) -> Anchor | None:
        """Take up what an earlier player left, then keep and deliver in the background.

        Returns what that player knew of the time.
        """
        anchor = None if self._spool is None else await self._take_up(self._spool)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._deliver())]
        return anchor

    async def _take_up(self, spool: Spool) -> Anchor | None:
        anchor = await self._call(spool.anchor)
        try:
            died = await self._call(spool.recover)
        except SpoolError as error:  # it is tried again at the next start
            _log.error("%s", error)
            died = 0
        if died:
            _log.warning("%d play(s) of a player that died were ended", died)
        self._in_spool = await self._call(spool.waiting)
        self._written.set()
        return anchor

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The background tasks, to be watched: neither ends before `close`."""
        return self._tasks

    @property
    def waiting(self) -> int:
        """Proofs that Kafka does not have yet."""
        return self._in_spool + len(self._new)

    @property
    def dropped(self) -> int:
        """Proofs that were given up because too many waited."""
        return self._given_up + (self._spool.dropped if self._spool is not None else 0)

    @property
    def on_disk(self) -> bool:
        """Whether every proof is where a kill cannot reach it."""
        return self._spool is not None and not self._new

    def keep(self, play: Play) -> None:
        """Take a proof, without waiting."""
        self._new.append(play)
        if len(self._new) > _MAX_UNWRITTEN:
            del self._new[0]
            self._forgotten += 1
            self._given_up += 1
        self._arrived.set()

    async def heartbeat(self, play_id: str, duration_ms: int, anchor: Anchor) -> None:
        """The play on the glass has lasted so long, and what is known of the time."""
        if self._spool is None:
            return
        try:
            await self._call(partial(self._spool.heartbeat, play_id, duration_ms, anchor))
        except SpoolError as error:
            _log.error("%s", error)

    async def close(self, flush_ms: int) -> None:
        """Write what is left, try to deliver it for `flush_ms`, and let go of everything."""
        self._closing = True
        self._arrived.set()
        self._written.set()
        if self._tasks:
            write, deliver = self._tasks
            await write
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(deliver, flush_ms / 1000)
        await self._channel.close()
        if self._spool is not None:
            self._in_spool = await self._call(self._spool.waiting)
            await self._call(self._spool.close)
        self._thread.shutdown()
        if self._in_spool:
            _log.warning("%d proof(s) of play stay in the spool for the next start", self._in_spool)
        if self._new:
            _log.error("%d proof(s) of play are lost: the disk has no room", len(self._new))

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _write(self) -> None:
        while self._new or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._new = self._new, []
            forgotten, self._forgotten = self._forgotten, 0
            try:
                await self._keep_on_disk(batch, forgotten)
            except SpoolError as error:
                _log.error("%s", error)
                self._new = [*batch, *self._new]
                self._forgotten += forgotten
                if self._closing:
                    return
                self._arrived.set()
                await asyncio.sleep(_RETRY_S)

    async def _keep_on_disk(self, batch: list[Play], forgotten: int) -> None:
        if self._spool is None:
            spool = await self._call(self._open_spool)
            await self._take_up(spool)
            self._spool = spool
        if batch:
            await self._call(partial(self._spool.add, batch, forgotten))
            self._in_spool += len(batch)
            self._written.set()

    async def _deliver(self) -> None:
        while True:
            spool = self._spool
            rows = [] if spool is None else await self._call(partial(spool.oldest, _BATCH))
            if spool is None or not rows:
                if self._closing:
                    return
                await self._written.wait()
                self._written.clear()
                continue
            try:
                await self._channel.send([play for _, play in rows])
            except ProofSendError as error:
                if self.delivering:
                    _log.warning("%s", error)
                self.delivering = False
                await asyncio.sleep(_RETRY_S)
                continue
            self.delivering = True
            await self._forget(spool, rows[-1][0])
            self._in_spool = await self._call(spool.waiting)

    async def _forget(self, spool: Spool, through: int) -> None:
        """Kafka has these: to send them again after a refusing disk would only make repeats."""
        while True:
            try:
                await self._call(partial(spool.sent, through))
            except SpoolError as error:
                _log.error("%s", error)
                await asyncio.sleep(_RETRY_S)
            else:
                return
