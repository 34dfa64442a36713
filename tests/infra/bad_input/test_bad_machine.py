"""What this machine refuses: taken ports, folders in use, permissions, disks that are full."""

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.errors import UserError
from infra.report import Detector, GatewayStats, write_report
from infra.stack.errors import StateFolderError
from infra.stack.state import StateFolder

Refused = Callable[..., str]

#: Processes want to be told of servers, though nobody listens there.
SERVERS = {
    "SMARTSTORE_KAFKA": "127.0.0.1:1",
    "SMARTSTORE_DATABASE": "postgresql://me:geheim@127.0.0.1:1/shop",
}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        ("demo --port {port}", None),
        ("demo", "SMARTSTORE_KAFKA_PORT"),
        ("demo", "SMARTSTORE_DATABASE_PORT"),
        ("demo", "SMARTSTORE_TRITON_GRPC_PORT"),
        ("player --screen screen-1 --port {port}", None),
        ("web --port {port}", None),
        ("web", "SMARTSTORE_WEB_PORT"),
    ],
)
def test_a_taken_port(words: str, variable: str | None, taken_port: int, refused: Refused) -> None:
    env = {} if words.startswith("demo") else dict(SERVERS)
    if variable is not None:
        env[variable] = str(taken_port)
    said = refused(words.format(port=taken_port), **env)
    assert f"127.0.0.1:{taken_port}" in said
    assert "stop" in said
    assert "name another" in said or "SMARTSTORE_WEB_PORT" in said


def test_one_port_for_two(refused: Refused) -> None:
    said = refused("demo --port 18099", SMARTSTORE_KAFKA_PORT="18099")
    assert "The live page and the broker were both given port 18099" in said


def test_a_state_folder_in_use(tmp_path: Path, refused: Refused) -> None:
    with StateFolder(tmp_path / "state"):
        said = refused("demo")
    assert f"process {os.getpid()}" in said
    assert "stop it, or name another folder with SMARTSTORE_STATE" in said


def test_a_state_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "theirs").write_text("mine")
    with StateFolder(shared) as state:
        assert state.run.stat().st_mode & 0o077 == 0
    assert shared.stat().st_mode & 0o7777 == 0o1777
    assert (shared / "theirs").read_text() == "mine"


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Permissions are not enforced for root, so root becomes another user for a while."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody")
    os.setresgid(nobody.pw_gid, nobody.pw_gid, 0)
    os.setresuid(nobody.pw_uid, nobody.pw_uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.mark.parametrize(
    ("words", "env", "cause", "mend"),
    [
        ("demo --layout {tmp}/closed", {}, "cannot be read (permission denied)", "permissions"),
        (
            "run --layout examples/aisle.yaml --camera {tmp}/closed",
            {},
            "may not be read by this user",
            "mend its permissions",
        ),
        ("demo --weights {tmp}/closed", {}, "cannot be read (permission denied)", "name a .onnx"),
        ("demo --report {tmp}/no/r.json", {}, "cannot be written (permission denied)", "another"),
        ("demo", {"SMARTSTORE_STATE": "{tmp}/no/s"}, "permission denied", "SMARTSTORE_STATE"),
        ("topics schema --write {tmp}/no/s", {}, "permission denied", "mend its permissions"),
    ],
)
def test_wrong_permissions(
    words: str, env: dict[str, str], cause: str, mend: str, refused: Refused
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").write_text("store_id: s\n")
        (folder / "closed").chmod(0)
        (folder / "no").mkdir(mode=0o555)
        named = {k: v.format(tmp=folder) for k, v in env.items()}
        named.setdefault("SMARTSTORE_STATE", str(folder / "state"))
        with as_ordinary_user():
            said = refused(words.format(tmp=folder), **named).lower()
    assert cause in said
    assert mend.lower() in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"DID NOT RUN: no full disk could be made: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_without_room_for_a_run(small_disk: Path, refused: Refused) -> None:
    said = refused("demo", SMARTSTORE_STATE=str(small_disk / "state"))
    assert "has 2 MB free, and a run needs 64" in said
    assert "free some, or name another folder with SMARTSTORE_STATE" in said
    assert list(small_disk.iterdir()) == []


def test_a_full_disk(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        assert filler.write(bytes(4_000_000)) < 4_000_000
    with pytest.raises(StateFolderError, match=r"No space left .*; free space there, or name"):
        StateFolder(small_disk / "state").open()
    with pytest.raises(UserError, match=r"No space left on device\); name another file"):
        write_report(_FIGURES, small_disk / "r.json")


_FIGURES = GatewayStats(
    cameras=[], detector=Detector(name="none", sha256=""), frames_failed=0, errors=[]
)


def test_a_report_that_finds_no_room_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "report.json"
    with pytest.raises(UserError) as refused:
        write_report(_FIGURES, Path("/dev/full"), kept)
    assert "No space left on device" in str(refused.value)
    assert str(refused.value).endswith(f"; copy it from {kept}, where it is kept")
