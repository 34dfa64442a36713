"""From a glance to the light: runs the chain with four cameras and four screens, one of them a real
browser, until enough glances have been answered, and takes every reaction apart.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tritonclient.grpc import aio as triton

from infra.bench.configuration import CONFIGURATION
from infra.bench.latency.cpu import cpu_seconds, shares
from infra.bench.latency.reactions import Log, Reaction
from infra.bench.latency.report import Goal, LatencyReport, Model, Screens, Steps
from infra.bench.latency.store import FPS, Bays
from infra.chain import Chain
from infra.errors import UserError
from infra.report import Percentiles, Report, percentiles
from infra.simulator.truth import TrueGaze, read_truth
from infra.triton.probe import MODEL
from streams.contracts import codec
from streams.contracts.errors import ContractError
from streams.contracts.topics import DECISION, GAZE, PLAY
from streams.contracts.vision import GazeBatch
from streams.kafka_log import Record, side_consumer

#: Browsers and workers are warm after so long; what came before is not counted.
_WARM_UP_S = 15.0
_LOOK_S = 0.25
_HELD_BACK_MS = 100

WAITS_FOR = {
    "capture_to_infer": "the simulated picture being drawn (a camera would decode instead), its "
    "turn at the model (four cameras share one), and the model's compute",
    "infer_to_event": "heads, identity and belief in the gateway (plain computing)",
    "event_to_decision": "the broker's acknowledgement and the reader's next fetch (the embedded "
    "broker is asked every 10 ms), then the decision; longer where the screen keeps its minimum "
    "display",
    "decision_to_render": "the broker again, the player's next fetch, the page: a frame that loads "
    "from the cache, and four frames of the display",
}


@dataclass(slots=True)
class LatencyBench:
    """Goes along with a run as its companion; `report` tells what it saw once the run is over."""

    bays: Bays
    glances: int
    limit_s: float
    say: Callable[[str], None]
    errors: list[str] = field(default_factory=list)
    _log: Log = field(default_factory=Log)
    _from_ms: int = 0
    _began: Any = None
    _model: Model | None = None
    _load: float = 0.0
    _cores_used: dict[str, float] = field(default_factory=dict)

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
            await asyncio.sleep(_WARM_UP_S)
            self._from_ms = time.time_ns() // 1_000_000
            began_s, used = time.monotonic(), cpu_seconds(pids)
            before = await _statistics(chain.stack.triton.grpc)
            following = asyncio.create_task(self._follow(chain.stack.broker.bootstrap))
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
        names = (GAZE.name, DECISION.name, PLAY.name)
        async with side_consumer(bootstrap, *names) as side:
            await side.seek_to_end()
            while True:
                for records in (await side.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._add(record)
                await asyncio.sleep(_LOOK_S)  # not in a hurry: whoever is measured is

    def _add(self, record: Record) -> None:
        try:
            event = codec.decode(record.topic, record.value)
        except ContractError:
            return
        if isinstance(event, GazeBatch):
            for gaze in event.events:
                if gaze.trace.captured_at_ms >= self._from_ms:
                    self._log.add(gaze)
        elif event.trace is not None and event.trace.captured_at_ms >= self._from_ms:
            self._log.add(event)

    def report(self, chain: Chain, run: Report) -> LatencyReport:
        """What was seen; `run` is the report of the whole run."""
        truth: dict[str, list[TrueGaze]] = {}
        for area in self.bays.layout.areas:
            lines = read_truth(chain.truth_file(area.area_id))
            truth[area.area_id] = [line for line in lines if isinstance(line, TrueGaze)]
        found = self._log.reactions(truth)
        model = self._model or Model(name=MODEL, compute_ms=0.0, queue_ms=0.0, requests=0)
        whole = [each for each in found if each.looked_ms is not None]
        beside = percentiles(
            max(0.0, each.rendered_ms - each.captured_ms - model.compute_ms) for each in found
        )
        glance = percentiles(each.rendered_ms - (each.looked_ms or 0) for each in whole)
        before = [each.rendered_ms < (each.looked_away_ms or 0) for each in whole]
        share = round(sum(before) / len(before), 3) if before else None
        return LatencyReport(
            configuration=CONFIGURATION.name,
            cameras=len(self.bays.layout.cameras),
            fps=FPS,
            picture_px=CONFIGURATION.picture_px,
            detector=run.detector.name if run.detector is not None else "unknown",
            screens=len(self.bays.layout.screens),
            cores=os.cpu_count() or 0,
            load_average=round(self._load, 1),
            seconds=run.seconds,
            reactions=len(found),
            steps_ms=_steps(found),
            glance_to_render_ms=glance,
            capture_to_render_ms=percentiles(e.rendered_ms - e.captured_ms for e in found),
            beside_model_ms=beside,
            rendered_before_gaze_end_share=share,
            decision_to_render_ms=Screens(
                chromium=_light(e for e in found if e.screen_id == self.bays.glass),
                programs=_light(e for e in found if e.screen_id != self.bays.glass),
            ),
            model=model,
            held_back=sum(e.decided_ms - e.sent_ms > _HELD_BACK_MS for e in found),
            without_truth=len(found) - len(whole),
            waits_for=WAITS_FOR,
            cores_used=self._cores_used,
            goals=_goals(glance, share, beside),
            errors=[*self.errors, *run.errors],
        )


def _steps(found: list[Reaction]) -> Steps:
    return Steps(
        capture_to_infer=percentiles(e.inferred_ms - e.captured_ms for e in found),
        infer_to_event=percentiles(e.sent_ms - e.inferred_ms for e in found),
        event_to_decision=percentiles(e.decided_ms - e.sent_ms for e in found),
        decision_to_render=_light(found),
    )


def _light(found: Any) -> Percentiles:
    return percentiles(each.rendered_ms - each.decided_ms for each in found)


def _goals(glance: Percentiles, share: float | None, beside: Percentiles) -> list[Goal]:
    def goal(figure: str, wanted: str, found: float | None, met: bool) -> Goal:
        return Goal(figure=figure, wanted=wanted, found=found, met=None if found is None else met)

    return [
        goal("glance to render p95", "<= 700 ms", glance.p95, (glance.p95 or 0) <= 700),
        goal("rendered before the gaze ends", ">= 0.6", share, (share or 0) >= 0.6),
        goal("beside the model p99", "<= 100 ms", beside.p99, (beside.p99 or 0) <= 100),
    ]


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
