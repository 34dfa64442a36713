"""The broker of the integration tests: the embedded one, each test's own, or the one that
SMARTSTORE_TEST_KAFKA names (host:port), for all tests that need no more of a broker than that it is
there. Those have the marker `broker`: `pytest -m broker` runs them alone.

A named broker keeps its topics and what is in them. So these tests make names of their own for
stores, areas, screens and groups, and look at nothing else; they delete nothing.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from infra.stack.broker import EmbeddedBroker
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics

NAMED = os.environ.get("SMARTSTORE_TEST_KAFKA")


@pytest.fixture
async def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[str, Supervisor | None]]:
    """The address of a broker that has our topics, and who starts it again if it is ours."""
    if NAMED and request.node.get_closest_marker("broker"):
        await create_topics(NAMED)
        yield NAMED, None
        return
    with StateFolder(tmp_path / "broker") as state:
        async with Supervisor(state) as supervisor:
            embedded = EmbeddedBroker(state)
            await embedded.start(supervisor)
            await create_topics(embedded.bootstrap)
            yield embedded.bootstrap, supervisor


@pytest.fixture
def bootstrap(served: tuple[str, Supervisor | None]) -> str:
    """The address of a broker that has our topics."""
    return served[0]


#: A TimescaleDB on which tests of the database run too; each makes a database of its own.
_TIMESCALE = os.environ.get("SMARTSTORE_TIMESCALE_DSN")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    with StateFolder(tmp_path_factory.mktemp("postgres") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("postgres",)) as running:
            yield running.postgres.dsn
        forget_home(state, "postgres")


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def empty_database(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[SecretStr]:
    """A database of the test's own, on PostgreSQL or on the TimescaleDB that is named."""
    if request.param == "timescale" and _TIMESCALE is None:
        pytest.skip("DID NOT RUN on TimescaleDB: SMARTSTORE_TIMESCALE_DSN names none")
    server = str(_TIMESCALE) if request.param == "timescale" else postgres_server
    name = sql.Identifier(f"test_{uuid4().hex[:12]}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    dsn = make_conninfo(server, dbname=name.as_string().strip('"'))
    if request.param == "timescale":
        # Policies run where a test calls them, and not by themselves into what it looks at: tests
        # have rows that are older than they are kept.
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
            connection.execute("SELECT _timescaledb_functions.stop_background_workers()")
    yield SecretStr(dsn)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Notes which tests will not run on the broker that was named."""
    own = [
        item.nodeid
        for item in items
        if item.get_closest_marker("stack") and not item.get_closest_marker("broker")
    ]
    config.stash[_OWN] = own


_OWN = pytest.StashKey[list[str]]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says plainly what did not run on the broker that was named."""
    own = config.stash.get(_OWN, [])
    if NAMED and own:
        terminalreporter.section(f"DID NOT RUN on the broker {NAMED}")
        terminalreporter.line(
            f"{len(own)} tests start servers of their own: they kill the broker, count all that it "
            "holds, or try the embedded one itself."
        )
        for name in own:
            terminalreporter.line(f"  {name}")
