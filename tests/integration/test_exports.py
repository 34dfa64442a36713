"""The exports on a real PostgreSQL: what is told is what the rows say, once, and at its price."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.layouts import load_layout
from infra.simulator.fill import fill
from infra.simulator.weeks import SimulatedWeeks
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from signage.catalogue import load_catalogue

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "store.yaml"


class Store:
    """A database with some simulated days, and the command line on it."""

    def __init__(self, dsn: str, last: date, folder: Path) -> None:
        self.dsn, self.last, self.folder = dsn, last, folder

    def row(self, query: str, *values: object) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return None if cursor.description is None else cursor.fetchone()

    def export(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "SMARTSTORE_DATABASE": self.dsn,
                "SMARTSTORE_LAYOUT": str(EXAMPLE),
                "COLUMNS": "200",
            },
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("exports")
    loop = asyncio.new_event_loop()
    with StateFolder(folder / "state") as state:
        stack = EmbeddedStack(state, StackSettings(state=state.path), parts=("postgres",))
        loop.run_until_complete(stack.__aenter__())
        try:
            dsn = make_conninfo(stack.postgres.dsn)
            migrate(SecretStr(dsn), lambda _: None)
            last = _last_open_day()
            weeks = SimulatedWeeks(
                load_layout(EXAMPLE), load_catalogue().creatives, last, 1, 1, 0.0
            )
            fill(SecretStr(dsn), weeks.events(), lambda _: None)
            yield Store(dsn, last, folder)
        finally:
            loop.run_until_complete(stack.__aexit__(None, None, None))
            loop.close()
        forget_home(state, "postgres")


def _last_open_day() -> date:
    """Yesterday, or the day before it where the simulated store was closed."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    return day - timedelta(days=1) if day.weekday() == 6 else day


def test_the_demand_signal_is_told_once_and_at_its_price(store: Store) -> None:
    """Yesterday alone can be told: the rows of single tracks of days before are gone."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    out = store.folder / "demand.json"
    command = ["export", "demand", "--day", str(yesterday), "--simulated", "--json", str(out)]
    first = store.export(*command)
    assert first.returncode == 0, first.stderr
    told = json.loads(out.read_text())
    assert told["epsilon"] == 1.0
    assert told["sensitivity"] == 8
    assert told["simulated"] is True
    assert told["ledger"] == [
        {"day": str(yesterday), "epsilon": 1.0, "standard_error": told["standard_error"]}
    ]
    again = store.export(*command)
    assert again.returncode == 0, again.stderr
    assert json.loads(out.read_text()) == told
    dearer = store.export("export", "demand", "--day", str(yesterday), "--epsilon", "1/2")
    assert dearer.returncode == 2
    assert "was told with an epsilon of 1" in dearer.stderr
    today = store.export("export", "demand", "--day", str(datetime.now(UTC).date()))
    assert today.returncode == 2
    assert "is not over" in today.stderr
    old = store.export("export", "demand", "--day", str(yesterday - timedelta(days=3)))
    assert old.returncode == 2
    assert "deleted already" in old.stderr


def test_the_multiplier_is_that_of_the_rows(store: Store) -> None:
    out = store.folder / "qty.json"
    days = ["--from", str(store.last), "--to", str(store.last)]
    made = store.export("export", "openrtb", *days, "--json", str(out))
    assert made.returncode == 0, made.stderr
    hours = json.loads(out.read_text())["hours"]
    known = [hour for hour in hours if hour["qty"] is not None]
    plays, verified = store.row("SELECT count(*), sum(verified_impressions) FROM exposures", *())
    total = sum(hour["qty"]["multiplier"] * hour["qty"]["ext"]["plays"] for hour in known)
    assert sum(hour["qty"]["ext"]["plays"] for hour in known) == plays
    assert total == pytest.approx(float(verified), abs=len(known))


def test_a_campaign_report_is_signed_and_says_what_was_delivered(store: Store) -> None:
    store.row("UPDATE creatives SET campaign = 'spring', budget_plays = 10000")
    out, key, trust = (store.folder / name for name in ("r.json", "key.pem", "trust.json"))
    made = store.export("keys", "new", "--private", str(key), "--trust", str(trust))
    assert made.returncode == 0, made.stderr
    days = ["--from", str(store.last), "--to", str(store.last)]
    report = ["export", "campaign", "spring", *days, "--key", str(key), "--json", str(out)]
    done = store.export(*report, "--simulated")
    assert done.returncode == 0, done.stderr
    content = json.loads(out.read_text())
    (plays,) = store.row("SELECT count(*) FROM plays")
    assert content["delivered"]["plays"] == plays
    assert content["booked"] == {"plays": 10_000}
    assert content["simulated"] is True
    checked = store.export("export", "verify", str(out), "--trust", str(trust))
    assert checked.returncode == 0, checked.stderr
    content["delivered"]["plays"] += 1
    out.write_text(json.dumps(content))
    refused = store.export("export", "verify", str(out), "--trust", str(trust))
    assert refused.returncode == 2
    assert "changed on the way" in refused.stderr
