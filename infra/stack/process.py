"""One child process with a log file, in a session of its own, that dies when we do."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")

#: Last lines of a log that an error shows, and the bytes read to find them.
_TAIL_LINES = 5
_TAIL_BYTES = 16_384
_TAIL_LINE_CHARS = 300

#: How our command line tells of a mistake, and the code with which it ends then.
_TOLD = "smartstore: "
_MISTAKE = 2

#: How servers and Python tell of errors; such a line says more than those after it.
_WRONG = re.compile(r"\b(?:FATAL|PANIC|ERROR|error)\b|\w(?:Error|Exception)\b|Z E \d|cannot start")
_WRONG_LINES = 2

#: What a server needs of our environment; the rest (PYTHONPATH, LD_PRELOAD, secrets) is not its.
_PLAIN_NAMES = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class User:
    """Whom a program runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how.

    `env` is added to our environment, or with `plain_env` to a handful of its variables.
    `death_signal` is sent by the kernel when the owning process dies: a signal that the program
    obeys at once and tidily, or SIGKILL.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    plain_env: bool = False
    cwd: Path | None = None
    user: User | None = None
    death_signal: signal.Signals = signal.SIGKILL

    def environment(self) -> dict[str, str]:
        """The whole environment of the program."""
        base = dict(os.environ)
        if self.plain_env:
            base = {name: base[name] for name in _PLAIN_NAMES if name in base}
        return {**base, **self.env}


class ManagedProcess:
    """A running child. Start it from the main thread: the kernel's death signal follows the thread
    that forked, not the process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._group_gone = False

    @classmethod
    async def start(cls, command: Command, log: Path) -> "ManagedProcess":
        """Starts the program with its output appended to `log`."""
        user = command.user or User(-1, -1)
        owner = [str(os.getpid()), str(int(command.death_signal)), str(user.uid), str(user.gid)]
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(_LAUNCHER),
                *owner,
                *command.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=command.cwd,
                env=command.environment(),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The program's process id, which is also that of its session and group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for its end, then ends what it left behind in its group."""
        code = await self._process.wait()
        self.kill()
        return code

    async def stop(self, stop_signal: signal.Signals, timeout_s: float) -> bool:
        """Asks it to end, and kills its whole group when it has not after `timeout_s`.

        Returns whether it ended by itself.
        """
        obeyed = True
        self.send(stop_signal)
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
        except TimeoutError:
            obeyed = False
        self.kill()
        await self._process.wait()
        return obeyed

    def send(self, what: signal.Signals) -> None:
        """Sends a signal to the program alone, not to its children."""
        if self.returncode is None:
            # It may end between the question and the signal.
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(what)

    def kill(self) -> None:
        """Ends it and all of its group at once."""
        if self._group_gone:
            return
        # Once the leader is gone its number may become a stranger's: never signal it again.
        self._group_gone = self.returncode is not None
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._group_gone = True

    def tail(self) -> str:
        """The last lines of its log, joined, for an error message."""
        return tail(self._log)


def tail(log: Path) -> str:
    """The last lines of a log, joined: those that tell of an error, if any do."""
    lines = (" ".join(line.split())[:_TAIL_LINE_CHARS] for line in _last_lines(log))
    # The borders of the server's tables say nothing.
    told = [line for line in lines if line.strip("+-= ")]
    wrong = [line for line in told if _WRONG.search(line)]
    return " / ".join(wrong[-_WRONG_LINES:] or told[-_TAIL_LINES:])


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def told_to_the_user(log: Path, code: int) -> str | None:
    """The sentence with which one of our own processes ended over a mistake of the user's."""
    if code != _MISTAKE:
        return None
    lines = [line for line in _last_lines(log) if line.startswith(_TOLD)]
    return lines[-1].removeprefix(_TOLD) if lines else None


def describe_exit(code: int) -> str:
    """An exit code in words.

    >>> describe_exit(-9)
    'was ended by SIGKILL'
    >>> describe_exit(3)
    'ended with code 3'
    """
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with code {code}"
