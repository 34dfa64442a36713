"""The embedded servers for real: they work, come back when killed, and leave nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient

from infra.stack.errors import PartFailedError, PortTakenError, StackError
from infra.stack.leftovers import MARKER
from infra.stack.ports import LOOPBACK
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics, list_topics
from streams.contracts.topics import CONSUMERS, TOPICS, dead_letter_topic

pytestmark = pytest.mark.stack

_MODEL = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        inputs = (pb_utils.get_input_tensor_by_name(r, "x").as_numpy() for r in requests)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", x * 2)]) for x in inputs]
"""
_CONFIG = """
name: "twice"
backend: "python"
max_batch_size: 8
input [{ name: "x" data_type: TYPE_FP32 dims: [ 4 ] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [ 4 ] }]
instance_group [{ kind: KIND_CPU count: 1 }]
"""

#: A program that holds the whole stack, as the command line does.
_PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder

async def main(state_path, repository):
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with StateFolder(Path(state_path)) as state:
        settings = StackSettings(state=state_path)
        async with EmbeddedStack(state, settings, repository=Path(repository), model="twice"):
            print("up", flush=True)
            await stop.wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def _infer(address: str) -> None:
    client = InferenceServerClient(address)
    try:
        numbers = np.array([[1, 2, 3, 4]], dtype=np.float32)
        request = InferInput("x", [1, 4], "FP32")
        request.set_data_from_numpy(numbers)
        answer = await client.infer("twice", [request], client_timeout=5.0)
        np.testing.assert_array_equal(answer.as_numpy("y"), numbers * 2)
    finally:
        await client.close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    model = tmp_path / "repository" / "twice"
    (model / "1").mkdir(parents=True)
    (model / "configs").mkdir()
    (model / "1" / "model.py").write_text(_MODEL)
    (model / "config.pbtxt").write_text(_CONFIG)
    (model / "configs" / "embedded.pbtxt").write_text(_CONFIG)
    return model.parent


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "state") as folder:
        yield folder
        forget_home(folder, "postgres")


@pytest.fixture
async def stack(state: StateFolder, repository: Path) -> AsyncIterator[EmbeddedStack]:
    settings = StackSettings(state=state.path)
    async with EmbeddedStack(state, settings, repository=repository, probe=_infer) as running:
        yield running


def _ours(state: Path) -> list[psutil.Process]:
    """Processes of a state folder, by the mark in their environment or by its path in a name."""
    identity = StateFolder(state).marker[MARKER]
    home = state / "postgres.home"
    places = [str(state)] + ([home.read_text().strip()] if home.exists() else [])
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARKER) == identity
            named = any(place in word for word in process.cmdline() for place in places)
            if (marked or named) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _regions(state: Path) -> list[str]:
    family = StateFolder(state).shm_family
    return [p.name for p in Path("/dev/shm").iterdir() if p.name.startswith(family)]  # noqa: S108


async def test_a_record_survives_the_death_of_the_broker(stack: EmbeddedStack) -> None:
    made = await create_topics(stack.broker.bootstrap, partitions=3)
    assert len(made) == len(TOPICS) + len(CONSUMERS)
    producer = AIOKafkaProducer(bootstrap_servers=stack.broker.bootstrap, enable_idempotence=True)
    await producer.start()
    sent = await producer.send_and_wait("vision.gaze.v1", b"value", key=b"main")
    await producer.stop()
    # Its log is saved once a second.
    await asyncio.sleep(2.0)
    await _kill_and_wait(stack, "broker")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.broker.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partition = TopicPartition("vision.gaze.v1", sent.partition)
        consumer.assign([partition])
        record = await consumer.getone()
        assert (record.key, record.value) == (b"main", b"value")
    finally:
        await consumer.stop()


async def test_topics_are_made_once_with_their_partitions(stack: EmbeddedStack) -> None:
    bootstrap = stack.broker.bootstrap
    await create_topics(bootstrap, retention_limit_ms=3_600_000)
    assert await create_topics(bootstrap) == []
    found = await list_topics(bootstrap)
    assert {name: found[name] for name in TOPICS} == {n: t.partitions for n, t in TOPICS.items()}
    assert all(found[dead_letter_topic(consumer)] == 1 for consumer in CONSUMERS)
    with pytest.raises(StackError, match="exists with 12 partitions, not 3; delete it first"):
        await create_topics(bootstrap, partitions=3)


async def test_rows_survive_the_death_of_the_database(stack: EmbeddedStack) -> None:
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn) as connection:
        await connection.execute("CREATE TABLE kept (n int)")
        await connection.execute("INSERT INTO kept VALUES (7)")
    await _kill_and_wait(stack, "postgres")
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn) as connection:
        rows = await connection.execute("SELECT n, current_setting('listen_addresses') FROM kept")
        assert await rows.fetchall() == [(7, LOOPBACK)]


async def test_the_database_wants_its_password(stack: EmbeddedStack) -> None:
    wrong = psycopg.conninfo.make_conninfo(stack.postgres.dsn, password="guessed")  # noqa: S106
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(wrong)
    password = psycopg.conninfo.conninfo_to_dict(stack.postgres.dsn)["password"]
    words = [word for process in psutil.process_iter() for word in _command_line(process)]
    assert not any(str(password) in word for word in words)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_the_model_server_comes_back_when_it_or_its_stub_is_killed(
    stack: EmbeddedStack, state: StateFolder
) -> None:
    await _infer(stack.triton.grpc)
    await _kill_and_wait(stack, "triton")
    await _infer(stack.triton.grpc)
    server = psutil.Process(stack.supervisor.pid("triton"))
    (stub,) = server.children()
    stub.kill()
    # The server goes on saying that all is well: only the inference tells.
    while stack.supervisor.restarts["triton"] < 2:  # noqa: ASYNC110 - a counter tells nobody
        await asyncio.sleep(0.1)
    await stack.supervisor.wait_ready("triton")
    await _infer(stack.triton.grpc)
    assert _regions(state.path) == [], (
        "what server and stub share has no name, so it ends with them"
    )


async def _kill_and_wait(stack: EmbeddedStack, name: str) -> None:
    before = stack.supervisor.pid(name)
    stack.supervisor.signal(name, signal.SIGKILL)
    while stack.supervisor.pid(name) in (before, None):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.02)
    await stack.supervisor.wait_ready(name)


async def test_a_model_that_does_not_load_is_one_sentence_with_its_reason(
    state: StateFolder, repository: Path
) -> None:
    (repository / "twice" / "1" / "model.py").write_text("raise ValueError('no such weights')")
    settings = StackSettings(state=state.path)
    stack = EmbeddedStack(state, settings, repository=repository, parts=["triton"])
    with pytest.raises(PartFailedError, match="no such weights") as failed:
        await stack.start()
    assert "\n" not in str(failed.value)
    assert _ours(state.path) == []


async def test_a_taken_port_leaves_no_other_server_running(state: StateFolder) -> None:
    async with EmbeddedStack(state, StackSettings(), parts=["broker"]) as first:
        port = int(first.broker.bootstrap.rpartition(":")[2])
        settings = StackSettings(state=state.path, kafka_port=port)
        with pytest.raises(PortTakenError, match="stop that program, or name another port"):
            await EmbeddedStack(state, settings, parts=["broker", "postgres"]).start()
        names = {process.name() for process in _ours(state.path)}
    assert names == {"noida-db"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_told_end_leaves_nothing(tmp_path: Path, repository: Path, how: signal.Signals) -> None:
    path = tmp_path / "state"
    program = _start(path, repository)
    assert len(_ours(path)) > 3
    program.send_signal(how)
    program.communicate()
    try:
        assert program.returncode == 0
        assert _ours(path) == []
        assert _regions(path) == []
    finally:
        with StateFolder(path) as state:
            forget_home(state, "postgres")


def test_after_a_kill_the_next_start_leaves_nothing(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "state"
    program = _start(path, repository)
    before = _ours(path)
    program.kill()
    program.communicate()
    with StateFolder(path) as state:
        try:
            gone = {process.pid for process in before} - {p.pid for p in _ours(path)}
            assert gone == {process.pid for process in before}
            assert _regions(path) == []
        finally:
            forget_home(state, "postgres")


def _start(state: Path, repository: Path) -> subprocess.Popen[bytes]:
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(state), str(repository)], stdout=subprocess.PIPE
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    return program
