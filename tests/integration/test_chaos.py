"""A short run of the chaos bench: the tables equal a batch computation, whatever dies."""

from pathlib import Path

import pytest

from infra.bench.chaos.bench import Plan, bench_chaos
from infra.stack.settings import StackSettings
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


async def test_tables_equal_the_reference_whatever_dies(tmp_path: Path) -> None:
    # Seed 4 kills workers, sink and database among the first four.
    plan = Plan(seconds=15, seed=4, events_per_s=40, calm_s=(2.0, 4.0))
    with StateFolder(tmp_path / "state") as state:
        report = await bench_chaos(state, StackSettings(state=state.path), plan, lambda _: None)
        forget_home(state, "postgres")
    assert report.errors == []
    for account in report.tables:
        assert account.differences == [], account.table
        assert account.found > 0
    assert (report.lost, report.doubled, report.invented) == (0, 0, 0)
    assert report.kills >= 3
    assert report.corrupted > 0
    assert report.dead_letters_equal
    assert report.late_counted == report.late_true > 0
