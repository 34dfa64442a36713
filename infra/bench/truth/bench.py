"""`bench truth`: what the gateway tells of the simulated store, against its truth."""

import asyncio
import functools
import operator
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import msgspec

from infra.bench.configuration import TUNING_SEEDS, Configuration
from infra.bench.truth import figures
from infra.bench.truth.facts import Shopper, shoppers_of
from infra.bench.truth.keeping import fingerprint, load, save
from infra.bench.truth.observing import Observer
from infra.bench.truth.recording import Recording, View, record
from infra.bench.truth.replay import at_rate, replay
from infra.bench.truth.report import Named, TruthReport
from infra.bench.truth.score import Outcome, attention_errors, compare, dwell_errors, quantile
from infra.bench.truth.world import Stretch
from infra.bench.versions import versions
from infra.serving import served_model
from infra.simulator.metrics import rules_of, true_metrics
from infra.simulator.truth import TrueVisit
from infra.simulator.witness import crowd_truth
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from streams.contracts.layout import Camera, StoreLayout
from vision.core.targets import Target, targets_of
from vision.detector import TritonDetector
from vision.ports import DetectorInfo
from vision.settings import GatewaySettings

Say = Callable[[str], None]
#: Told how many pictures are done of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TruthPlan:
    """What to measure. `rates`: pictures a second of which one is the configuration's, and the
    highest is recorded; `models_dir` as for `models prepare`; `recording`: a file that keeps what
    was seen, or that has it already."""

    layout: StoreLayout
    stretches: tuple[Stretch, ...]
    rates: tuple[float, ...]
    configuration: Configuration
    models_dir: Path | None
    weights: Path | None
    gateway: GatewaySettings
    workers: int
    recording: Path | None = None

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The cameras of the first area that has one with a pose."""
        posed = [camera for camera in self.layout.cameras if camera.pose is not None]
        return tuple(camera for camera in posed if camera.area_id == posed[0].area_id)

    @property
    def views(self) -> list[View]:
        """What is recorded: for each stretch all cameras."""
        return [
            View(stretch, camera, max(self.rates))
            for stretch in self.stretches
            for camera in self.cameras
        ]


async def measure(
    plan: TruthPlan, state: StateFolder, settings: StackSettings, say: Say, tell: Tell
) -> TruthReport:
    """Draws and infers, or takes what was recorded; then replays and scores.

    Raises:
        StackError, ModelError, DetectorError: the model cannot be served.
        UserError: the recording cannot be read or written.
    """
    began_s = time.monotonic()
    mark = fingerprint(plan.views, (plan.layout, plan.configuration))
    if plan.recording is not None and plan.recording.exists():
        info, recordings = load(plan.recording, mark, plan.views)
    else:
        info, recordings = await _recorded(plan, state, settings, say, tell)
        if plan.recording is not None:
            save(plan.recording, mark, info, recordings)
    say("replaying and scoring")
    return await score(plan, recordings, info, began_s, processes=os.cpu_count() or 1)


async def score(
    plan: TruthPlan,
    recordings: Sequence[Recording],
    info: DetectorInfo,
    began_s: float,
    processes: int = 0,
) -> TruthReport:
    """Replays and scores what was recorded; `began_s` is on the monotonic clock.

    Each stretch is replayed at each rate, in as many `processes`, or here if there are to be none.
    """
    count = len(plan.cameras)
    jobs = [
        (plan, recordings[count * i : count * (i + 1)], stretch, rate, info)
        for rate in plan.rates
        for i, stretch in enumerate(plan.stretches)
    ]
    if processes:
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            # The costly ones first: they do not then run on alone.
            todo = [loop.run_in_executor(pool, _score_alone, *job) for job in reversed(jobs)]
            scored = list(reversed(await asyncio.gather(*todo)))
    else:
        scored = [await _score(*job) for job in jobs]
    by_rate: dict[float, list[_Scored]] = {rate: [] for rate in plan.rates}
    for job, each in zip(jobs, scored, strict=True):
        by_rate[job[3]].append(each)
    return _report(plan, recordings, by_rate, info, time.monotonic() - began_s)


async def _recorded(
    plan: TruthPlan, state: StateFolder, settings: StackSettings, say: Say, tell: Tell
) -> tuple[DetectorInfo, list[Recording]]:
    serving = served_model(
        state,
        settings,
        say,
        models_dir=plan.models_dir,
        weights=plan.weights,
        input_size_px=plan.configuration.input_size_px,
        threads=plan.configuration.threads,
    )
    async with serving as address:
        served = plan.gateway.model_copy(update={"triton": address})
        async with TritonDetector(served) as detector:
            say("drawing and inferring")
            return await detector.describe(), await _record(plan, detector, tell)


async def _record(plan: TruthPlan, detector: TritonDetector, tell: Tell) -> list[Recording]:
    total = sum(len(view.times_ms) for view in plan.views)
    so_far = 0

    def done() -> None:
        nonlocal so_far
        so_far += 1
        tell(so_far, total)

    size = plan.configuration.picture_px
    return [
        await record(view, plan.layout, size, detector, plan.workers, done) for view in plan.views
    ]


@dataclass(frozen=True, slots=True)
class _Truth:
    stretch: Stretch
    shoppers: list[Shopper]
    targets: tuple[Target, ...]


def _truth(plan: TruthPlan, stretch: Stretch) -> _Truth:
    rules = plan.gateway.scene_rules()
    targets: dict[str, Target] = {}
    for camera in plan.cameras:
        found = targets_of(plan.layout, camera, rules)
        targets |= {target.target_id: target for target in found}
    crowd = stretch.crowd(plan.layout, plan.cameras[0].area_id)
    lines = list(crowd_truth(crowd, stretch.during.from_ms, stretch.during.to_ms))
    shoppers = shoppers_of(
        (line for line in lines if isinstance(line, TrueVisit)),
        true_metrics(lines, rules_of(plan.layout, rules)),
        {"density": stretch.density},
    )
    return _Truth(stretch, shoppers, tuple(targets.values()))


@dataclass(slots=True)
class _Scored:
    outcome: Outcome
    stitched: int
    staff_excluded: int


def _score_alone(
    plan: TruthPlan,
    recordings: Sequence[Recording],
    stretch: Stretch,
    fps: float,
    info: DetectorInfo,
) -> _Scored:
    """In a process of its own."""
    return asyncio.run(_score(plan, recordings, stretch, fps, info))


async def _score(
    plan: TruthPlan,
    recordings: Sequence[Recording],
    stretch: Stretch,
    fps: float,
    info: DetectorInfo,
) -> _Scored:
    """One stretch at one rate."""
    truth = _truth(plan, stretch)
    crowd = truth.stretch.crowd(plan.layout, plan.cameras[0].area_id)
    traits = {s.shopper_id: s.traits for s in truth.shoppers if not s.staff}
    observer = Observer(crowd, truth.targets, traits)
    told = await replay(
        recordings,
        at_rate(plan.layout, fps),
        plan.configuration.picture_px,
        info,
        plan.gateway,
        observer.take,
    )
    observer.close()
    outcome = compare(
        truth.shoppers,
        told.tracks,
        observer.follower.matched(),
        {"density": truth.stretch.density},
        run=f"{truth.stretch.number}",
    )
    outcome.samples = observer.samples
    outcome.switches = observer.follower.switches
    outcome.minutes = truth.stretch.minutes
    return _Scored(outcome, told.stitched, told.staff_excluded)


def _together(scored: Sequence[_Scored]) -> Outcome:
    return functools.reduce(operator.add, (each.outcome for each in scored), Outcome())


def _report(
    plan: TruthPlan,
    recordings: Sequence[Recording],
    outcomes: Mapping[float, Sequence[_Scored]],
    info: DetectorInfo,
    seconds: float,
) -> TruthReport:
    configuration = plan.configuration
    scored = outcomes[configuration.fps]
    outcome = _together(scored)
    took = [ms for recording in recordings for ms in recording.inference_ms]
    seeds: dict[str, int] = {stretch.density: stretch.seed for stretch in plan.stretches}
    simulated: Literal[True] = True
    report = TruthReport(
        simulated=simulated,
        configuration=Named(
            name=configuration.name,
            model=info.name,
            input_size_px=configuration.input_size_px,
            fps=configuration.fps,
            picture="{} x {}".format(*configuration.picture_px),
            cameras=len(plan.cameras),
        ),
        watchers=figures.watchers(outcome.pairs),
        dwell_time_error=figures.errors(dwell_errors(outcome.pairs)),
        attention_time_error=figures.errors(attention_errors(outcome.pairs)),
        ots_error=figures.ots_error(outcome),
        zone=figures.zones(outcome.samples),
        identity_switches_per_hour=figures.an_hour(outcome),
        glance_to_event_ms=figures.delay(outcome),
        shoppers=len(outcome.shoppers),
        minutes=round(outcome.minutes, 2),
        detector=info.name,
        by_group=figures.by_group(outcome),
        watchers_of_anything=figures.watchers_of_anything(outcome),
        dwell_time_error_of_watchers=figures.dwell_of_watchers(outcome),
        dwell_time_error_by_shopper=figures.dwell_by_shopper(outcome),
        attention_time_error_by_shopper=figures.attention_by_shopper(outcome),
        dwell_time_bias=figures.dwell_bias(outcome),
        attention_time_bias=figures.attention_bias(outcome),
        unmatched_shoppers=outcome.unmatched_shoppers,
        unmatched_tracks=outcome.unmatched_tracks,
        stitched=sum(each.stitched for each in scored),
        staff_excluded=sum(each.staff_excluded for each in scored),
        by_frame_rate=[
            figures.rate(_together(each), fps) for fps, each in sorted(outcomes.items())
        ],
        goals=[],
        goals_met=False,
        seeds=seeds,
        tuning_seeds=list(TUNING_SEEDS),
        scored_on_a_tuning_seed=any(seed in TUNING_SEEDS for seed in seeds.values()),
        weights_sha256=info.weights_sha256,
        inference_ms_p50=quantile(took, 0.5),
        frames=len(took),
        measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(seconds, 1),
        versions=versions(),
    )
    goals = figures.goals(report)
    return msgspec.structs.replace(report, goals=goals, goals_met=all(goal.met for goal in goals))


def spare_cores() -> int:
    """Processes that may draw beside the model server."""
    return max(1, (os.cpu_count() or 2) - 1)
