"""The long run: hours of detections at many cameras through the gateway's own core, in one process
and faster than real time. Its counts are compared with the truth, its memory is watched.

Everything is the gateway's own (pipeline, tracker, people, state machines, writer of events) but
the pictures and the network: both come from the simulated store.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from msgspec import Struct

from infra.bench.soak_doubts import Counts
from infra.bench.soak_world import BayDetector, BaySource, BayWorld, Plan, bay
from infra.layouts import load_layout
from infra.simulator.metrics import rules_of
from infra.simulator.sensing import USUAL, Noise
from streams.contracts.codec import encode
from streams.contracts.topics import Topic
from streams.contracts.vision import Audience, Crossing, DwellBatch, GazeBatch
from vision.gateway import GatewayReport, run_gateway
from vision.settings import GatewaySettings

SOAK_LAYOUT = Path(__file__).with_name("soak.yaml")

#: Until then imports, caches and the allocator's arenas grow: the slope is taken after it.
_WARM_UP_SHARE = 0.2

#: Memory is looked at so often.
_LOOK_EVERY_S = 1.0

#: People of whom it is remembered that they were counted: far more than are there at a time.
_REMEMBERED = 1_000

#: Without errors, and with heads whose direction is known from every side.
_EXACT = Noise(whole=True)

_START_MS = 1_767_225_600_000

_MB = 1024 * 1024


class SoakReport(Struct, frozen=True, kw_only=True):
    """What a long run showed; simulated. `counts` as measured, `truth` as it was, by the same
    names; `left_out`: visits that a small error would have counted otherwise, and that therefore
    nobody made. `rss_slope_mb_per_hour`: by simulated hour, least squares after the warm-up.
    """

    simulated: bool = True
    hours: float
    cameras: int
    fps: float
    idle_fps: float
    people_per_min: float
    noise: str
    seed: int
    frames: int
    events: int
    messages: int
    seconds: float
    times_real_time: float
    rss_slope_mb_per_hour: float
    rss_mb: list[float]
    counts: dict[str, int]
    truth: dict[str, int]
    equal: bool
    left_out: int
    stitched: int
    errors: list[str]


@dataclass(slots=True)
class _Tally:
    """An event publisher that counts what a broker would be sent, and forgets it."""

    counts: Counts = field(default_factory=Counts)
    events: int = 0
    messages: int = 0
    bytes: int = 0
    dropped: int = 0
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def publish(self, topic: Topic, event: Struct) -> None:
        """Count an event by what it says has ended."""
        self.messages += 1
        self.bytes += len(encode(event))
        if isinstance(event, GazeBatch):
            self.events += len(event.events)
            self.counts += Counts(gazes=sum(gaze.phase == "ended" for gaze in event.events))
        elif isinstance(event, DwellBatch):
            self.events += len(event.events)
            self.counts += Counts(stays=sum(stay.phase == "ended" for stay in event.events))
        elif isinstance(event, Audience):
            self.events += len(event.presences)
            news = sum(self._is_new(presence.track_id) for presence in event.presences)
            self.counts += Counts(people=news, presences=len(event.presences))
        elif isinstance(event, Crossing):
            self.events += 1
            self.counts += Counts(crossings=1)

    def _is_new(self, track_id: str) -> bool:
        if track_id in self._known:
            return False
        self._known[track_id] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Nothing waits."""
        return True


def soak_settings() -> GatewaySettings:
    """The gateway's settings for counting one by one: zones end at their floors, and a target is
    named as the most probable one, however vague: what is uncertain here is the head, not a count.
    """
    return GatewaySettings.model_validate(
        {
            "floor_margin_m": 0.0,
            "screen_fixation_ms": 600,
            "name_probability": 0.25,
            "keep_probability": 0.2,
            "adaptive_rate": "never",
            "frames_in_flight": 1,
            "nudge_limit_deg": 0.0,
            "gaze_sigma_deg": 1.0,
        }
    )


def run_soak(plans: Sequence[Plan], say: Callable[[str], None] = lambda line: None) -> SoakReport:
    """Run all bays to their ends in this process; `plans` has one for each camera."""
    return asyncio.run(_run(plans, say))


async def _run(plans: Sequence[Plan], say: Callable[[str], None]) -> SoakReport:
    layout, plan = load_layout(SOAK_LAYOUT), plans[0]
    settings = soak_settings()
    tally = _Tally()
    worlds: list[BayWorld] = []
    runs = []
    for number, each in enumerate(plans):
        here = bay(layout, number)
        world = BayWorld(here, rules_of(here, settings.scene_rules()), each)
        worlds.append(world)
        runs.append(
            run_gateway(
                here,
                here.areas[0].area_id,
                {here.cameras[0].camera_id: BaySource(world, each)},
                BayDetector(world),
                tally,
                settings,
                stop=asyncio.Event(),
                ready=lambda: None,
                now_ms=partial(_now_ms, world),
            )
        )
    began_s, samples = time.monotonic(), [_sample(worlds, plan)]
    watch = asyncio.create_task(_watch(worlds, plan, samples, say))
    try:
        reports = await asyncio.gather(*runs)
    finally:
        watch.cancel()
    samples.append(_sample(worlds, plan))
    seconds = time.monotonic() - began_s
    return _report(plans, worlds, reports, tally, seconds, samples)


#: Simulated hours and resident memory in MB.
_Sample = tuple[float, float]


def _sample(worlds: Sequence[BayWorld], plan: Plan) -> _Sample:
    hours = sum(world.at_ms - plan.start_ms for world in worlds) / len(worlds) / 3_600_000
    return hours, psutil.Process().memory_info().rss / _MB


def _now_ms(world: BayWorld) -> int:
    return world.at_ms


async def _watch(
    worlds: Sequence[BayWorld], plan: Plan, samples: list[_Sample], say: Callable[[str], None]
) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        samples.append(_sample(worlds, plan))
        say(f"{samples[-1][0]:.2f} simulated hours of {plan.hours:g}, {samples[-1][1]:.0f} MB")


def slope(samples: Sequence[_Sample], hours: float) -> float:
    """MB an hour, least squares, without the warm-up.

    >>> round(slope([(0.0, 50.0), (2.0, 100.0), (6.0, 104.0), (10.0, 108.0)], 10.0), 3)
    1.0
    """
    after = [sample for sample in samples if sample[0] >= _WARM_UP_SHARE * hours]
    if len(after) < 2 or after[-1][0] <= after[0][0]:
        return 0.0
    x, y = np.array(after).T
    return float(np.polyfit(x, y, 1)[0])


def _report(
    plans: Sequence[Plan],
    worlds: Sequence[BayWorld],
    reports: Sequence[GatewayReport],
    tally: _Tally,
    seconds: float,
    samples: Sequence[_Sample],
) -> SoakReport:
    plan = plans[0]
    truth = sum((world.truth for world in worlds), Counts())
    return SoakReport(
        hours=plan.hours,
        cameras=len(plans),
        fps=plan.fps,
        idle_fps=plan.idle_fps,
        people_per_min=plan.people_per_min,
        noise="none" if plan.noise == _EXACT else "usual",
        seed=plan.seed,
        frames=sum(camera.frames_inferred for report in reports for camera in report.cameras),
        events=tally.events,
        messages=tally.messages,
        seconds=round(seconds, 1),
        times_real_time=round(plan.hours * 3_600 / seconds, 1),
        rss_slope_mb_per_hour=round(slope(samples, plan.hours), 3),
        rss_mb=[round(mb, 1) for _, mb in samples[:: max(1, len(samples) // 40)]],
        counts=asdict(tally.counts),
        truth=asdict(truth),
        equal=tally.counts == truth,
        left_out=sum(world.unclear for world in worlds),
        stitched=sum(report.stitched for report in reports),
        errors=[error for report in reports for error in report.errors][:20],
    )


def soak_plans(
    *,
    cameras: int,
    hours: float,
    people_per_hour: float,
    fps: float,
    idle_fps: float,
    noisy: bool,
    seed: int,
) -> list[Plan]:
    """One plan for each camera. With noise people also meet, cross and hide each other."""
    return [
        Plan(
            seed=seed * 1_000 + number,
            start_ms=_START_MS,
            hours=hours,
            people_per_min=people_per_hour / 60,
            fps=fps,
            idle_fps=idle_fps,
            noise=USUAL if noisy else _EXACT,
            lone=not noisy,
        )
        for number in range(cameras)
    ]
