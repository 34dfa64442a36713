"""Starts processes in order, watches them, restarts what dies and stops all of them."""

import random
import signal
from collections.abc import Callable, Sequence
from types import TracebackType

from infra.stack.errors import StackError
from infra.stack.life import Life
from infra.stack.part import Backoff, Part, PartEvent, Phase
from infra.stack.state import StateFolder

#: Errors that are kept; a part that dies all day must not fill memory.
_KEPT_ERRORS = 200

Listener = Callable[[PartEvent], None]


def nobody(event: PartEvent) -> None:
    """Nobody listens."""


class Supervisor:
    """Supervises parts from `start` to `stop`; as a context it stops them at its end.

    `errors` holds one sentence for each thing that went wrong. Use it on the main thread's loop:
    the kernel ends the children when the thread that started them ends.
    """

    def __init__(
        self,
        state: StateFolder,
        listener: Listener = nobody,
        *,
        backoff: Backoff | None = None,
        seed: int = 0,
    ) -> None:
        self.state = state
        self.errors: list[str] = []
        self._listener = listener
        self._backoff = backoff or Backoff()
        self._draw = random.Random(seed)  # noqa: S311 - jitter, no secret
        self._lives: dict[str, Life] = {}
        self._stopping = False

    @property
    def restarts(self) -> dict[str, int]:
        """How often each part was started again."""
        return {name: life.record.restarts for name, life in self._lives.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The parts that were started, in that order."""
        return tuple(self._lives)

    def pid(self, name: str) -> int | None:
        """The process id of a part, or None while it has none."""
        return self._life(name).pid

    def signal(self, name: str, what: signal.Signals) -> None:
        """Sends a signal to a part's process. It is restarted as after any death."""
        self._life(name).send(what)

    async def start(self, part: Part) -> None:
        """Starts a part and waits until it is ready.

        Raises:
            PartFailedError: it ended, or was not ready in time. Then it is not left running.
        """
        if self._stopping or part.name in self._lives:
            raise StackError(
                f"{part.name} cannot be started, because it was started before or all parts are "
                "being stopped; use one supervisor a run and one name a part"
            )
        life = Life(part, self.state, self._backoff, self._draw, self._tell)
        self._lives[part.name] = life
        try:
            await life.start()
        except BaseException:
            del self._lives[part.name]
            raise

    async def start_all(self, parts: Sequence[Part]) -> None:
        """Starts parts one after the other, each when the one before it is ready."""
        for part in parts:
            await self.start(part)

    async def wait(self, name: str) -> int:
        """Waits until a part is over, which one that is always restarted is when it is stopped.

        Returns the exit code of its last process.
        """
        return await self._life(name).finished()

    async def wait_ready(self, name: str) -> None:
        """Waits until a part is ready, for instance again after a death."""
        await self._life(name).is_ready.wait()

    async def stop_part(self, name: str) -> None:
        """Stops one part for good. Nothing happens when it is over already."""
        await self._life(name).stop()

    async def stop(self, order: Sequence[str] = ()) -> None:
        """Stops the named parts in the given order, then all others, the last started first."""
        self._stopping = True
        rest = [name for name in reversed(self._lives) if name not in order]
        try:
            for name in (*order, *rest):
                if name in self._lives:
                    await self._lives[name].stop()
        finally:
            # Reached early when a second Ctrl-C cancels us: even then nothing is left running.
            for life in self._lives.values():
                life.kill()

    async def __aenter__(self) -> "Supervisor":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _tell(self, part: str, phase: Phase, detail: str) -> None:
        if phase in ("died", "failed") and len(self.errors) < _KEPT_ERRORS:
            self.errors.append(f"{part}: {detail}")
        self._listener(PartEvent(part, phase, detail))

    def _life(self, name: str) -> Life:
        try:
            return self._lives[name]
        except KeyError:
            raise StackError(
                f"no part {name!r} was started; name one of {', '.join(self._lives) or 'none'}"
            ) from None
