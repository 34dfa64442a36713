"""What the three embedded servers have in common: a part on free ports of 127.0.0.1."""

import asyncio
from abc import ABC, abstractmethod

from infra.stack.errors import PartFailedError, PartNotReadyError
from infra.stack.part import Part
from infra.stack.ports import LOOPBACK, chosen_port, is_free
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor

#: A free port may be taken by another program before the server listens on it.
_ATTEMPTS = 3


class EmbeddedServer(ABC):
    """A server under a supervisor. Its ports are drawn at its start and kept over restarts, so
    that clients find it again."""

    name: str

    def __init__(self, state: StateFolder, wanted_ports: dict[str, int | None]) -> None:
        self._state = state
        self._wanted = wanted_ports
        self._ports: dict[str, int] = {}

    @abstractmethod
    def part(self) -> Part:
        """The part that runs this server on the ports that were drawn."""

    @abstractmethod
    async def prepare(self) -> None:
        """Done once before the first start; may take long."""

    async def start(self, supervisor: Supervisor) -> None:
        """Starts the server and waits until it works.

        Raises:
            PortTakenError: a port that was asked for is taken.
            PartFailedError: it does not work.
        """
        await self.prepare()
        for attempt in range(_ATTEMPTS):
            self._draw_ports()
            try:
                await supervisor.start(self.part())
            except PartFailedError as error:
                # With its server gone, a port that is still taken was lost to someone else. One
                # that hangs while it starts (a model's process may) is given another try.
                lost = any(not is_free(port) for port in self._ports.values())
                hung = isinstance(error, PartNotReadyError)
                if not (lost or hung) or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def address(self, port: str) -> str:
        """Host and port of one of its ports."""
        return f"{LOOPBACK}:{self._ports[port]}"

    def _draw_ports(self) -> None:
        self._ports = {}
        for port, wanted in self._wanted.items():
            others = frozenset(self._ports.values())
            self._ports[port] = chosen_port(self.name, wanted, others)


async def http_ok(address: str, path: str) -> None:
    """Returns when a GET of `path` is answered with 200. Raises OSError when not.

    By hand, since it has to ignore a proxy that the environment may name.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        await writer.drain()
        status = await reader.readline()
    finally:
        writer.close()
    words = status.split()
    if len(words) < 2 or words[1] != b"200":
        raise ConnectionError(f"{address}{path} answered {status.decode(errors='replace')!r}")


async def tcp_ok(address: str) -> None:
    """Returns when somebody listens there. Raises OSError when not."""
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()
