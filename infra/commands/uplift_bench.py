"""`smartstore bench uplift`: does the analysis say the truth, where the truth is known?"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.stack.settings import StackSettings

if TYPE_CHECKING:
    from infra.bench.uplift.report import EffectReport, PanelReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `smartstore bench`."""
    app.command()(uplift)


def uplift(
    json: Annotated[Path, typer.Option(help="Write the figures to this JSON file.")],
    experiments: Annotated[
        int, typer.Option(min=20, help="Simulated experiments of each truth.")
    ] = 1_000,
    days: Annotated[
        int, typer.Option(min=14, max=366, help="Days of each experiment, looked at daily.")
    ] = 90,
    panel: Annotated[
        bool, typer.Option(help="Put effects into the real panel too (installs it once).")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of shops, arms and baskets.")] = 1,
) -> None:
    """Experiments with a known truth: coverage, false discoveries, power, days."""
    from infra.bench.uplift.bench import bench_uplift
    from infra.report import write_report

    console = Console(highlight=False, soft_wrap=True)
    settings = settings_of(StackSettings)
    with console.status("simulating") as status:
        report = asyncio.run(
            bench_uplift(
                experiments=experiments,
                days=days,
                seed=seed,
                cache=settings.cache,
                with_panel=panel,
                say=status.update,
            )
        )
    write_report(report, json)
    console.print(
        f"simulated, {report.stores} stores of {report.baskets_per_store_and_day:.0f} baskets a "
        f"day, {experiments} experiments of {days} days each, looked at daily"
    )
    for each in (*report.effects, *report.product_moves):
        console.print(_line(each))
    if report.panel is not None:
        _print_panel(console, report.panel)
    console.print(f"report: {json}")


def _line(each: "EffectReport") -> str:
    days, oracle = _or_dash(each.days.p80_of_all), _or_dash(each.oracle_days)
    return (
        f"  {each.store}, {each.outcome}, true effect {each.true_effect:+.0%}: covered throughout "
        f"{each.coverage:.1%} (floor {each.coverage_floor:.1%}), found {each.discoveries:.1%}, "
        f"power {each.power:.1%}; 80 % found it by day {days}, a single t-test that knows the "
        f"effect by day {oracle}; a t-test looked at daily says yes in "
        f"{each.naive_daily_t_discoveries:.1%}"
    )


def _print_panel(console: Console, panel: "PanelReport") -> None:
    console.print(
        f"real panel ({panel.baskets:,} baskets): baskets with a displayed item are "
        f"{panel.naive_ratio:.2f} times larger, with shuffled flags {panel.shuffled_ratio:.2f} "
        "times: that is no effect, large baskets hold more of anything"
    )
    for each in panel.injections:
        low, high = each.interval
        console.print(
            f"  put in {each.injected:+.0%}: found {each.recovered:+.1%} ({low:+.1%} to "
            f"{high:+.1%}); over {each.draws} draws {each.mean_recovered:+.2%}, covered "
            f"{each.coverage:.0%}, found {each.discoveries:.0%}"
        )


def _or_dash(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"
