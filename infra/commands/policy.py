"""`smartstore policy`: which content policies there are, what they learned, who approved them."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import layout_of, settings_of
from infra.errors import UserError
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    from streams.contracts.learning import PolicySnapshot

app = typer.Typer(
    help="Content policies: none that adapts runs before somebody approves it.",
    no_args_is_help=True,
)

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]
LayoutFile = Annotated[
    Path | None, typer.Option("--layout", readable=False, help="The layout of the store.")
]
Store = Annotated[str | None, typer.Option(help="The store; else that of the layout.")]
PolicyId = Annotated[str, typer.Argument(help="The policy, as `list` shows it.")]


@app.command("list")
def list_policies(store: Store = None, layout: LayoutFile = None, kafka: Kafka = None) -> None:
    """The policies of the store, and which is in force."""
    from infra.policies import in_force

    store_id = _store(store, layout)
    found = _known(kafka, store_id)
    running = in_force(found, store_id)
    table = Table("policy", "chooses by", "learned from", "approved by", "since", "in force")
    for snapshot in sorted(found.values(), key=lambda each: each.policy_id):
        learned = f"{snapshot.rewards} rewards" if snapshot.algorithm == "bandit" else "-"
        table.add_row(
            snapshot.name,
            snapshot.algorithm,
            learned,
            snapshot.approved_by or "nobody",
            _when(snapshot.approved_at_ms),
            "yes" if snapshot == running else "",
        )
    console = Console()
    console.print(table)
    if running is None:
        console.print("No policy is approved, so all screens follow their rotation.")


@app.command()
def show(
    policy: PolicyId, store: Store = None, layout: LayoutFile = None, kafka: Kafka = None
) -> None:
    """What a policy has learned of each creative."""
    from signage.core.bandit import sums_of, weights

    snapshot = _named(_known(kafka, _store(store, layout)), policy)
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{snapshot.name}: {snapshot.algorithm}, made {_when(snapshot.made_at_ms)}")
    console.print(
        f"approved by {snapshot.approved_by or 'nobody'} {_when(snapshot.approved_at_ms)}"
    )
    if snapshot.algorithm != "bandit":
        return
    console.print(
        f"learned from {snapshot.rewards} rewards ({snapshot.reward}) until "
        f"{_when(snapshot.learned_through_ms)}; a floor of {snapshot.floor:.0%} in all, gamma "
        f"{snapshot.gamma:.0f}"
    )
    if not snapshot.arms:
        return
    table = Table("creative", "rewards", "what adds most to its worth", "what takes most")
    for arm, row in zip(snapshot.arms, weights(sums_of(snapshot), snapshot.prior), strict=True):
        told = sorted(zip(row.tolist(), snapshot.features, strict=True))
        (low, lowest), (high, highest) = told[0], told[-1]
        table.add_row(
            arm.creative_id, str(arm.rewards), f"{highest} {high:+.3f}", f"{lowest} {low:+.3f}"
        )
    console.print(table)


@app.command()
def approve(
    policy: PolicyId,
    by: Annotated[str, typer.Option(help="Who answers for it: a person's name.")] = "",
    store: Store = None,
    layout: LayoutFile = None,
    kafka: Kafka = None,
) -> None:
    """Puts a policy in force, with the name of who answers for it; the screens follow at once."""
    from infra.policies import approved, tell

    snapshot = _named(_known(kafka, _store(store, layout)), policy)
    told = approved(snapshot, by, _now_ms())
    asyncio.run(tell(_bootstrap(kafka), told))
    Console().print(f"{told.name} is in force, approved by {told.approved_by}.", markup=False)


@app.command()
def revoke(
    policy: PolicyId, store: Store = None, layout: LayoutFile = None, kafka: Kafka = None
) -> None:
    """Takes a policy's approval back: what was approved before it runs, or the rotation."""
    from infra.policies import revoked, tell

    snapshot = _named(_known(kafka, _store(store, layout)), policy)
    asyncio.run(tell(_bootstrap(kafka), revoked(snapshot, _now_ms())))
    Console().print(f"{snapshot.name} is no longer approved.", markup=False)


def _store(store: str | None, layout: Path | None) -> str:
    return store if store is not None else layout_of(layout).store_id


def _bootstrap(kafka: str | None) -> str:
    return settings_of(KafkaSettings, kafka=kafka).bootstrap


def _known(kafka: str | None, store_id: str) -> "dict[str, PolicySnapshot]":
    from infra.policies import known

    return asyncio.run(known(_bootstrap(kafka), store_id))


def _named(found: "dict[str, PolicySnapshot]", policy_id: str) -> "PolicySnapshot":
    if policy_id not in found:
        raise UserError(
            f"there is no policy {policy_id!r}; name one of {', '.join(sorted(found))} (a learner "
            "that has just begun publishes its own within seconds)"
        )
    return found[policy_id]


def _when(at_ms: int | None) -> str:
    if not at_ms:
        return ""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
