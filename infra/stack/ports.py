"""Free ports of 127.0.0.1 for servers that must come back on the same port after a restart."""

import random
import socket
from pathlib import Path

from infra.stack.errors import PortTakenError, StackError

LOOPBACK = "127.0.0.1"

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Linux's default range of ephemeral ports.
_DEFAULT_EPHEMERAL = (32_768, 60_999)
_LOWEST, _HIGHEST = 15_000, 65_535
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """A free port outside the ephemeral range and outside `taken`.

    Outside that range, because a client that calls a dead server on an ephemeral port may be
    given that very port for its own end: it then talks to itself, and the server cannot come back.
    """
    first, last = _ephemeral()
    candidates = [p for p in range(_LOWEST, _HIGHEST) if not first <= p <= last]
    if not candidates:
        candidates = list(range(_LOWEST, _HIGHEST))
    draw = random.SystemRandom()
    for _ in range(_ATTEMPTS):
        port = draw.choice(candidates)
        if port not in taken and is_free(port):
            return port
    raise StackError(
        f"no free port was found on {LOOPBACK} in {_ATTEMPTS} attempts; stop some servers"
    )


def chosen_port(name: str, wanted: int | None, taken: frozenset[int] = frozenset()) -> int:
    """The port that the user wants, or a free one. Raises PortTakenError."""
    if wanted is None:
        return free_port(taken)
    if not is_free(wanted):
        raise PortTakenError(name, wanted)
    return wanted


def _ephemeral() -> tuple[int, int]:
    try:
        first, last = _RANGE_FILE.read_text().split()
    except (OSError, ValueError):
        return _DEFAULT_EPHEMERAL
    return int(first), int(last)
