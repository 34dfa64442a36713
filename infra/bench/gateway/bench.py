"""`bench gateway`: what the gateway costs over its networks, by real processes on this machine.

The gateway and a plain loop of the same networks run at the same time and at the same pace on the
same videos, so that whatever else the machine does, and however warm it is, is shared by both.
"""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil
from tritonclient.grpc.aio import InferenceServerClient

from infra.bench.configuration import SCORED_SEED, Configuration
from infra.bench.gateway import clips, gpu, raw, report, stores
from infra.bench.gateway.report import (
    CameraRun,
    GatewayReport,
    GpuReport,
    Idle,
    Measured,
    Used,
)
from infra.bench.versions import versions
from infra.bench.victims import processes
from infra.errors import UserError
from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.topics import create_topics
from infra.triton.models import PreparedModel, prepare
from infra.triton.probe import MODEL, probe
from streams.contracts.layout import StoreLayout

#: An idle aisle: cameras that deliver this many pictures a second.
_IDLE_CAMERAS, _IDLE_FPS = 2, 10.0
#: How many of them a gateway infers then (its default).
_IDLE_INFERRED_FPS = 2.0
#: From a gateway's first frame until its clients, models and caches have settled.
_SETTLE_S = 3.0
#: An idle camera is awake for its first seconds, and two of them are then behind for some more.
_IDLE_SETTLE_S = 12.0
_START_S = 60.0
#: A stretch of video that outlasts starting, settling and measuring.
_SPARE_S = 25.0


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What to measure. `fps_total`: frames a second over all cameras, so few that gateway and plain
    loop fit on two cores together; `video`: pictures of one's own instead of drawn ones; `gpu`:
    measure the networks on a CUDA device as well.
    """

    layout: StoreLayout
    configuration: Configuration
    models_dir: Path | None
    cameras: Sequence[int]
    fps_total: float
    seconds: float
    video: Path | None = None
    gpu: bool = False


@dataclass(slots=True)
class GatewayBench:
    """One measurement; `run` does all of it."""

    plan: GatewayPlan
    state: StateFolder
    settings: StackSettings
    say: Callable[[str], None]
    _probes: int = 0
    _python: Path = field(default_factory=Path)
    _model: PreparedModel | None = None
    _parameters: dict[str, str] = field(default_factory=dict)

    async def run(self) -> GatewayReport:
        """Raises StackError, ModelError, UserError: something cannot be started."""
        load = os.getloadavg()[0]
        model = await self._prepare()
        stack = EmbeddedStack(
            self.state,
            self.settings,
            repository=model.repository,
            parts=("broker", "triton"),
            probe=self._probe,
            fresh_broker=True,
        )
        async with stack:
            await create_topics(stack.broker.bootstrap, 4)
            self._parameters = await _parameters(stack.triton.grpc)
            runs = await self._busy(stack)
            idle = await self._idle(stack)
        on_gpu = await self._on_gpu(model) if self.plan.gpu else None
        worst = max(runs, key=report.ratio)
        return GatewayReport(
            configuration=self._measured(),
            cpu_ratio_to_raw=round(report.ratio(worst), 3),
            overhead_ms_per_frame=worst.overhead_ms_per_frame,
            idle_camera_core_share=idle.core_share,
            runs=runs,
            idle=idle,
            passed=all(map(report.within, runs)) and idle.core_share <= report.IDLE_SHARE,
            load_before=round(load, 2),
            versions=versions(),
            gpu=on_gpu,
        )

    async def _on_gpu(self, model: PreparedModel) -> GpuReport:
        """Once nothing else runs."""
        self.say("the networks on a CUDA device")
        found = await asyncio.to_thread(
            gpu.onnx_of,
            model,
            self.state.folder("models"),
            self.plan.models_dir,
            self._python.parents[1],
            self.plan.configuration.input_size_px,
        )
        if found is None:
            why = "its network is no ONNX file, and the folder of models holds none"
            return GpuReport(model.name, [], why)
        pictures = await asyncio.to_thread(self._pictures)
        return await gpu.measure(self._python, found, self._parameters, pictures, self.state.run)

    async def _prepare(self) -> PreparedModel:
        root = self.settings.triton_environment
        if root is None:
            root = (await ensure_environment(self.settings.cache, self.say)).root
        self._python = root / "bin" / "python"
        self.say("preparing the model")
        configuration = self.plan.configuration
        self._model = await asyncio.to_thread(
            prepare,
            self.state.folder("models"),
            models_dir=self.plan.models_dir,
            server_env=root,
            input_size_px=configuration.input_size_px,
            threads=configuration.threads,
            progress=self.say,
        )
        return self._model

    async def _probe(self, url: str) -> None:
        """The supervisor's own: counted, since the server counts its frames among the others."""
        self._probes += 1
        await probe(url)

    async def _busy(self, stack: EmbeddedStack) -> list[CameraRun]:
        self.say("drawing the pictures")
        plan = self.plan
        pictures = await asyncio.to_thread(self._pictures)
        runs = []
        for cameras in plan.cameras:
            fps = plan.fps_total / cameras
            video = self.state.run / f"busy-{cameras}.mp4"
            length_s = plan.seconds + _SETTLE_S + _SPARE_S
            await asyncio.to_thread(clips.write, pictures, fps, length_s, video)
            self.say(f"{cameras} cameras")
            used = await self._measure(stack, cameras, video, 1 / plan.fps_total, 1, _SETTLE_S)
            video.unlink()
            runs.append(report.camera_run(cameras, used))
        return runs

    def _pictures(self) -> list[Any]:
        plan = self.plan
        if plan.video is not None:
            return clips.pictures_of(plan.video)
        return clips.drawn(plan.layout, plan.configuration.picture_px, SCORED_SEED)

    async def _idle(self, stack: EmbeddedStack) -> Idle:
        self.say("idle cameras")
        plan = self.plan
        pictures = await asyncio.to_thread(clips.empty, plan.layout, plan.configuration.picture_px)
        video = self.state.run / "idle.mp4"
        length_s = plan.seconds + _IDLE_SETTLE_S + _SPARE_S
        await asyncio.to_thread(clips.write, pictures, _IDLE_FPS, length_s, video)
        period_s = 1 / (_IDLE_FPS * _IDLE_CAMERAS)
        every = round(_IDLE_FPS / _IDLE_INFERRED_FPS)
        used = await self._measure(stack, _IDLE_CAMERAS, video, period_s, every, _IDLE_SETTLE_S)
        video.unlink()
        return report.idle(_IDLE_CAMERAS, _IDLE_FPS, used)

    async def _measure(
        self,
        stack: EmbeddedStack,
        cameras: int,
        video: Path,
        period_s: float,
        infer_every: int,
        settle_s: float,
    ) -> Used:
        """A gateway of so many cameras beside a plain loop, both on `video`."""
        client = InferenceServerClient(stack.triton.grpc)
        try:
            async with (
                self._plain_loop(cameras, video, period_s, infer_every) as loop,
                self._gateway(stack, cameras, video) as gateway,
            ):
                await asyncio.sleep(settle_s)
                before = await self._look(stack, gateway, loop, client)
                await asyncio.sleep(self.plan.seconds)
                after = await self._look(stack, gateway, loop, client)
        finally:
            await client.close()
        return Used(
            seconds=round(after["at_s"] - before["at_s"], 2),
            frames=round(after["frames"] - before["frames"]),
            gateway_s=round(after["gateway_s"] - before["gateway_s"], 3),
            server_s=round(after["server_s"] - before["server_s"], 3),
            model_s=round(after["model_s"] - before["model_s"], 3),
            raw_frames=round(after["raw_frames"] - before["raw_frames"]),
            raw_s=round(after["raw_s"] - before["raw_s"], 3),
            raw_decode_s=round(after["raw_decode_s"] - before["raw_decode_s"], 3),
        )

    async def _look(
        self, stack: EmbeddedStack, gateway: Process, loop: Process, client: Any
    ) -> dict[str, float]:
        """All that has been used so far."""
        said = await _ask(loop)
        [server] = processes("triton", stack.supervisor)
        statistics = await client.get_inference_statistics(MODEL, client_timeout=10.0)
        return {
            "at_s": time.monotonic(),
            "gateway_s": _cpu_s([gateway.pid]),
            "server_s": _cpu_s([server]),
            "model_s": _cpu_s(processes("triton_stub", stack.supervisor)),
            "frames": int(statistics.model_stats[0].inference_count) - self._probes,
            "raw_frames": said["inferred"],
            "raw_s": said["cpu_s"] - said["afterwards_s"],
            "raw_decode_s": said["decode_s"],
        }

    @asynccontextmanager
    async def _gateway(
        self, stack: EmbeddedStack, cameras: int, video: Path
    ) -> AsyncIterator[Process]:
        store = stores.row_of_shelves(self.plan.layout, cameras)
        layout, ready = self.state.run / "store.yaml", self.state.run / "gateway.ready"
        layout.write_bytes(msgspec.json.encode(store))  # JSON is YAML
        ready.unlink(missing_ok=True)
        named = [f"{camera.camera_id}={video}" for camera in store.cameras]
        argv = [argument for name in named for argument in ("--camera", name)]
        env = {
            **os.environ,
            **self.state.marker,
            "SMARTSTORE_KAFKA": stack.broker.bootstrap,
            "SMARTSTORE_TRITON": stack.triton.grpc,
            "SMARTSTORE_STATE": str(self.state.run),
            "SMARTSTORE_SHM_PREFIX": self.state.shm_prefix,
            "SMARTSTORE_ADAPTIVE_RATE": "always",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "infra", "gateway", "--layout", str(layout), *argv]
        with self.state.log("gateway").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, "--ready-file", str(ready), env=env, stdin=DEVNULL, stdout=log, stderr=log
            )
        self.state.record("gateway", process.pid)
        try:
            await self._until_ready(process, ready)
            yield process
            if process.returncode is not None:
                raise UserError(
                    "the gateway ended before it was measured; see its log "
                    f"{self.state.log('gateway')}"
                )
        finally:
            await _end(process, signal.SIGTERM)

    async def _until_ready(self, process: Process, ready: Path) -> None:
        deadline_s = time.monotonic() + _START_S
        while not await asyncio.to_thread(ready.exists):
            if process.returncode is not None or time.monotonic() > deadline_s:
                raise UserError(
                    f"the gateway did not start; see its log {self.state.log('gateway')}"
                )
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _plain_loop(
        self, cameras: int, video: Path, period_s: float, infer_every: int
    ) -> AsyncIterator[Process]:
        if self._model is None:
            raise AssertionError("the model was not prepared")
        job = {
            "repository": str(self._model.repository),
            "parameters": self._parameters,
            "videos": [str(video)] * cameras,
            "period_s": period_s,
            "infer_every": infer_every,
        }
        env = {**os.environ, **self.state.marker, "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            str(self._python), raw.__file__, json.dumps(job), env=env, stdin=PIPE, stdout=PIPE
        )
        self.state.record("plain-loop", process.pid)
        try:
            if process.stdout is None or not await process.stdout.readline():
                raise UserError(
                    f"the plain loop could not start; see what it says ({raw.__file__})"
                )
            yield process
        finally:
            await _end(process, signal.SIGKILL)

    def _measured(self) -> Measured:
        configuration, own = self.plan.configuration, self._parameters
        return Measured(
            name=configuration.name,
            person_network=own.get("detector", "unknown"),
            head_network=own.get("head_network"),
            input_size_px=int(own["input_size_px"]),
            picture_px=configuration.picture_px,
            threads=configuration.threads,
            video="drawn (simulated store)" if self.plan.video is None else self.plan.video.name,
        )


async def _parameters(grpc: str) -> dict[str, str]:
    """What the served model is told about its networks."""
    client = InferenceServerClient(grpc)
    try:
        answer = await client.get_model_config(MODEL, client_timeout=10.0)
    finally:
        await client.close()
    return {key: value.string_value for key, value in answer.config.parameters.items()}


async def _ask(loop: Process) -> dict[str, float]:
    if loop.stdin is None or loop.stdout is None:
        raise AssertionError("the plain loop was started with pipes")
    loop.stdin.write(b"\n")
    await loop.stdin.drain()
    line = await loop.stdout.readline()
    if not line:
        raise UserError("the plain loop ended before it was measured; run the bench again")
    said: dict[str, float] = json.loads(line)
    return said


def _cpu_s(pids: Sequence[int]) -> float:
    """Processor time that these have used."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


async def _end(process: Process, how: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(how)
    try:
        await asyncio.wait_for(process.wait(), 20.0)
    except TimeoutError:
        process.kill()
        await process.wait()
