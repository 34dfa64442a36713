"""After a kill -9 of everything, neither the state folder nor shared memory holds a picture."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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


def test_no_picture_is_left_when_everything_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    parent = subprocess.Popen(
        [sys.executable, "-m", "infra", "demo", "--headless"],
        env={**os.environ, "SMARTSTORE_STATE": str(state)},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 240
        # A spool has proofs once a screen has played, and the gateway is ready once it has seen.
        while not (
            list(state.glob("runs/*/gateway.ready")) and list(state.glob("runs/*/players/*.sqlite"))
        ):
            assert parent.poll() is None, parent.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(8.0)
        assert any("stub" in process.name() for process in family(state))
        kill_everything(parent, state)
    finally:
        if parent.poll() is None:
            parent.kill()
            parent.communicate()
    try:
        searched, told = 0, strips()
        for path in files(state):
            data = path.read_bytes()
            searched += 1
            found = [*pictures(data), *raw_pixels(data, told)]
            assert not found, f"{path}: {found[:5]}"
        assert searched > 20
        prefix = StateFolder(state).shm_family
        assert [p for p in SHARED_MEMORY.iterdir() if p.name.startswith(prefix)] == []
    finally:
        with StateFolder(state) as folder:
            forget_home(folder, "postgres")
