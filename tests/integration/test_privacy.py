"""Pixels live in memory alone: after a kill -9 of the gateway, of the model server and then of
everything, neither the state folder nor shared memory nor a log holds a picture.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from infra.bench.pictures import pictures, raw_pixels
from infra.commands.demo import DEMO_LAYOUT
from infra.layouts import load_layout
from infra.simulator.camera import ShelfCamera
from infra.simulator.settings import SimulatorSettings
from infra.stack.leftovers import MARKER
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

ROOT = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives

#: Of a row of the picture: too long to be found by chance, short enough to lie beside shoppers.
STRIP_PX = 48


def strips() -> list[bytes]:
    """Raw pixels that lie in every picture of the simulated camera: background, each texture."""
    settings = SimulatorSettings()
    pose = load_layout(DEMO_LAYOUT).cameras[0].pose
    assert pose is not None
    picture = ShelfCamera(pose, settings.picture_width_px, settings.picture_height_px).render([])
    height, width = picture.shape[:2]
    found = [
        picture[y, x : x + STRIP_PX].tobytes()
        for y in range(8, height, height // 12)
        for x in range(0, width - STRIP_PX, width // 6)
    ]
    # A plain surface could be found where no picture is.
    told = [strip for strip in found if len(np.unique(np.frombuffer(strip, np.uint8))) > 24]
    assert len(told) >= 12
    return told


def family(state: Path) -> list[psutil.Process]:
    """Every process that carries the mark of this state folder."""
    owner = StateFolder(state).marker[MARKER]
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == owner:
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_everything(parent: "subprocess.Popen[str]", state: Path) -> None:
    """At one stroke: nobody gets the time to tidy up."""
    parent.send_signal(signal.SIGSTOP)
    for process in family(state):
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    parent.kill()
    parent.communicate()
    gone, alive = psutil.wait_procs(family(state), timeout=20)
    assert alive == [], gone


def files(state: Path) -> Iterator[Path]:
    """The state folder, the database's folder if it is elsewhere, and shared memory of ours."""
    folders = [state]
    home = state / "postgres.home"
    if home.exists():
        folders.append(Path(home.read_text().strip()))
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    # Regions of other runs on this machine carry another mark; all else is looked into.
    ours = StateFolder(state).shm_family
    for path in SHARED_MEMORY.rglob("*"):
        if path.is_file() and (path.name.startswith(ours) or "smartstore_" not in path.name):
            yield path


def parts_of(state: Path, word: str) -> list[psutil.Process]:
    """The running processes of the family whose command line holds a word."""
    found = []
    for process in family(state):
        try:
            if word in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def killed(state: Path, word: str) -> None:
    """Kill -9 of one part alone, with all of it; it comes back by itself."""
    before = parts_of(state, word)
    assert before, word
    for process in before:
        process.kill()
    psutil.wait_procs(before, timeout=20)


def wait_for(what: str, there: Callable[[], object], parent: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 240
    while not there():
        assert parent.poll() is None, parent.communicate()[0]
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def is_core_dump(data: bytes) -> bool:
    """An ELF file of the type ET_CORE."""
    return data[:4] == b"\x7fELF" and data[16:18] in (b"\x04\x00", b"\x00\x04")


def search(state: Path, told: list[bytes]) -> int:
    """Looks for pictures in every file; how many it looked into."""
    searched = 0
    for path in files(state):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # gone while the chain runs
        searched += 1
        found = [*pictures(data), *raw_pixels(data, told)]
        assert not found, f"{path}: {found[:5]}"
        assert not is_core_dump(data), path
    return searched


def test_no_picture_is_left_whatever_is_killed(tmp_path: Path) -> None:
    state, told = tmp_path / "state", strips()
    parent = subprocess.Popen(
        [sys.executable, "-m", "infra", "demo", "--headless"],
        env={**os.environ, "SMARTSTORE_STATE": str(state)},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        # A spool has proofs once a screen has played, and the gateway is ready once it has seen.
        wait_for(
            "the chain",
            lambda: (
                list(state.glob("runs/*/gateway.ready"))
                and list(state.glob("runs/*/players/*.sqlite"))
            ),
            parent,
        )
        time.sleep(4.0)
        assert any("stub" in process.name() for process in family(state))
        for process in parts_of(state, "infra gateway") + parts_of(state, "tritonserver"):
            # One byte or none: the memory, which holds frames, never goes to a disk.
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            (line,) = [each for each in limits.splitlines() if each.startswith("Max core file")]
            assert all(each in ("0", "1") for each in line.split()[4:6]), line
        for word in ("infra gateway", "triton"):
            killed(state, word)
            assert search(state, told) > 20
            wait_for(word, lambda word=word: parts_of(state, word), parent)
        time.sleep(4.0)
        assert search(state, told) > 20
        kill_everything(parent, state)
    finally:
        if parent.poll() is None:
            parent.kill()
            parent.communicate()
    try:
        assert search(state, told) > 20
        prefix = StateFolder(state).shm_family
        assert [p for p in SHARED_MEMORY.iterdir() if p.name.startswith(prefix)] == []
    finally:
        with StateFolder(state) as folder:
            forget_home(folder, "postgres")
