"""`smartstore bench sink`, `stream`, `chaos`, `rebalance`, `steady`: the streams by themselves."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder

Json = Annotated[Path, typer.Option(help="Write the figures to this JSON file.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the data.")]
Kafka = Annotated[
    str | None,
    typer.Option(
        help="A broker of yours, host:port, without topics of ours; else the embedded one."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `smartstore bench`."""
    app.command()(sink)
    app.command()(stream)
    app.command()(chaos)
    app.command()(rebalance)
    app.command()(steady)


def sink(
    json: Json,
    rows: Annotated[int, typer.Option(min=5_000, help="Rows of each run.")] = 100_000,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each side, taking turns.")] = 5,
    seed: Seed = 1,
) -> None:
    """How fast rows are stored exactly once, beside a bare binary COPY into the same table."""
    from infra.bench.sink import bench_sink
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with StateFolder(settings.state) as state, console.status("starting PostgreSQL") as status:
        report = asyncio.run(
            bench_sink(state, settings, rows=rows, runs=runs, seed=seed, say=status.update)
        )
    write_report(report, json)
    console.print(
        f"{report.rows_per_s:,.0f} rows/s exactly once, bare COPY {report.copy_rows_per_s:,.0f}: "
        f"ratio {report.ratio_to_copy:.2f} (goal 0.6), with {report.duplicates_share:.0%} "
        f"duplicates {report.ratio_with_duplicates:.2f}"
    )
    console.print(f"report: {json}")


def stream(
    json: Json,
    seconds: Annotated[
        float, typer.Option(min=20.0, help="Of events, from 16 simulated cameras.")
    ] = 300.0,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each program, taking turns.")] = 3,
    emit_interval_ms: Annotated[
        int, typer.Option(min=10, help="How often changed windows are told, in every program.")
    ] = 20,
    quick: Annotated[bool, typer.Option(help="Leave the growth out.")] = False,
    seed: Seed = 1,
) -> None:
    """Events a second of processor time, in our processor and in others, on one core."""
    from infra.bench.stream import StreamBench, StreamPlan
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    plan = StreamPlan(seconds, runs, emit_interval_ms, seed, quick)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(StreamBench(plan, state, settings, status.update).run())
    write_report(report, json)
    console.print(
        f"{report.ours.events_per_cpu_s:,} events a CPU second (goal 70,000), "
        f"{report.ratio_to_quix:.2f} of Quix Streams (goal 0.5), simulated events"
    )
    console.print(f"report: {json}")


def chaos(
    json: Json,
    minutes: Annotated[float, typer.Option(min=0.2, help="Length of the history.")] = 6.0,
    seed: Seed = 1,
    rate: Annotated[
        float, typer.Option(min=10.0, help="Events a second of the history, before repeats.")
    ] = 60.0,
    kafka: Kafka = None,
) -> None:
    """Kills workers, sink, database and connections; do the tables equal a batch computation?"""
    from infra.bench.chaos.bench import Plan, bench_chaos
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    plan = Plan(seconds=60 * minutes, seed=seed, events_per_s=rate, kafka=kafka)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(bench_chaos(state, settings, plan, status.update))
    write_report(report, json)
    for account in report.tables:
        for difference in account.differences:
            console.print(f"  ! {account.table} {difference}", markup=False)
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
    recovery = report.recovery_s
    console.print(
        f"{report.events:,} events, {report.kills} kills: lost {report.lost}, doubled "
        f"{report.doubled}, invented {report.invented}; dead letters {report.dead_letters} of "
        f"{report.corrupted}; late counted {report.late_counted} of {report.late_true}; whole "
        f"again after {recovery.p50} s (p99 {recovery.p99} s)"
    )
    console.print(f"report: {json}")


def rebalance(
    json: Json,
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of the history.")] = 5.0,
    workers: Annotated[int, typer.Option(min=1, max=6, help="Members of the group.")] = 4,
    seed: Seed = 1,
    rate: Annotated[
        float, typer.Option(min=10.0, help="Events a second of the history, before repeats.")
    ] = 60.0,
    kafka: Kafka = None,
) -> None:
    """Kills one of several workers every 20 s; how long is a partition silent, and is all right?"""
    from infra.bench.chaos.bench import Plan
    from infra.bench.chaos.rebalance import bench_rebalance
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    plan = Plan(seconds=60 * minutes, seed=seed, events_per_s=rate, kafka=kafka)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(bench_rebalance(state, settings, plan, workers, status.update))
    write_report(report, json)
    for account in report.tables:
        for difference in account.differences:
            console.print(f"  ! {account.table} {difference}", markup=False)
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
    for fate, gap in report.gap_s.items():
        console.print(f"{fate}: silent for {gap.p50} s (p99 {gap.p99} s, most {gap.most} s)")
    console.print(
        f"{report.events:,} events, {report.kills} kills of {report.workers} workers: lost "
        f"{report.lost}, doubled {report.doubled}, invented {report.invented}; dead letters "
        f"{report.dead_letters} of {report.corrupted}"
    )
    console.print(f"report: {json}")


def steady(
    json: Json,
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 15.0,
    rate: Annotated[int, typer.Option(min=25, help="Events a second.")] = 2_000,
    seed: Seed = 1,
) -> None:
    """A constant rate of events: do the memory and the lag of measure and sink grow?"""
    from infra.bench.steady import SteadyPlan, bench_steady
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    plan = SteadyPlan(60 * minutes, rate, seed)
    with StateFolder(settings.state) as state, console.status("starting") as status:
        report = asyncio.run(bench_steady(state, settings, plan, status.update))
    write_report(report, json)
    for error in report.errors:
        console.print(f"  ! {error}", markup=False)
    console.print(f"{report.events_per_s:,.0f} simulated events a second, {report.minutes} minutes")
    for name, part in (("measure", report.measure), ("sink", report.sink)):
        console.print(
            f"{name}: memory {part.rss_mb_at_end:.0f} MB, {part.rss_mb_per_hour:+.1f} MB an hour; "
            f"lag {part.lag_growth_per_min:+.1f} messages a minute, {part.lag_most} at the most; "
            f"{part.cpu_share:.0%} of a core"
        )
    console.print(f"report: {json}")
