"""What is there before the processes of a run start: the model, topics and tables, the simulated
past, the policy and the experiment.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from infra.chain.plan import Plan
from infra.db.migrate import migrate
from infra.experiment.topic import tell as tell_plan
from infra.policies import built_in
from infra.policies import tell as tell_policy
from infra.rundb import create_run_database
from infra.simulator.fill import fill
from infra.simulator.weeks import SimulatedWeeks
from infra.snapshots import publish_snapshots
from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from infra.topics import create_topics
from infra.triton.models import PreparedModel, prepare
from signage.catalogue import load_catalogue
from streams.contracts.experiment import ExperimentPlan

Say = Callable[[str], None]

#: One machine has one worker a group: a few partitions are plenty, and start faster.
_PARTITIONS = 4


async def make_model(
    plan: Plan, state: StateFolder, settings: StackSettings, say: Say
) -> PreparedModel:
    """The model for this machine's Triton, from the plan's weights.

    Raises StackError, ModelError: it cannot be made.
    """
    say("preparing the model")
    environment = settings.triton_environment
    if environment is None:
        made = await ensure_environment(settings.cache, say)
        environment = made.root
    return await asyncio.to_thread(
        prepare,
        state.folder("models"),
        weights=plan.weights,
        models_dir=plan.models_dir,
        server_env=environment,
        input_size_px=plan.input_size_px,
        progress=say,
    )


@dataclass(frozen=True, slots=True)
class RunDatabase:
    """A run's own database; what is older than `past_until` was simulated before the run."""

    dsn: SecretStr
    past_until: datetime


def make_database(plan: Plan, run_id: str, server_dsn: str, say: Say) -> RunDatabase:
    """A database with its tables, and with the past that the plan asks for."""
    dsn = create_run_database(SecretStr(server_dsn), run_id)
    migrate(dsn, lambda _: None)
    if not plan.past_days:
        return RunDatabase(dsn, datetime.min.replace(tzinfo=UTC))
    until = datetime.now(UTC)
    weeks = SimulatedWeeks(
        plan.layout,
        load_catalogue().creatives,
        until.date() - timedelta(days=plan.past_days),
        plan.past_days,
        plan.seed,
        plan.true_effect.basket,
        until=until,
    )
    fill(dsn, weeks.events(), lambda n: say(f"simulating the past: {n} rows"))
    return RunDatabase(dsn, until)


async def make_servers_ready(
    plan: Plan, run_id: str, kafka: str, server_dsn: str, now_ms: int, say: Say
) -> RunDatabase:
    """Topics and tables, then the layout, the policy and the experiment on their topics."""
    say("making topics and tables")
    _, database = await asyncio.gather(
        create_topics(kafka, _PARTITIONS),
        asyncio.to_thread(make_database, plan, run_id, server_dsn, say),
    )
    await publish_snapshots(kafka, plan.layout)
    await tell_policy(kafka, built_in("rule", plan.layout.store_id, plan.approved_by, now_ms))
    await tell_plan(kafka, experiment_of(plan, run_id, now_ms))
    return database


def experiment_of(plan: Plan, run_id: str, now_ms: int) -> ExperimentPlan:
    """An experiment of this run's own: whoever started the run answers for it, and everything says
    so."""
    return ExperimentPlan(
        experiment_id=f"run-{run_id}",
        store_id=plan.layout.store_id,
        unit="store-slot",
        salt=run_id,
        slot_ms=plan.slot_ms,
        washout_ms=0,
        adaptive_share=plan.adaptive_share,
        outcome="basket_units",
        starts_at_ms=now_ms - now_ms % plan.slot_ms,
        ends_at_ms=None,
        approved_by=plan.approved_by,
        approved_at_ms=now_ms,
        hypothesis="Screens that follow attention change the baskets.",
        simulated=plan.simulated,
        true_effect=plan.true_effect.basket if plan.simulated else None,
    )
