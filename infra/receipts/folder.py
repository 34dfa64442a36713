"""Files of receipts: one that is named, or all that come into a folder."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infra.receipts.checking import Refusal
from infra.receipts.errors import IntakeError, TakingError
from infra.receipts.intake import Intake, Outbox, Taken
from infra.receipts.masking import masked
from infra.receipts.memory import Memory
from infra.receipts.raw import Unreadable, format_of
from streams.contracts.codec import record
from streams.contracts.topics import REFUSED

_LOG = logging.getLogger(__name__)

#: A till's day is a few megabytes.
MOST_BYTES = 64 * 1024 * 1024

#: A file is read once its size and time have stayed the same for so long: it is whole then.
SETTLED_S = 1.0
_EVERY_S = 0.5
_LONGEST_WAIT_S = 10.0

#: Files are moved here when they are done, below the folder that is watched.
DONE = "done"

_UNFINISHED = (".tmp", ".part", ".partial", ".filepart")

NowMs = Callable[[], int]


async def load(path: Path, intake: Intake, memory: Memory, now_ms: NowMs) -> Taken | None:
    """Takes a file in; None where a file of that content was taken before.

    Raises:
        IntakeError: it cannot be read.
        TakingError: the broker does not take it.
    """
    content = await asyncio.to_thread(_read, path)
    if memory.is_done(content):
        return None
    begun_ms = memory.begin(content, path.name, now_ms())
    taken = await intake.take(content, format_of(path.name), path.name, begun_ms)
    memory.done(content, now_ms())
    return taken


class Folder:
    """A folder into which tills put files. Each is taken once, then moved to `done`; a broker that
    is away is waited for.
    """

    def __init__(
        self, path: Path, intake: Intake, memory: Memory, outbox: Outbox, now_ms: NowMs
    ) -> None:
        """Raises IntakeError where `path` is no folder that can be written to."""
        self._path, self._intake, self._memory = path, intake, memory
        self._outbox, self._now_ms = outbox, now_ms
        self._seen: dict[Path, tuple[int, int, float]] = {}
        self._told: set[Path] = set()
        try:
            (path / DONE).mkdir(exist_ok=True)
        except OSError as error:
            raise IntakeError(
                f"the folder {path} cannot be used ({error.strerror}); name one that this user may "
                "write to"
            ) from error

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Until `stop`; `ready` is called once the folder is looked at."""
        ready()
        wait_s = _EVERY_S
        while not stop.is_set():
            try:
                await self.round(asyncio.get_running_loop().time())
                wait_s = _EVERY_S
            except TakingError as error:
                _LOG.warning("%s", error)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)

    async def round(self, now_s: float) -> int:
        """Takes the files that have settled, oldest first; returns how many. Raises TakingError."""
        settled = self._settled(now_s)
        for path in settled:
            await self._take(path)
        return len(settled)

    def _settled(self, now_s: float) -> list[Path]:
        found: list[tuple[int, str, Path]] = []
        there: dict[Path, tuple[int, int, float]] = {}
        for entry in os.scandir(self._path):
            name = entry.name
            if name.startswith(".") or name.lower().endswith(_UNFINISHED):
                continue
            try:
                if not entry.is_file(follow_symlinks=False):
                    continue
                stat = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            path = Path(entry.path)
            size, at, since_s = self._seen.get(path, (-1, -1, now_s))
            if (size, at) != (stat.st_size, stat.st_mtime_ns):
                since_s = now_s
            there[path] = (stat.st_size, stat.st_mtime_ns, since_s)
            if now_s - since_s >= SETTLED_S:
                found.append((stat.st_mtime_ns, name, path))
        self._seen = there
        return [path for _, _, path in sorted(found)]

    async def _take(self, path: Path) -> None:
        name = masked(path.name, 128)
        try:
            taken = await load(path, self._intake, self._memory, self._now_ms)
        except IntakeError as error:
            size, at, _ = self._seen[path]
            if size <= MOST_BYTES:
                if path not in self._told:
                    self._told.add(path)
                    _LOG.warning("%s", masked(str(error), 500))
                return
            await self._refuse_whole(path, size, at)
            taken = Taken()
            taken.refused["too-large"] += 1
        if taken is None:
            _LOG.info("%s: taken before", name)
        else:
            _LOG.info(
                "%s: %d receipts, %d repeated, %d refused",
                name,
                taken.accepted,
                taken.repeated,
                taken.refused.total(),
            )
        _move(path, self._path / DONE)

    async def _refuse_whole(self, path: Path, size: int, at: int) -> None:
        piece = Unreadable(
            "the file",
            f"{size} bytes of {at}",
            "too-large",
            f"it has {size} bytes; split it into files of {MOST_BYTES} at most",
        )
        refused = self._intake.refusal(
            piece, Refusal(piece.reason, piece.detail), masked(path.name, 128), self._now_ms()
        )
        source = f"smartstore/receipts/{refused.source}"
        await self._outbox.deliver([record(REFUSED, refused, source)])


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise IntakeError(
            f"the file {path} cannot be read ({error.strerror}); mend its permissions or name "
            "another"
        ) from error
    if len(content) > MOST_BYTES:
        raise IntakeError(f"the file {path} is larger than {MOST_BYTES} bytes; split it")
    return content


def _move(path: Path, folder: Path) -> None:
    """Into `folder`, beside a file of the same name if there is one."""
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}.{number}{path.suffix}"
    os.replace(path, target)
