"""Effects put into the real panel's baskets, and what the analysis finds of them.

The arms are drawn over the real baskets of real stores, by store and day, and those of adaptive
slots are made larger, of 40 % of the shoppers, so that the mean grows by what was put in. Whatever
is true of real baskets (tails, weekdays, stores) is in the noise. The ratio of baskets with a
displayed item to those without is printed to show what it is: large baskets hold more of anything.
"""

import asyncio
import json
import math
import os
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from infra.bench.uplift.report import Injection, PanelReport
from infra.errors import UserError
from infra.simulator.effects import ATTENTIVE
from infra.stack.locked import LockedEnvironment
from streams.uplift.analysis import Slots, analyse, known_before
from streams.uplift.answers import Question
from streams.uplift.estimate import effects
from streams.uplift.moments import Floats, Moments, moments_by_day, rows
from streams.uplift.sequence import half_width, tuned

PANEL = LockedEnvironment(
    name="panel",
    lock=Path(__file__).with_name("panel.lock"),
    title="the panel's environment",
    size="about 120 MB",
    mend="connect this machine to a package index and start again, or give --no-panel",
)

_JOB = Path(__file__).with_name("panel_job.py")

#: A quarter of the year is the time before, the rest the experiment.
_PRE_DAYS = 91

_INJECTED = (0.0, 0.01, 0.05, 0.28)
_HEADLINE = 0.05
_DRAWS = 100
_SHARE = 0.5
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Baskets:
    """The panel's baskets, (baskets,) each: number of the store, day since the first, value."""

    store: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    value: Floats


async def panel(cache: Path, seed: int, say: Callable[[str], None]) -> PanelReport:
    """Reads the panel, puts effects in and looks for them.

    Raises:
        ServerEnvironmentError: its environment cannot be made.
        UserError: it cannot be read.
    """
    root = await PANEL.ensure(cache, say)
    say("reading the real panel")
    with tempfile.TemporaryDirectory() as folder:
        told, baskets = await _read(root / "bin" / "python", Path(folder) / "panel.npz")
    found = []
    for injected in _INJECTED:
        say(f"the real panel with {injected:+.0%}")
        found.append(await asyncio.to_thread(inject, baskets, injected, seed))
    headline = next(each for each in found if each.injected == _HEADLINE)
    return PanelReport(
        baskets=int(told["baskets"]),
        stores=int(told["stores"]),
        naive_ratio=told["naive_ratio"],
        shuffled_ratio=told["shuffled_ratio"],
        injected=headline.injected,
        recovered=headline.recovered,
        interval=headline.interval,
        injections=found,
    )


async def _read(python: Path, file: Path) -> tuple[dict[str, float], Baskets]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    job = await asyncio.create_subprocess_exec(
        str(python), str(_JOB), str(file), stdout=PIPE, stderr=PIPE, env=env
    )
    try:
        out, err = await job.communicate()
    finally:
        if job.returncode is None:
            job.kill()
            await job.wait()
    if job.returncode:
        last = (err.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
        raise UserError(f"the panel cannot be read ({last}); give --no-panel to leave it out")
    with np.load(file) as read:
        _, store = np.unique(read["store"], return_inverse=True)
        day = read["at_s"] // _DAY_S
        baskets = Baskets(store.astype(np.int64), day - day.min(), read["value"])
    told: dict[str, float] = json.loads(out)
    return told, baskets


def inject(baskets: Baskets, injected: float, seed: int, draws: int = _DRAWS) -> Injection:
    """What the analysis finds of an effect, in the first draw of the arms and over many."""
    rng = np.random.default_rng([seed, round(10_000 * injected)])
    stores, days = int(baskets.store.max()) + 1, int(baskets.day.max()) + 1
    question = Question("baskets (value)", _SHARE, _HEADLINE, _horizon(baskets, stores))
    estimates, covered, found = [], 0, 0
    first = None
    for before, during in _drawn(baskets, injected, rng, draws, stores, days):
        if first is None:
            first = analyse(
                question,
                during,
                before,
                stores=stores,
                days=days - _PRE_DAYS,
                slots_per_day=during.size / (days - _PRE_DAYS),
            )
        estimate, holds, outside = _path(question, before, during, stores, injected)
        estimates.append(estimate)
        covered, found = covered + holds, found + outside
    if first is None:
        raise ValueError("at least one draw")
    last = first.looks[-1]
    return Injection(
        injected=injected,
        recovered=round(last.effect, 4),
        interval=(round(last.low, 4), round(last.high, 4)),
        answer=first.answer.sentence,
        draws=draws,
        mean_recovered=round(float(np.mean(estimates)), 4),
        coverage=covered / draws,
        discoveries=found / draws,
    )


def _horizon(baskets: Baskets, stores: int) -> float:
    """Slots of half the experiment: where the interval shall be tightest."""
    return 0.5 * stores * (int(baskets.day.max()) + 1 - _PRE_DAYS)


def _drawn(
    baskets: Baskets,
    injected: float,
    rng: np.random.Generator,
    draws: int,
    stores: int,
    days: int,
) -> Iterator[tuple[Slots, Slots]]:
    """The slots before and during the experiment, with the arms drawn anew each time."""
    cell = baskets.store * days + baskets.day
    count = np.bincount(cell, minlength=stores * days).astype(float)
    opened = count > 0
    for _ in range(draws):
        adaptive = rng.random(stores * days) < _SHARE
        adaptive[np.arange(stores * days) % days < _PRE_DAYS] = False
        looks = rng.random(cell.size) < ATTENTIVE
        more = np.where(looks & adaptive[cell], 1.0 + injected / ATTENTIVE, 1.0)
        worth = baskets.value * more
        total = np.bincount(cell, weights=worth, minlength=stores * days).astype(np.float64)
        day = np.arange(stores * days) % days
        parts = []
        for wanted, begin in ((day < _PRE_DAYS, 0), (day >= _PRE_DAYS, _PRE_DAYS)):
            here = np.flatnonzero(wanted & opened)
            before = np.maximum(here - 1, 0)
            parts.append(
                Slots(
                    store=here // days,
                    day=day[here] - begin,
                    weekday=day[here] % 7,
                    hour=np.zeros(here.size, np.int64),
                    adaptive=adaptive[here],
                    amount=total[here],
                    base=count[here],
                    follows=(day[here] > begin) & opened[before],
                    before=adaptive[before],
                )
            )
        yield parts[0], parts[1]


def _path(
    question: Question, before: Slots, during: Slots, stores: int, injected: float
) -> tuple[float, bool, bool]:
    """The last estimate; whether the truth was inside and no effect outside, looked at daily."""
    z = rows(during.amount, during.base, known_before(during, before, stores))
    by_day: Moments = moments_by_day(z, during.adaptive, during.day, int(during.day.max()) + 1)
    found = effects(by_day)
    half = half_width(found.per_slot, found.slots, tuned(question.horizon_slots))
    known = np.isfinite(half)
    off = np.abs(found.log_ratio - math.log1p(injected))
    holds = bool((off[known] <= half[known]).all())
    return (
        float(found.change[-1]),
        holds,
        bool((np.abs(found.log_ratio[known]) > half[known]).any()),
    )
