"""The sink on a real broker and a real PostgreSQL: every row once, whatever dies."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from infra.db.migrate import migrate, status
from infra.stack.ports import free_port
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics
from streams.contracts import codec, topics
from streams.contracts.base import Trace
from streams.contracts.vision import Audience, Gaze, GazeBatch, Presence
from streams.sink.errors import FencedError, NoSchemaError
from streams.sink.figures import SinkCounts
from streams.sink.run import run_sink
from streams.sink.settings import SinkSettings
from streams.sink.tables import TABLES

pytestmark = [
    pytest.mark.stack,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="module"),
]

#: A broker that is there already, with what it holds: the sink stores all of it first.
_NAMED = os.environ.get("SMARTSTORE_TEST_KAFKA")

_PARTITIONS = 3
#: An event time as immutable as producers make it: the same id always comes with the same time.
_START_MS = 1_700_000_000_000

#: The sink as a process of its own, to be killed.
_PROGRAM = """
import asyncio, sys
from streams.sink.run import run_sink
from streams.sink.settings import SinkSettings
asyncio.run(run_sink(SinkSettings(), stop=asyncio.Event(), ready=lambda: print("up", flush=True)))
"""


def _kafka(stack: EmbeddedStack) -> str:
    return _NAMED or stack.broker.bootstrap


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    with StateFolder(tmp_path_factory.mktemp("sink") / "state") as state:
        settings = StackSettings(state=state.path)
        parts = ("postgres",) if _NAMED else ("broker", "postgres")
        async with EmbeddedStack(state, settings, parts=parts) as running:
            await create_topics(_kafka(running), None if _NAMED else _PARTITIONS)
            yield running
        forget_home(state, "postgres")


@pytest.fixture
def empty(stack: EmbeddedStack) -> Iterator[SecretStr]:
    """A database of the test's own."""
    name = f"test_{uuid4().hex[:12]}"
    # On the TimescaleDB that is named, if one is.
    server = os.environ.get("SMARTSTORE_TIMESCALE_DSN") or stack.postgres.dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield SecretStr(make_conninfo(server, dbname=name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty: SecretStr) -> SecretStr:
    migrate(empty, lambda _: None)
    return empty


def _settings(stack: EmbeddedStack, database: SecretStr, **changes: Any) -> SinkSettings:
    return SinkSettings(kafka=_kafka(stack), database=database, **changes)


def _gazes(store: str, first: int, count: int, *, of_a_batch: int = 1) -> list[dict[str, Any]]:
    """Records of gazes, each batch with one that has only begun as well."""
    records = []
    for start in range(first, first + count, of_a_batch):
        numbers = range(start, min(start + of_a_batch, first + count))
        events = [_gaze(f"{store}-{n}", _START_MS + n) for n in numbers]
        begun = Gaze(**{**_fields(events[0]), "phase": "started", "ended_at_ms": None})
        batch = GazeBatch(
            store_id=store,
            area_id=f"area-{start % 7}",
            gateway_id="gw",
            seq=start,
            events=(begun, *events),
        )
        records.append(codec.record(topics.GAZE, batch, "test"))
    return records


def _gaze(gaze_id: str, started_at_ms: int, *, attention_ms: int = 0) -> Gaze:
    return Gaze(
        gaze_id=gaze_id,
        phase="ended",
        track_id="t",
        camera_id="c",
        target_id="tea",
        target_kind="zone",
        probability=0.9,
        started_at_ms=started_at_ms,
        ended_at_ms=started_at_ms + 10,
        attention_ms=attention_ms,
        calibration_version="v",
        trace=Trace(
            cause_id=gaze_id,
            captured_at_ms=started_at_ms,
            inferred_at_ms=started_at_ms,
            sent_at_ms=started_at_ms,
        ),
    )


def _fields(gaze: Gaze) -> dict[str, Any]:
    return {name: getattr(gaze, name) for name in gaze.__struct_fields__}


async def _produce(stack: EmbeddedStack, records: Sequence[dict[str, Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=_kafka(stack), acks="all")
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(**record) for record in records])
    finally:
        await producer.stop()


async def _drain(settings: SinkSettings) -> SinkCounts:
    """Run the sink until it has stored what the log holds now."""
    stop = asyncio.Event()
    return await run_sink(settings, stop=stop, ready=stop.set)


def _rows(database: SecretStr, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.get_secret_value()) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def _stored(database: SecretStr, store: str) -> tuple[int, int]:
    """Rows and distinct ids of a store's gazes."""
    query = "SELECT count(*), count(DISTINCT gaze_id) FROM gaze WHERE store_id = %s"
    (row,) = _rows(database, query, store)
    return row[0], row[1]


async def _until(condition: Any, what: str) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, what
        await asyncio.sleep(0.05)


async def _kill(stack: EmbeddedStack, name: Any) -> None:
    before = stack.supervisor.pid(name)
    stack.supervisor.signal(name, signal.SIGKILL)
    while stack.supervisor.pid(name) in (before, None):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.02)
    await stack.supervisor.wait_ready(name)


async def test_migrations_are_applied_once(empty: SecretStr) -> None:
    assert not any(migration.applied for migration in status(empty))
    names: list[str] = []
    assert migrate(empty, names.append) == len(names) == len(status(empty))
    assert all(migration.applied for migration in status(empty))
    assert migrate(empty, names.append) == 0


async def test_a_kill_between_a_migration_and_its_mark(empty: SecretStr) -> None:
    """It runs again over what is there."""
    for migration in status(empty):
        assert migrate(empty, lambda _: None, last=migration.name) == 1
        with psycopg.connect(empty.get_secret_value(), autocommit=True) as connection:
            connection.execute(
                "DELETE FROM _yoyo_migrations WHERE migration_id = %s", [migration.name]
            )
        assert migrate(empty, lambda _: None, last=migration.name) == 1
    assert migrate(empty, lambda _: None) == 0


async def test_two_migrations_at_once_apply_each_once(empty: SecretStr) -> None:
    both = await asyncio.gather(
        *[asyncio.to_thread(migrate, empty, lambda _: None) for _ in range(2)]
    )
    assert sorted(both) == [0, len(status(empty))]


async def test_the_sinks_columns_are_those_of_the_migrations(database: SecretStr) -> None:
    spoken = {"timestamp with time zone": "timestamptz"}
    for table in TABLES:
        found = _rows(
            database,
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
            table.name,
        )
        columns = {name: spoken.get(kind, kind) for name, kind in found}
        assert columns == dict(table.columns)
        keys = _rows(
            database,
            "SELECT array_agg(a.attname::text ORDER BY k.n), bool_and(a.attnotnull) "
            "FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n), pg_attribute a "
            "WHERE i.indrelid = %s::regclass AND i.indisunique "
            "AND a.attrelid = i.indrelid AND a.attnum = k.attnum GROUP BY i.indexrelid",
            table.name,
        )
        assert keys == [(list(table.key), True)]


async def test_repeats_leave_one_row_each(stack: EmbeddedStack, database: SecretStr) -> None:
    store = uuid4().hex
    records = _gazes(store, 0, 500, of_a_batch=3)
    await _produce(stack, [*records, *records])
    counts = await _drain(_settings(stack, database))
    assert _stored(database, store) == (500, 500)
    assert counts.rows["gaze"] >= 500
    # From the beginning again, as after the loss of the stored offsets.
    with psycopg.connect(database.get_secret_value(), autocommit=True) as connection:
        connection.execute("DELETE FROM stream_offsets")
    again = await _drain(_settings(stack, database, sink_batch_records=100))
    assert again.rows.total() == 0
    assert _stored(database, store) == (500, 500)


async def test_the_offsets_go_on_after_a_stop(stack: EmbeddedStack, database: SecretStr) -> None:
    store = uuid4().hex
    await _produce(stack, _gazes(store, 0, 50))
    await _drain(_settings(stack, database))
    await _produce(stack, _gazes(store, 50, 25))
    counts = await _drain(_settings(stack, database))
    assert (counts.records, counts.rows["gaze"], counts.rewinds) == (25, 25, 0)
    assert _stored(database, store) == (75, 75)


async def test_what_cannot_be_stored_is_kept_whole_and_the_rest_goes_on(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    await _drain(_settings(stack, database))
    store = uuid4().hex
    good = _gazes(store, 0, 100)
    # PostgreSQL's texts hold no NUL; the good gaze beside the refused one stays.
    pair = (_gaze(f"{store}-x\0", _START_MS), _gaze(f"{store}-100", _START_MS + 100))
    refused = codec.record(
        topics.GAZE,
        GazeBatch(store_id=store, area_id="a", gateway_id="gw", seq=1, events=pair),
        "test",
    )
    broken = {"topic": topics.GAZE.name, "key": b"a", "value": b"\xff not json"}
    empty = {"topic": topics.PLAY.name, "key": b"a", "value": None}
    before = await _dead_letters(stack)
    await _produce(stack, [*good[:50], broken, refused, empty, *good[50:]])
    counts = await _drain(_settings(stack, database))
    assert counts.dead_letters == 3
    assert _stored(database, store) == (101, 101)
    letters = (await _dead_letters(stack))[len(before) :]
    values = [value for value, _ in letters]
    assert sorted(values, key=repr) == sorted([broken["value"], refused["value"], None], key=repr)
    reasons = {value: headers["exception"] for value, headers in letters}
    assert reasons[broken["value"]] == b"UndecodableError"
    assert reasons[refused["value"]] == b"DataError"


async def test_a_number_that_no_column_holds_costs_its_own_record_alone(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    await _drain(_settings(stack, database))
    store = uuid4().hex
    few, many = (
        _heartbeat(store, [(f"{store}-{n}", 1) for n in range(first, first + 100)])
        for first in (0, 100)
    )
    # Among so many rows it is met while they are encoded for a copy, not by the database.
    refused = _heartbeat(store, [(f"{store}-x", 2**63)])
    before = await _dead_letters(stack)
    await _produce(stack, [few, refused, many])
    counts = await _drain(_settings(stack, database))
    query = "SELECT count(*) FROM presence WHERE store_id = %s"
    assert (counts.dead_letters, _rows(database, query, store)) == (1, [(200,)])
    letters = (await _dead_letters(stack))[len(before) :]
    assert [value for value, _ in letters] == [refused["value"]]


def _heartbeat(store: str, presences: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """One with these presences, each with its opportunity to see in ms."""
    event = Audience(
        store_id=store,
        area_id="a",
        gateway_id="gw",
        camera_id="c",
        seq=1,
        captured_at_ms=_START_MS,
        inferred_at_ms=_START_MS,
        sent_at_ms=_START_MS,
        people=0,
        targets=(),
        presences=tuple(
            Presence(
                presence_id=name,
                track_id="t",
                target_id="tea",
                target_kind="zone",
                entered_at_ms=_START_MS,
                left_at_ms=_START_MS + 10,
                opportunity_ms=opportunity_ms,
            )
            for name, opportunity_ms in presences
        ),
    )
    return codec.record(topics.AUDIENCE, event, "test")


async def _dead_letters(stack: EmbeddedStack) -> list[tuple[bytes | None, dict[str, bytes]]]:
    place = TopicPartition(topics.dead_letter_topic("sink"), 0)
    # Assigned to the newest and sought to the oldest, its place is that of the later answer.
    consumer = AIOKafkaConsumer(bootstrap_servers=_kafka(stack), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        letters = []
        while await consumer.position(place) < end:
            record = await consumer.getone()
            letters.append((record.value, dict(record.headers)))
        return letters
    finally:
        await consumer.stop()


async def test_a_killed_sink_goes_on_where_its_rows_end(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    store = uuid4().hex
    await _produce(stack, _gazes(store, 0, 1_500))
    for kill_at in (1, 500):
        process = await _start_process(stack, database)
        try:
            await _until(lambda n=kill_at: _stored(database, store)[0] >= n, "no rows came")
        finally:
            process.kill()
            await process.wait()
        assert process.returncode == -signal.SIGKILL
    assert _stored(database, store)[0] < 1_500, "it was too quick to be killed in the middle"
    await _drain(_settings(stack, database))
    assert _stored(database, store) == (1_500, 1_500)


async def _start_process(stack: EmbeddedStack, database: SecretStr) -> asyncio.subprocess.Process:
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SMARTSTORE_KAFKA": _kafka(stack),
        "SMARTSTORE_DATABASE": database.get_secret_value(),
        "SMARTSTORE_SINK_BATCH_RECORDS": "40",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, env=env, stdout=asyncio.subprocess.DEVNULL
    )


async def test_a_second_writer_is_fenced_until_the_first_ends(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(run_sink(_settings(stack, database), stop=stop, ready=ready.set))
    await ready.wait()
    impatient = _settings(stack, database, sink_fence_wait_s=0.3)
    with pytest.raises(FencedError, match="another sink named 'sink'"):
        await run_sink(impatient, stop=asyncio.Event(), ready=lambda: None)
    patient = asyncio.create_task(_drain(_settings(stack, database)))
    await asyncio.sleep(0.3)
    assert not patient.done()
    stop.set()
    await first
    assert (await patient).rewinds == 0


async def test_a_database_without_tables_is_one_sentence(
    stack: EmbeddedStack, empty: SecretStr
) -> None:
    with pytest.raises(NoSchemaError, match="smartstore db migrate"):
        await _drain(_settings(stack, empty))


async def test_nothing_is_lost_when_the_database_dies(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    store = uuid4().hex
    stop, ready = asyncio.Event(), asyncio.Event()
    settings = _settings(stack, database, sink_batch_records=50)
    task = asyncio.create_task(run_sink(settings, stop=stop, ready=ready.set))
    await ready.wait()
    await _produce(stack, _gazes(store, 0, 500))
    await _until(lambda: _stored(database, store)[0] > 0, "no rows came")
    await _kill(stack, "postgres")
    await _produce(stack, _gazes(store, 500, 500))
    await _until(lambda: _stored(database, store)[0] == 1_000, "rows are missing")
    stop.set()
    await task
    assert _stored(database, store) == (1_000, 1_000)


@pytest.mark.skipif(_NAMED is not None, reason="DID NOT RUN: it kills the broker, which is named")
async def test_nothing_in_the_log_is_missed_when_the_broker_dies(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    """The embedded broker may forget its last second; what it has afterwards is stored."""
    store = uuid4().hex
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_sink(_settings(stack, database), stop=stop, ready=ready.set))
    await ready.wait()
    await _produce(stack, _gazes(store, 0, 200))
    await _until(lambda: _stored(database, store)[0] == 200, "no rows came")
    await _kill(stack, "broker")
    # More than can have been lost, at once: the log grows past the stored offsets again.
    await _produce(stack, _gazes(store, 200, 400))
    await _until(lambda: _stored(database, store)[0] == 600, "records after the kill are missing")
    stop.set()
    await task
    assert _stored(database, store) == (600, 600)


@pytest.mark.parametrize(
    ("change", "reason", "forgotten"),
    [
        ("next_offset = next_offset + 7", "the log ends before it", 7),
        ("last_record_digest = 'of another record'", "another record is there", 0),
    ],
)
async def test_a_log_that_lost_its_end_is_noticed_and_read_again(
    stack: EmbeddedStack, database: SecretStr, change: str, reason: str, forgotten: int
) -> None:
    store = uuid4().hex
    await _produce(stack, _gazes(store, 0, 60))
    await _drain(_settings(stack, database))
    with psycopg.connect(database.get_secret_value(), autocommit=True) as connection:
        where = " WHERE topic = %s AND next_offset > 0"
        update = f"UPDATE stream_offsets SET {change}{where}"  # noqa: S608 - the test's own words
        connection.execute(update, [topics.GAZE.name])  # type: ignore[arg-type]
        # What was stored from records that the log gave to others since.
        connection.execute("DELETE FROM gaze WHERE store_id = %s", [store])
    counts = await _drain(_settings(stack, database))
    rewinds = _rows(database, "SELECT reason, forgotten, resumed_at, log_end FROM stream_rewinds")
    assert counts.rewinds == len(rewinds) > 0
    assert {(found, lost) for found, lost, _, _ in rewinds} == {(reason, forgotten)}
    assert all(resumed < end for _, _, resumed, end in rewinds)
    assert counts.forgotten == forgotten * len(rewinds)
    assert _stored(database, store) == (60, 60)
    assert (await _drain(_settings(stack, database))).rewinds == 0


async def test_the_figures_are_those_of_the_database(
    stack: EmbeddedStack, database: SecretStr
) -> None:
    store, port = uuid4().hex, free_port()
    stop, ready = asyncio.Event(), asyncio.Event()
    settings = _settings(stack, database, metrics_port=port)
    task = asyncio.create_task(run_sink(settings, stop=stop, ready=ready.set))
    await ready.wait()
    broken = {"topic": topics.GAZE.name, "key": b"a", "value": b"\xff not json"}
    await _produce(stack, [*_gazes(store, 0, 100), broken])
    await _until(lambda: _stored(database, store)[0] == 100, "rows are missing")
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(30):
            while True:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    told = _samples(await answer.text())
                if told["smartstore_lag_records"] == 0:
                    break
    stop.set()
    counts = await task
    (rows,) = _rows(database, "SELECT count(*) FROM gaze")
    assert told["smartstore_sink_rows_total"] == counts.rows.total() >= rows[0] >= 100
    assert told["smartstore_sink_records_total"] == counts.records
    assert told["smartstore_dead_letters_total"] == counts.dead_letters >= 1
    assert told["smartstore_commits_total"] == counts.commits > 0
    assert told["smartstore_transaction_seconds_count"] == counts.commits
    assert told["smartstore_transaction_messages_sum"] == counts.records
    assert told["smartstore_sink_sessions_total"] == 1


def _samples(text: str) -> dict[str, float]:
    """The sum over all labels of each figure."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
