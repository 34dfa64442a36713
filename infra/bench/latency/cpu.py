"""Which part of the chain used how much of the cores."""

import os
from collections.abc import Mapping

import psutil


def cpu_seconds(pids: Mapping[str, int | None]) -> dict[str, float]:
    """CPU seconds so far of each process and all that it started, but of this one alone; 0 for one
    that is gone.
    """
    return {name: _of(pid) for name, pid in pids.items()}


def _of(pid: int | None) -> float:
    if pid is None:
        return 0.0
    try:
        process = psutil.Process(pid)
        own = pid == os.getpid()  # everything here was started by this process
        family = [process, *([] if own else process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for each in family:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def shares(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float
) -> dict[str, float]:
    """Cores that each part used in between, the greediest first.

    >>> shares({"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 8.0}, 10.0)
    {'b': 0.8, 'a': 0.1}
    """
    used = {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
    return {
        name: round(share, 3)
        for name, share in sorted(used.items(), key=lambda item: -item[1])
        if share >= 0.0
    }
