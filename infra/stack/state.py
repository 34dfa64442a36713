"""The state folder of one machine's stack: one owner at a time, and no leftovers of a dead one."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from infra.stack import leftovers
from infra.stack.errors import StateFolderError

#: Folders of earlier runs that are kept for their logs.
_KEPT_RUNS = 5


class StateFolder:
    """The folder, held by this process from `open` to `close`; nobody else may read it.

    `run` is this run's own folder. `marker` is set in every child's environment: by it a later
    run finds what a killed one left. Shared memory of ours begins with `shm_prefix`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._identity = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:12]
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.run_id = f"{moment}-{secrets.token_hex(3)}"
        self.run = self.path / "runs" / self.run_id
        self._lock: int | None = None
        self.swept: tuple[str, ...] = ()

    @property
    def shm_family(self) -> str:
        """How every shared memory region of any run in this folder begins."""
        return f"smartstore_{self._identity}_"

    @property
    def shm_prefix(self) -> str:
        """How this run's shared memory regions begin."""
        return f"{self.shm_family}{self.run_id[-6:]}_"

    @property
    def marker(self) -> dict[str, str]:
        """The environment variable by which a child is known as this folder's."""
        return {leftovers.MARKER: self._identity}

    def open(self) -> "StateFolder":
        """Takes the folder, ends what a killed run left, and makes this run's folder.

        Raises:
            StateFolderError: another process holds it, or it cannot be written.
        """
        try:
            # A folder that was there, perhaps with other things in it, keeps its mode: what is put
            # into it is private in any case.
            private_folder(self.path)
            self._lock = self._take()
            self.swept = leftovers.sweep(self._identity, self.shm_family, self._recorded())
            self._forget_old_runs()
            private_folder(self.run / "logs")
        except OSError as error:
            self.close()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            mend = "free space there" if full else "mend that"
            raise StateFolderError(
                f"the state folder {self.path} cannot be used ({error.strerror or error}); {mend}, "
                "or name another folder with SMARTSTORE_STATE"
            ) from error
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Waits for the last of this run's processes, removes its shared memory and lets the
        folder go, as the kernel does for a process that is killed.

        A killed server's child may take a moment to end: who finds the folder free finds it quiet.

        Raises:
            StateFolderError: a process does not end.
        """
        if self._lock is None:
            return
        try:
            leftovers.sweep(self._identity, self.shm_prefix)
        finally:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "StateFolder":
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def folder(self, name: str) -> Path:
        """A private folder of this name, kept from run to run."""
        return private_folder(self.path / name)

    def log(self, part: str) -> Path:
        """The log file of a part in this run."""
        return self.run / "logs" / f"{part}.log"

    def record(self, part: str, pid: int) -> None:
        """Notes a child, so that a later run can end it should we be killed."""
        line = json.dumps({"part": part, "pid": pid, "started": leftovers.started(pid)})
        append_private(self.run / "processes.jsonl", line + "\n")

    def _take(self) -> int:
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StateFolderError(
                f"another run (process {holder}) is using the state folder {self.path}; stop it, "
                "or name another folder with SMARTSTORE_STATE"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _recorded(self) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        for file in sorted((self.path / "runs").glob("*/processes.jsonl")):
            for line in file.read_text().splitlines():
                try:
                    entry = json.loads(line)
                    found.append((int(entry["pid"]), float(entry["started"])))
                except (ValueError, TypeError, KeyError):
                    # The last line of a killed run may be cut short.
                    continue
        return found

    def _forget_old_runs(self) -> None:
        runs = private_folder(self.path / "runs")
        for old in sorted(runs.iterdir())[: -_KEPT_RUNS + 1]:
            shutil.rmtree(old, ignore_errors=True)
        for kept in runs.iterdir():
            # Its processes are gone now: looking for them again could only hit a stranger.
            (kept / "processes.jsonl").unlink(missing_ok=True)


def private_folder(path: Path) -> Path:
    """The folder, made with its parents if need be, for this user alone."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, text: str) -> None:
    """Writes a file that this user alone may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def append_private(path: Path, text: str) -> None:
    """Appends to a file that this user alone may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
