"""The model server's environment: where it is, and what is said when it cannot be made."""

from pathlib import Path

import pytest

from infra.stack import environment
from infra.stack.environment import (
    PYTHON,
    ServerEnvironment,
    cached_environment,
    default_cache,
    ensure_environment,
)
from infra.stack.errors import ServerEnvironmentError


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert default_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "smartstore"
    assert default_cache({"XDG_CACHE_HOME": "not/absolute"}) == Path.home() / ".cache/smartstore"
    assert default_cache({}) == Path.home() / ".cache/smartstore"


def test_another_lock_file_is_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cached_environment(tmp_path)
    lock = tmp_path / "lock"
    lock.write_text("numpy==1.26.3\n")
    monkeypatch.setattr(environment, "LOCK_FILE", lock)
    after = cached_environment(tmp_path)
    assert before.root != after.root
    assert after.root.name.endswith(f"-py{PYTHON}")


def test_the_lock_holds_the_server_and_a_numpy_that_its_stub_bears() -> None:
    locked = environment.LOCK_FILE.read_text().splitlines()
    assert any(line.startswith("nvidia-pytriton==") for line in locked)
    assert any(line.startswith("numpy==1.") for line in locked)
    assert not any("://" in line or line.startswith("-") for line in locked), "no index addresses"


def test_an_incomplete_environment_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServerEnvironmentError, match=r"lacks python3 .* remove that folder"):
        ServerEnvironment(tmp_path).check()


async def test_one_that_cannot_be_made_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==1.26.4\n")
    monkeypatch.setattr(environment, "LOCK_FILE", lock)
    # As on a machine without a network whose cache holds nothing.
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    told: list[str] = []
    with pytest.raises(ServerEnvironmentError) as failed:
        await ensure_environment(tmp_path / "cache", told.append)
    assert "could not be made" in str(failed.value)
    assert "SMARTSTORE_TRITON_ENVIRONMENT" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert told[0].startswith("making the model server's environment")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
