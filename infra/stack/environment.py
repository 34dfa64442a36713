"""The embedded model server's own Python environment, made once for each user from a lock file.

It cannot be the application's: the server's Python stub needs numpy < 2.
"""

import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.stack.errors import ServerEnvironmentError
from infra.stack.locked import PYTHON, LockedEnvironment, Progress

LOCK_FILE = Path(__file__).with_name("triton-environment.lock")

_MEND = (
    "connect this machine to a package index and start again, or name a ready environment with "
    "SMARTSTORE_TRITON_ENVIRONMENT"
)


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
    return ServerEnvironment(_locked().root(cache))


async def ensure_environment(cache: Path, progress: Progress) -> ServerEnvironment:
    """The environment in `cache`, made first if it is not there.

    Raises:
        ServerEnvironmentError: it cannot be made, for instance without a network.
    """
    return ServerEnvironment(await _locked().ensure(cache, progress)).check()


def _locked() -> LockedEnvironment:
    return LockedEnvironment(
        name="triton",
        lock=LOCK_FILE,
        title="the model server's environment",
        size="about 900 MB",
        mend=_MEND,
    )
