"""A Python environment beside the application's own, made once for each user from a lock file."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from infra.stack.errors import ServerEnvironmentError
from infra.stack.process import Command, ManagedProcess, tail
from infra.stack.state import private_folder

#: Python's minor version: that of the application.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_PROGRESS_EVERY_S = 0.5

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LockedEnvironment:
    """What the lock file names, in a folder of the cache.

    `name` begins the folder's name, `title` names it in sentences ("the model server's
    environment"), `size` says what is fetched; `mend` is what helps where it cannot be. `whole`:
    the lock names all that is needed, and nothing else is fetched for what it names.
    """

    name: str
    lock: Path
    title: str
    size: str
    mend: str
    whole: bool = False

    def root(self, cache: Path) -> Path:
        """Where it is, or will be, for this lock file and this Python."""
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()[:12]
        return cache / f"{self.name}-{digest}-py{PYTHON}"

    async def ensure(self, cache: Path, progress: Progress) -> Path:
        """Its folder in `cache`, made first if it is not there.

        Raises:
            ServerEnvironmentError: it cannot be made, for instance without a network.
        """
        root = self.root(cache)
        if root.exists():
            return root
        try:
            private_folder(cache)
            async with self._alone(cache, progress):
                if not root.exists():
                    await self._make(root, progress)
        except OSError as error:
            raise ServerEnvironmentError(
                f"{self.title} cannot be kept in {cache} ({error.strerror or error}); free disk "
                "space or mend the permissions there, or set XDG_CACHE_HOME"
            ) from error
        return root

    async def _make(self, root: Path, progress: Progress) -> None:
        """Makes the environment beside its place and moves it there when it is whole."""
        partial = root.with_name(f"{root.name}.partial")
        log = root.with_name(f"{root.name}.log")
        shutil.rmtree(partial, ignore_errors=True)
        log.unlink(missing_ok=True)
        progress(f"making {self.title} (once, {self.size})")
        try:
            await self._uv(
                ["venv", "--relocatable", "--python", sys.executable, str(partial)], log, progress
            )
            python = str(partial / "bin" / "python")
            install = ["pip", "install", "--python", python, "--requirements", str(self.lock)]
            if self.whole:
                install.append("--no-deps")
            await self._uv([*install, "--only-binary", ":all:"], log, progress)
            partial.rename(root)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    async def _uv(self, arguments: list[str], log: Path, progress: Progress) -> None:
        process = await ManagedProcess.start(Command([uv.find_uv_bin(), *arguments]), log)
        told = ""
        ending = asyncio.ensure_future(process.wait())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=_PROGRESS_EVERY_S)
                said = tail(log).rpartition(" / ")[2]
                if said and said != told:
                    told = said
                    progress(said)
        finally:
            process.kill()
            code = await process.wait()
            await ending
        if code != 0:
            raise ServerEnvironmentError(
                f"{self.title} could not be made ({tail(log)}); {self.mend}"
            )

    @asynccontextmanager
    async def _alone(self, cache: Path, progress: Progress) -> AsyncIterator[None]:
        """Holds the cache's lock, so that two first starts do not make the same environment."""
        descriptor = os.open(cache / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            waited = False
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waited:
                        progress(f"waiting for another start that makes {self.title}")
                    waited = True
                    await asyncio.sleep(_PROGRESS_EVERY_S)
            yield
        finally:
            os.close(descriptor)
