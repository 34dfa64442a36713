"""Receipts from tills to the database, by a real broker and the sink: each once, whatever dies."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.rundb import create_run_database
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics
from streams.sink.run import run_sink
from streams.sink.settings import SinkSettings

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

LAYOUT = Path(__file__).parents[2] / "examples" / "store.yaml"
FILES, RECEIPTS = 4, 600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    with StateFolder(tmp_path_factory.mktemp("receipts") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("broker", "postgres")) as running:
            await create_topics(running.broker.bootstrap, 3)
            yield running
        forget_home(state, "postgres")


def _receipt(number: int, **changes: Any) -> dict[str, Any]:
    line = {"sku": "4001", "category": "tea", "units": 2, "value": "3.10"}
    told = {"receipt": f"{number}", "closed_at": datetime.now(UTC).isoformat(), "lines": [line]}
    return told | changes


async def _started(
    stack: EmbeddedStack, folder: Path, *words: str, **env: str
) -> asyncio.subprocess.Process:
    """`smartstore receipts` as a process of its own, once it works."""
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "infra",
        "receipts",
        *words,
        "--ready-file",
        str(ready),
        env={
            **os.environ,
            "SMARTSTORE_KAFKA": stack.broker.bootstrap,
            "SMARTSTORE_LAYOUT": str(LAYOUT),
            "SMARTSTORE_STATE": str(folder / "memory"),
            **env,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    await _until(ready.exists, "the intake works")
    return process


async def _until(condition: Any, what: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, what
        await asyncio.sleep(0.05)


def _has(folder: Path, files: int) -> bool:
    return folder.is_dir() and len(list(folder.iterdir())) >= files


async def _stored(stack: EmbeddedStack) -> psycopg.Connection[Any]:
    """The database with all that the log holds."""
    dsn = create_run_database(SecretStr(stack.postgres.dsn), f"r{time.monotonic_ns()}")
    migrate(dsn, lambda _: None)
    stop = asyncio.Event()
    settings = SinkSettings(kafka=stack.broker.bootstrap, database=dsn)
    await run_sink(settings, stop=stop, ready=stop.set)
    return psycopg.connect(dsn.get_secret_value(), autocommit=True)


async def test_a_watched_folder_over_kills(stack: EmbeddedStack, tmp_path: Path) -> None:
    folder = tmp_path / "till"
    folder.mkdir()
    for number in range(FILES):
        many = [_receipt(number * RECEIPTS + n) for n in range(RECEIPTS)]
        many.append(_receipt(9_000_000 + number, currency="XXX"))
        (folder / f"{number}.jsonl").write_text("\n".join(map(json.dumps, many)))
    done = folder / "done"
    # Killed when it has begun to move files, again a little later, and then left alone.
    for moved in (1, 2, FILES):
        process = await _started(stack, tmp_path, "watch", str(folder))
        await _until(partial(_has, done, moved), f"{moved} files are moved")
        process.kill()
        await process.wait()
    assert [path.name for path in folder.iterdir()] == ["done"]
    with await _stored(stack) as database:
        told = "SELECT count(*), count(DISTINCT basket_id) FROM baskets WHERE NOT simulated"
        assert database.execute(told).fetchone() == (FILES * RECEIPTS, FILES * RECEIPTS)
        assert database.execute("SELECT count(*) FROM basket_lines").fetchone() == (
            FILES * RECEIPTS,
        )
        refused = "SELECT reason, count(*) FROM receipts_refused GROUP BY reason"
        assert database.execute(refused).fetchall() == [("currency", FILES)]


async def test_over_http(stack: EmbeddedStack, tmp_path: Path) -> None:
    token = "t" * 24
    process = await _started(
        stack, tmp_path, "serve", "--port", "0", SMARTSTORE_RECEIPTS_TOKEN=token
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        sale, void = _receipt(1, till="web"), _receipt(2, till="web", kind="void", voids="1")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
            for told in ({"accepted": 2, "repeated": 0}, {"accepted": 0, "repeated": 2}):
                answer = await client.post(url, json=[sale, void])
                assert answer.status_code == 200
                assert answer.json().items() >= told.items()
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.post(url, json=sale)).status_code == 401
    finally:
        process.terminate()
        assert await process.wait() == 0
    with await _stored(stack) as database:
        sums = "SELECT sum(transactions), sum(basket_units) FROM baskets WHERE basket_id = ANY (%s)"
        (voided,) = database.execute(
            "SELECT array_agg(basket_id) || array_agg(voids) FROM baskets WHERE kind = 'void'"
        ).fetchone() or (None,)
        assert len(voided or ()) == 2
        assert database.execute(sums, [voided]).fetchone() == (0, 0)
        left = "SELECT count(*) FROM v_receipts WHERE basket_id = ANY (%s)"
        assert database.execute(left, [voided]).fetchone() == (0,)
