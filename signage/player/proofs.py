"""Proofs of play on their way: into the spool first, then to Kafka, in order, until it has them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from signage.errors import ProofSendError, SpoolError
from signage.player.ports import ProofChannel
from signage.player.spool import Spool
from streams.contracts.signage import Play

_log = logging.getLogger(__name__)
T = TypeVar("T")

#: Proofs sent before the first acknowledgement is awaited; one play makes two.
_BATCH = 200
#: A disk or a broker that refuses is tried again after so long.
_RETRY_S = 1.0


class ProofKeeper:
    """Takes proofs at once and delivers them when it can.

    The spool is only touched from one thread of its own: a slow disk never holds up a reaction.
    """

    def __init__(self, spool: Spool, channel: ProofChannel) -> None:
        self._spool = spool
        self._channel = channel
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._new: list[Play] = []
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self.waiting = 0
        self.delivering = True

    async def start(self) -> None:
        """Take up what an earlier player left, then keep and deliver in the background."""
        died = await self._call(self._spool.recover)
        if died:
            _log.warning("%d play(s) of a player that died were ended", died)
        self.waiting = await self._call(self._spool.waiting)
        self._written.set()
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._deliver())]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The background tasks, to be watched: neither ends before `close`."""
        return self._tasks

    def keep(self, play: Play) -> None:
        """Take a proof, without waiting."""
        self._new.append(play)
        self._arrived.set()

    async def heartbeat(self, play_id: str, duration_ms: int) -> None:
        """The play on the glass has lasted so long."""
        try:
            await self._call(partial(self._spool.heartbeat, play_id, duration_ms))
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
            self.waiting = await self._call(self._spool.waiting)
            if self.waiting:
                _log.warning(
                    "%d proof(s) of play stay in the spool for the next start", self.waiting
                )
        await self._channel.close()
        await self._call(self._spool.close)
        self._thread.shutdown()

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _write(self) -> None:
        while self._new or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            batch = self._new[:]
            try:
                await self._call(partial(self._spool.add, batch))
            except SpoolError as error:
                _log.error("%s", error)
                if self._closing:
                    return
                self._arrived.set()
                await asyncio.sleep(_RETRY_S)
                continue
            del self._new[: len(batch)]
            self.waiting += len(batch)
            self._written.set()

    async def _deliver(self) -> None:
        while True:
            rows = await self._call(partial(self._spool.head, _BATCH))
            if not rows:
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
            await self._forget(rows[-1][0])
            self.waiting = await self._call(self._spool.waiting)

    async def _forget(self, through: int) -> None:
        """Kafka has these: to send them again after a refusing disk would only make repeats."""
        while True:
            try:
                await self._call(partial(self._spool.sent, through))
            except SpoolError as error:
                _log.error("%s", error)
                await asyncio.sleep(_RETRY_S)
            else:
                return
