"""The supervisor over small real processes: readiness, restarts, health, order and end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infra.stack.errors import PartDeadError, PartFailedError, StackError
from infra.stack.part import Backoff, Health, Part, PartEvent, Phase, Restart
from infra.stack.process import Command
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor

_SLEEP = "import time; time.sleep(600)"
_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


class Listener:
    """Remembers what happened, and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[PartEvent] = []
        self._more = asyncio.Event()

    def __call__(self, event: PartEvent) -> None:
        self.events.append(event)
        self._more.set()

    def of(self, phase: Phase) -> list[str]:
        return [event.part for event in self.events if event.phase == phase]

    async def until(self, phase: Phase, times: int = 1) -> None:
        while len(self.of(phase)) < times:
            self._more.clear()
            await self._more.wait()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "state") as folder:
        yield folder


@pytest.fixture
async def heard() -> Listener:
    return Listener()


@pytest.fixture
async def supervisor(state: StateFolder, heard: Listener) -> AsyncIterator[Supervisor]:
    quick = Backoff(first_s=0.01, most_s=0.05, jitter=0.0)
    async with Supervisor(state, heard, backoff=quick) as running:
        yield running


def _part(name: str, code: str = _SLEEP, *, restart: Restart = "always", **options: object) -> Part:
    return Part(name, Command([sys.executable, "-c", code]), restart=restart, **options)  # type: ignore[arg-type]


async def _never() -> None:
    raise ConnectionError("nobody home")


async def test_a_part_is_ready_when_its_file_is_there(
    supervisor: Supervisor, tmp_path: Path, heard: Listener
) -> None:
    file = tmp_path / "ready"
    file.touch()
    code = f"import pathlib, time; pathlib.Path({str(file)!r}).write_text('now'); time.sleep(600)"
    await supervisor.start(_part("p", code, ready=file))
    assert file.read_text() == "now", "a file of an earlier life does not count"
    assert [event.phase for event in heard.events] == ["starting", "ready"]


async def test_a_check_is_asked_until_it_returns(supervisor: Supervisor) -> None:
    answers = iter([ConnectionError("not yet"), ValueError("nor yet"), None])

    async def check() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    await supervisor.start(_part("p", ready=check))
    assert next(answers, "all asked") == "all asked"


async def test_ending_while_starting_is_an_error_that_quotes_the_log(
    supervisor: Supervisor,
) -> None:
    part = _part("p", "raise SystemExit('error: no such file, name another')", ready=_never)
    with pytest.raises(PartFailedError, match=r"p ended with code 1 .* no such file") as failed:
        await supervisor.start(part)
    assert "\n" not in str(failed.value)
    assert supervisor.names == ()


async def test_not_ready_in_time_is_an_error_with_its_cause(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailedError, match="nobody home") as failed:
        await supervisor.start(_part("p", ready=_never, ready_timeout_s=0.2))
    assert isinstance(failed.value.__cause__, ConnectionError)
    assert supervisor.names == ()


async def test_what_is_killed_comes_back(supervisor: Supervisor, heard: Listener) -> None:
    await supervisor.start(_part("p"))
    pids = set()
    for times in range(1, 4):
        pids.add(supervisor.pid("p"))
        supervisor.signal("p", signal.SIGKILL)
        await heard.until("ready", times + 1)
    pids.add(supervisor.pid("p"))
    assert len(pids) == 4
    assert supervisor.restarts == {"p": 3}
    assert supervisor.errors == ["p: was ended by SIGKILL"] * 3


async def test_a_part_that_fails_to_come_back_is_tried_again(
    supervisor: Supervisor, heard: Listener, tmp_path: Path
) -> None:
    lives, ready = tmp_path / "lives", tmp_path / "ready"
    # It works in its first life and in its fifth; in between it ends at once.
    code = (
        f"import pathlib, time; lives = pathlib.Path({str(lives)!r}); "
        "n = len(lives.read_text()) if lives.exists() else 0; lives.write_text('x' * (n + 1)); "
        f"exit(3) if n not in (0, 4) else pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    await supervisor.start(_part("p", code, ready=ready))
    supervisor.signal("p", signal.SIGKILL)
    await heard.until("ready", 2)
    assert supervisor.restarts == {"p": 4}
    assert len(heard.of("failed")) == 3


@pytest.mark.parametrize(
    ("restart", "code", "phase"),
    [
        ("on_failure", 0, "finished"),
        ("never", 0, "finished"),
        ("never", 4, "died"),
    ],
)
async def test_a_part_that_is_over(
    supervisor: Supervisor, heard: Listener, restart: Restart, code: int, phase: Phase
) -> None:
    await supervisor.start(_part("p", f"exit({code})", restart=restart))
    assert await supervisor.wait("p") == code
    assert heard.of(phase) == ["p"]
    assert supervisor.restarts == {"p": 0}
    assert supervisor.pid("p") is None


async def test_ending_well_is_no_reason_to_stay_down_for_a_server(
    supervisor: Supervisor, heard: Listener
) -> None:
    await supervisor.start(_part("p", "exit(0)"))
    await heard.until("restarting", 2)
    await supervisor.stop_part("p")
    assert supervisor.pid("p") is None


async def test_what_runs_but_does_not_work_is_restarted(
    supervisor: Supervisor, heard: Listener
) -> None:
    sick = _part("p", health=Health(_never, every_s=0.02, again_s=0.01, timeout_s=1.0, failures=2))
    await supervisor.start(sick)
    await heard.until("ready", 2)
    assert any("runs but does not work" in error for error in supervisor.errors)


async def test_a_part_that_is_surely_dead_is_restarted_without_asking_again(
    supervisor: Supervisor, heard: Listener
) -> None:
    asked = 0

    async def dead_once() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise PartDeadError("its worker is gone")

    health = Health(dead_once, every_s=0.02, again_s=60.0, timeout_s=1.0, failures=99)
    await supervisor.start(_part("p", health=health))
    await heard.until("ready", 2)
    assert [error for error in supervisor.errors if "its worker is gone" in error]


async def test_parts_are_stopped_in_the_given_order_then_backwards(
    supervisor: Supervisor, heard: Listener
) -> None:
    await supervisor.start_all([_part(name) for name in ("a", "b", "c", "d")])
    assert heard.of("ready") == ["a", "b", "c", "d"]
    pids = [supervisor.pid(name) for name in supervisor.names]
    await supervisor.stop(["b", "unknown", "a"])
    assert heard.of("stopped") == ["b", "a", "d", "c"]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert supervisor.errors == []


async def test_what_does_not_end_is_killed_and_recorded(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    file = tmp_path / "ready"
    code = f"{_DEAF}; open({str(file)!r}, 'w').close(); time.sleep(600)"
    await supervisor.start(_part("p", code, ready=file, stop_timeout_s=0.1))
    await supervisor.stop()
    assert supervisor.pid("p") is None
    assert supervisor.errors == ["p: did not end within 0 s of SIGTERM and was killed"]


async def test_stopping_ends_the_wait_for_a_restart(state: StateFolder, heard: Listener) -> None:
    slow = Backoff(first_s=600.0, most_s=600.0)
    async with Supervisor(state, heard, backoff=slow) as supervisor:
        await supervisor.start(_part("p"))
        supervisor.signal("p", signal.SIGKILL)
        await heard.until("died")
    assert supervisor.restarts == {"p": 0}


async def test_a_cancelled_stop_leaves_nothing_running(
    state: StateFolder, tmp_path: Path, heard: Listener
) -> None:
    file = tmp_path / "ready"
    supervisor = Supervisor(state, heard)
    code = f"{_DEAF}; open({str(file)!r}, 'w').close(); time.sleep(600)"
    await supervisor.start(_part("p", code, ready=file, stop_timeout_s=600.0))
    stopping = asyncio.create_task(supervisor.stop())
    await heard.until("stopping")
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert await _ends(supervisor)


async def _ends(supervisor: Supervisor) -> bool:
    while supervisor.pid("p") is not None:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.01)
    return True


async def test_a_name_is_used_once(supervisor: Supervisor) -> None:
    await supervisor.start(_part("p"))
    with pytest.raises(StackError, match="started before"):
        await supervisor.start(_part("p"))
    with pytest.raises(StackError, match="no part 'q' was started; name one of p"):
        supervisor.pid("q")


async def test_its_children_carry_the_mark_of_the_folder(
    supervisor: Supervisor, state: StateFolder
) -> None:
    await supervisor.start(_part("p", "import os; print(os.environ)", restart="never"))
    await supervisor.wait("p")
    (name, value), *_ = state.marker.items()
    assert f"'{name}': '{value}'" in state.log("p").read_text()
