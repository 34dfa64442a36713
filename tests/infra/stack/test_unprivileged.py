"""Where a server that refuses root keeps its data."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack.process import User
from infra.stack.state import StateFolder
from infra.stack.unprivileged import Home, forget_home, home_of

_root = pytest.mark.skipif(os.geteuid() != 0, reason="DID NOT RUN: only root drops privileges")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "state") as folder:
        yield folder
        forget_home(folder, "database")


def test_an_ordinary_user_keeps_it_in_the_state_folder(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert home_of(state, "database") == Home(state.path / "database", None)


@_root
def test_root_keeps_it_with_an_unprivileged_user_and_finds_it_again(state: StateFolder) -> None:
    home = home_of(state, "database")
    assert home.user is not None
    found = home.folder.stat()
    assert (found.st_uid, found.st_gid) == (home.user.uid, home.user.gid)
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert home_of(state, "database") == home


@_root
def test_a_folder_that_someone_put_in_its_place_is_not_trusted(state: StateFolder) -> None:
    home = home_of(state, "database")
    home.folder.rmdir()
    home.folder.mkdir(mode=0o755)
    try:
        assert home_of(state, "database").folder != home.folder
    finally:
        home.folder.rmdir()


@_root
def test_forgetting_removes_data_and_note(state: StateFolder) -> None:
    home = home_of(state, "database")
    (home.folder / "data").mkdir()
    forget_home(state, "database")
    assert not home.folder.exists()
    assert not (state.path / "database.home").exists()


def test_who_may_run_a_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.touch(mode=0o755)
    stranger = Home(tmp_path, User(65_534, 65_534))
    program.parent.chmod(0o700)
    assert not stranger.may_run(program)
    assert Home(tmp_path, None).may_run(program)
    shared = Path("/bin/sh").resolve()
    assert stranger.may_run(shared)
