"""A child's exit in words, its log in short, its environment, and that it dies with its owner."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.stack.process import Command, ManagedProcess, describe_exit, tail

_OWNER = """
import asyncio, sys, time
from pathlib import Path
from infra.stack.process import Command, ManagedProcess

async def main():
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = await ManagedProcess.start(Command(argv), Path(sys.argv[1]))
    print(child.pid, flush=True)
    time.sleep(600)

asyncio.run(main())
"""


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until_gone(process: psutil.Process) -> None:
    while _runs(process):
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with code 0"), (-11, "was ended by SIGSEGV"), (-99, "was ended by signal 99")],
)
def test_an_exit_code_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


@pytest.mark.parametrize(
    ("log", "short"),
    [
        ("", ""),
        ("one\n\n  two  \n", "one / two"),
        ("a\nb\nc\nd\ne\nf\n", "b / c / d / e / f"),
        ("Traceback:\n  x\nValueError: no weights\nbye\n", "ValueError: no weights"),
        ("FATAL:  no room\nLOG:  done\nerror: late\n", "FATAL: no room / error: late"),
        ("+-----+\n| a   |\n+-----+\n", "| a |"),
    ],
)
def test_a_log_in_short(tmp_path: Path, log: str, short: str) -> None:
    (tmp_path / "log").write_text(log)
    assert tail(tmp_path / "log") == short


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""


def test_a_server_gets_little_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("SOME_VARIABLE", "hidden")
    plain = Command(["x"], env={"OWN": "1"}, plain_env=True).environment()
    assert plain["OWN"] == "1"
    assert "PATH" in plain
    assert not {"PYTHONPATH", "SOME_VARIABLE"} & plain.keys()
    assert Command(["x"]).environment()["SOME_VARIABLE"] == "hidden"


async def test_its_output_goes_to_a_private_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = await ManagedProcess.start(Command(_python("print('hello')")), log)
    assert await process.wait() == 0
    assert process.tail() == "hello"
    assert log.stat().st_mode & 0o077 == 0


async def test_it_leaves_no_core_dump(tmp_path: Path) -> None:
    """Not even by way of a program that keeps dumps, which a limit of 0 does not stop."""
    told = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    process = await ManagedProcess.start(Command(_python(told)), tmp_path / "log")
    assert await process.wait() == 0
    assert (tmp_path / "log").read_text().strip() in ("(1, 1)", "(0, 0)")


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    process = await ManagedProcess.start(Command(["/no/such/program"]), tmp_path / "log")
    assert await process.wait() == 127
    assert "cannot start /no/such/program: No such file" in process.tail()


async def test_stopping_ends_its_children_too(tmp_path: Path) -> None:
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    code = f"import subprocess, sys; p = subprocess.Popen({sleeper}); print(p.pid, flush=True)"
    process = await ManagedProcess.start(Command(_python(f"{code}; p.wait()")), tmp_path / "log")
    while not process.tail().isdigit():
        assert process.returncode is None
        await asyncio.sleep(0.02)
    child = psutil.Process(int(process.tail()))
    assert await process.stop(signal.SIGTERM, 20.0)
    await asyncio.to_thread(_until_gone, child)


def test_a_child_dies_with_its_killed_owner(tmp_path: Path) -> None:
    owner = subprocess.Popen([*_python(_OWNER), str(tmp_path / "log")], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    assert child.is_running()
    owner.kill()
    owner.communicate()
    _until_gone(child)
