"""One part under supervision: its start, readiness, watch, restarts and end."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.stack.errors import (
    PartDeadError,
    PartFailedError,
    PartNotReadyError,
    PartRefusedError,
)
from infra.stack.part import Backoff, Check, Part, Phase, Record
from infra.stack.process import ManagedProcess, describe_exit, told_to_the_user
from infra.stack.state import StateFolder

#: A check is asked again this often: quick at first, then easy on a small machine.
_POLL_FIRST_S = 0.03
_POLL_MOST_S = 0.25
#: One attempt of a check may hang (a half-open connection) without holding up the next.
_ATTEMPT_TIMEOUT_S = 5.0
#: A log is emptied when it exceeds this, after a copy of it was kept.
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_LOG_EVERY_S = 20.0
_CAUSE_CHARS = 300


class Life:
    """A part from its first start to its end, over as many processes as it takes."""

    def __init__(
        self,
        part: Part,
        state: StateFolder,
        backoff: Backoff,
        draw: random.Random,
        tell: Callable[[str, Phase, str], None],
    ) -> None:
        self.part = part
        self.record = Record()
        self.is_ready = asyncio.Event()
        self._state = state
        self._backoff = backoff
        self._draw = draw
        self._tell_of = tell
        self._process: ManagedProcess | None = None
        self._watch_task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Starts the part, waits until it is ready and watches it from then on."""
        self._tell("starting")
        try:
            await self._launch()
        except BaseException:
            await self._end_process()
            raise
        self._watch_task = asyncio.create_task(self._watch(), name=f"watch {self.part.name}")

    async def finished(self) -> int:
        """Waits until it is over; the exit code of its last process."""
        await self._over.wait()
        return self.record.exit_code or 0

    async def stop(self) -> None:
        """Ends it for good."""
        if self._over.is_set():
            return
        self._tell("stopping")
        if self._watch_task is not None:
            self._watch_task.cancel()
            await asyncio.gather(self._watch_task, return_exceptions=True)
        await self._end_process()
        self.is_ready.clear()
        self._over.set()
        self._tell("stopped")

    def send(self, what: signal.Signals) -> None:
        """Sends a signal to its process."""
        if self._process is not None:
            self._process.send(what)

    def kill(self) -> None:
        """Ends its process and all of its group at once."""
        if self._watch_task is not None:
            self._watch_task.cancel()
        if self._process is not None:
            self._process.kill()

    async def _launch(self) -> None:
        part = self.part
        if part.prepare is not None:
            part.prepare()
        if isinstance(part.ready, Path):
            part.ready.unlink(missing_ok=True)
        command = replace(part.command, env={**part.command.env, **self._state.marker})
        self._process = await ManagedProcess.start(command, self._state.log(part.name))
        if self._over.is_set():
            # Stopped while it was being born.
            self._process.kill()
        self._state.record(part.name, self._process.pid)
        await self._until_ready(self._process)
        self.record.up_since_s = time.monotonic()
        self.is_ready.set()
        self._tell("ready")

    async def _until_ready(self, process: ManagedProcess) -> None:
        check = _as_check(self.part.ready)
        last: Exception | None = None
        pause = _POLL_FIRST_S
        deadline = time.monotonic() + self.part.ready_timeout_s
        while True:
            remaining = deadline - time.monotonic()
            last = await _ask(check, min(_ATTEMPT_TIMEOUT_S, max(remaining, _POLL_FIRST_S)))
            if last is None:
                return
            if process.returncode is not None:
                self.record.exit_code = process.returncode
                said = told_to_the_user(self._state.log(self.part.name), process.returncode)
                if said is not None:
                    raise PartRefusedError(self.part.name, said)
                raise self._failure(describe_exit(process.returncode) + " while starting", None)
            if remaining <= 0:
                waited = f"was not ready after {self.part.ready_timeout_s:.0f} s"
                raise self._failure(waited, last, PartNotReadyError)
            await asyncio.sleep(pause)
            pause = min(_POLL_MOST_S, pause * 1.3)

    def _failure(
        self, why: str, cause: Exception | None, kind: type[PartFailedError] = PartFailedError
    ) -> PartFailedError:
        """The error, with what its log or the last check says."""
        said = self._process.tail() if self._process is not None else ""
        if cause is not None:
            said = _in_words(cause) + (said and f" / {said}")
        log = self._state.log(self.part.name)
        error = kind(self.part.name, why, f"its log {log} ends with: {said or 'nothing'}")
        error.__cause__ = cause
        return error

    async def _watch(self) -> None:
        while self._process is not None:
            code = await self._until_dead(self._process)
            self.is_ready.clear()
            self.record.exit_code = code
            if self._ends_with(code):
                break
            if time.monotonic() - self.record.up_since_s > self._backoff.forgiven_after_s:
                self.record.deaths_in_a_row = 0
            if not await self._revive():
                break
        self._over.set()

    def _ends_with(self, code: int) -> bool:
        """Whether the part is over with that exit code; tells what happened."""
        if code == 0 and self.part.restart != "always":
            self._tell("finished")
            return True
        why = describe_exit(code)
        # What was killed from outside could not say why.
        if code != -signal.SIGKILL and self._process is not None:
            why = f"{why}; its log ends with: {self._process.tail() or 'nothing'}"
        self._tell("died", why)
        return self.part.restart == "never"

    async def _revive(self) -> bool:
        """Starts it again until it is ready. False when it ended by itself, and well."""
        while True:
            await asyncio.sleep(self._backoff.delay_s(self.record.deaths_in_a_row, self._draw))
            self.record.deaths_in_a_row += 1
            self.record.restarts += 1
            self._tell("restarting")
            try:
                await self._launch()
            except (PartFailedError, OSError) as error:
                code = self._process.returncode if self._process is not None else None
                await self._end_process()
                if code == 0 and self.part.restart != "always":
                    self._tell("finished")
                    return False
                self._tell("failed", str(error))
            else:
                return True

    async def _until_dead(self, process: ManagedProcess) -> int:
        """Waits for the end of a process; ends it itself when its health check keeps failing."""
        health, failures = self.part.health, 0
        pause_s = _LOG_EVERY_S if health is None else health.every_s
        ending = asyncio.ensure_future(process.wait())
        try:
            while True:
                done, _ = await asyncio.wait({ending}, timeout=pause_s)
                if done:
                    return ending.result()
                _trim(self._state.log(self.part.name))
                if health is None:
                    continue
                wrong = await _ask(health.check, health.timeout_s)
                failures = 0 if wrong is None else failures + 1
                pause_s = health.every_s if wrong is None else health.again_s
                sure = isinstance(wrong, PartDeadError)
                if wrong is not None and (sure or failures >= health.failures):
                    self._tell(
                        "failed", f"runs but does not work, so it is restarted: {_in_words(wrong)}"
                    )
                    process.kill()
        finally:
            ending.cancel()

    async def _end_process(self) -> None:
        if self._process is None:
            return
        part = self.part
        if not await self._process.stop(part.stop_signal, part.stop_timeout_s):
            self._tell(
                "failed",
                f"did not end within {part.stop_timeout_s:.0f} s of {part.stop_signal.name} and "
                "was killed",
            )
        self.record.exit_code = self._process.returncode

    def _tell(self, phase: Phase, detail: str = "") -> None:
        self._tell_of(self.part.name, phase, detail)


def _as_check(ready: Check | Path | None) -> Check:
    async def check() -> None:
        if isinstance(ready, Path):
            # Raises when it is not there.
            os.stat(ready)
        elif ready is not None:
            await ready()

    return check


async def _ask(check: Check, timeout_s: float) -> Exception | None:
    """What a check says: None when all is well."""
    try:
        async with asyncio.timeout(timeout_s):
            await check()
    except Exception as error:
        return error
    return None


def _in_words(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_CAUSE_CHARS]}"


def _trim(log: Path) -> None:
    """Keeps a log from filling the disk. Its writer appends, so it goes on at the new end."""
    try:
        if log.stat().st_size > _LOG_LIMIT_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
    except OSError:
        # A full disk: the log is the least of the worries, and the next round tries again.
        return
