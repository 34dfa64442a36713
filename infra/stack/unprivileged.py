"""A home for a server that refuses to run as root: another user, and a folder that it may enter."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.stack.errors import StackError
from infra.stack.process import User
from infra.stack.state import StateFolder, write_private

_USER = "nobody"

#: Kept over a restart of the machine, and open to every user, unlike /root.
_BASES = ("/var/tmp", "/tmp")  # noqa: S108 - the folder in it is made by mkdtemp


@dataclass(frozen=True, slots=True)
class Home:
    """Where a server keeps its data, and as whom it runs; as ourselves when `user` is None."""

    folder: Path
    user: User | None

    def give(self, path: Path) -> None:
        """Makes a file or folder the server's own."""
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)

    def may_run(self, program: Path) -> bool:
        """Whether the server's user may reach and run a program."""
        if self.user is None:
            return True
        # Not its owner and in no group, so what everybody may do counts.
        reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in program.parents)
        return reachable and bool(program.stat().st_mode & stat.S_IXOTH)


def home_of(state: StateFolder, name: str) -> Home:
    """The home of a server: in the state folder, or as root in a folder of an unprivileged user
    that the state folder remembers.

    Raises:
        StackError: we are root and there is no such user.
    """
    if os.geteuid() != 0:
        return Home(state.folder(name), None)
    user = _unprivileged()
    note = state.path / f"{name}.home"
    try:
        remembered = Path(note.read_text().strip())
    except FileNotFoundError:
        remembered = None
    if remembered is not None and _is_private_to(remembered, user):
        return Home(remembered, user)
    folder = _new_folder(name)
    home = Home(folder, user)
    home.give(folder)
    write_private(note, f"{folder}\n")
    return home


def forget_home(state: StateFolder, name: str) -> None:
    """Removes a server's data, wherever it is. The server must not run."""
    home = home_of(state, name)
    shutil.rmtree(home.folder, ignore_errors=True)
    (state.path / f"{name}.home").unlink(missing_ok=True)


def _unprivileged() -> User:
    try:
        entry = pwd.getpwnam(_USER)
    except KeyError:
        raise StackError(
            f"the database refuses to run as root and there is no user {_USER!r} to run it; start "
            "as an ordinary user"
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def _is_private_to(folder: Path, user: User) -> bool:
    """Whether it is still the folder that we made, and not one that somebody put in its place."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    closed = stat.S_IMODE(found.st_mode) & 0o077 == 0
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user.uid and closed


def _new_folder(name: str) -> Path:
    for base in _BASES:
        try:
            return Path(tempfile.mkdtemp(prefix=f"smartstore-{name}-", dir=base))
        except OSError:
            continue
    raise StackError(
        f"no folder for the database can be made in {' or '.join(_BASES)}; free disk space or "
        "mend the permissions there, or start as an ordinary user"
    )
