"""The broker, the model server and the database of one machine, brought up together."""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from infra.stack.broker import EmbeddedBroker
from infra.stack.environment import ServerEnvironment, ensure_environment
from infra.stack.part import PartEvent
from infra.stack.postgres import EmbeddedPostgres
from infra.stack.server import EmbeddedServer
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from infra.stack.supervisor import Listener, Supervisor, nobody
from infra.stack.triton import EmbeddedTriton, Probe

PartName = Literal["broker", "triton", "postgres"]
ALL_PARTS: tuple[PartName, ...] = ("broker", "triton", "postgres")


class EmbeddedStack:
    """The servers, from `start` to `stop`; as a context, from its beginning to its end.

    The caller holds the state folder open. More parts may be given to `supervisor`; they are
    stopped before the servers.
    """

    def __init__(
        self,
        state: StateFolder,
        settings: StackSettings,
        *,
        repository: Path | None = None,
        parts: Collection[PartName] = ALL_PARTS,
        probe: Probe | None = None,
        model: str | None = None,
        triton_env: Mapping[str, str] | None = None,
        fresh_broker: bool = False,
        listener: Listener = nobody,
    ) -> None:
        self.supervisor = Supervisor(state, listener)
        self.broker = EmbeddedBroker(state, port=settings.kafka_port, fresh=fresh_broker)
        self.postgres = EmbeddedPostgres(state, port=settings.database_port)
        self._triton: EmbeddedTriton | None = None
        self._state = state
        self._settings = settings
        self._repository = repository
        self._parts = parts
        self._probe = probe
        self._model = model
        self._triton_env = triton_env
        self._listener = listener

    @property
    def triton(self) -> EmbeddedTriton:
        """The model server, once it was started."""
        if self._triton is None:
            raise AssertionError("the model server was not started")
        return self._triton

    async def start(self) -> None:
        """Brings up the servers, all at once. When one fails, none is left running.

        Raises:
            StackError: one of them does not work.
        """
        servers: list[EmbeddedServer] = []
        if "broker" in self._parts:
            servers.append(self.broker)
        if "postgres" in self._parts:
            servers.append(self.postgres)
        tasks = [asyncio.create_task(server.start(self.supervisor)) for server in servers]
        if "triton" in self._parts:
            tasks.append(asyncio.create_task(self._start_triton()))
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops what the supervisor runs: other parts first, the servers last, all at last gone."""
        servers = [name for name in self.supervisor.names if name in ALL_PARTS]
        others = [name for name in reversed(self.supervisor.names) if name not in ALL_PARTS]
        await self.supervisor.stop([*others, *reversed(servers)])

    async def __aenter__(self) -> "EmbeddedStack":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start_triton(self) -> None:
        settings = self._settings
        if self._repository is None:
            raise AssertionError("the model server needs a repository")
        self._triton = EmbeddedTriton(
            self._state,
            self._repository,
            await self._environment(),
            probe=self._probe,
            model=self._model,
            env=self._triton_env,
            http_port=settings.triton_http_port,
            grpc_port=settings.triton_grpc_port,
            metrics_port=settings.triton_metrics_port,
        )
        await self._triton.start(self.supervisor)

    async def _environment(self) -> ServerEnvironment:
        if self._settings.triton_environment is not None:
            return ServerEnvironment(self._settings.triton_environment.absolute()).check()
        return await ensure_environment(
            self._settings.cache,
            lambda line: self._listener(PartEvent("triton", "preparing", line)),
        )
