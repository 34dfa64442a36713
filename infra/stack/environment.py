"""The embedded model server's own Python environment, made once for each user from a lock file.

It cannot be the application's: the server's Python stub needs numpy < 2.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from infra.stack.errors import ServerEnvironmentError
from infra.stack.process import Command, ManagedProcess, tail
from infra.stack.state import private_folder

LOCK_FILE = Path(__file__).with_name("triton-environment.lock")

#: Python's minor version: the stub is built for one, and it is that of the application.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_PROGRESS_EVERY_S = 0.5
_MEND = (
    "connect this machine to a package index and start again, or name a ready environment with "
    "SMARTSTORE_TRITON_ENVIRONMENT"
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServerEnvironment:
    """An environment that holds the server; `check` tells whether it really does."""

    root: Path

    @property
    def bin(self) -> Path:
        """First on the server's PATH: its stubs take the first `python3` that they find."""
        return self.root / "bin"

    @property
    def packages(self) -> Path:
        """The environment's site-packages."""
        return self.root / "lib" / f"python{PYTHON}" / "site-packages"

    @property
    def server(self) -> Path:
        """The server's program."""
        return self._wheel / "bin" / "tritonserver"

    @property
    def backend_files(self) -> tuple[Path, ...]:
        """What the folder of the Python backend has to hold."""
        backend = self._wheel / "backends" / "python"
        return (
            backend / "libtriton_python.so",
            backend / "triton_python_backend_utils.py",
            self._wheel / "python_backend_stubs" / PYTHON / "triton_python_backend_stub",
        )

    @property
    def library_path(self) -> str:
        """LD_LIBRARY_PATH: the wheel's own libraries, and Python's for the stub."""
        folders = [str(self.packages / "nvidia_pytriton.libs")]
        python = sysconfig.get_config_var("LIBDIR")
        return ":".join([*folders, str(python)] if python else folders)

    def check(self) -> "ServerEnvironment":
        """Itself. Raises ServerEnvironmentError when something is missing."""
        for needed in (self.bin / "python3", self.server, *self.backend_files):
            if not needed.exists():
                raise ServerEnvironmentError(
                    f"the model server's environment {self.root} lacks {needed.name} for Python "
                    f"{PYTHON}; remove that folder and start again, or name another one with "
                    "SMARTSTORE_TRITON_ENVIRONMENT"
                )
        return self

    @property
    def _wheel(self) -> Path:
        return self.packages / "pytriton" / "tritonserver"


def default_cache(environ: Mapping[str, str]) -> Path:
    """The user's cache folder of this product.

    Reference: XDG base directory specification.
    """
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "smartstore"


def cached_environment(cache: Path) -> ServerEnvironment:
    """Where the environment of this lock file and this Python is, or will be."""
    digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:12]
    return ServerEnvironment(cache / f"triton-{digest}-py{PYTHON}")


async def ensure_environment(cache: Path, progress: Progress) -> ServerEnvironment:
    """The environment in `cache`, made first if it is not there.

    Raises:
        ServerEnvironmentError: it cannot be made, for instance without a network.
    """
    wanted = cached_environment(cache)
    if wanted.root.exists():
        return wanted.check()
    try:
        private_folder(cache)
        async with _alone(cache, progress):
            if not wanted.root.exists():
                await _make(wanted, progress)
    except OSError as error:
        raise ServerEnvironmentError(
            f"the model server's environment cannot be kept in {cache} "
            f"({error.strerror or error}); free disk space or mend the permissions there, or set "
            "XDG_CACHE_HOME"
        ) from error
    return wanted.check()


async def _make(wanted: ServerEnvironment, progress: Progress) -> None:
    """Makes the environment beside its place and moves it there when it is whole."""
    partial = wanted.root.with_name(f"{wanted.root.name}.partial")
    log = wanted.root.with_name(f"{wanted.root.name}.log")
    shutil.rmtree(partial, ignore_errors=True)
    log.unlink(missing_ok=True)
    progress("making the model server's environment (once, about 900 MB)")
    try:
        await _uv(
            ["venv", "--relocatable", "--python", sys.executable, str(partial)], log, progress
        )
        python = str(partial / "bin" / "python")
        install = ["pip", "install", "--python", python, "--requirements", str(LOCK_FILE)]
        await _uv([*install, "--only-binary", ":all:"], log, progress)
        partial.rename(wanted.root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


async def _uv(arguments: list[str], log: Path, progress: Progress) -> None:
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
            f"the model server's environment could not be made ({tail(log)}); {_MEND}"
        )


@asynccontextmanager
async def _alone(cache: Path, progress: Progress) -> AsyncIterator[None]:
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
                    progress("waiting for another start that makes the model server's environment")
                waited = True
                await asyncio.sleep(_PROGRESS_EVERY_S)
        yield
    finally:
        os.close(descriptor)
