"""Whatever is killed, the chain comes back: through the command, as a user would start it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.stack.leftovers import MARKER
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives


def start(state: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "infra", *map(str, arguments)],
        env={**os.environ, "SMARTSTORE_STATE": str(state)},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def running(state: Path) -> list[psutil.Process]:
    """The processes that carry this state folder's mark and are no mere entry of a dead one."""
    owner = StateFolder(state).marker[MARKER]
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARKER) == owner
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def regions(state: Path) -> list[str]:
    prefix = StateFolder(state).shm_family
    return [path.name for path in SHARED_MEMORY.iterdir() if path.name.startswith(prefix)]


def bench(tmp_path: Path, parts: str) -> dict[str, Any]:
    state, figures = tmp_path / "state", tmp_path / "kill.json"
    program = start(
        state, "bench", "kill", "--json", figures, "--kills", "1", "--parts", parts
    )  # fmt: skip
    try:
        output, _ = program.communicate(timeout=500)
        assert program.returncode == 0, output
        assert running(state) == []
        assert regions(state) == []
    finally:
        program.kill()
        program.wait()
        with StateFolder(state) as folder:
            forget_home(folder, "postgres")
    report: dict[str, Any] = json.loads(figures.read_text())
    return report


def check(report: dict[str, Any], parts: list[str]) -> None:
    """Each part was killed and came back, a glance went the whole way after it, nothing is lost."""
    assert [part["part"] for part in report["parts"]] == parts
    for part in report["parts"]:
        assert part["kills"] == 1
        assert None not in part["recovered_s"], part
        assert part["restarts"] >= 1
    assert report["missing_rows"] == 0
    assert report["rows_equal_events"] is True
    # Never a dark second: what is left is the moment before a page's very first picture.
    assert report["dark_seconds"] < 1.0
    assert report["dead_letters"] == 0


def test_servers_that_are_killed_come_back_and_no_row_is_lost(tmp_path: Path) -> None:
    parts = ["broker", "triton_stub", "postgres"]
    check(bench(tmp_path, ",".join(parts)), parts)


def test_processes_that_are_killed_come_back_and_gazes_do_not_stay_open(tmp_path: Path) -> None:
    parts = ["react", "measure", "sink", "player", "gateway"]
    report = bench(tmp_path, ",".join(parts))
    check(report, parts)
    # The broker was not killed: nobody but the killed gateway could have left one open.
    assert report["lost_by_broker"] == 0
    assert report["gazes_left_open"] == 0


def test_after_a_kill_of_the_parent_nothing_is_left_and_the_next_start_works(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    parent = start(state, "demo", "--headless")
    try:
        deadline = time.monotonic() + 240
        while not list(state.glob("runs/*/gateway.ready")):
            assert parent.poll() is None, parent.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        before = running(state)
        assert len(before) > 8
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
        # The kernel tells each of them; a server may need a moment to close its files.
        _, orphans = psutil.wait_procs(before, timeout=60)
        assert [process for process in orphans if process.status() != psutil.STATUS_ZOMBIE] == []
        assert regions(state) == []
        report = tmp_path / "demo.json"
        again = start(state, "demo", "--headless", "--seconds", "5", "--report", report)
        output, _ = again.communicate(timeout=300)
        assert again.returncode == 0, output
        assert json.loads(report.read_text())["restarts"] == 0
        assert running(state) == []
        assert regions(state) == []
    finally:
        parent.kill()
        parent.wait()
        with StateFolder(state) as folder:
            forget_home(folder, "postgres")
