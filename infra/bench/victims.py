"""Whom the bench kills: the process ids behind the names of parts."""

from collections.abc import Iterable, Sequence

import psutil

from infra.errors import UserError
from infra.stack.supervisor import Supervisor

#: Every part that may die, in the order in which they are killed.
PARTS = (
    "broker",
    "triton",
    "triton_stub",
    "postgres",
    "react",
    "measure",
    "sink",
    "player",
    "gateway",
)

_STUB = "triton_python_backend_stub"


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The parts that were asked for, all by default. Raises UserError for one that is none."""
    for name in names or ():
        if name not in PARTS:
            raise UserError(f"There is no part {name!r} to kill; there are: {', '.join(PARTS)}.")
    return tuple(dict.fromkeys(names)) if names else PARTS


def supervised(part: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which of the supervisor's names are a part: a store has a player for each screen."""
    if part == "triton_stub":
        return ("triton",)
    if part == "player":
        return tuple(name for name in names if name.startswith("player-"))
    return (part,)


def processes(part: str, supervisor: Supervisor) -> list[int]:
    """The process ids that are the part now; none while it is being restarted."""
    found = [supervisor.pid(name) for name in supervised(part, supervisor.names)]
    pids = [pid for pid in found if pid is not None]
    return pids if part != "triton_stub" else [stub for pid in pids for stub in _stubs(pid)]


def _stubs(server: int) -> list[int]:
    try:
        children = psutil.Process(server).children(recursive=True)
        return [p.pid for p in children if _STUB in " ".join(p.cmdline())]
    except psutil.NoSuchProcess:
        return []
