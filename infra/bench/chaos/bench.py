"""A known history through the real processor and sink while everything around them is killed; then
the tables, row for row, against a batch computation over the log.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pydantic import SecretStr

from infra.bench.chaos.broker import EMBEDDED, parts, prepared
from infra.bench.chaos.feed import Feeder
from infra.bench.chaos.history import History, history, layout
from infra.bench.chaos.kills import Killer
from infra.bench.chaos.log import dead_letters, read_log
from infra.bench.chaos.proxy import CuttingProxy
from infra.bench.chaos.recovery import RecoveryWatch, Timeline
from infra.bench.chaos.reference import READ_BY, Expected, Rules, expected
from infra.bench.chaos.report import ChaosReport
from infra.bench.chaos.settled import until_measured, until_stored
from infra.bench.chaos.tables import TableAccount, compare, late_counted, read_tables
from infra.bench.versions import versions
from infra.db.migrate import migrate
from infra.rundb import create_run_database
from infra.stack.part import Part
from infra.stack.process import Command
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from streams.contracts import topics
from streams.contracts.codec import encode
from streams.contracts.experiment import Experiment

#: Fewer than in production: the embedded broker writes its whole log anew every second.
_PARTITIONS = 4

RULES = Rules(
    window_ms=10_000,
    lateness_ms=5_000,
    basket_window_ms=20_000,
    basket_lateness_ms=15_000,
    max_ahead_ms=15_000,
    experiment=Experiment(salt="chaos", slot_ms=60_000, adaptive_share=0.5),
)
#: State is kept for two minutes, so that workers of a run of a few restart from a part of the log.
#: It must hold the longest delay, the longest stay and whatever time a restart takes.
_KEEP_MS = 120_000

#: A consumer pauses after an empty fetch, which the embedded broker answers at once.
_FETCH_PAUSE_MS = 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `events_per_s`: of the history, before repeats; `calm_s`: at least and at most
    so long between two kills; `kafka`: the user's own broker, which holds nothing of ours, instead
    of the embedded one.
    """

    seconds: float
    seed: int
    events_per_s: float
    calm_s: tuple[float, float] = (5.0, 12.0)
    kafka: str | None = None


async def bench_chaos(
    state: StateFolder, settings: StackSettings, plan: Plan, say: Say
) -> ChaosReport:
    """The whole run: start, feed and kill, wait until all is told and stored, compare."""
    say("starting the broker and the database")
    timeline = Timeline()
    stack = EmbeddedStack(
        state, settings, parts=parts(plan.kafka), fresh_broker=True, listener=timeline
    )
    async with AsyncExitStack() as entered:
        await entered.enter_async_context(stack)
        bootstrap = await prepared(stack, plan.kafka, _PARTITIONS)
        dsn = create_run_database(SecretStr(stack.postgres.dsn), state.run_id)
        migrate(dsn, lambda _: None)
        proxy = await entered.enter_async_context(CuttingProxy(bootstrap))
        say("starting processor and sink")
        layout_file = state.run / "layout.yaml"
        layout_file.write_bytes(encode(layout()))
        env = environment(state, proxy.bootstrap, dsn) | {"SMARTSTORE_LAYOUT": str(layout_file)}
        for name in ("sink", "measure"):
            await stack.supervisor.start(part(state, name, [name], env))
        return await _Run(stack.supervisor, bootstrap, proxy, dsn, plan, timeline, say).measured()


def environment(state: StateFolder, bootstrap: str, dsn: SecretStr) -> dict[str, str]:
    """What the processes are told."""
    experiment = RULES.experiment
    return {
        **state.marker,
        "SMARTSTORE_KAFKA": bootstrap,
        "SMARTSTORE_DATABASE": dsn.get_secret_value(),
        "SMARTSTORE_STATE": str(state.run),
        "SMARTSTORE_ATTENTION_WINDOW_MS": str(RULES.window_ms),
        "SMARTSTORE_ALLOWED_LATENESS_MS": str(RULES.lateness_ms),
        "SMARTSTORE_BASKET_WINDOW_MS": str(RULES.basket_window_ms),
        "SMARTSTORE_BASKET_LATENESS_MS": str(RULES.basket_lateness_ms),
        "SMARTSTORE_MAX_AHEAD_MS": str(RULES.max_ahead_ms),
        "SMARTSTORE_KEEP_MS": str(_KEEP_MS),
        "SMARTSTORE_EXPERIMENT_SALT": experiment.salt,
        "SMARTSTORE_EXPERIMENT_SLOT_MS": str(experiment.slot_ms),
        "SMARTSTORE_EXPERIMENT_ADAPTIVE_SHARE": str(experiment.adaptive_share),
        "SMARTSTORE_LIVENESS_INTERVAL_S": "2",
        "SMARTSTORE_FETCH_PAUSE_MS": str(_FETCH_PAUSE_MS),
    }


def part(state: StateFolder, name: str, arguments: list[str], env: dict[str, str]) -> Part:
    """A process of the command line, that is started again when it dies."""
    ready = state.run / f"{name}.ready"
    argv = [sys.executable, "-m", "infra", *arguments, "--ready-file", str(ready)]
    return Part(
        name, Command(argv, env=env), ready=ready, ready_timeout_s=60.0, stop_timeout_s=25.0
    )


class _Run:
    """From the first message to the figures."""

    def __init__(
        self,
        supervisor: Supervisor,
        bootstrap: str,
        proxy: CuttingProxy,
        dsn: SecretStr,
        plan: Plan,
        timeline: Timeline,
        say: Say,
    ) -> None:
        self._supervisor = supervisor
        self._bootstrap = bootstrap
        self._dsn = dsn
        self._plan = plan
        self._timeline = timeline
        self._say = say
        begin_ms = time.time_ns() // 1_000_000
        self._history: History = history(
            seed=plan.seed,
            start_ms=begin_ms,
            length_ms=round(plan.seconds * 1_000),
            events_per_s=plan.events_per_s,
            lateness_ms=RULES.lateness_ms,
        )
        self._feeder = Feeder(proxy.bootstrap, begin_ms)
        self._killer = Killer(
            supervisor,
            proxy,
            ("measure",),
            plan.seed,
            plan.calm_s,
            say,
            named=plan.kafka is not None,
        )
        self._watch = RecoveryWatch(dsn)

    async def measured(self) -> ChaosReport:
        """Feeds and kills, waits, compares."""
        watching = asyncio.create_task(self._watch.run())
        try:
            await self._feed_and_kill()
            self._say("waiting until all is told and stored")
            errors = await self._settle()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self._say("comparing with the reference")
        bootstrap = self._bootstrap
        records = await read_log(bootstrap, [topic.name for topic in READ_BY["sink"]])
        truth = await asyncio.to_thread(expected, records, RULES)
        found = await asyncio.to_thread(read_tables, self._dsn)
        buried = await dead_letters(bootstrap, [topics.dead_letter_topic(c) for c in READ_BY])
        accounts = compare(truth.tables, found)
        return self._report(truth, accounts, late_counted(found), buried, len(records), errors)

    async def _feed_and_kill(self) -> None:
        killing = asyncio.create_task(self._killer.run())
        try:
            await self._feeder.run(self._history.messages)
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)

    async def _settle(self) -> list[str]:
        """All is handled, told and stored; what is wrong, if it is not."""
        read = [topic.name for topic in READ_BY["measure"]]
        await self._supervisor.wait_ready("measure")
        errors = await until_measured(self._bootstrap, "measure", read)
        # It tells what is left when it is stopped.
        await self._supervisor.stop_part("measure")
        errors += await until_stored(self._bootstrap, self._dsn)
        await self._supervisor.stop_part("sink")
        return errors

    def _report(
        self,
        truth: Expected,
        accounts: list[TableAccount],
        late: int,
        buried: set[tuple[str, str, int, int]],
        records: int,
        errors: list[str],
    ) -> ChaosReport:
        lost = sum(account.lost for account in accounts)
        doubled = sum(account.doubled for account in accounts)
        invented = sum(account.invented for account in accounts)
        killer, messages = self._killer, self._history.messages
        return ChaosReport(
            seed=self._plan.seed,
            minutes=round(self._plan.seconds / 60, 2),
            events=sum(message.events for message in messages),
            kills=len(killer.kills),
            lost=lost,
            doubled=doubled,
            invented=invented,
            corrupted=len(truth.dead_letters),
            dead_letters=len(buried),
            late_counted=late,
            late_true=sum(truth.late.values()),
            recovery_s=self._watch.recovery(killer.kills),
            slowest=self._watch.slowest(killer.kills, self._timeline),
            equal=lost + doubled + invented == 0,
            dead_letters_equal=buried == truth.dead_letters,
            delivered=self._feeder.delivered,
            records=records,
            corrupted_records=sum(message.corrupted for message in messages),
            kills_by_kind=dict(sorted(killer.by_kind.items())),
            connections_cut=killer.connections_cut,
            tables=accounts,
            settings={
                "broker": "named" if self._plan.kafka else EMBEDDED,
                "events_per_s": str(self._plan.events_per_s),
                "partitions": str(_PARTITIONS),
                "keep_ms": str(_KEEP_MS),
                "max_ahead_ms": str(RULES.max_ahead_ms),
            },
            versions=versions(),
            errors=errors,
        )
