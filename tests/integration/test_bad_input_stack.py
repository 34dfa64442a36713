"""Mistakes that show only with servers, or without those that a process needs; and Ctrl-C."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest

from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]

#: Nobody listens there.
AWAY = "127.0.0.1:1"


def start(*words: str, log: Path, **env: str) -> "subprocess.Popen[str]":
    """The command line as a user or a supervisor starts it, standard error into `log`."""
    with log.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "infra", *words],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )


def run(*words: str, log: Path, **env: str) -> tuple[int, str]:
    """Exit code and standard error of a command."""
    process = start(*words, log=log, **env)
    try:
        process.communicate(timeout=240)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, log.read_text()


def one_sentence(told: str) -> str:
    assert "Traceback" not in told
    assert told.count("\n") == 1, told
    assert told.startswith("smartstore: ")
    return told.removeprefix("smartstore: ").strip()


def until_said(log: Path, words: str, process: "subprocess.Popen[str]") -> None:
    """Waits until a process has said it; it must not end before."""
    deadline = time.monotonic() + 90
    while words not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def left_running(state: Path) -> list[str]:
    """Processes whose command line or environment names this state folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            known = " ".join([*process.cmdline(), *process.environ().values()])
            if process.pid != os.getpid() and str(state) in known:
                found.append(" ".join(process.cmdline()))
    return found


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "state"
    yield path
    with StateFolder(path) as folder:
        forget_home(folder, "postgres")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("react", f"waiting: the broker at {AWAY} did not answer"),
        ("measure", f"waiting: the broker at {AWAY} did not answer"),
        ("till", f"waiting: the broker at {AWAY} did not answer"),
        ("gateway --simulate", f"waiting: the broker at {AWAY} did not answer"),
        (
            "sink",
            f"the sink waits and tries again: cannot connect to the database 'shop' at {AWAY}",
        ),
        ("player --screen screen-1 --port 0", f"no content from the broker at {AWAY}"),
        ("web --port 0", f"the page waits for the broker at {AWAY}"),
    ],
)
def test_a_process_waits_for_its_servers_and_says_so_once(
    words: str, says: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = start(
        *words.split(),
        log=log,
        SMARTSTORE_KAFKA=AWAY,
        SMARTSTORE_DATABASE=f"postgresql://me:geheim@{AWAY}/shop",
        SMARTSTORE_LAYOUT="examples/store.yaml",
        SMARTSTORE_STATE=str(tmp_path / "state"),
        SMARTSTORE_SINK_DRAIN_S="0",
    )
    try:
        until_said(log, says, process)
        # Long enough for it to ask again, and to repeat itself if it would.
        time.sleep(2.5)
        assert process.poll() is None
        process.terminate()
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    told = log.read_text()
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert told.count(says) == 1, told
    assert "geheim" not in told
    about_the_broker = [
        line for line in told.splitlines() if AWAY in line and "database" not in line
    ]
    assert len(about_the_broker) <= 1, told


async def test_a_gateway_waits_for_its_topics_and_its_triton(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with StateFolder(state) as folder:
        async with EmbeddedStack(folder, StackSettings(state=state), parts=["broker"]) as stack:
            bootstrap = stack.broker.bootstrap
            process = await asyncio.to_thread(
                start,
                *("gateway", "--simulate"),
                log=log,
                SMARTSTORE_KAFKA=bootstrap,
                SMARTSTORE_TRITON=AWAY,
                SMARTSTORE_LAYOUT="examples/store.yaml",
            )
            try:
                await asyncio.to_thread(
                    until_said, log, "make them with `smartstore topics create`", process
                )
                made = await asyncio.to_thread(
                    run, "topics", "create", log=tmp_path / "made", SMARTSTORE_KAFKA=bootstrap
                )
                assert made == (0, "")
                await asyncio.to_thread(
                    until_said, log, f"waiting: no Triton answers at {AWAY}", process
                )
                process.terminate()
                await asyncio.to_thread(process.communicate, timeout=30)
            finally:
                process.kill()
                process.communicate()
    assert process.returncode == 0
    assert log.read_text().count("\n") == 2, log.read_text()


async def test_a_database_that_will_not_do(state: Path, tmp_path: Path) -> None:
    with StateFolder(state) as folder:
        async with EmbeddedStack(folder, StackSettings(state=state), parts=["postgres"]) as stack:
            good = stack.postgres.dsn
            parts = urlsplit(good)
            place = f"{parts.hostname}:{parts.port}"
            wrong = parts._replace(netloc=f"{parts.username}:geheim@{place}")
            cases = {
                urlunsplit(wrong): (
                    "password authentication failed",
                    "correct SMARTSTORE_DATABASE",
                ),
                urlunsplit(parts._replace(path="/shop")): (
                    'database "shop" does not exist',
                    "correct SMARTSTORE_DATABASE",
                ),
                good: ("has not the sink's tables", "run `smartstore db migrate`"),
            }
            for dsn, (cause, mend) in cases.items():
                code, told = await asyncio.to_thread(
                    run,
                    "sink",
                    log=tmp_path / "log",
                    SMARTSTORE_KAFKA=AWAY,
                    SMARTSTORE_DATABASE=dsn,
                )
                assert code == 2, told
                said = one_sentence(told)
                assert cause in said
                assert mend in said
                assert place in said
                assert "geheim" not in told
                assert str(parts.password) not in told


def test_a_report_for_a_full_disk_is_kept(state: Path, tmp_path: Path) -> None:
    words = ["demo", "--headless", "--seconds", "4", "--report", "/dev/full"]
    code, told = run(*words, log=tmp_path / "log", SMARTSTORE_STATE=str(state))
    assert code == 2, told
    said = one_sentence(told)
    assert "The report /dev/full cannot be written (No space left on device)" in said
    kept = Path(said.partition("copy it from ")[2].partition(", where")[0])
    assert json.loads(kept.read_text())["simulated"] is True
    assert left_running(state) == []


def test_a_mistake_that_a_part_finds_is_told_in_its_words(state: Path, tmp_path: Path) -> None:
    code, told = run(
        *("demo", "--headless", "--seconds", "4"),
        log=tmp_path / "log",
        SMARTSTORE_STATE=str(state),
        SMARTSTORE_NAME_PROBABILITY="often",
    )
    assert code == 2, told
    said = one_sentence(told)
    assert said.startswith("SMARTSTORE_NAME_PROBABILITY is not valid")
    assert said.endswith("; correct it in the environment.")
    assert left_running(state) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(
    how: signal.Signals, state: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = start("demo", "--headless", log=log, SMARTSTORE_STATE=str(state))
    try:
        deadline = time.monotonic() + 120
        while not list(state.glob("runs/*/processes.jsonl")):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(how)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "no report was made" in one_sentence(log.read_text())
    assert left_running(state) == []


def test_ctrl_c_before_anything_is_one_line(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start("demo", "--headless", log=log, SMARTSTORE_STATE=str(state))
    try:
        # The first library that the commands load: the command line runs, and nothing is started.
        deadline = time.monotonic() + 60
        while "pydantic_core" not in Path(f"/proc/{process.pid}/maps").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, log.read_text()
    one_sentence(log.read_text())
    assert left_running(state) == []
