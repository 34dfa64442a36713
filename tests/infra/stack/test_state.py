"""The state folder: one owner, private to its user, swept of what a killed run left."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.stack import leftovers
from infra.stack.errors import StateFolderError
from infra.stack.state import StateFolder

_SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
_HOLDER = """
import sys, time
from pathlib import Path
from infra.stack.state import StateFolder
StateFolder(Path(sys.argv[1])).open()
print("held", flush=True)
time.sleep(600)
"""


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_that_it_makes_is_for_this_user_alone(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "deep" / ".smartstore") as state:
        state.record("part", os.getpid())
        state.folder("broker")
        for path in (state.path, *state.path.rglob("*")):
            assert _mode(path) & 0o077 == 0, path


def test_a_second_owner_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with StateFolder(tmp_path), pytest.raises(StateFolderError) as refused:
        StateFolder(tmp_path).open()
    assert str(os.getpid()) in str(refused.value)
    assert "SMARTSTORE_STATE" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_can_be_taken_again_when_let_go(tmp_path: Path) -> None:
    with StateFolder(tmp_path) as first:
        pass
    with StateFolder(tmp_path) as second:
        assert second.run_id != first.run_id


def test_the_lock_of_a_killed_owner_is_no_obstacle(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StateFolderError):
        StateFolder(tmp_path).open()
    holder.kill()
    holder.communicate()
    with StateFolder(tmp_path) as state:
        assert state.swept == ()


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(StateFolderError, match=r"cannot be used .*; mend"):
        StateFolder(tmp_path / "state").open()


@pytest.mark.parametrize("known_by", ["mark", "record"])
def test_an_orphan_is_ended_at_the_next_start(
    tmp_path: Path, known_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE_S", 0.1)
    with StateFolder(tmp_path) as first:
        mark = first.marker if known_by == "mark" else {}
    orphan = subprocess.Popen(_SLEEPER, env={**os.environ, **mark})
    if known_by == "record":
        first.record("orphan", orphan.pid)
    with StateFolder(tmp_path) as second:
        assert second.swept == (f"process {orphan.pid}",)
        assert orphan.wait() == -9


def test_what_still_runs_is_ended_before_it_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE_S", 0.1)
    with StateFolder(tmp_path) as state:
        late = subprocess.Popen(_SLEEPER, env={**os.environ, **state.marker})
    assert late.wait(timeout=0) == -9


def test_a_stranger_with_a_recorded_number_is_spared(tmp_path: Path) -> None:
    with StateFolder(tmp_path) as first:
        stranger = subprocess.Popen(_SLEEPER)
        file = first.run / "processes.jsonl"
        file.write_text(f'{{"part": "p", "pid": {stranger.pid}, "started": 1000.0}}\n{{"par')
    try:
        with StateFolder(tmp_path) as second:
            assert second.swept == ()
            assert psutil.pid_exists(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_shared_memory_of_earlier_runs_is_removed_and_others_is_not(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "other") as other, StateFolder(tmp_path / "ours") as first:
        pass
    shm = Path("/dev/shm")  # noqa: S108 - where such regions live
    leaked, strange = shm / f"{first.shm_prefix}leaked", shm / f"{other.shm_prefix}strange"
    leaked.touch()
    strange.touch()
    try:
        with StateFolder(tmp_path / "ours") as second:
            assert second.swept == (f"shared memory {leaked.name}",)
            assert not leaked.exists()
            assert strange.exists()
    finally:
        strange.unlink()


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    for _ in range(8):
        with StateFolder(tmp_path) as state:
            last = state.run
    kept = list((tmp_path / "runs").iterdir())
    assert len(kept) == 5
    assert last in kept
