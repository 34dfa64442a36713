"""Frames to a Triton on this machine through shared memory that nobody can open.

A region gets its name only so that Triton can map it, and loses it before the first picture is
written: whatever is killed, and whenever, no picture can be read under /dev/shm. It is left out of
core dumps.
"""

import asyncio
import hashlib
import logging
import mmap
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.utils import InferenceServerException

from vision.ports import Image

_log = logging.getLogger(__name__)

#: Where Linux keeps POSIX shared memory: a name "/x" of shm_open is the file x in here.
_SHM = Path("/dev/shm")  # noqa: S108 - the place itself; names in it are random and private

#: Triton's answer to a region that it does not know: it was started again.
_UNKNOWN_REGION = "shared memory region"

#: Triton is away, not unwilling.
_AWAY = ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED")

#: The embedded stack sweeps names of its prefix now and then, so that one registration may fail.
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    """Room for one frame: `name` is Triton's for it, `generation` the server's life it is of."""

    name: str
    memory: mmap.mmap
    generation: int


def owner_of(state: Path, area_id: str) -> str:
    """The name of an area's gateway on this machine, the same after it was killed."""
    place = f"{state.absolute()}\0{area_id}"
    return f"gateway-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


class SharedFrames:
    """The regions of one gateway: as many as frames are asked about at a time.

    Arguments:
        client: an open InferenceServerClient (grpc.aio).
        prefix: how the regions' names begin; without a slash.
        owner: who this is among Triton's clients. What an earlier one of that name left registered
            is let go at the first frame; nothing when empty.
        timeout_s: of a call to Triton.
    """

    def __init__(self, client: Any, prefix: str, owner: str, timeout_s: float) -> None:
        self._client = client
        self._prefix = prefix
        self._owner = f"{owner}-" if owner else secrets.token_hex(8) + "-"
        self._timeout_s = timeout_s
        self._free: list[_Slot] = []
        self._registered: set[str] = set()
        self._generation = 0
        self._cleaned = not owner
        self._cleaning = asyncio.Lock()
        #: False once Triton has refused: it is on another machine, or may not read our memory.
        self.usable = _SHM.is_dir()

    @asynccontextmanager
    async def holding(self, image: Image) -> AsyncIterator[str | None]:
        """Triton's name for the region that holds the frame; None where it refuses to share it.

        Raises InferenceServerException where Triton does not answer.
        """
        slot = await self._slot(image.nbytes)
        if slot is None:
            yield None
            return
        try:
            np.frombuffer(slot.memory, np.uint8, image.nbytes).reshape(image.shape)[:] = image
            yield slot.name
        finally:
            if slot.generation == self._generation:
                self._free.append(slot)

    def forgotten(self, error: InferenceServerException) -> bool:
        """Whether `error` says that Triton knows our regions no more; they are made anew then."""
        if _UNKNOWN_REGION not in str(error.message()):
            return False
        self._generation += 1
        self._free.clear()
        self._registered.clear()
        return True

    async def close(self) -> None:
        """Have Triton let go of the regions, as far as it answers."""
        self._generation += 1
        self._free.clear()
        try:
            for name in sorted(self._registered):
                await self._unregister(name)
        except InferenceServerException as error:
            _log.info("Triton does not let go of shared memory: %s", error.message())
        self._registered.clear()

    async def _slot(self, size: int) -> _Slot | None:
        while self._free:
            slot = self._free.pop()
            if len(slot.memory) >= size:
                return slot
            # The camera was set to larger pictures: this one is of no more use.
            self._registered.discard(slot.name)
            await self._unregister(slot.name)
        if not self.usable:
            return None
        await self._unregister_left()
        for attempt in range(_ATTEMPTS):
            try:
                return await self._registered_slot(size)
            except (InferenceServerException, OSError) as error:
                if isinstance(error, InferenceServerException) and error.status() in _AWAY:
                    raise
                if attempt == _ATTEMPTS - 1:
                    self.usable = False
                    _log.warning(
                        "frames go to Triton over the network, not through shared memory: %s", error
                    )
        return None

    async def _registered_slot(self, size: int) -> _Slot:
        key = f"{self._prefix}{secrets.token_hex(8)}"
        path = _SHM / key
        generation = self._generation
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            # Taken now, so that a full /dev/shm is an error here and not a signal at a write.
            os.posix_fallocate(descriptor, 0, size)
            memory = mmap.mmap(descriptor, size)
            memory.madvise(mmap.MADV_DONTDUMP)
            name = self._owner + key
            await self._client.register_system_shared_memory(
                name, f"/{key}", size, client_timeout=self._timeout_s
            )
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)
        self._registered.add(name)
        return _Slot(name, memory, generation)

    async def _unregister(self, name: str) -> None:
        await self._client.unregister_system_shared_memory(name, client_timeout=self._timeout_s)

    async def _unregister_left(self) -> None:
        """A killed gateway could not: without this Triton would hold its memory for ever."""
        async with self._cleaning:
            if self._cleaned:
                return
            status = await self._client.get_system_shared_memory_status(
                client_timeout=self._timeout_s
            )
            for name in status.regions:
                if name.startswith(self._owner):
                    await self._unregister(name)
            self._cleaned = True
