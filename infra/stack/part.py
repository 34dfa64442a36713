"""What the supervisor is told about one process, and what it tells about it."""

import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infra.stack.process import Command

#: Asks whether a part works. Returning means yes; raising an exception means not (yet), and why.
Check = Callable[[], Awaitable[None]]

#: A part whose process ended is started again: in any case, unless it ended with code 0, or never.
Restart = Literal["always", "on_failure", "never"]

Phase = Literal[
    "preparing",
    "starting",
    "ready",
    "died",
    "restarting",
    "finished",
    "failed",
    "stopping",
    "stopped",
    "note",
]


@dataclass(frozen=True, slots=True)
class Health:
    """A check of a part that runs: after `failures` in a row its process is killed and restarted.

    For parts that may look alive and be dead, such as a model server whose model is gone. After a
    failure it is asked again at once, since every second counts then; not after a PartDeadError.
    """

    check: Check
    every_s: float = 5.0
    again_s: float = 0.5
    timeout_s: float = 5.0
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One process under supervision.

    `ready` is a check that is asked again until it returns, or the file that the process makes
    when it works; None means that a running process is ready. `prepare` is called before each
    start. What does not end within `stop_timeout_s` of `stop_signal` is killed, and that is
    recorded as an error.
    """

    name: str
    command: Command
    ready: Check | Path | None = None
    ready_timeout_s: float = 30.0
    restart: Restart = "always"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    health: Health | None = None
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class PartEvent:
    """Something that happened to a part, for progress displays and logs."""

    part: str
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a restart: nearly at once after a first death, then ever longer.

    >>> Backoff(jitter=0.0).delay_s(0, random.Random(1))
    0.1
    >>> Backoff(jitter=0.0).delay_s(50, random.Random(1))
    5.0
    """

    first_s: float = 0.1
    factor: float = 3.0
    #: The chain has to be whole 15 s after a death, so no wait is longer than a third of that.
    most_s: float = 5.0
    #: Parts that died together come back one after the other.
    jitter: float = 0.3
    #: A part that was up this long has come back for good: its next death is a first one.
    forgiven_after_s: float = 30.0

    def delay_s(self, deaths: int, draw: random.Random) -> float:
        """The wait after `deaths` deaths in a row, not counting the last."""
        # The exponent is bounded since a float is, too.
        wait = min(self.most_s, self.first_s * self.factor ** min(deaths, 20))
        return wait * (1.0 + self.jitter * (2.0 * draw.random() - 1.0))


@dataclass(slots=True)
class Record:
    """What is known of a part across its lives."""

    restarts: int = 0
    deaths_in_a_row: int = 0
    exit_code: int | None = None
    up_since_s: float = field(default=0.0)
