"""From a glance to the light: runs the chain with four cameras and four screens, one of them a real
browser, until enough glances have been answered, and takes every reaction apart.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tritonclient.grpc import aio as triton

from infra.bench.configuration import CONFIGURATION
from infra.bench.latency import figures
from infra.bench.latency.cpu import cpu_seconds, shares
from infra.bench.latency.holding import Holding
from infra.bench.latency.reactions import Log, Reaction, floor_ms
from infra.bench.latency.report import LatencyReport, Model
from infra.bench.latency.scene import EVERY_MS, Scene
from infra.bench.latency.store import FPS, Bays
from infra.chain import Chain
from infra.errors import UserError
from infra.report import Report
from infra.triton.probe import MODEL
from signage.catalogue import load_catalogue
from streams.contracts import codec
from streams.contracts.errors import ContractError
from streams.contracts.topics import AUDIENCE, DECISION, GAZE, PLAY
from streams.kafka_log import Record, side_consumer

#: Browsers and workers are warm after so long; what came before is not counted.
_WARM_UP_S = 15.0
_LOOK_S = 0.25
#: The truth reaches a little beyond the end of the run.
_AFTER_MS = 30_000

SCENE = (
    f"four shelves of three zones; before each a shopper comes in every {EVERY_MS // 1_000} s, "
    "stops before two zones for 4.5 s and more, looks at them, at another, at the screen or along "
    "the aisle (1.5 to 2.9 s a look), and goes; pictures drawn beforehand, decoded by the "
    "gateways; cameras a quarter of a picture apart"
)

WAITS_FOR = {
    "capture_to_infer": "decoding, its turn at the model (four cameras share one), and the model's "
    "compute",
    "infer_to_event": "heads, identity and belief in the gateway (plain computing)",
    "event_to_decision": "the broker's acknowledgement and the reader's next fetch (the embedded "
    "broker is asked every 10 ms), then the decision; in what was held back, the screen's minimum "
    "display",
    "decision_to_render": "the broker again, the player's next fetch, the page: two frames of the "
    "display",
}


@dataclass(slots=True)
class LatencyBench:
    """Goes along with a run as its companion; `report` tells what it saw once the run is over."""

    bays: Bays
    scenes: Sequence[Scene]
    glances: int
    limit_s: float
    say: Callable[[str], None]
    errors: list[str] = field(default_factory=list)
    _log: Log = field(init=False)
    _model: Model | None = None
    _load: float = 0.0
    _cores_used: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        creatives = tuple(load_catalogue().creatives)
        self._log = Log(Holding(self.bays.layout.zones, creatives))

    def rendered(self, screen_id: str, message: dict[str, Any]) -> None:
        """See `Companion`: proofs of play say it all."""

    async def during(self, chain: Chain) -> None:
        """See `Companion`: until enough glances were answered."""
        supervisor = chain.stack.supervisor
        async with _browser(chain.player_urls[self.bays.glass]) as browser:
            pids = {
                **{name: supervisor.pid(name) for name in supervisor.names},
                "chromium": browser,
            }
            pids["this bench and its three pages"] = os.getpid()
            # What the screens show when the first gaze counts is told by what came before.
            following = asyncio.create_task(self._follow(chain.stack.broker.bootstrap))
            await asyncio.sleep(_WARM_UP_S)
            self._log.since_ms = time.time_ns() // 1_000_000
            began_s, used = time.monotonic(), cpu_seconds(pids)
            before = await _statistics(chain.stack.triton.grpc)
            try:
                await self._wait(following)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            self._load = os.getloadavg()[0]
            self._cores_used = shares(used, cpu_seconds(pids), time.monotonic() - began_s)
            self._model = _model(before, await _statistics(chain.stack.triton.grpc))

    async def counted(self, chain: Chain) -> None:
        """See `Companion`."""

    async def _wait(self, following: "asyncio.Task[None]") -> None:
        until_s = time.monotonic() + self.limit_s
        while self._log.proven < self.glances:
            if following.done():
                following.result()
            if time.monotonic() > until_s:
                self.errors.append(
                    f"only {self._log.proven} glances were answered within {self.limit_s:.0f} s"
                )
                return
            self.say(f"{self._log.proven} of {self.glances} glances answered")
            await asyncio.sleep(_LOOK_S)

    async def _follow(self, bootstrap: str) -> None:
        names = (GAZE.name, AUDIENCE.name, DECISION.name, PLAY.name)
        async with side_consumer(bootstrap, *names) as side:
            await side.seek_to_end()
            while True:
                for records in (await side.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._add(record)
                await asyncio.sleep(_LOOK_S)  # not in a hurry: whoever is measured is

    def _add(self, record: Record) -> None:
        try:
            self._log.add(codec.decode(record.topic, record.value))
        except ContractError:
            return

    def report(self, chain: Chain, run: Report) -> LatencyReport:
        """What was seen; `run` is the report of the whole run."""
        start_ms = chain.source_start_ms
        scenes = {scene.camera.area_id: scene for scene in self.scenes}
        until_ms = start_ms + round(1_000 * run.seconds) + _AFTER_MS
        truth = {area: list(each.glances(start_ms, until_ms)) for area, each in scenes.items()}
        found = self._log.reactions(truth)
        model = self._model or Model(name=MODEL, compute_ms=0.0, queue_ms=0.0, requests=0)
        fixation = {zone.zone_id: zone.fixation_ms for zone in self.bays.layout.zones}
        areas = {screen.screen_id: screen.area_id for screen in self.bays.layout.screens}

        def floor(reaction: Reaction) -> float | None:
            glance = reaction.glance
            if glance is None or glance.target_id not in fixation:
                return None
            pictures = scenes[areas[reaction.screen_id]].pictures_of(glance, start_ms)
            return floor_ms(glance, pictures, fixation[glance.target_id], model.compute_ms)

        screen_of = {area: screen for screen, area in areas.items()}
        return LatencyReport(
            configuration=CONFIGURATION.name,
            scene=SCENE,
            cameras=len(self.bays.layout.cameras),
            fps=FPS,
            picture_px=CONFIGURATION.picture_px,
            detector=run.detector.name if run.detector is not None else "unknown",
            screens=len(self.bays.layout.screens),
            cores=os.cpu_count() or 0,
            load_average=round(self._load, 1),
            seconds=run.seconds,
            reactions=len(found),
            steps_ms=figures.steps(found),
            glance_to_render_ms=figures.glance_to_render(found),
            floor_ms=figures.floors(found, floor),
            capture_to_render_ms=figures.capture_to_render(found),
            beside_model_ms=figures.beside_model(found, model.compute_ms),
            rendered_before_gaze_end_share=figures.before_gaze_end(found),
            decision_to_render_ms=figures.by_screen(found, self.bays.glass),
            model=model,
            held_back=sum(each.held is not None for each in found),
            held=figures.held(found, self._log.unanswered(screen_of)),
            free=figures.free(found, self.bays.glass, model.compute_ms, floor),
            without_truth=sum(each.looked_ms is None for each in found),
            waits_for=WAITS_FOR,
            cores_used=self._cores_used,
            goals=figures.goals(found, model.compute_ms),
            errors=[*self.errors, *run.errors],
        )


async def _statistics(url: str) -> Any:
    client = triton.InferenceServerClient(url)
    try:
        answer = await client.get_inference_statistics(MODEL)
        return answer.model_stats[0].inference_stats
    finally:
        await client.close()


def _model(before: Any, after: Any) -> Model:
    def mean_ms(name: str) -> tuple[float, int]:
        one, two = getattr(before, name), getattr(after, name)
        count = int(two.count) - int(one.count)
        return ((int(two.ns) - int(one.ns)) / max(1, count) / 1e6, count)

    compute, requests = mean_ms("compute_infer")
    queue, _ = mean_ms("queue")
    return Model(
        name=MODEL, compute_ms=round(compute, 1), queue_ms=round(queue, 1), requests=requests
    )


def chromium() -> str:
    """The browser on this machine. Raises UserError."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if found is None:
        raise UserError(
            "there is no Chromium on this machine, and a screen without one says nothing about "
            "light; install it (Debian: chromium) and start again"
        )
    return found


@contextlib.asynccontextmanager
async def _browser(url: str) -> Any:
    """A real browser, full screen, at a player's page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--window-size=1920,1080",
            f"--user-data-dir={profile}",
            url,
        ]
        if os.geteuid() == 0:
            arguments.insert(0, "--no-sandbox")  # its sandbox refuses root
        process = await asyncio.create_subprocess_exec(
            chromium(),
            *arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        try:
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5.0)
            if process.returncode is None:
                process.kill()
                await process.wait()


def plan_path(state: Path) -> Path:
    """Where the bench's layout is written."""
    return state / "latency.yaml"
