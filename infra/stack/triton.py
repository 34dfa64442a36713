"""The embedded model server: Triton from a pip package, on the CPU, with its Python backend."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from infra.stack import leftovers
from infra.stack.environment import ServerEnvironment
from infra.stack.errors import StackError
from infra.stack.part import Health, Part
from infra.stack.ports import LOOPBACK
from infra.stack.process import Command
from infra.stack.server import EmbeddedServer, http_ok
from infra.stack.state import StateFolder, private_folder

#: Makes one real inference on the server at that gRPC address; raises when it fails.
Probe = Callable[[str], Awaitable[None]]

#: A stub's first region of shared memory, and its growth: a 1080p frame is 6 MB.
_SHM_BYTES = 8 * 1024 * 1024
#: How long the server lets inferences in flight go on when it is told to stop.
_EXIT_TIMEOUT_S = 5


class EmbeddedTriton(EmbeddedServer):
    """Triton over one model repository, with each model's configuration named `embedded`.

    Ready means that `probe` succeeds; without one, that the server and `model` say so, which does
    not show a dead stub. `probe` also watches it: a server that cannot infer is restarted. `env`
    is added to the environment of server and models.
    """

    name = "triton"

    def __init__(
        self,
        state: StateFolder,
        repository: Path,
        environment: ServerEnvironment,
        *,
        probe: Probe | None = None,
        model: str | None = None,
        env: Mapping[str, str] | None = None,
        http_port: int | None = None,
        grpc_port: int | None = None,
        metrics_port: int | None = None,
    ) -> None:
        super().__init__(state, {"http": http_port, "grpc": grpc_port, "metrics": metrics_port})
        self._repository = repository.absolute()
        self._environment = environment
        self._probe = probe
        self._model = model
        self._env = dict(env or {})

    @property
    def grpc(self) -> str:
        """Host and port for gRPC clients."""
        return self.address("grpc")

    @property
    def http(self) -> str:
        """Host and port for HTTP clients."""
        return self.address("http")

    @property
    def metrics(self) -> str:
        """Host and port of the Prometheus metrics, under /metrics."""
        return self.address("metrics")

    async def prepare(self) -> None:
        """Looks whether there is something to serve and something to serve it with."""
        self._environment.check()
        if not self._repository.is_dir():
            raise StackError(
                f"there is no model repository at {self._repository}; prepare the models first"
            )

    def part(self) -> Part:
        """The part that runs the server."""
        backends = self._backends()
        own = self._environment
        env = {
            **self._env,
            "LD_LIBRARY_PATH": own.library_path,
            "PATH": f"{own.bin}:/usr/local/bin:/usr/bin:/bin",
            # A package of the user's own (numpy 2, say) must not reach the stub.
            "PYTHONNOUSERSITE": "1",
            # onnxruntime would report on this machine to its maker, over the network.
            "ORT_DISABLE_TELEMETRY": "1",
            # One thread a model beats two on a small machine, and leaves the other core free.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = Command(
            self._argv(backends),
            env=env,
            plain_env=True,
            # Tidy and quick: it ends its stubs and removes its shared memory.
            death_signal=signal.SIGTERM,
        )
        return Part(
            self.name,
            command,
            ready=self._works,
            # A start takes 2 to 10 s; one that hangs is tried again.
            ready_timeout_s=40.0,
            stop_timeout_s=_EXIT_TIMEOUT_S + 5.0,
            health=None if self._probe is None else Health(self._works, every_s=1.0, timeout_s=3.0),
            # A killed server leaves its regions behind.
            prepare=self._remove_regions,
        )

    def _argv(self, backends: Path) -> list[str]:
        python = "--backend-config=python,"
        return [
            str(self._environment.server),
            f"--model-repository={self._repository}",
            "--model-config-name=embedded",
            "--disable-auto-complete-config",
            # Loaded at the start is what can run here (a network for a GPU cannot); a model whose
            # stub died can be loaded anew.
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in self._runnable()),
            f"--backend-directory={backends}",
            f"{python}shm-region-prefix-name={self._state.shm_prefix}",
            f"{python}shm-default-byte-size={_SHM_BYTES}",
            f"{python}shm-growth-byte-size={_SHM_BYTES}",
            f"--http-address={LOOPBACK}",
            f"--http-port={self._ports['http']}",
            "--http-thread-count=2",
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={self._ports['grpc']}",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self._ports['metrics']}",
            "--allow-gpu-metrics=false",
            "--pinned-memory-pool-byte-size=0",
            f"--exit-timeout-secs={_EXIT_TIMEOUT_S}",
            "--log-format=ISO8601",
        ]

    def _runnable(self) -> list[str]:
        """The models that have a configuration named `embedded`."""
        found = self._repository.glob("*/configs/embedded.pbtxt")
        return sorted(path.parents[1].name for path in found)

    def _backends(self) -> Path:
        """The folder of backends: links to the files of the environment."""
        root = self._state.run / "backends"
        folder = private_folder(root / "python")
        for file in self._environment.backend_files:
            link = folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        return root

    def _remove_regions(self) -> None:
        leftovers.remove_regions(self._state.shm_prefix)

    async def _works(self) -> None:
        """Also takes the names off the shared memory through which server and stub pass frames:
        both have it open by now, and what has no name is gone with them, however they end.
        """
        await http_ok(self.http, "/v2/health/ready")
        if self._model is not None:
            await http_ok(self.http, f"/v2/models/{self._model}/ready")
        if self._probe is not None:
            await self._probe(self.grpc)
        self._remove_regions()
