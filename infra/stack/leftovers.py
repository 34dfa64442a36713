"""What a run left behind: processes that carry our mark, and shared memory regions."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from infra.stack.errors import StateFolderError

#: Set in every child's environment to the identity of the state folder that it belongs to.
MARKER = "SMARTSTORE_STACK_OWNER"

_SHM = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives; nothing is created here

#: Start times are read off clock ticks (10 ms) and the boot time, which may move by a second.
_SAME_START_S = 2.0
#: A server that got its death signal needs a moment; then it is killed.
_PATIENCE_S = 3.0
_KILL_PATIENCE_S = 10.0
_POLL_S = 0.05


def sweep(
    identity: str, shm_family: str, recorded: Iterable[tuple[int, float]] = ()
) -> tuple[str, ...]:
    """Ends the marked processes and removes the regions. Call it with the lock held.

    Returns one line for each thing that was found.
    """
    found = _marked(identity)
    known = {p.pid for p in found}
    found += [p for p in _recorded(recorded) if p.pid not in known and _runs(p)]
    told = [f"process {p.pid}" for p in found]
    _end(found)
    return (*told, *remove_regions(shm_family))


def remove_regions(prefix: str) -> list[str]:
    """Removes the shared memory regions whose name begins with `prefix`, which may not be empty.

    Call it when the processes that used them are gone.
    """
    if not prefix or not _SHM.is_dir():
        return []
    told = []
    for region in _SHM.iterdir():
        if region.name.startswith(prefix):
            region.unlink(missing_ok=True)
            told.append(f"shared memory {region.name}")
    return told


def started(pid: int) -> float | None:
    """When a process began, in seconds since the epoch; None when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _marked(identity: str) -> list[psutil.Process]:
    # Ourselves and our callers may carry the mark, when a child of an earlier run started us.
    spared = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            owner = process.environ().get(MARKER)
        except (psutil.Error, OSError):
            continue
        if owner == identity:
            found.append(process)
    return found


def _recorded(recorded: Iterable[tuple[int, float]]) -> list[psutil.Process]:
    found = []
    for pid, began in recorded:
        now = started(pid)
        if now is not None and abs(now - began) < _SAME_START_S:
            found.append(psutil.Process(pid))
    return found


def _end(processes: list[psutil.Process]) -> None:
    # The kernel has sent each its death signal already; some are still closing their files.
    alive = _alive_after(_PATIENCE_S, processes)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise StateFolderError(
                f"process {process.pid} of an earlier run is still there and belongs to another "
                "user; end it as that user, or as root"
            ) from error
    alive = _alive_after(_KILL_PATIENCE_S, alive)
    if alive:
        raise StateFolderError(
            f"processes of an earlier run do not end ({[p.pid for p in alive]}); end them by hand"
        )


def _alive_after(patience_s: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after so long, or at once none."""
    deadline = time.monotonic() + patience_s
    while True:
        alive = [process for process in processes if _runs(process)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(_POLL_S)


def _runs(process: psutil.Process) -> bool:
    """Whether it runs. One that only waits for its parent to notice its end does not, and in a
    container nobody may ever notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
