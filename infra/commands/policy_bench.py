"""`smartstore bench policy`: how much of what can be had our bandit captures."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.stack.settings import StackSettings


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(policy)


def policy(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    seeds: Annotated[int, typer.Option(min=1, help="Simulated stores.")] = 20,
    rounds: Annotated[int, typer.Option(min=2_000, help="Decisions in each.")] = 50_000,
    peers: Annotated[bool, typer.Option(help="Other bandits and the Open Bandit logs too.")] = True,
) -> None:
    """Our bandit in simulated stores of known worth, beside others; and off-policy estimates."""
    from infra.bench.policy.bench import Plan, bench_policy
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    plan = Plan(rounds=rounds, seeds=seeds, peers=peers)
    with console.status("starting") as status:
        report = asyncio.run(bench_policy(plan, settings.cache, status.update))
    write_report(report, json)
    for name in ("ours", "rotation", "rule", "river", "vw"):
        played = getattr(report, name)
        if played is not None:
            console.print(
                f"{name:<9} captured {played.captured:.3f} (least {played.least:.3f} of "
                f"{played.seeds} seeds, {played.rounds:,} rounds), {played.decide_us.p50:.0f} us a "
                "decision (simulated)"
            )
    for log in report.obd:
        console.print(
            f"{log.campaign:<6} {log.policy:<7} earned {log.on_policy:.4f}; by the other's log IPS "
            f"{log.ips.value:.4f}, SNIPS {log.snips.value:.4f}, DR {log.dr.value:.4f} (worth "
            f"{log.ess:,.0f} of {log.decisions:,} draws)"
        )
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
    console.print(f"report: {json}")
